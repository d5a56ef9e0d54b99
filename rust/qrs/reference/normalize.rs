//! Normalization of stored integers, one value at a time.

use super::quantize::quantize;
use crate::norm::Affine;
use crate::qparams::{Rounding, Span};

/// `a * b + c`, rounded once.
fn fma(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

fn stored(y: f32, scale: f32, by: &Affine<'_>, span: Span) -> i32 {
    let zero_point = by.output.zero_point;
    let min = if by.relu { zero_point } else { span.min };
    quantize(y, scale, zero_point, Rounding::ThenAdd, Span { min, max: span.max })
}

/// Batch normalization of `q`, of channel `j`.
#[must_use]
pub fn batch(by: &Affine<'_>, q: i32, j: usize, mean: f32, variance: f32, span: Span) -> i32 {
    let weight = by.weight.map_or(1.0, |w| w[j]);
    let bias = by.bias.map_or(0.0, |b| b[j]);
    let factor = 1.0 / (variance + by.eps as f32).sqrt() * weight;
    let a = factor * (by.input.scale / by.output.scale);
    let b = (bias - mean * factor) / by.output.scale;
    stored(fma(a, (q - by.input.zero_point) as f32, b), 1.0, by, span)
}

/// Normalization of `group` by its own statistics. `places` are the index of each value's weight and
/// bias; layer normalization applies the weight after the deviation, group normalization with it.
#[must_use]
pub fn own(by: &Affine<'_>, group: &[i32], places: &[usize], layer: bool, span: Span) -> Vec<i32> {
    let n = group.len() as f32;
    let sum: i64 = group.iter().map(|&q| i64::from(q)).sum();
    let squares: i64 = group.iter().map(|&q| i64::from(q) * i64::from(q)).sum();
    let mean = sum as f32 / n;
    let variance = fma(-mean, mean, squares as f32 / n).max(0.0);
    let scale = by.input.scale;
    let wide = f64::from(variance * scale * scale) + by.eps;
    let k = (f64::from(scale) / wide.sqrt()) as f32;
    let center = mean - by.input.zero_point as f32;
    let value = |(&q, &j): (&i32, &usize)| {
        let weight = by.weight.map_or(1.0, |w| w[j]);
        let bias = by.bias.map_or(0.0, |b| b[j]);
        let d = (q - by.input.zero_point) as f32 - center;
        let y = if layer { fma(d * k, weight, bias) } else { fma(d, k * weight, bias) };
        stored(y, by.output.scale, by, span)
    };
    group.iter().zip(places).map(value).collect()
}
