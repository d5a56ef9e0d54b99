//! The product: strips of up to 6 activation rows against panels of 64 output channels.
//!
//! ```text
//! for each block of rows (at most 256 KiB of activations)   stays in L2
//!   stage it, where the level wants 16-bit activations      once per block
//!   for each panel of weights                               streams from L2 or L3, once per block
//!     for each strip of up to 6 rows                        strip stays in L1
//!       tile: the whole depth, accumulators in registers    then the epilogue, from L1
//! ```
//!
//! The depth is never split: no partial sum is stored and results cannot depend on a blocking.
//! Accumulators pass to the epilogue through 1.5 KiB of L1 and not in registers. That costs about
//! 50 cycles a tile (6 % at K = 64, under 1 % from K = 512) and buys one compiled tile per shape
//! instead of one per shape and epilogue.

use std::ops::Range;

use crate::isa::{Isa, LANES, PANEL_BLOCKS, TILE_ROWS, Tile};
use crate::pack::PackedWeights;

/// Where activation rows come from.
pub trait Rows: Sync {
    /// Hands over, for each tap and then each row of `strip`, the bytes that the row contributes at
    /// that kernel position: `c` of them.
    fn gather<'a>(&'a self, strip: Range<usize>, to: &mut Vec<&'a [u8]>);
}

/// Rows of a dense matrix.
#[derive(Clone, Copy, Debug)]
pub struct Dense<'a> {
    /// `[rows][k]`.
    pub data: &'a [u8],
    /// Row length.
    pub k: usize,
}

impl Rows for Dense<'_> {
    #[inline(always)]
    fn gather<'a>(&'a self, strip: Range<usize>, to: &mut Vec<&'a [u8]>) {
        to.extend(strip.map(|row| &self.data[row * self.k..][..self.k]));
    }
}

/// What happens to finished sums.
pub trait Epilogue {
    /// Takes the sums of `row` and all blocks of `panel`.
    fn finish<I: Isa>(&mut self, isa: I, row: usize, panel: usize, sums: &[[i32; LANES]]);
}

/// Activations of a block of rows stay within this many bytes.
pub const BLOCK_BYTES: usize = 256 * 1024;

/// Multiplies `rows` by `panels` of `weights` and hands every finished row to `epilogue`.
#[inline(always)]
pub fn gemm<I: Isa, R: Rows, E: Epilogue>(
    isa: I,
    rows: &R,
    range: Range<usize>,
    weights: &PackedWeights,
    panels: Range<usize>,
    staging: &mut Vec<I::Act>,
    epilogue: &mut E,
) {
    let (taps, c) = (weights.taps(), weights.c());
    let padded = c.next_multiple_of(4) + I::STAGED_EXTRA;
    let fit = (BLOCK_BYTES / (taps * c).max(1) / TILE_ROWS).max(1) * TILE_ROWS;
    let mut acc: Tile = [[[0; LANES]; PANEL_BLOCKS]; TILE_ROWS];
    let mut start = range.start;
    while start < range.end {
        let block = start..range.end.min(start + fit);
        // Slices in the order in which the tiles want them: strip, tap, row of the strip.
        let mut gathered: Vec<&[u8]> = Vec::with_capacity(block.len() * taps);
        for strip in strips(block.clone(), I::ROWS) {
            rows.gather(strip, &mut gathered);
        }
        let slices: Vec<&[I::Act]> = match gathered.iter().map(|row| I::in_place(row)).collect() {
            Some(slices) => slices,
            None => {
                let room = gathered.len() * padded;
                if staging.len() < room {
                    staging.resize(room, I::Act::default());
                }
                for (row, to) in gathered.iter().zip(staging.chunks_exact_mut(padded.max(1))) {
                    isa.stage(row, to);
                }
                (0..gathered.len()).map(|i| &staging[i * padded..][..padded]).collect()
            }
        };
        for p in panels.clone() {
            let panel = weights.panel(p);
            for strip in strips(block.clone(), I::ROWS) {
                let from = (strip.start - block.start) * taps;
                isa.tile(strip.len(), &slices[from..][..strip.len() * taps], panel, &mut acc);
                for (m, r) in strip.enumerate() {
                    epilogue.finish(isa, r, p, &acc[m][..panel.width]);
                }
            }
        }
        start = block.end;
    }
}

/// `range` in as few strips of at most `rows` as possible, sizes differing by at most one: 49 rows in
/// sixes are 4 x 6 + 5 x 5, because a strip of one row runs at a fraction of the speed of one of five.
#[inline(always)]
pub(crate) fn strips(range: Range<usize>, rows: usize) -> impl Iterator<Item = Range<usize>> {
    let count = range.len().div_ceil(rows);
    // The first `longer` strips have a row more. One division a call: there is a call for every panel.
    let (len, longer) = (range.len() / count.max(1), range.len() % count.max(1));
    (0..count).map(move |i| {
        let first = range.start + i * len + i.min(longer);
        first..first + len + usize::from(i < longer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_cover_the_range_evenly() {
        for len in 0..200 {
            let all: Vec<_> = strips(7..7 + len, TILE_ROWS).collect();
            assert_eq!(
                all.iter().cloned().flatten().collect::<Vec<_>>(),
                (7..7 + len).collect::<Vec<_>>()
            );
            let sizes: Vec<_> = all.iter().map(ExactSizeIterator::len).collect();
            let (min, max) = (sizes.iter().min(), sizes.iter().max());
            assert!(max.unwrap_or(&0) - min.unwrap_or(&0) <= 1, "{len}: {sizes:?}");
        }
    }
}
