//! Softmax and layer normalization of the rows of a float matrix; `quantized` normalizes bytes.
//!
//! A sum over a row has 16 partial sums, element `i` in sum `i % 16`, which are then added in pairs: the
//! order is the same on every level, so the bits are, too.

mod line;
mod moments;
mod quantized;

pub use quantized::{Affine, Groups};

use crate::activation::exp;
use crate::error::{Result, same};
use crate::isa::{Isa, Kernel, LANES, Level};
use crate::parallel::{Split, Window, split, threads_for};

/// Calls `$body` with each 16 of `$x`; the last ones are padded with `$pad`.
macro_rules! for_each_vector {
    ($isa:ident, $x:expr, $pad:expr, |$v:ident| $body:expr) => {{
        let (chunks, rest) = $x.as_chunks::<LANES>();
        for chunk in chunks {
            let $v = $isa.f_load(chunk);
            $body;
        }
        if !rest.is_empty() {
            let $v = $isa.f_load(&padded(rest, $pad));
            $body;
        }
    }};
}

/// Replaces each 16 of `$x` by `$body` of them and their place.
macro_rules! replace_each_vector {
    ($isa:ident, $x:expr, |$i:ident, $v:ident| $body:expr) => {{
        let (chunks, rest) = $x.as_chunks_mut::<LANES>();
        let count = chunks.len();
        for ($i, chunk) in chunks.iter_mut().enumerate() {
            let $v = $isa.f_load(chunk);
            $isa.f_store($body, chunk);
        }
        if !rest.is_empty() {
            let ($i, mut last) = (count, padded(rest, 0.0));
            let $v = $isa.f_load(&last);
            $isa.f_store($body, &mut last);
            rest.copy_from_slice(&last[..rest.len()]);
        }
    }};
}

#[inline(always)]
fn padded(rest: &[f32], with: f32) -> [f32; LANES] {
    let mut chunk = [with; LANES];
    chunk[..rest.len()].copy_from_slice(rest);
    chunk
}

/// The 16 lanes added in pairs.
#[inline(always)]
fn total<I: Isa>(isa: I, v: I::F) -> f32 {
    let mut lanes = [0.0; LANES];
    isa.f_store(v, &mut lanes);
    for width in [8, 4, 2, 1] {
        for j in 0..width {
            lanes[j] += lanes[j + width];
        }
    }
    lanes[0]
}

/// `e^x[i] / sum of e^x` of each row of `n` values, or its logarithm.
///
/// NaN or plus infinity anywhere makes its row NaN, as do only minus infinities.
///
/// # Errors
/// If `x` is no whole number of rows or `out` has another length.
pub fn softmax(level: Level, x: &[f32], n: usize, logarithm: bool, out: &mut [f32]) -> Result<()> {
    check("softmax", x, n, out)?;
    split(out, n, threads_for(x.len() / 2), Split::Rows(1), |window| {
        level.run(Softmax { x, n, logarithm, window });
    });
    Ok(())
}

fn check(op: &'static str, x: &[f32], n: usize, out: &[f32]) -> Result<()> {
    same(op, "output length", out.len(), x.len())?;
    let rows = x.len().checked_div(n).unwrap_or(0);
    same(op, "input length", x.len(), rows * n)
}

struct Softmax<'a, 'w> {
    x: &'a [f32],
    n: usize,
    logarithm: bool,
    window: Window<'w, f32>,
}

impl Kernel for Softmax<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        for r in self.window.rows() {
            let x = &self.x[r * self.n..][..self.n];
            let out = self.window.row(r);
            let mut high = isa.f_splat(f32::NEG_INFINITY);
            for_each_vector!(isa, x, f32::NEG_INFINITY, |v| high = isa.f_max(v, high));
            let mut lanes = [0.0; LANES];
            isa.f_store(high, &mut lanes);
            let max = lanes.iter().fold(f32::NEG_INFINITY, |a, &b| if a > b { a } else { b });
            // The padding's exponential is 0, unless the whole row gives NaN anyway.
            let max = isa.f_splat(max);
            let mut sum = isa.f_splat(0.0);
            if self.logarithm {
                for_each_vector!(isa, x, f32::NEG_INFINITY, |v| {
                    sum = isa.f_add(sum, exp(isa, isa.f_sub(v, max)));
                });
                let log = isa.f_splat(ln(total(isa, sum)));
                out.copy_from_slice(x);
                replace_each_vector!(isa, out, |_i, v| isa.f_sub(isa.f_sub(v, max), log));
            } else {
                out.copy_from_slice(x);
                replace_each_vector!(isa, out, |_i, v| exp(isa, isa.f_sub(v, max)));
                for_each_vector!(isa, out, 0.0, |v| sum = isa.f_add(sum, v));
                let inverse = isa.f_splat(1.0 / total(isa, sum));
                replace_each_vector!(isa, out, |_i, v| isa.f_mul(v, inverse));
            }
        }
    }
}

