//! Resizing of images, channels last. Nearest neighbours are a [selection](crate::shuffle::select);
//! bilinear interpolation, of integers as f32 in PyTorch 1.8.1's order, is
//!
//! ```text
//! v = h0 * (w0 * q[00] + w1 * q[01]) + h1 * (w0 * q[10] + w1 * q[11])
//! q = clamp(z + rne(v - z))
//! ```

use crate::byte::Byte;
use crate::error::{Error, Result, same};
use crate::isa::{Isa, Kernel, LANES, Level};
use crate::parallel::{Split, Window, split, threads_for};
use crate::qparams::Quantizer;
use crate::quantize::Steps;

/// Where the outputs of one axis lie between its inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    size: usize,
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    /// The input below, and the one above.
    inputs: [usize; 2],
    /// Their weights.
    weights: [f32; 2],
}

/// Inputs from one output to the next: from the ratio of the sizes, or from a scale that was asked for.
fn step(size: usize, count: usize, scale: Option<f64>) -> f32 {
    match scale {
        Some(scale) => (1.0 / scale) as f32,
        None => size as f32 / count as f32,
    }
}

/// The nearest input, to the left of or at each of `count` outputs.
#[must_use]
pub fn nearest(size: usize, count: usize, scale: Option<f64>) -> Vec<usize> {
    let step = step(size, count, scale);
    let last = size.saturating_sub(1);
    (0..count).map(|i| ((i as f32 * step).floor() as usize).min(last)).collect()
}

impl Axis {
    /// `count` outputs of `size` inputs.
    ///
    /// # Errors
    /// If there is no input.
    pub fn linear(size: usize, count: usize, scale: Option<f64>, corners: bool) -> Result<Self> {
        if size == 0 {
            let message = "an axis without inputs came, expected some".to_owned();
            return Err(Error::Value { op: "interpolate", message });
        }
        let step = match corners {
            true if count > 1 => (size - 1) as f32 / (count - 1) as f32,
            true => 0.0,
            false => step(size, count, scale),
        };
        let place = |i: usize| {
            let at = match corners {
                true => step * i as f32,
                false => ((f64::from(step) * (i as f64 + 0.5) - 0.5) as f32).max(0.0),
            };
            let low = (at as usize).min(size - 1);
            let above = at - low as f32;
            Place { inputs: [low, (low + 1).min(size - 1)], weights: [1.0 - above, above] }
        };
        Ok(Self { size, places: (0..count).map(place).collect() })
    }
}

/// Bilinear interpolation of `batch` images of `channels` between two axes.
///
/// # Errors
/// If a length does not fit.
pub fn bilinear<T: Byte>(
    level: Level,
    x: &[T],
    (batch, channels): (usize, usize),
    axes: &[Axis; 2],
    zero_point: i32,
    out: &mut [T],
) -> Result<()> {
    const OP: &str = "interpolate";
    let [height, width] = axes;
    let (line, lines) = (width.places.len() * channels, batch * height.places.len());
    same(OP, "input length", x.len(), batch * height.size * width.size * channels)?;
    same(OP, "output length", out.len(), lines * line)?;
    split(out, line, threads_for(out.len()), Split::Rows(1), |window| {
        level.run(Bilinear { x, channels, axes, zero_point, window });
    });
    Ok(())
}

struct Bilinear<'a, 'w, T> {
    x: &'a [T],
    channels: usize,
    axes: &'a [Axis; 2],
    zero_point: i32,
    window: Window<'w, T>,
}

impl<T: Byte> Kernel for Bilinear<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let Self { x, channels, axes: [height, width], zero_point, .. } = self;
        let by = Quantizer { inv_scale: 1.0, before: 0.0, after: zero_point, span: T::SPAN };
        let (steps, zero) = (Steps::new(isa, by), isa.f_splat(zero_point as f32));
        for r in self.window.rows() {
            let out = self.window.row(r);
            let (image, y) = (r / height.places.len(), height.places[r % height.places.len()]);
            let lines = y.inputs.map(|h| {
                let from = (image * height.size + h) * width.size * channels;
                &x[from..][..width.size * channels]
            });
            let [h0, h1] = [isa.f_splat(y.weights[0]), isa.f_splat(y.weights[1])];
            for (place, out) in width.places.iter().zip(out.chunks_exact_mut(channels)) {
                let [w0, w1] = [isa.f_splat(place.weights[0]), isa.f_splat(place.weights[1])];
                let [a, b] = [place.inputs[0] * channels, place.inputs[1] * channels];
                let corners = [
                    &lines[0][a..][..channels],
                    &lines[0][b..][..channels],
                    &lines[1][a..][..channels],
                    &lines[1][b..][..channels],
                ];
                for at in (0..channels).step_by(LANES) {
                    let q = [
                        sixteen(isa, corners[0], at),
                        sixteen(isa, corners[1], at),
                        sixteen(isa, corners[2], at),
                        sixteen(isa, corners[3], at),
                    ];
                    let above = isa.f_add(isa.f_mul(w0, q[0]), isa.f_mul(w1, q[1]));
                    let below = isa.f_add(isa.f_mul(w0, q[2]), isa.f_mul(w1, q[3]));
                    let v = isa.f_add(isa.f_mul(h0, above), isa.f_mul(h1, below));
                    let bytes: [T; LANES] =
                        T::narrow(isa, steps.of_number(isa, isa.f_sub(v, zero)));
                    match out[at..].first_chunk_mut() {
                        Some(room) => *room = bytes,
                        None => out[at..].copy_from_slice(&bytes[..channels - at]),
                    }
                }
            }
        }
    }
}

/// 16 bytes of a pixel as floats; 0 past its end.
#[inline(always)]
fn sixteen<I: Isa, T: Byte>(isa: I, pixel: &[T], at: usize) -> I::F {
    let q = match pixel[at..].first_chunk() {
        Some(chunk) => T::widen(isa, chunk),
        None => {
            let mut last = [T::default(); LANES];
            last[..pixel.len() - at].copy_from_slice(&pixel[at..]);
            T::widen(isa, &last)
        }
    };
    isa.f_from_i(q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_meet_if_asked_to() {
        let at =
            |axis: &Axis| axis.places.iter().map(|p| p.inputs[0] as f32 + p.weights[1]).collect();
        let aligned: Vec<f32> = at(&Axis::linear(3, 5, None, true).expect("some input"));
        assert_eq!(aligned, [0.0, 0.5, 1.0, 1.5, 2.0]);
        let edges: Vec<f32> = at(&Axis::linear(2, 4, None, false).expect("some input"));
        assert_eq!(edges, [0.0, 0.25, 0.75, 1.25]);
        let one: Vec<f32> = at(&Axis::linear(3, 1, None, true).expect("some input"));
        assert_eq!(one, [0.0]);
        assert!(Axis::linear(0, 1, None, true).is_err());
    }

    #[test]
    fn nearest_inputs_are_those_below() {
        assert_eq!(nearest(2, 5, None), [0, 0, 0, 1, 1]);
        assert_eq!(nearest(5, 2, None), [0, 2]);
        assert_eq!(nearest(3, 7, Some(2.4)), [0, 0, 0, 1, 1, 2, 2]);
    }
}
