//! Quantization parameters, and the one statement of every quantization formula.
//!
//! `q` is the stored integer, `s` the scale (real units per step), `z` the zero point, `[qmin, qmax]`
//! the stored range, `rne` rounding to the nearest integer with ties to even. Every operation on reals
//! is one `f32` operation unless said otherwise.
//!
//! ```text
//! quantize    q = clamp(z + rne(x * (1/s)))           Rounding::ThenAdd
//!             q = clamp(rne(fma(x, 1/s, z)))          Rounding::AfterFma
//! dequantize  x = s * (q - z)
//! requantize  q = clamp(z + rne(f32(acc) * m))
//! ```
//!
//! NaN becomes the zero point and infinities the ends of the range: both conventions say so, on every
//! level.

use crate::error::{Error, Result};

/// Numeric profile of a model: which formulas it was converted with. Any profile runs on any CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Full 8-bit range; dynamic activations get one scale per row.
    #[default]
    Qrs,
    /// PyTorch 1.8.1 with its `fbgemm` engine.
    Fbgemm,
    /// PyTorch 1.8.1 with its `qnnpack` engine.
    Qnnpack,
}

/// When the zero point is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// `z + rne(x * (1/s))`: `quantize_per_tensor` of PyTorch 1.8.1, profiles `qrs` and `qnnpack`.
    ThenAdd,
    /// `rne(fma(x, 1/s, z))`: dynamic activations of profile `fbgemm`.
    AfterFma,
}

/// The integers that may be stored, ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Smallest.
    pub min: i32,
    /// Largest.
    pub max: i32,
}

/// `quint8`.
pub const QUINT8: Span = Span { min: 0, max: 255 };
/// `quint8` with `reduce_range`.
pub const QUINT7: Span = Span { min: 0, max: 127 };
/// `qint8`.
pub const QINT8: Span = Span { min: -128, max: 127 };
/// `qint32`.
pub const QINT32: Span = Span { min: i32::MIN, max: i32::MAX };

/// Scale and zero point of one tensor, channel or row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QParams {
    /// Real units per step.
    pub scale: f32,
    /// The integer that stands for 0.
    pub zero_point: i32,
}

impl Engine {
    /// All profiles.
    pub const ALL: [Self; 3] = [Self::Qrs, Self::Fbgemm, Self::Qnnpack];

    /// Its name in Python.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Qrs => "qrs",
            Self::Fbgemm => "fbgemm",
            Self::Qnnpack => "qnnpack",
        }
    }

    /// The profile called `name`.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|engine| engine.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            let message = format!("`{name}` is unknown, expected one of {known}");
            Error::Value { op: "engine", message }
        })
    }

    /// Stored range of dynamically quantized activations. Only `fbgemm` heeds `reduce_range`.
    #[must_use]
    pub fn dynamic_span(self, reduce_range: bool) -> Span {
        if reduce_range && self == Self::Fbgemm { QUINT7 } else { QUINT8 }
    }

    /// Rounding of dynamically quantized activations.
    #[must_use]
    pub fn dynamic_rounding(self) -> Rounding {
        if self == Self::Fbgemm { Rounding::AfterFma } else { Rounding::ThenAdd }
    }

    /// Whether every row of a dynamic layer's input gets parameters of its own.
    #[must_use]
    pub fn quantizes_rows(self) -> bool {
        self == Self::Qrs
    }

    /// Whether a dynamic output is rounded once, `fma(f32(acc), s, bias)`, or after each step.
    #[must_use]
    pub fn fuses_bias(self) -> bool {
        self != Self::Qnnpack
    }
}

impl QParams {
    /// Parameters of dynamically quantized activations whose values lie in `min..=max`, both finite.
    ///
    /// Formulas of PyTorch's dynamic layers, in double precision: zero is always representable, and
    /// the zero point is taken from the end whose own rounding error is smaller.
    #[must_use]
    pub fn dynamic(min: f32, max: f32, span: Span) -> Self {
        let (low, high) = (f64::from(min.min(0.0)), f64::from(max.max(0.0)));
        let (qmin, qmax) = (f64::from(span.min), f64::from(span.max));
        let mut scale = (high - low) / (qmax - qmin);
        if !(1.0 / scale as f32).is_finite() {
            scale = 0.1;
        }
        let (from_low, from_high) = (qmin - low / scale, qmax - high / scale);
        let low_is_closer = qmin.abs() + (low / scale).abs() < qmax.abs() + (high / scale).abs();
        let zero_point = if low_is_closer { from_low } else { from_high };
        let zero_point = zero_point.round_ties_even().clamp(qmin, qmax) as i32;
        Self { scale: scale as f32, zero_point }
    }

