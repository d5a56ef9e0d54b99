//! Dynamically quantized linear layer, one number at a time.

use crate::qparams::{Engine, QParams, QUINT7, QUINT8};

/// What the layer computes with.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// `[n][k]`.
    pub weights: &'a [i8],
    /// Outputs and inputs per row.
    pub shape: (usize, usize),
    /// One per output.
    pub scales: &'a [f32],
    /// One per output.
    pub zero_points: &'a [i32],
    /// One per output.
    pub bias: &'a [f32],
}

/// The layer's output for `x`, `[m][k]`.
#[must_use]
pub fn dynamic(layer: Layer<'_>, engine: Engine, reduce_range: bool, x: &[f32]) -> Vec<f32> {
    let (n, k) = layer.shape;
    let span = if engine == Engine::Fbgemm && reduce_range { QUINT7 } else { QUINT8 };
    let params_of = |values: &[f32]| {
        let min = values.iter().copied().fold(f32::INFINITY, f32::min);
        let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        QParams::dynamic(min, max, span)
    };
    let mut out = Vec::new();
    for row in x.chunks_exact(k) {
        let params = params_of(if engine == Engine::Qrs { row } else { x });
        let by = params.quantizer(span, engine.dynamic_rounding());
        let bytes: Vec<i64> = row.iter().map(|&v| i64::from(by.quantize(v))).collect();
        for j in 0..n {
            let weights = &layer.weights[j * k..][..k];
            let mut acc = 0_i64;
            for (a, w) in bytes.iter().zip(weights) {
                let (zx, zw) = (i64::from(params.zero_point), i64::from(layer.zero_points[j]));
                acc += (a - zx) * (i64::from(*w) - zw);
            }
            let acc = i32::try_from(acc).expect("the sum fits 32 bits") as f32;
            let multiplier = params.scale * layer.scales[j];
            out.push(match engine {
                Engine::Qrs | Engine::Fbgemm => acc.mul_add(multiplier, layer.bias[j]),
                Engine::Qnnpack => acc * multiplier + layer.bias[j],
            });
        }
    }
    out
}
