//! A whole kernel row as one tap.
//!
//! Beside one another in memory, the pixels under a kernel row are one run of bytes, if zero points stand
//! left and right of the image's lines: the input is copied once, a piece that stays in L2 at a time. There
//! are fewer slices to find, all of a line a fixed step apart: for a 3x3x3 convolution of 64 channels finding
//! them took 6.5 % of the time, the copy and what is left take 2.8 %. With few channels, as in a network's
//! first layer, taps of 3 bytes would also waste a quarter of every product: 7 x 3 = 21 bytes are padded to
//! 24, those after a run meet zero weights.

use std::ops::Range;

use super::geometry::{Geometry, Walk};
use crate::gemm::Rows;
use crate::isa::Gathered;

/// Whether the layer is of this kind.
pub(super) fn fits(geometry: Geometry) -> bool {
    let Geometry { kernel, dilation, groups, .. } = geometry;
    groups == 1 && kernel[2] > 1 && dilation[2] == 1
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

/// Bytes of a tap that belong to no pixel under the kernel.
pub(super) fn unused(geometry: Geometry, inputs: usize) -> usize {
    run(geometry, inputs) - geometry.kernel[2] * inputs
}

/// Input that is copied at once stays in L2 together with the weights. Less would copy more lines twice,
/// and read weights that come from L3 more often.
const PIECE_BYTES: usize = 512 * 1024;

/// The images that a layer reads, channels last, `[batch][depth][height][width][channels]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Images<'a> {
    pub geometry: Geometry,
    pub x: &'a [u8],
    pub input: [usize; 3],
    pub output: [usize; 3],
    pub channels: usize,
    pub zero_point: u8,
}

/// Some lines of the images with zero points around them.
#[derive(Clone, Debug)]
pub(super) struct RowTaps<'a> {
    images: Images<'a>,
    region: Region,
    /// A line of zero points, then those of `region`, with zero points before, between and after all; then
    /// room for the last run to read on.
    padded: &'a [u8],
}

/// The same planes of some images, and the same lines of these.
#[derive(Clone, Debug)]
struct Region {
    images: Range<usize>,
    planes: Range<usize>,
    lines: Range<usize>,
}

impl<'a> Images<'a> {
    /// The pixels `rows` of the output in pieces whose input is copied at once.
    pub(super) fn pieces(&self, rows: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let mut start = rows.start;
        std::iter::from_fn(move || {
            let piece = start..self.end_of_piece(start).min(rows.end);
            start = piece.end;
            (!piece.is_empty()).then_some(piece)
        })
    }

    /// Where the piece that begins at pixel `start` ends: after as many images as fit [`PIECE_BYTES`], or
    /// planes, or lines.
    fn end_of_piece(&self, start: usize) -> usize {
        let Self { geometry: Geometry { kernel, stride, .. }, input, output, .. } = *self;
        let line = self.pitch();
        let planes = if output[0] > 1 { kernel[0] } else { 1 };
        let units = [
            (output.iter().product::<usize>(), input[0] * input[1] * line),
            (output[1] * output[2], stride[0] * input[1] * line),
            (output[2], planes * stride[1] * line),
        ];
        let mut end = usize::MAX;
        for (pixels, bytes) in units {
            let begin = start / pixels * pixels;
            if bytes <= PIECE_BYTES {
                return end.min(begin + PIECE_BYTES / bytes.max(1) * pixels);
            }
            end = end.min(begin + pixels);
        }
        end
    }

    /// The kernel rows of the pixels `rows`, with room for the copy.
    pub(super) fn taps<'p>(&self, rows: Range<usize>, room: &'p mut Vec<u8>) -> RowTaps<'p>
    where
        'a: 'p,
    {
        let region = self.region(rows);
        self.copy(&region, room);
        RowTaps { images: *self, region, padded: room }
    }

    /// What the pixels `rows` read.
    fn region(&self, rows: Range<usize>) -> Region {
        let Self { geometry, input, output, .. } = *self;
        let [first, last] = [rows.start, rows.end - 1].map(|pixel| Walk::new(pixel, output).at);
        let mut reach = [0..input[0], 0..input[1]];
        for d in 0..2 {
            // Pixels of several images read all planes, those of several planes all lines.
            if first[..=d] != last[..=d] {
                break;
            }
            reach[d] = geometry.reach(d, first[d + 1]..last[d + 1] + 1, input[d]);
        }
        let [planes, lines] = reach;
        Region { images: first[0]..last[0] + 1, planes, lines }
    }

    /// Bytes from a copied line to the next: what stands right of one stands left of the other.
    fn pitch(&self) -> usize {
        (self.input[2] + self.geometry.padding[2]) * self.channels
    }

    fn copy(&self, region: &Region, to: &mut Vec<u8>) {
        let Self { geometry, x, input, channels, zero_point, .. } = *self;
        let (side, len) = (geometry.padding[2] * channels, input[2] * channels);
        to.clear();
        to.resize(self.pitch() + side, zero_point);
        for image in region.images.clone() {
            for d in region.planes.clone() {
                for h in region.lines.clone() {
                    let line = (image * input[0] + d) * input[1] + h;
                    to.extend_from_slice(&x[line * len..][..len]);
                    to.resize(to.len() + side, zero_point);
                }
            }
        }
        to.resize(to.len() + 4, 0);
    }
}

