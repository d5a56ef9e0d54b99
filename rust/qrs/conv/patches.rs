//! Indirect rows of a convolution: nothing is copied, each tap is a pixel of the input. For what is not of the
//! kind of [`super::row_taps`]: groups, dilation along lines, kernels one column wide, transposed phases.

use std::ops::Range;

use super::geometry::{Geometry, Walk};
use crate::gemm::Rows;
use crate::isa::Gathered;

/// Row `r` is an output pixel, tap `t` the input pixel under it, with the channels of all groups.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patches<'a> {
    pub geometry: Geometry,
    /// Channels-last input, `[batch][depth][height][width][channels]`.
    pub x: &'a [u8],
    pub input: [usize; 3],
    pub output: [usize; 3],
    /// Channels of a pixel.
    pub channels: usize,
    /// What lies outside the image: a pixel of zero points.
    pub outside: &'a [u8],
}

impl Rows for Patches<'_> {
    fn gather<'a>(&'a self, rows: Range<usize>, to: &mut Gathered<'a, u8>) {
        let [depth, height, width] = self.geometry.kernel;
        let (first, count) = (Walk::new(rows.start, self.output), rows.len());
        to.begin(rows, self.geometry.taps(), self.channels);
        for kd in 0..depth {
            for kh in 0..height {
                for kw in 0..width {
                    let inside = self.inside(kw);
                    for (at, count) in first.lines(count) {
                        self.line([kd, kh, kw], at, count, &inside, to);
                    }
                }
            }
        }
    }

    fn fresh(&self) -> usize {
        self.geometry.fresh(self.channels)
    }
}

impl Patches<'_> {
    /// How far into the image tap `k` reaches for the first output along axis `d`; a padding may be
    /// negative, and wraps around then.
    fn first(&self, d: usize, k: usize) -> isize {
        let Geometry { padding, dilation, .. } = self.geometry;
        (k * dilation[d]).wrapping_sub(padding[d]) as isize
    }

    /// The columns of the output whose tap `kw` lies in the image, in lines that do.
    fn inside(&self, kw: usize) -> Range<usize> {
        let (first, stride) = (self.first(2, kw), self.geometry.stride[2]);
        let before = |column: isize| usize::try_from(column - first).unwrap_or(0).div_ceil(stride);
        before(0)..before(self.input[2] as isize)
    }

    /// The slices of a tap for `count` pixels of a line of the output, from `at` on.
    fn line<'a>(
        &'a self,
        [kd, kh, kw]: [usize; 3],
        [image, d, h, w]: [usize; 4],
        count: usize,
        inside: &Range<usize>,
        to: &mut Gathered<'a, u8>,
    ) {
        let Self { geometry: Geometry { stride, .. }, input, channels, .. } = *self;
        // A coordinate left of the image fails the comparison with the size, like one right of it.
        let place = |axis: usize, at: usize, k: usize| {
            (at * stride[axis]).wrapping_add_signed(self.first(axis, k))
        };
        let (d, h) = (place(0, d, kd), place(1, h, kh));
        if d >= input[0] || h >= input[1] {
            return to.push_outside(self.outside, count);
        }
        let (start, end) = (inside.start.clamp(w, w + count), inside.end.clamp(w, w + count));
        let line = (image * input[0] + d) * input[1] + h;
        let pixel = (line * input[2]).wrapping_add(place(2, start, kw));
        let right = w + count - end.max(start);
        if start > w {
            to.push_same(self.outside, start - w);
        }
        if end > start {
            to.push_apart(self.x, pixel * channels, stride[2] * channels, end - start);
        }
        if right > 0 {
            to.push_same(self.outside, right);
        }
    }
}
