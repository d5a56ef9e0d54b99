//! Depthwise kernels three columns wide whose rows fill one quad: neighbouring blocks together.
//!
//! There is so little to sum that storing is most of the work, and 64 channels of one output are stored
//! at once. Made as in `part.rs`, 7 outputs of one block at a time, whose 16 bytes each lie apart, 14 x
//! 14 pixels of 384 channels took 19 us instead of 15 on AVX-512.

use super::columns::Columns;
use super::part::Lines;
use super::{Narrow, quads};
use crate::isa::to_bytes::Lanes;
use crate::isa::{Isa, LANES};
use crate::requant::Plan;

/// Columns under the kernel.
const WIDTH: usize = 3;

/// `V` neighbouring blocks, the first of them number `first`.
pub(super) struct Chunk<'a, I: Isa, const R: usize, const V: usize> {
    layer: &'a Narrow,
    first: usize,
    weights: [[[I::QuadWeights; V]; WIDTH]; R],
    lanes: [Lanes<I>; V],
}

impl<'a, I: Isa, const R: usize, const V: usize> Chunk<'a, I, R, V> {
    #[inline(always)]
    pub(super) fn new(isa: I, layer: &'a Narrow, plan: &Plan, first: usize) -> Self {
        let size = layer.blocks();
        let own = &layer.weights[first * size..][..V * size];
        let mut weights = [[[isa.quad_weights(&own[0]); V]; WIDTH]; R];
        let mut lanes = [plan.lanes_from(isa, layer.feeds[first].output); V];
        for v in 0..V {
            lanes[v] = plan.lanes_from(isa, layer.feeds[first + v].output);
            for kw in 0..WIDTH {
                for r in 0..R {
                    weights[r][kw][v] = isa.quad_weights(&own[v * size + kw * layer.share + r]);
                }
            }
        }
        Self { layer, first, weights, lanes }
    }

    /// The outputs of all rows that `lines` says, `width` columns wide.
    #[inline(always)]
    pub(super) fn rows(
        &self,
        isa: I,
        columns: &mut Columns<I>,
        lines: &Lines,
        rows: &[&[u8]],
        (out, width): (&mut [u8], usize),
    ) {
        let layer = self.layer;
        let step = layer.geometry.stride[2];
        let outputs = layer.outputs;
        let segment = (quads::<I>() / V - WIDTH) / step + 1;
        let feeds = layer.feeds[self.first..].first_chunk::<V>().expect("V blocks");
        let mut start = 0;
        while start < width {
            let end = width.min(start + segment);
            let under = start * step..(end - 1) * step + WIDTH;
            let made = columns.fill::<V>(isa, layer, feeds, rows, under);
            for ow in start..end {
                let own = &made[(ow - start) * step * V..][..WIDTH * V];
                let mut sums = [[self.lanes[0].start; V]; R];
                for r in 0..R {
                    for v in 0..V {
                        sums[r][v] = self.lanes[v].start;
                    }
                }
                for kw in 0..WIDTH {
                    for r in 0..R {
                        for v in 0..V {
                            let weights = self.weights[r][kw][v];
                            sums[r][v] = isa.quad_dot(sums[r][v], own[kw * V + v], weights);
                        }
                    }
                }
                let from = ow * outputs + layer.feeds[self.first].output;
                for r in 0..R {
                    // Rows below the image have no place.
                    if r < lines.count {
                        let room = &mut out[r * width * outputs + from..][..V * LANES];
                        let room = room.as_chunks_mut::<LANES>().0;
                        let room = room.first_chunk_mut::<V>().expect("V blocks");
                        Lanes::store(isa, &self.lanes, sums[r], room);
                    }
                }
            }
            start = end;
        }
    }
}