/// Natural logarithm of a positive normal number, to 1e-12 before rounding; others come back.
///
/// Not the standard library's, whose last bit differs between systems.
fn ln(x: f32) -> f32 {
    if !(x.is_normal() && x > 0.0) {
        return x;
    }
    let x = f64::from(x);
    // x = m 2^e with m in 0.70..1.42; ln m = 2 artanh s.
    let offset = std::f64::consts::FRAC_1_SQRT_2.to_bits();
    let e = (x.to_bits().wrapping_sub(offset) as i64) >> 52;
    let m = f64::from_bits(x.to_bits().wrapping_sub((e as u64) << 52));
    let s = (m - 1.0) / (m + 1.0);
    let mut series = 0.0;
    for k in (1..=15_i32).rev().step_by(2) {
        series = series * s * s + 1.0 / f64::from(k);
    }
    (e as f64 * std::f64::consts::LN_2 + 2.0 * s * series) as f32
}

/// What a layer normalization multiplies with and adds.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm<'a> {
    /// One factor for each place of a row; 1 if absent.
    pub weight: Option<&'a [f32]>,
    /// One addend for each place of a row; 0 if absent.
    pub bias: Option<&'a [f32]>,
    /// Added to the variance.
    pub eps: f32,
}

impl LayerNorm<'_> {
    /// `(x - mean) / sqrt(variance + eps) * weight + bias` of each row of `n` values.
    ///
    /// # Errors
    /// If a length does not fit.
    pub fn apply(self, level: Level, x: &[f32], n: usize, out: &mut [f32]) -> Result<()> {
        const OP: &str = "layer_norm";
        check(OP, x, n, out)?;
        same(OP, "number of weights", self.weight.map_or(n, <[f32]>::len), n)?;
        same(OP, "number of biases", self.bias.map_or(n, <[f32]>::len), n)?;
        split(out, n, threads_for(x.len() / 2), Split::Rows(1), |window| {
            level.run(Normalize { by: self, x, n, window });
        });
        Ok(())
    }
}

struct Normalize<'a, 'w> {
    by: LayerNorm<'a>,
    x: &'a [f32],
    n: usize,
    window: Window<'w, f32>,
}

impl Kernel for Normalize<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let count = self.n as f32;
        for r in self.window.rows() {
            let x = &self.x[r * self.n..][..self.n];
            let out = self.window.row(r);
            let mut sum = isa.f_splat(0.0);
            for_each_vector!(isa, x, 0.0, |v| sum = isa.f_add(sum, v));
            let mean = total(isa, sum) / count;
            let center = isa.f_splat(mean);
            let mut squares = isa.f_splat(0.0);
            for_each_vector!(isa, x, mean, |v| {
                let distance = isa.f_sub(v, center);
                squares = isa.f_fma(distance, distance, squares);
            });
            let inverse = 1.0 / (total(isa, squares) / count + self.by.eps).sqrt();
            let inverse = isa.f_splat(inverse);
            let (weight, bias) = (self.by.weight, self.by.bias);
            out.copy_from_slice(x);
            replace_each_vector!(isa, out, |i, v| {
                let normal = isa.f_mul(isa.f_sub(v, center), inverse);
                match (weight, bias) {
                    (None, None) => normal,
                    _ => isa.f_fma(normal, place(isa, weight, i, 1.0), place(isa, bias, i, 0.0)),
                }
            });
        }
    }
}

/// The `i`-th vector of an optional row.
#[inline(always)]
fn place<I: Isa>(isa: I, row: Option<&[f32]>, i: usize, absent: f32) -> I::F {
    let Some(row) = row else { return isa.f_splat(absent) };
    match row[LANES * i..].first_chunk::<LANES>() {
        Some(chunk) => isa.f_load(chunk),
        None => isa.f_load(&padded(&row[LANES * i..], absent)),
    }
}
