//! Pooling and means, one output at a time.

use super::quantize::nearest_even;
use crate::pool::{Average, Slide};
use crate::qparams::{Rounding, Span};

/// A window of one axis: positions, counted from the first input, of which some lie outside.
pub type Positions = Vec<i64>;

/// The windows of an axis of `size` inputs, and how many positions of each lie within the padding.
#[must_use]
pub fn sliding(size: usize, slide: Slide) -> Vec<(Positions, usize)> {
    let [kernel, stride, padding, dilation] =
        [slide.kernel, slide.stride, slide.padding, slide.dilation].map(|n| n as i64);
    let size = size as i64;
    let mut all = Vec::new();
    for output in 0.. {
        let start = output * stride - padding;
        let end = start + dilation * (kernel - 1) + 1;
        let fits = end <= size + padding;
        // A window that reaches too far still counts in ceil mode if it starts early enough.
        let begins = slide.ceil && start < size && end - stride < size + padding;
        if !fits && !begins {
            break;
        }
        let positions: Positions = (0..kernel).map(|t| start + t * dilation).collect();
        let padded = positions.iter().filter(|&&p| p < size + padding).count();
        all.push((positions, padded));
    }
    all
}

/// The windows of adaptive pooling.
#[must_use]
pub fn adaptive(size: usize, count: usize) -> Vec<(Positions, usize)> {
    (0..count)
        .map(|i| {
            let positions: Positions = (0..size as i64)
                .filter(|&p| touches(p, i as i64, size as i64, count as i64))
                .collect();
            let padded = positions.len();
            (positions, padded)
        })
        .collect()
}

/// Whether input `p` of `size` and output `i` of `count`, laid over each other, share any room.
fn touches(p: i64, i: i64, size: i64, count: i64) -> bool {
    p * count < (i + 1) * size && (p + 1) * count > i * size
}

/// The integers of `x`, `[batch][depth][height][width][channels]`, under each window, and the count
/// with padding.
#[must_use]
pub fn windows(
    x: &[i32],
    (batch, input, channels): (usize, [usize; 3], usize),
    axes: &[Vec<(Positions, usize)>; 3],
) -> Vec<(Vec<i32>, usize)> {
    let mut all = Vec::new();
    for image in 0..batch {
        for (ds, dn) in &axes[0] {
            for (hs, hn) in &axes[1] {
                for (ws, wn) in &axes[2] {
                    for c in 0..channels {
                        let mut values = Vec::new();
                        for place in ds.iter().flat_map(|d| hs.iter().map(move |h| (d, h))) {
                            for w in ws {
                                let at = [*place.0, *place.1, *w];
                                if (0..3).all(|i| (0..input[i] as i64).contains(&at[i])) {
                                    let [d, h, w] = at.map(|v| v as usize);
                                    let pixel =
                                        ((image * input[0] + d) * input[1] + h) * input[2] + w;
                                    values.push(x[pixel * channels + c]);
                                }
                            }
                        }
                        all.push((values, dn * hn * wn));
                    }
                }
            }
        }
    }
    all
}

/// The mean of a window.
#[must_use]
pub fn average(values: &[i32], padded: usize, how: Average, span: Span) -> i32 {
    let sum: i64 = values.iter().map(|&q| i64::from(q) - i64::from(how.zero_point)).sum();
    let count = match how.divisor {
        Some(divisor) => divisor as f32,
        None if how.include_padding => padded as f32,
        None => values.len() as f32,
    };
    let mean = sum as f32 * (1.0 / count);
    let q = match how.rounding {
        Rounding::ThenAdd => nearest_even(mean).saturating_add(how.zero_point.into()),
        Rounding::AfterFma => nearest_even(mean + how.zero_point as f32),
    };
    q.clamp(span.min.into(), span.max.into()) as i32
}

/// The exact mean, to the nearest step, at a tie to an even number of steps from the zero point.
#[must_use]
pub fn mean(values: &[i32], zero_point: i32) -> i32 {
    let count = values.len() as i64;
    let sum: i64 = values.iter().map(|&q| i64::from(q) - i64::from(zero_point)).sum();
    let (low, rest) = (sum.div_euclid(count), sum.rem_euclid(count));
    let up = match (2 * rest).cmp(&count) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => low.rem_euclid(2),
        std::cmp::Ordering::Greater => 1,
    };
    zero_point + (low + up) as i32
}
