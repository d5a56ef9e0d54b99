//! Quantization, one number at a time: products in f64 are exact, so one conversion rounds them once.

use std::cmp::Ordering;

use crate::qparams::{Rounding, Span};

/// The stored integer of `x` for scale `s` and zero point `z`.
#[must_use]
pub fn quantize(x: f32, s: f32, z: i32, rounding: Rounding, span: Span) -> i32 {
    let product = f64::from(x) * f64::from((1.0 / f64::from(s)) as f32);
    clamp(
        match rounding {
            _ if x.is_nan() => i64::from(z),
            Rounding::ThenAdd => nearest_even(product as f32).saturating_add(i64::from(z)),
            Rounding::AfterFma => nearest_even(sum(product, f64::from(z))),
        },
        span,
    )
}

/// The stored integer of `x` for a real zero point.
#[must_use]
pub fn quantize_real(x: f32, s: f32, z: f32, span: Span) -> i32 {
    let x = if x.is_nan() { 0.0 } else { f64::from(x) };
    clamp(nearest_even(sum(x * f64::from((1.0 / f64::from(s)) as f32), f64::from(z))), span)
}

/// The stored integer of the sum `acc`, scaled by `multiplier`.
#[must_use]
pub fn requantize(acc: i32, multiplier: f32, z: i32, span: Span) -> i32 {
    let product = (f64::from(acc as f32) * f64::from(multiplier)) as f32;
    clamp(nearest_even(product).saturating_add(i64::from(z)), span)
}

/// The real number that `q` stands for.
#[must_use]
pub fn dequantize(q: i32, s: f32, z: i32) -> f32 {
    (f64::from((i64::from(q) - i64::from(z)) as f32) * f64::from(s)) as f32
}

/// The real number that `q` stands for with a real zero point.
#[must_use]
pub fn dequantize_real(q: i32, s: f32, z: f32) -> f32 {
    let distance = (f64::from(q) - f64::from(z)) as f32;
    (f64::from(distance) * f64::from(s)) as f32
}

fn clamp(q: i64, span: Span) -> i32 {
    q.max(span.min.into()).min(span.max.into()) as i32
}

/// The nearest integer, of two equally near ones the even one.
pub(super) fn nearest_even(v: impl Into<f64>) -> i64 {
    let v = v.into();
    let below = v.floor();
    let low = below as i64; // saturates
    match (v - below).partial_cmp(&0.5) {
        Some(Ordering::Greater) => low + 1,
        Some(Ordering::Equal) => low + low.rem_euclid(2),
        // An infinity has no fraction.
        Some(Ordering::Less) | None => low,
    }
}

/// The exact sum of `a` and `b`, rounded once to f32.
fn sum(a: f64, b: f64) -> f32 {
    let total = a + b;
    if !total.is_finite() {
        return total as f32;
    }
    // What the f64 sum lost, exactly; then the sum is made odd, so that the second rounding cannot
    // mistake it for a tie.
    let b_part = total - a;
    let lost = (a - (total - b_part)) + (b - b_part);
    let odd = if lost == 0.0 || total.to_bits() % 2 == 1 {
        total
    } else if lost > 0.0 {
        total.next_up()
    } else {
        total.next_down()
    };
    odd as f32
}
