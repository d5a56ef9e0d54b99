//! Where a convolution reads: sizes, strides and padding of up to three dimensions.

use std::ops::Range;

use crate::error::{Error, Result};

/// How an axis is called in errors.
const AXES: [&str; 3] = ["depth", "height", "width"];

/// Shape of a convolution over depth, height and width. Fewer dimensions have ones in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Taps per dimension.
    pub kernel: [usize; 3],
    /// Step of the window.
    pub stride: [usize; 3],
    /// Zero-point rows added on each side.
    pub padding: [usize; 3],
    /// Step between taps.
    pub dilation: [usize; 3],
    /// Groups of channels that do not see each other.
    pub groups: usize,
}

impl Geometry {
    /// Kernel positions.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Elements of `channels` channels under the kernel of an output pixel that are not under that of the
    /// one to its left.
    #[must_use]
    pub fn fresh(&self, channels: usize) -> usize {
        let [depth, height, width] = self.kernel;
        depth * height * width.min(self.stride[2]) * channels
    }

    /// Whether every output pixel sees just its own input pixel.
    #[must_use]
    pub fn is_pointwise(&self) -> bool {
        (self.kernel, self.stride, self.padding) == ([1; 3], [1; 3], [0; 3])
    }

    /// Size of the output for an input of size `input`:
    /// `(input + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1`.
    pub fn output(&self, op: &'static str, input: [usize; 3]) -> Result<[usize; 3]> {
        let mut out = [0; 3];
        for d in 0..3 {
            let reach = self.dilation[d] * (self.kernel[d] - 1) + 1;
            let padded = input[d] + 2 * self.padding[d];
            if padded < reach {
                let message = format!(
                    "{} {} with padding {} came, expected at least the kernel's reach of {reach} \
                     together with the padding of both sides; use a larger input or more padding",
                    AXES[d], input[d], self.padding[d]
                );
                return Err(Error::Sizes { op, message });
            }
            out[d] = (padded - reach) / self.stride[d] + 1;
        }
        Ok(out)
    }

    /// Size of the transposed convolution's output for an input of size `input`:
    /// `(input - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1`.
    pub fn transposed_output(
        &self,
        op: &'static str,
        input: [usize; 3],
        output_padding: [usize; 3],
    ) -> Result<[usize; 3]> {
        let mut out = [0; 3];
        for d in 0..3 {
            let reach = self.dilation[d].saturating_mul(self.kernel[d] - 1);
            let full = input[d].saturating_sub(1).saturating_mul(self.stride[d]);
            let full = full.saturating_add(reach).saturating_add(1 + output_padding[d]);
            let cut = self.padding[d].saturating_mul(2);
            if input[d] == 0 || full <= cut {
                let message = format!(
                    "{} {} with padding {} and output padding {} came, which leaves no output; use \
                     less padding or a larger input",
                    AXES[d], input[d], self.padding[d], output_padding[d]
                );
                return Err(Error::Sizes { op, message });
            }
            out[d] = full - cut;
        }
        Ok(out)
    }

    /// The inputs, of `size` along axis `d`, that the outputs `range` see.
    pub(super) fn reach(&self, d: usize, range: Range<usize>, size: usize) -> Range<usize> {
        let first = range.start * self.stride[d];
        let end = (range.end - 1) * self.stride[d] + (self.kernel[d] - 1) * self.dilation[d] + 1;
        let inside = |place: usize| place.saturating_sub(self.padding[d]).min(size);
        inside(first)..inside(end)
    }

    /// `Ok` if every size is at least one and the groups divide the channels.
    pub fn checked(self, op: &'static str, inputs: usize, outputs: usize) -> Result<Self> {
        let sizes = [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)];
        for (name, size) in sizes {
            if size.contains(&0) {
                let message = format!("{name} is {size:?}, expected at least 1 everywhere");
                return Err(Error::Value { op, message });
            }
        }
        let groups = self.groups;
        if groups == 0 || !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            let message = format!(
                "{groups} groups for {inputs} input and {outputs} output channels, expected a divisor \
                 of both"
            );
            return Err(Error::Value { op, message });
        }
        Ok(self)
    }
}

/// The output's pixels, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    /// Image, and place in it, of the next pixel.
    pub at: [usize; 4],
    output: [usize; 3],
}

impl Walk {
    /// From pixel `pixel` of outputs of size `output` on.
    pub(super) fn new(pixel: usize, output: [usize; 3]) -> Self {
        let [depth, height, width] = output.map(|n| n.max(1));
        let (line, plane) = (pixel / width, pixel / width / height);
        Self { at: [plane / depth, plane % depth, line % height, pixel % width], output }
    }

    /// Pixels that are left in this line.
    #[inline(always)]
    pub(super) fn in_line(&self) -> usize {
        self.output[2] - self.at[3]
    }

    /// The next `count` pixels by the lines in which they lie: where the first of each line is, and how
    /// many there are.
    #[inline(always)]
    pub(super) fn lines(mut self, count: usize) -> impl Iterator<Item = ([usize; 4], usize)> {
        let mut left = count;
        std::iter::from_fn(move || {
            let (at, own) = (self.at, left.min(self.in_line()));
            self.pass(own);
            left -= own;
            (own > 0).then_some((at, own))
        })
    }

    /// Passes by so many pixels.
    #[inline(always)]
    pub(super) fn pass(&mut self, pixels: usize) {
        self.at[3] += pixels;
        while self.at[3] >= self.output[2] {
            self.at[3] -= self.output[2];
            self.at[2] += 1;
            for d in (0..2).rev() {
                if self.at[d + 1] == self.output[d] {
                    self.at[d + 1] = 0;
                    self.at[d] += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_passes_every_pixel_in_order() {
        let output = [2, 3, 5];
        for step in 1..12 {
            let mut walk = Walk::new(7, output);
            for pixel in (7..150).step_by(step) {
                let [image, d, h, w] = walk.at;
                assert_eq!(((image * 2 + d) * 3 + h) * 5 + w, pixel);
                assert_eq!((walk.at, walk.in_line()), (Walk::new(pixel, output).at, 5 - w));
                let mut next = pixel;
                for (at, count) in walk.lines(13) {
                    assert_eq!(at, Walk::new(next, output).at);
                    assert!(at[3] + count <= 5);
                    next += count;
                }
                assert_eq!(next, pixel + 13);
                walk.pass(step);
            }
        }
    }
}
