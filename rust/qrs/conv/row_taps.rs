//! Few input channels, as in a network's first layer: a whole kernel row is one tap.
//!
//! Taps of 3 channels would waste a quarter of every product and read each byte alone. Beside one
//! another in memory, the pixels under a kernel row are one run of bytes: 7 x 3 = 21 of them, padded to
//! 24. The input is copied once, with zero points left and right of its rows; the bytes after a run meet
//! zero weights.

use std::ops::Range;

use super::geometry::{Geometry, Walk};
use crate::gemm::Rows;
use crate::isa::Gathered;

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
    fn gather<'a>(&'a self, rows: Range<usize>, to: &mut Gathered<'a, u8>) {
        let Self { geometry, output, channels, .. } = *self;
        let Geometry { kernel, stride, .. } = geometry;
        let (count, step) = (rows.len(), stride[2] * channels);
        let first = Walk::new(rows.start, output);
        to.begin(rows, kernel[0] * kernel[1], run(geometry, channels));
        for kd in 0..kernel[0] {
            for kh in 0..kernel[1] {
                for ([image, d, h, column], count) in first.lines(count) {
                    let start = self.start([image, d, h], [kd, kh]) + column * step;
                    to.push_apart(self.padded, start, step, count);
                }
            }
        }
    }

    fn fresh(&self) -> usize {
        self.geometry.fresh(self.channels)
    }
}

impl RowTaps<'_> {
    /// Where the copied row begins that lies under a kernel row, for a line of the output.
    fn start(&self, [image, d, h]: [usize; 3], [kd, kh]: [usize; 2]) -> usize {
        let Self { geometry, input, channels, .. } = *self;
        let Geometry { stride, padding, dilation, .. } = geometry;
        // A row above the image wraps around and fails the comparison like one below it.
        let d = (d * stride[0] + kd * dilation[0]).wrapping_sub(padding[0]);
        let h = (h * stride[1] + kh * dilation[1]).wrapping_sub(padding[1]);
        let inside = d < input[0] && h < input[1];
        // The first row of the copy is the one outside.
        let row = if inside { 1 + (image * input[0] + d) * input[1] + h } else { 0 };
        row * pitch(geometry, input[2], channels)
    }
}
