//! Indirect rows of a convolution: no patch is copied, each tap is a slice of the input.

use std::ops::Range;

use super::Geometry;
use crate::gemm::Rows;
use crate::isa::TILE_ROWS;

/// The rows of one group: row `r` is an output pixel, tap `t` the input pixel under it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patches<'a> {
    pub geometry: Geometry,
    /// Channels-last input, `[batch][depth][height][width][channels]`.
    pub x: &'a [u8],
    pub input: [usize; 3],
    pub output: [usize; 3],
    /// Channels of a pixel.
    pub channels: usize,
    /// First channel of the group, and how many it has.
    pub first: usize,
    pub c: usize,
    /// What lies outside the image: `c` zero points.
    pub outside: &'a [u8],
}

impl Rows for Patches<'_> {
    #[inline(always)]
    fn gather<'a>(&'a self, strip: Range<usize>, to: &mut Vec<&'a [u8]>) {
        let Geometry { kernel, stride, padding, dilation, .. } = self.geometry;
        let [_, height, width] = self.output;
        let image = self.input.iter().product::<usize>();
        let rows = strip.len();
        // Image and first input coordinate of each row; a coordinate left of the image wraps around
        // and so fails the comparison with the size, like one right of it.
        let mut corner = [[0_usize; 4]; TILE_ROWS];
        let pixel = strip.start;
        let mut at = [
            pixel / (width * height * self.output[0]),
            pixel / (width * height) % self.output[0],
            pixel / width % height,
            pixel % width,
        ];
        for place in corner.iter_mut().take(rows) {
            *place = [
                at[0] * image,
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
        for kd in 0..kernel[0] {
            for kh in 0..kernel[1] {
                for kw in 0..kernel[2] {
                    for place in &corner[..rows] {
                        let d = place[1].wrapping_add(kd * dilation[0]);
                        let h = place[2].wrapping_add(kh * dilation[1]);
                        let w = place[3].wrapping_add(kw * dilation[2]);
                        to.push(if d < self.input[0] && h < self.input[1] && w < self.input[2] {
                            let pixel = place[0] + (d * self.input[1] + h) * self.input[2] + w;
                            &self.x[pixel * self.channels + self.first..][..self.c]
                        } else {
                            self.outside
                        });
                    }
                }
            }
        }
    }
}

impl Patches<'_> {
    /// Sum of all bytes of row `row`.
    pub(super) fn sum(&self, row: usize) -> i32 {
        let mut slices = Vec::with_capacity(self.geometry.taps());
        self.gather(row..row + 1, &mut slices);
        slices.iter().flat_map(|slice| slice.iter()).map(|&b| i32::from(b)).sum()
    }
}
