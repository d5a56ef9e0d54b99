//! Resizing, one output at a time.

use super::quantize::nearest_even;
use crate::qparams::Span;

/// Where output `i` of `count` lies among `size` inputs.
#[must_use]
pub fn place(i: usize, size: usize, count: usize, scale: Option<f64>, corners: bool) -> f32 {
    if corners {
        let step = if count > 1 { (size - 1) as f32 / (count - 1) as f32 } else { 0.0 };
        return step * i as f32;
    }
    let step = scale.map_or(size as f32 / count as f32, |scale| (1.0 / scale) as f32);
    let at = (f64::from(step) * (i as f64 + 0.5) - 0.5) as f32;
    if at > 0.0 { at } else { 0.0 }
}

/// The integer between four corners, at the place `y` from the upper line, `x` from the left column.
#[must_use]
pub fn bilinear(corners: [[i32; 2]; 2], y: f32, x: f32, zero_point: i32, span: Span) -> i32 {
    let line = |line: [i32; 2]| (1.0 - x) * line[0] as f32 + x * line[1] as f32;
    let v = (1.0 - y) * line(corners[0]) + y * line(corners[1]);
    let q = nearest_even(v - zero_point as f32) + i64::from(zero_point);
    q.clamp(span.min.into(), span.max.into()) as i32
}
