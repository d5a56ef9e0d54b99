//! Indirect rows of a convolution: no patch is copied, each tap is a slice of the input.

use super::geometry::{Geometry, Walk};
use crate::gemm::{Rows, Strips};
use crate::isa::{Corners, Gathered, TILE_ROWS};

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
    /// What lies outside the image: a kernel row of zero points.
    pub outside: &'a [u8],
}

/// Image and first input coordinates of an output pixel; a coordinate left of the image wraps around
/// and so fails the comparison with the size, like one right of it.
type Corner = [usize; 4];

impl Rows for Patches<'_> {
    #[inline(always)]
    fn gather<'a>(&'a self, mut strips: Strips, to: &mut Gathered<'a, u8>) {
        let Some(first) = strips.next() else { return };
        let mut walk = Walk::new(first.start, self.output);
        let Geometry { kernel, dilation, groups, .. } = self.geometry;
        // Away from the left and right edges the taps of a kernel row lie one behind the other, and so do
        // their weights, unless each tap is padded to 4.
        let packed = self.channels.is_multiple_of(4) && dilation[2] == 1 && groups == 1;
        for strip in std::iter::once(first).chain(strips) {
            let corners = self.corners(strip.len(), &mut walk);
            let within = corners.iter().all(|corner| self.inside(corner, 2));
            let together = if within && packed { kernel[2] } else { 1 };
            let inside = within && corners.iter().all(|c| self.inside(c, 0) && self.inside(c, 1));
            let starts = Corners::new(corners.map(|corner| self.at(&corner, [0; 3])));
            let len = together * self.channels;
            to.begin(strip, len);
            for kd in 0..kernel[0] {
                for kh in 0..kernel[1] {
                    for kw in (0..kernel[2]).step_by(together) {
                        let tap = [kd * dilation[0], kh * dilation[1], kw * dilation[2]];
                        if inside {
                            to.push_at(self.x, &starts, self.offset(tap));
                        } else {
                            to.push(&corners.each_ref().map(|c| self.slice(c, tap, len)));
                        }
                    }
                }
            }
        }
    }
}

impl Patches<'_> {
    /// The corners of the next `rows` pixels; rows that a strip does not have repeat its last.
    #[inline(always)]
    fn corners(&self, rows: usize, walk: &mut Walk) -> [Corner; TILE_ROWS] {
        let Geometry { stride, padding, .. } = self.geometry;
        let mut corner = [0; 4];
        std::array::from_fn(|m| {
            if m < rows {
                let [image, d, h, w] = walk.at;
                corner = [
                    image,
                    (d * stride[0]).wrapping_sub(padding[0]),
                    (h * stride[1]).wrapping_sub(padding[1]),
                    (w * stride[2]).wrapping_sub(padding[2]),
                ];
                walk.pass(1);
            }
            corner
        })
    }

    /// Whether all taps of a pixel lie in the image, as to dimension `d`.
    #[inline(always)]
    fn inside(&self, corner: &Corner, d: usize) -> bool {
        let Geometry { kernel, dilation, .. } = self.geometry;
        let (first, reach) = (corner[d + 1], (kernel[d] - 1) * dilation[d]);
        first < self.input[d] && first + reach < self.input[d]
    }

    /// Where the pixel of a tap begins; means nothing outside the image.
    #[inline(always)]
    fn at(&self, corner: &Corner, tap: [usize; 3]) -> usize {
        let [depth, height, width] = self.input;
        let d = (corner[0] * depth).wrapping_add(corner[1].wrapping_add(tap[0]));
        let h = d.wrapping_mul(height).wrapping_add(corner[2].wrapping_add(tap[1]));
        let pixel = h.wrapping_mul(width).wrapping_add(corner[3].wrapping_add(tap[2]));
        pixel.wrapping_mul(self.channels)
    }

    /// How far a tap lies behind the first.
    #[inline(always)]
    fn offset(&self, tap: [usize; 3]) -> usize {
        ((tap[0] * self.input[1] + tap[1]) * self.input[2] + tap[2]) * self.channels
    }

    /// The `len` bytes of a tap.
    #[inline(always)]
    fn slice(&self, corner: &Corner, tap: [usize; 3], len: usize) -> &[u8] {
        let inside = (0..3).all(|d| corner[d + 1].wrapping_add(tap[d]) < self.input[d]);
        if inside { &self.x[self.at(corner, tap)..][..len] } else { &self.outside[..len] }
    }
}
