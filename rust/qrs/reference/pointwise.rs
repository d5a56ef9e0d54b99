//! Sums and products of two quantized numbers, one pair at a time.

use super::quantize::nearest_even;
use crate::pointwise::{Binary, Operation};
use crate::qparams::{QParams, Span};

/// The stored integer of what `a` and `b` give.
#[must_use]
pub fn binary(by: &Binary, a: i32, b: i32, span: Span) -> i32 {
    let QParams { scale, zero_point } = by.output;
    let inverse = (1.0 / f64::from(scale)) as f32;
    let steps = match by.operation {
        Operation::Add => {
            let [x, y] = [(a, by.inputs[0]), (b, by.inputs[1])].map(|(q, params)| {
                // Both terms are within 40 bits of each other, so f64 holds their sum.
                let offset = -(params.scale * params.zero_point as f32);
                (f64::from(params.scale) * f64::from(q) + f64::from(offset)) as f32
            });
            (x + y) * inverse
        }
        Operation::Mul => {
            let product = (a - by.inputs[0].zero_point) * (b - by.inputs[1].zero_point);
            let factor = (by.inputs[0].scale * by.inputs[1].scale) * inverse;
            (f64::from(product) * f64::from(factor)) as f32
        }
    };
    let low = if by.relu { zero_point } else { span.min };
    let q = nearest_even(steps).saturating_add(i64::from(zero_point));
    q.clamp(low.into(), span.max.into()) as i32
}

/// All pairs of indices of two arrays of the shapes `a` and `b` that meet, in the order of the result.
#[must_use]
pub fn broadcast(a: &[usize], b: &[usize]) -> Vec<(usize, usize)> {
    let rank = a.len().max(b.len());
    let widened = |shape: &[usize]| {
        let mut all = vec![1; rank - shape.len()];
        all.extend_from_slice(shape);
        all
    };
    let (a, b) = (widened(a), widened(b));
    let shape: Vec<usize> = (0..rank).map(|d| if a[d] == 1 { b[d] } else { a[d] }).collect();
    let place = |of: &[usize], index: &[usize]| {
        (0..rank).fold(0, |at, d| at * of[d] + if of[d] == 1 { 0 } else { index[d] })
    };
    (0..shape.iter().product())
        .map(|mut flat: usize| {
            let mut index = vec![0; rank];
            for d in (0..rank).rev() {
                index[d] = flat % shape[d];
                flat /= shape[d];
            }
            (place(&a, &index), place(&b, &index))
        })
        .collect()
}
