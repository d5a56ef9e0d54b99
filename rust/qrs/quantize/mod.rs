//! Between real numbers and stored integers, for whole tensors: arguments checked, threads used. The
//! formulas are in [`crate::qparams`].

mod slices;

use std::ops::Range;

use slices::{Reals, for_each_chunk};
pub use slices::{Source, Steps, Stored, dequantize_slice, min_max, quantize_slice, quantize_u8};

use crate::error::{Error, Result, same};
use crate::isa::{Isa, Kernel, LANES, Level};
use crate::parallel::{Split, split, threads_for};
use crate::qparams::{Dequantizer, Quantizer, Span};

/// Where the channels of a tensor are: it is `[outer][channels][inner]`, row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Product of the dimensions before the channels.
    pub outer: usize,
    /// Number of channels.
    pub channels: usize,
    /// Product of the dimensions after the channels.
    pub inner: usize,
}

impl Axis {
    /// A tensor of `len` values whose parameters are those of one channel.
    #[must_use]
    pub fn none(len: usize) -> Self {
        Self { outer: 1, channels: 1, inner: len }
    }

    fn check(self, op: &'static str, x: usize, out: usize, params: usize) -> Result<()> {
        same(op, "input length", x, self.outer * self.channels * self.inner)?;
        same(op, "output length", out, x)?;
        same(op, "number of scales", params, self.channels)
    }

    /// Divides `out` between threads and calls `part` with pieces of it: the channels and the indices
    /// of a piece. Each is of one channel, or, where channels are innermost, a row of all of them.
    fn for_each_piece<T: Send>(
        self,
        out: &mut [T],
        part: impl Fn(Range<usize>, Range<usize>, &mut [T]) + Sync,
    ) {
        let Self { channels, inner, .. } = self;
        let width = if inner == 1 { channels } else { inner };
        let split_by = if out.len() == width { Split::Columns(LANES) } else { Split::Rows(1) };
        split(out, width, threads_for(out.len() / 4), split_by, |mut window| {
            let columns = window.columns();
            for r in window.rows() {
                let of = if inner == 1 { columns.clone() } else { r % channels..r % channels + 1 };
                let start = r * width + columns.start;
                part(of, start..start + columns.len(), window.row(r));
            }
        });
    }
}

/// `out[i]` = stored integer of `x[i]`, whose channel's quantizer is in `by`.
///
/// From integer sums to bytes this is requantization, with the multiplier in place of `1/s`.
///
/// # Errors
/// If a length does not fit the axis, or a quantizer's span exceeds the output type.
pub fn quantize<S: Source, T: Stored>(
    level: Level,
    x: &[S],
    axis: Axis,
    by: &[Quantizer],
    out: &mut [T],
) -> Result<()> {
    const OP: &str = "quantize";
    axis.check(OP, x.len(), out.len(), by.len())?;
    let Span { min, max } = T::SPAN;
    if let Some(by) = by.iter().find(|by| by.span.min < min || by.span.max > max) {
        let Span { min: from, max: to } = by.span;
        let message = format!("stored range is {from} to {to}, expected one within {min} to {max}");
        return Err(Error::Value { op: OP, message });
    }
    axis.for_each_piece(out, |channels, range, out| {
        level.run(Quantize { x: &x[range], by: &by[channels], out });
    });
    Ok(())
}

struct Quantize<'a, S, T> {
    x: &'a [S],
    /// One for all values, or one for each.
    by: &'a [Quantizer],
    out: &'a mut [T],
}

impl<S: Source, T: Stored> Kernel for Quantize<'_, S, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        if let [by] = *self.by {
            quantize_slice(isa, self.x, by, self.out);
        } else {
            for_each_chunk!(self.x, self.out, |i, chunk| {
                let by = &self.by[LANES * i..self.by.len().min(LANES * (i + 1))];
                T::quantize(isa, by, &Steps::load(isa, by), S::load(isa, chunk))
            });
        }
    }
}

/// `out[i]` = the real number that `q[i]` stands for, its channel's dequantizer in `by`.
///
/// # Errors
/// If a length does not fit the axis.
pub fn dequantize<T: Stored>(
    level: Level,
    q: &[T],
    axis: Axis,
    by: &[Dequantizer],
    out: &mut [f32],
) -> Result<()> {
    axis.check("dequantize", q.len(), out.len(), by.len())?;
    axis.for_each_piece(out, |channels, range, out| {
        level.run(Dequantize { q: &q[range], by: &by[channels], out });
    });
    Ok(())
}

struct Dequantize<'a, T> {
    q: &'a [T],
    /// One for all values, or one for each.
    by: &'a [Dequantizer],
    out: &'a mut [f32],
}

impl<T: Stored> Kernel for Dequantize<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        if let [by] = *self.by {
            dequantize_slice(isa, self.q, by, self.out);
        } else {
            for_each_chunk!(self.q, self.out, |i, chunk| {
                let by = &self.by[LANES * i..self.by.len().min(LANES * (i + 1))];
                Reals::load(isa, by).of(isa, chunk)
            });
        }
    }
}

/// Smallest and largest value of `x`; zeros if it is empty.
///
/// # Errors
/// [`Error::NonFinite`] if a value is NaN or infinite; `x` has rows of `row` values.
pub fn extent(level: Level, op: &'static str, x: &[f32], row: usize) -> Result<(f32, f32)> {
    match level.run(Extent(x)) {
        _ if x.is_empty() => Ok((0.0, 0.0)),
        (min, max, true) => Ok((min, max)),
        _ => {
            let at = x.iter().position(|v| !v.is_finite()).unwrap_or(0);
            Err(Error::NonFinite { op, row: at / row.max(1) })
        }
    }
}

struct Extent<'a>(&'a [f32]);

impl Kernel for Extent<'_> {
    type Output = (f32, f32, bool);

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Self::Output {
        min_max(isa, self.0)
    }
}
