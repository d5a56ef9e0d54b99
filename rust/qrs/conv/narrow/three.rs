//! Depthwise kernels three columns wide whose rows fill one quad, on levels that work by blocks: one output
//! of each row at a time, in loops of fixed length.

use super::columns::Columns;
use super::{Narrow, quads};
use crate::isa::to_bytes::Lanes;
use crate::isa::{Isa, LANES, Lines};
use crate::requant::Plan;

/// Columns under the kernel.
const WIDTH: usize = 3;

/// What block number `block` needs.
pub(super) struct Chunk<'a, I: Isa, const R: usize> {
    layer: &'a Narrow,
    block: usize,
    weights: [[I::QuadWeights; WIDTH]; R],
    lanes: Lanes<I>,
}

impl<'a, I: Isa, const R: usize> Chunk<'a, I, R> {
    #[inline(always)]
    pub(super) fn new(isa: I, layer: &'a Narrow, plan: &Plan, block: usize) -> Self {
        let size = layer.blocks();
        let own = &layer.weights[block * size..][..size];
        let mut weights = [[isa.quad_weights(&own[0]); WIDTH]; R];
        for kw in 0..WIDTH {
            for r in 0..R {
                weights[r][kw] = isa.quad_weights(&own[kw * layer.share + r]);
            }
        }
        let lanes = plan.lanes_from(isa, layer.feeds[block].output);
        Self { layer, block, weights, lanes }
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
        let segment = (quads::<I>() - WIDTH) / step + 1;
        let feed = &layer.feeds[self.block];
        let mut start = 0;
        while start < width {
            let end = width.min(start + segment);
            let under = start * step..(end - 1) * step + WIDTH;
            let made = columns.fill(isa, layer, feed, rows, under);
            for ow in start..end {
                let own = &made[(ow - start) * step..][..WIDTH];
                let mut sums = [self.lanes.start; R];
                for kw in 0..WIDTH {
                    for r in 0..R {
                        sums[r] = isa.quad_dot(sums[r], own[kw], self.weights[r][kw]);
                    }
                }
                let from = ow * outputs + feed.output;
                for r in 0..R {
                    // Rows below the image have no place.
                    if r < lines.count {
                        let room = &mut out[r * width * outputs + from..][..LANES];
                        Lanes::put(isa, &[self.lanes], [sums[r]], room);
                    }
                }
            }
            start = end;
        }
    }
}
