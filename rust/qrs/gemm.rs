//! The product: strips of up to 6 activation rows against panels of 64 output channels.
//!
//! ```text
//! for each block of rows (at most 512 KiB of activations)   stays in L2
//!   stage it, where the level wants 16-bit activations      once per block
//!   for each panel of weights                               once per block; the next one is fetched
//!     for each strip of up to 6 rows                        strip stays in L1
//!       tile: the whole depth, accumulators in registers    then the epilogue, from L1
//! ```
//!
//! The depth is never split: no partial sum is stored and results cannot depend on a blocking.
//! Accumulators pass to the epilogue through 1.5 KiB of L1 and not in registers. That costs about
//! 50 cycles a tile (of a CPU that starts two products a cycle, a fifth at K = 64 and 3 % at K = 512) and
//! buys one compiled tile per shape instead of one per shape and epilogue.

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

/// The panels of a product, in the order in which they are read.
#[derive(Clone, Debug)]
pub struct Sweep {
    panels: Range<usize>,
    backward: bool,
}

impl From<Range<usize>> for Sweep {
    fn from(panels: Range<usize>) -> Self {
        Self { panels, backward: false }
    }
}

impl Sweep {
    /// `panels` from the first to the last, or from the last to the first: who reads the same panels
    /// again and again, and turns around each time, finds in the cache what was read last.
    #[must_use]
    pub fn new(panels: Range<usize>, backward: bool) -> Self {
        Self { panels, backward }
    }

    /// The panel read after `done` others, if there are as many.
    #[inline(always)]
    #[must_use]
    pub fn panel(&self, done: usize) -> Option<usize> {
        let Range { start, end } = self.panels;
        (done < end - start).then(|| if self.backward { end - 1 - done } else { start + done })
    }
}

/// Activations of a block of rows, and the list of their slices, stay within this many bytes. Deep
/// rows are few in a block, and the weights are read once for each block: 256 KiB was a tenth slower at
/// a depth of 4096 where weights come from L3 at 28 GB/s.
const BLOCK_BYTES: usize = 512 * 1024;

/// `rows` in as few blocks as [`BLOCK_BYTES`] allows, for rows of `taps` slices of `c` bytes.
#[inline(always)]
pub(crate) fn blocks(
    rows: Range<usize>,
    taps: usize,
    c: usize,
) -> impl Iterator<Item = Range<usize>> {
    let fit = BLOCK_BYTES / (taps * (c + size_of::<&[u8]>())).max(1);
    strips(rows, fit.max(TILE_ROWS))
}

/// Multiplies `rows` by `panels` of `weights` and hands every finished row to `epilogue`.
#[inline(always)]
pub fn gemm<I: Isa, R: Rows, E: Epilogue>(
    isa: I,
    rows: &R,
    range: Range<usize>,
    weights: &PackedWeights,
    panels: impl Into<Sweep>,
    staging: &mut Vec<I::Act>,
    epilogue: &mut E,
) {
    let (taps, c) = (weights.taps(), weights.c());
    let padded = c.next_multiple_of(4) + I::STAGED_EXTRA;
    let sweep = panels.into();
    let mut acc: Tile = [[[0; LANES]; PANEL_BLOCKS]; TILE_ROWS];
    for block in blocks(range, taps, c) {
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
        let mut done = 0;
        while let Some(p) = sweep.panel(done) {
            done += 1;
            let mut panel = weights.panel(p);
            // Each strip asks for its share of the next panel. A single strip has no time to spare:
            // it waits for the weights anyway.
            let next = match sweep.panel(done) {
                Some(next) if block.len() > I::ROWS => weights.panel(next).blocks,
                _ => &[],
            };
            let share = next.len().div_ceil(block.len().div_ceil(I::ROWS)).max(1);
            let mut shares = next.chunks(share);
            for strip in strips(block.clone(), I::ROWS) {
                panel.ahead = shares.next().unwrap_or_default();
                let from = (strip.start - block.start) * taps;
                isa.tile(strip.len(), &slices[from..][..strip.len() * taps], panel, &mut acc);
                for (m, r) in strip.enumerate() {
                    epilogue.finish(isa, r, p, &acc[m][..panel.width]);
                }
            }
        }
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
    fn a_sweep_takes_every_panel_once_in_either_direction() {
        for (panels, backward, wanted) in [
            (3..7, false, vec![3, 4, 5, 6]),
            (3..7, true, vec![6, 5, 4, 3]),
            (5..5, true, Vec::new()),
        ] {
            let sweep = Sweep::new(panels, backward);
            assert_eq!((0..).map_while(|done| sweep.panel(done)).collect::<Vec<_>>(), wanted);
        }
    }

    #[test]
    fn blocks_are_few_and_fit() {
        for (rows, taps, c) in [(1, 1, 1), (1024, 1, 1024), (5000, 9, 64), (40, 1, 60_000)] {
            let all: Vec<_> = blocks(0..rows, taps, c).collect();
            let held = |rows: usize| rows * taps * (c + size_of::<&[u8]>());
            assert!(
                all.iter()
                    .all(|block| block.len() <= TILE_ROWS || held(block.len()) <= BLOCK_BYTES)
            );
            assert_eq!(all.len(), rows.div_ceil((BLOCK_BYTES / held(1)).max(TILE_ROWS)));
            assert_eq!(
                all.into_iter().flatten().collect::<Vec<_>>(),
                (0..rows).collect::<Vec<_>>()
            );
        }
    }

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