    /// The same parameters prepared for quantizing.
    #[must_use]
    pub fn quantizer(self, span: Span, rounding: Rounding) -> Quantizer {
        let (before, after) = match rounding {
            Rounding::ThenAdd => (0.0, self.zero_point),
            Rounding::AfterFma => (self.zero_point as f32, 0),
        };
        Quantizer { inv_scale: 1.0 / self.scale, before, after, span }
    }

    /// The same parameters prepared for dequantizing.
    #[must_use]
    pub fn dequantizer(self) -> Dequantizer {
        Dequantizer { scale: self.scale, zero_point: self.zero_point, offset: 0.0 }
    }

    /// `Ok` if the scale is positive and finite, its reciprocal is finite, and the zero point is
    /// within `span`.
    pub fn checked(self, op: &'static str, span: Span) -> Result<Self> {
        check_scale(op, self.scale)?;
        let zero_point = self.zero_point;
        if !(span.min..=span.max).contains(&zero_point) {
            let Span { min, max } = span;
            let message = format!("zero point is {zero_point}, expected {min} to {max}");
            return Err(Error::Value { op, message });
        }
        Ok(self)
    }
}

/// Parameters of one embedding row: a real zero point, so that the row's minimum is stored as 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RealQParams {
    /// Real units per step.
    pub scale: f32,
    /// The point of the integer scale that stands for 0.
    pub zero_point: f32,
}

impl RealQParams {
    /// The same parameters prepared for quantizing: `q = clamp(rne(fma(x, 1/s, z)))`.
    #[must_use]
    pub fn quantizer(self, span: Span) -> Quantizer {
        Quantizer { inv_scale: 1.0 / self.scale, before: self.zero_point, after: 0, span }
    }

    /// The same parameters prepared for dequantizing: `x = s * (q - z)`.
    #[must_use]
    pub fn dequantizer(self) -> Dequantizer {
        Dequantizer { scale: self.scale, zero_point: 0, offset: self.zero_point }
    }

    /// `Ok` if the scale is as in [`QParams::checked`] and the zero point finite.
    pub fn checked(self, op: &'static str) -> Result<Self> {
        check_scale(op, self.scale)?;
        if !self.zero_point.is_finite() {
            let message = format!("zero point is {}, expected a finite number", self.zero_point);
            return Err(Error::Value { op, message });
        }
        Ok(self)
    }
}

fn check_scale(op: &'static str, scale: f32) -> Result<()> {
    if scale > 0.0 && scale.is_finite() && (1.0 / scale).is_finite() {
        return Ok(());
    }
    let message = format!("scale is {scale}, expected a positive number from 3e-39 to 3.4e38");
    Err(Error::Value { op, message })
}

/// What turns a real number into a stored integer: `q = clamp(rne(fma(x, 1/s, before)) + after)`.
///
/// The zero point is `before` or `after` and the other is 0, which gives each rounding convention: a
/// product with 0 added is the rounded product.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantizer {
    /// `1/s`, finite.
    pub inv_scale: f32,
    /// Added before rounding.
    pub before: f32,
    /// Added after rounding, within `span`.
    pub after: i32,
    /// The integers that may be stored.
    pub span: Span,
}

impl Quantizer {
    /// The stored integer of `x`. NaN counts as 0.
    #[must_use]
    pub fn quantize(self, x: f32) -> i32 {
        let x = if x.is_nan() { 0.0 } else { x };
        // The conversion to i64 saturates, far outside every span.
        let rounded = x.mul_add(self.inv_scale, self.before).round_ties_even() as i64;
        let wide = rounded.saturating_add(i64::from(self.after));
        wide.clamp(i64::from(self.span.min), i64::from(self.span.max)) as i32
    }

    /// What `rne(...)` is clamped to, as floats; exact for spans of 24 bits.
    #[must_use]
    pub fn bounds(self) -> (f32, f32) {
        let after = self.after as f32;
        (self.span.min as f32 - after, self.span.max as f32 - after)
    }
}

/// What turns a stored integer into a real number: `x = s * ((q - z) - offset)`. One of zero point and
/// offset is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dequantizer {
    /// Real units per step.
    pub scale: f32,
    /// An integer zero point.
    pub zero_point: i32,
    /// A real zero point.
    pub offset: f32,
}

impl Dequantizer {
    /// The real number that `q` stands for.
    #[must_use]
    pub fn dequantize(self, q: i32) -> f32 {
        ((i64::from(q) - i64::from(self.zero_point)) as f32 - self.offset) * self.scale
    }
}
