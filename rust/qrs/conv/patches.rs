//! Indirect rows of a convolution: no patch is copied, each tap is a slice of the input.

use std::ops::Range;

use super::Geometry;
use crate::gemm::Rows;
use crate::isa::TILE_ROWS;

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

/// Image and first input coordinates of an output pixel; a coordinate left of the image wraps around
/// and so fails the comparison with the size, like one right of it.
type Corner = [usize; 4];

impl Rows for Patches<'_> {
    #[inline(always)]
    fn gather<'a>(&'a self, strip: Range<usize>, to: &mut Vec<&'a [u8]>) {
        let mut corners = [[0; 4]; TILE_ROWS];
        let corners = &mut corners[..strip.len()];
        self.corners(strip.start, corners);
        let inside = corners.iter().all(|corner| self.inside(corner));
        let Geometry { kernel, dilation, .. } = self.geometry;
        for kd in 0..kernel[0] {
            for kh in 0..kernel[1] {
                for kw in 0..kernel[2] {
                    let tap = [kd * dilation[0], kh * dilation[1], kw * dilation[2]];
                    if inside {
                        to.extend(corners.iter().map(|corner| self.pixel(corner, tap)));
                    } else {
                        to.extend(corners.iter().map(|corner| self.pixel_or_outside(corner, tap)));
                    }
                }
            }
        }
    }
}

impl Patches<'_> {
    #[inline(always)]
    fn corners(&self, pixel: usize, corners: &mut [Corner]) {
        let Geometry { stride, padding, .. } = self.geometry;
        let [_, height, width] = self.output;
        let mut at = [
            pixel / (width * height * self.output[0]),
            pixel / (width * height) % self.output[0],
            pixel / width % height,
            pixel % width,
        ];
        for corner in corners {
            *corner = [
                at[0],
                (at[1] * stride[0]).wrapping_sub(padding[0]),
                (at[2] * stride[1]).wrapping_sub(padding[1]),
                (at[3] * stride[2]).wrapping_sub(padding[2]),
            ];
            at[3] += 1;
            for d in (0..3).rev() {
                if at[d + 1] == self.output[d] {
                    at[d + 1] = 0;
                    at[d] += 1;
                }
            }
        }
    }

    /// Whether all taps of a pixel lie in the image: four in five strips of a large image.
    #[inline(always)]
    fn inside(&self, corner: &Corner) -> bool {
        let Geometry { kernel, dilation, .. } = self.geometry;
        let mut inside = true;
        for d in 0..3 {
            let reach = (kernel[d] - 1) * dilation[d];
            let first = corner[d + 1];
            inside &= first < self.input[d] && first + reach < self.input[d];
        }
        inside
    }

    #[inline(always)]
    fn pixel(&self, corner: &Corner, tap: [usize; 3]) -> &[u8] {
        let [_, height, width] = self.input;
        let d = corner[0] * self.input[0] + corner[1].wrapping_add(tap[0]);
        let h = d * height + corner[2].wrapping_add(tap[1]);
        let pixel = h * width + corner[3].wrapping_add(tap[2]);
        &self.x[pixel * self.channels..][..self.channels]
    }

    #[inline(always)]
    fn pixel_or_outside(&self, corner: &Corner, tap: [usize; 3]) -> &[u8] {
        let inside = (0..3).all(|d| corner[d + 1].wrapping_add(tap[d]) < self.input[d]);
        if inside { self.pixel(corner, tap) } else { self.outside }
    }
}
