//! Softmax and layer normalization of one row in f64.

use crate::norm::LayerNorm;

/// `e^x[i] / sum of e^x`, or its logarithm.
#[must_use]
pub fn softmax(x: &[f32], logarithm: bool) -> Vec<f64> {
    let max = x.iter().copied().map(f64::from).fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = x.iter().map(|&v| (f64::from(v) - max).exp()).sum();
    let log = |v: f32| f64::from(v) - max - sum.ln();
    x.iter().map(|&v| if logarithm { log(v) } else { log(v).exp() }).collect()
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias`.
#[must_use]
pub fn layer_norm(by: LayerNorm<'_>, x: &[f32]) -> Vec<f64> {
    let count = x.len() as f64;
    let mean = x.iter().copied().map(f64::from).sum::<f64>() / count;
    let variance = x.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / count;
    let at = |row: Option<&[f32]>, i: usize, absent| row.map_or(absent, |row| f64::from(row[i]));
    x.iter()
        .enumerate()
        .map(|(i, &v)| {
            let normal = (f64::from(v) - mean) / (variance + f64::from(by.eps)).sqrt();
            normal * at(by.weight, i, 1.0) + at(by.bias, i, 0.0)
        })
        .collect()
}
