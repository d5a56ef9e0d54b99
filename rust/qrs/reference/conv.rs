//! Statically quantized convolution and linear layers, one number at a time.

use crate::conv::Geometry;
use crate::qparams::Engine;
use crate::requant::{Channels, Static};

/// A stored byte from an exact sum of products, by the formulas of [`crate::requant`].
#[must_use]
pub fn requantize(sum: i64, channels: &Channels, j: usize, how: Static) -> u8 {
    let sum = i32::try_from(sum).expect("the sum fits 32 bits");
    let (scale, bias) = (channels.scale(j), channels.bias[j]);
    let product = how.input.scale * scale;
    let (value, multiplier) = if how.engine == Engine::Qnnpack {
        let bias = (bias * (1.0 / product)).round_ties_even() as i32;
        ((sum + bias) as f32, (scale * how.input.scale) * (1.0 / how.output.scale))
    } else {
        let bias = if channels.scales.len() == 1 { bias * (1.0 / product) } else { bias / product };
        (sum as f32 + bias, product / how.output.scale)
    };
    let q = i64::from(how.output.zero_point) + (value * multiplier).round_ties_even() as i64;
    q.clamp(how.span.min.into(), how.span.max.into()) as u8
}

/// The linear layer's output for `x`, `[m][k]`; weights `[n][k]`.
#[must_use]
pub fn linear(weights: &[i8], k: usize, channels: &Channels, how: Static, x: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for row in x.chunks_exact(k) {
        for (j, weights) in weights.chunks_exact(k).enumerate() {
            let product = |(a, w): (&u8, &i8)| {
                (i64::from(*a) - i64::from(how.input.zero_point))
                    * (i64::from(*w) - i64::from(channels.zero_point(j)))
            };
            let sum = row.iter().zip(weights).map(product).sum();
            out.push(requantize(sum, channels, j, how));
        }
    }
    out
}

/// The convolution's output for channels-last images; weights `[outputs][taps][inputs / groups]`.
#[must_use]
pub fn conv(
    weights: &[i8],
    (inputs, outputs): (usize, usize),
    geometry: Geometry,
    channels: &Channels,
    how: Static,
    (batch, input, output): (usize, [usize; 3], [usize; 3]),
    x: &[u8],
) -> Vec<u8> {
    let Geometry { kernel, stride, padding, dilation, groups } = geometry;
    let (c, n) = (inputs / groups, outputs / groups);
    let mut out = Vec::new();
    for image in 0..batch {
        for at in positions(output) {
            for j in 0..outputs {
                let mut sum = 0_i64;
                for (t, tap) in positions(kernel).enumerate() {
                    let place: [i64; 3] = std::array::from_fn(|d| {
                        (at[d] * stride[d] + tap[d] * dilation[d]) as i64 - padding[d] as i64
                    });
                    // Outside the image stands the zero point: no contribution.
                    if (0..3).any(|d| place[d] < 0 || place[d] >= input[d] as i64) {
                        continue;
                    }
                    let [d, h, w] = place.map(|p| p as usize);
                    let pixel = ((image * input[0] + d) * input[1] + h) * input[2] + w;
                    for i in 0..c {
                        let a = x[pixel * inputs + j / n * c + i];
                        let weight = weights[(j * geometry.taps() + t) * c + i];
                        sum += (i64::from(a) - i64::from(how.input.zero_point))
                            * (i64::from(weight) - i64::from(channels.zero_point(j)));
                    }
                }
                out.push(requantize(sum, channels, j, how));
            }
        }
    }
    out
}

/// The transposed convolution's output: every input, times every tap, added where it falls.
#[must_use]
pub fn conv_transpose(
    weights: &[i8],
    (inputs, outputs): (usize, usize),
    geometry: Geometry,
    channels: &Channels,
    how: Static,
    (batch, input, output): (usize, [usize; 3], [usize; 3]),
    x: &[u8],
) -> Vec<u8> {
    let Geometry { kernel, stride, padding, dilation, groups } = geometry;
    let (c, n) = (inputs / groups, outputs / groups);
    let mut sums = vec![0_i64; batch * output.iter().product::<usize>() * outputs];
    let pixel = |image: usize, size: [usize; 3], [d, h, w]: [usize; 3]| {
        ((image * size[0] + d) * size[1] + h) * size[2] + w
    };
    for image in 0..batch {
        for from in positions(input) {
            let a = &x[pixel(image, input, from) * inputs..][..inputs];
            for (t, tap) in positions(kernel).enumerate() {
                let place: [i64; 3] = std::array::from_fn(|d| {
                    (from[d] * stride[d] + tap[d] * dilation[d]) as i64 - padding[d] as i64
                });
                if (0..3).any(|d| place[d] < 0 || place[d] >= output[d] as i64) {
                    continue;
                }
                let to = pixel(image, output, place.map(|p| p as usize)) * outputs;
                for j in 0..outputs {
                    for i in 0..c {
                        let weight = weights[(j * geometry.taps() + t) * c + i];
                        sums[to + j] += (i64::from(a[j / n * c + i])
                            - i64::from(how.input.zero_point))
                            * (i64::from(weight) - i64::from(channels.zero_point(j)));
                    }
                }
            }
        }
    }
    sums.iter().enumerate().map(|(i, &sum)| requantize(sum, channels, i % outputs, how)).collect()
}

/// Every index of a box, last dimension fastest.
fn positions(size: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    let [_, h, w] = size;
    (0..size.iter().product()).map(move |i| [i / (h * w), i / w % h, i % w])
}
