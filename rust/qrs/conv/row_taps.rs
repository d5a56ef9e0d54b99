//! Few input channels, as in a network's first layer: a whole kernel row is one tap.
//!
//! Taps of 3 channels would waste a quarter of every product and read each byte alone. Beside one
//! another in memory, the pixels under a kernel row are one run of bytes: 7 x 3 = 21 of them, padded to
//! 24. The input is copied once, with zero points left and right of its rows; the bytes after a run meet
//! zero weights.

use std::ops::Range;

use super::Geometry;
use crate::gemm::Rows;
use crate::isa::TILE_ROWS;

/// Runs are used up to so many channels; above, padding a tap to 4 wastes little.
const MOST: usize = 15;

/// Whether the layer is of this kind.
pub(super) fn fits(geometry: Geometry, inputs: usize) -> bool {
    let Geometry { kernel, dilation, groups, .. } = geometry;
    groups == 1 && kernel[2] > 1 && dilation[2] == 1 && inputs <= MOST
}

/// Weights `[outputs][taps][inputs]` with a kernel row as a tap of `run(..)` inputs.
pub(super) fn weights(weights: &[i8], geometry: Geometry, inputs: usize) -> Vec<i8> {
    let own = geometry.kernel[2] * inputs;
    let mut padded = Vec::with_capacity(weights.len() / own * run(geometry, inputs));
    for row in weights.chunks_exact(own) {
        padded.extend_from_slice(row);
        padded.resize(padded.len().next_multiple_of(4), 0);
    }
    padded
}

/// Bytes of a tap.
pub(super) fn run(geometry: Geometry, inputs: usize) -> usize {
    (geometry.kernel[2] * inputs).next_multiple_of(4)
}

/// The rows of the copied input.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowTaps<'a> {
    pub geometry: Geometry,
    /// See [`copy`].
    pub padded: &'a [u8],
    pub input: [usize; 3],
    pub output: [usize; 3],
    pub channels: usize,
}

/// Bytes of a copied row.
fn pitch(geometry: Geometry, width: usize, channels: usize) -> usize {
    (width + 2 * geometry.padding[2]) * channels
}

/// Copies images `x` to `to`: a row of zero points, then every row with zero points on both sides, then
/// room for the last run to read on.
pub(super) fn copy(
    geometry: Geometry,
    (x, width, channels): (&[u8], usize, usize),
    zero_point: u8,
    to: &mut Vec<u8>,
) {
    let side = geometry.padding[2] * channels;
    let row = width * channels;
    to.clear();
    to.resize(pitch(geometry, width, channels), zero_point);
    for row in x.chunks_exact(row) {
        to.resize(to.len() + side, zero_point);
        to.extend_from_slice(row);
        to.resize(to.len() + side, zero_point);
    }
    to.resize(to.len() + 4, 0);
}

impl Rows for RowTaps<'_> {
    #[inline(always)]
    fn gather<'a>(&'a self, strip: Range<usize>, to: &mut Vec<&'a [u8]>) {
        let Self { geometry, input, output, channels, .. } = *self;
        let Geometry { kernel, stride, padding, dilation, .. } = geometry;
        let (run, pitch) = (run(geometry, channels), pitch(geometry, input[2], channels));
        let step = stride[2] * channels;
        let line = strip.start / output[2];
        let mut at = [line / output[1] / output[0], line / output[1] % output[0], line % output[1]];
        let mut runs = [const { (0, [0; 2], 0..0) }; TILE_ROWS];
        let (mut count, mut left, mut column) = (0, strip.len(), strip.start % output[2]);
        while left > 0 {
            let here = left.min(output[2] - column);
            // A row above the image wraps around and fails the comparison like one below it.
            let corner = [
                (at[1] * stride[0]).wrapping_sub(padding[0]),
                (at[2] * stride[1]).wrapping_sub(padding[1]),
            ];
            runs[count] = (at[0] * input[0], corner, column * step..(column + here) * step);
            (count, left, column) = (count + 1, left - here, 0);
            at[2] += 1;
            for d in (0..2).rev() {
                if at[d + 1] == output[d] {
                    at[d + 1] = 0;
                    at[d] += 1;
                }
            }
        }
        for kd in 0..kernel[0] {
            for kh in 0..kernel[1] {
                for (image, corner, columns) in &runs[..count] {
                    let d = corner[0].wrapping_add(kd * dilation[0]);
                    let h = corner[1].wrapping_add(kh * dilation[1]);
                    let inside = d < input[0] && h < input[1];
                    // The first row of the copy is the one outside.
                    let line = if inside { 1 + (image + d) * input[1] + h } else { 0 };
                    let row = &self.padded[line * pitch..];
                    to.extend(columns.clone().step_by(step).map(|at| &row[at..at + run]));
                }
            }
        }
    }
}