impl Rows for RowTaps<'_> {
    fn gather<'a>(&'a self, rows: Range<usize>, to: &mut Gathered<'a, u8>) {
        let Images { geometry, output, channels, .. } = self.images;
        let Geometry { kernel, stride, .. } = geometry;
        let (count, step) = (rows.len(), stride[2] * channels);
        let first = Walk::new(rows.start, output);
        to.begin(rows, kernel[0] * kernel[1], run(geometry, channels));
        for kd in 0..kernel[0] {
            for kh in 0..kernel[1] {
                for ([image, d, h, column], count) in first.lines(count) {
                    match self.start([image, d, h], [kd, kh]) {
                        Some(start) => {
                            to.push_apart(self.padded, start + column * step, step, count);
                        }
                        None => to.push_outside(self.padded, count),
                    }
                }
            }
        }
    }

    fn fresh(&self) -> usize {
        self.images.geometry.fresh(self.images.channels)
    }
}

impl RowTaps<'_> {
    /// Where the copied line begins that lies under a kernel row, for a line of the output; `None` if it
    /// lies outside the image.
    fn start(&self, [image, d, h]: [usize; 3], [kd, kh]: [usize; 2]) -> Option<usize> {
        let Geometry { stride, padding, dilation, .. } = self.images.geometry;
        let Region { images, planes, lines } = &self.region;
        let before = image - images.start;
        // A line above the image wraps around and fails the comparison like one below it.
        let d = (d * stride[0] + kd * dilation[0]).wrapping_sub(padding[0]);
        let h = (h * stride[1] + kh * dilation[1]).wrapping_sub(padding[1]);
        let inside = planes.contains(&d) && lines.contains(&h);
        inside.then(|| {
            let plane = before * planes.len() + d - planes.start;
            // The first line of the copy is the one outside.
            (1 + plane * lines.len() + h - lines.start) * self.images.pitch()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images of three dimensions whose lines are longer than a piece, as long, and shorter.
    #[test]
    fn pieces_cover_all_pixels_and_copy_what_they_read() {
        for (channels, input) in [(3, [1, 5, 7]), (9000, [5, 4, 9]), (30_000, [3, 5, 20])] {
            let (kernel, stride, padding) = ([3, 3, 3], [2, 1, 2], [1, 2, 1]);
            let geometry = Geometry { kernel, stride, padding, dilation: [1; 3], groups: 1 };
            let output = geometry.output("test", input).expect("large enough");
            let batch = 3;
            let x = vec![7; batch * input.iter().product::<usize>() * channels];
            let images = Images { geometry, x: &x, input, output, channels, zero_point: 1 };
            let all = 5..batch * output.iter().product::<usize>() - 1;
            let pieces: Vec<_> = images.pieces(all.clone()).collect();
            assert!(pieces.iter().cloned().flatten().eq(all), "{pieces:?}");
            let mut room = Vec::new();
            for piece in pieces {
                let taps = images.taps(piece.clone(), &mut room);
                let mut slices = Gathered::new();
                taps.gather(piece.clone(), &mut slices);
                for strip in slices.strips(1) {
                    let at = Walk::new(strip.rows().start, output).at;
                    for tap in 0..9 {
                        let h = at[2] + tap % 3;
                        let inside = (1..=input[0]).contains(&(2 * at[1] + tap / 3))
                            && (2..2 + input[1]).contains(&h);
                        let wanted =
                            |kw: usize| inside && (1..=input[2]).contains(&(2 * at[3] + kw));
                        for (kw, pixel) in strip.slice(tap, 0).chunks(channels).take(3).enumerate()
                        {
                            let value = if wanted(kw) { 7 } else { 1 };
                            assert_eq!(
                                (pixel[0], pixel[channels - 1]),
                                (value, value),
                                "{at:?} {tap}"
                            );
                        }
                    }
                }
            }
        }
    }
}
