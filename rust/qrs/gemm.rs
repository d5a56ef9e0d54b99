//! The product: strips of up to 6 activation rows against panels of 64 output channels.
//!
//! ```text
//! for each block of rows (at most 512 KiB of activations)   stays in L2, or in L1 if the weights are in L2
//!   stage it, where the level wants 16-bit activations      once per block
//!   for each panel of weights                               once per block; the next one is fetched
//!     for each strip of up to 6 rows                        strip stays in L1
//!       tile: the whole depth, accumulators in registers    then the epilogue, from L1
//! ```
//!
//! The depth is never split: no partial sum is stored and results cannot depend on a blocking.
//! Accumulators pass to the epilogue through 1.5 KiB of L1 and not in registers, unless it ends in bytes
//! (`gemm_bytes.rs`). That costs about 50 cycles a tile (of a CPU that starts two products a cycle, a
//! fifth at K = 64 and 3 % at K = 512) and saves one compiled tile per shape for each epilogue.

use std::ops::Range;

use crate::isa::{Gathered, Isa, LANES, PANEL_BLOCKS, TILE_ROWS, Tile, strips};
use crate::pack::PackedWeights;

/// Where activation rows come from.
pub trait Rows: Sync {
    /// Makes `to` the slices of `rows`: for each tap the bytes that each row contributes at that kernel
    /// position.
    fn gather<'a>(&'a self, rows: Range<usize>, to: &mut Gathered<'a, u8>);
    /// About how many bytes a row reads that the one before it did not.
    fn fresh(&self) -> usize;
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
    fn gather<'a>(&'a self, rows: Range<usize>, to: &mut Gathered<'a, u8>) {
        let (start, count) = (rows.start * self.k, rows.len());
        to.begin(rows, 1, self.k);
        to.push_apart(self.data, start, self.k, count);
    }

    fn fresh(&self) -> usize {
        self.k
    }
}

/// What happens to finished sums.
pub trait Epilogue {
    /// Takes the sums of `row` and all blocks of `panel`.
    fn finish<I: Isa>(&mut self, isa: I, row: usize, panel: usize, sums: &[[i32; LANES]]);
}

/// The slices as `isa` wants them; `None` if it takes them as they are.
#[inline(always)]
pub(crate) fn staged<'s, I: Isa>(
    isa: I,
    gathered: &Gathered<'_, u8>,
    staging: &'s mut Vec<I::Act>,
) -> Option<Gathered<'s, I::Act>> {
    if I::in_place(gathered).is_some() {
        return None;
    }
    let (rows, taps) = (gathered.rows(), gathered.taps());
    let len = gathered.len().next_multiple_of(4) + I::STAGED_EXTRA;
    let room = rows.len() * taps * len;
    if staging.len() < room {
        staging.resize(room, I::Act::default());
    }
    // A strip is read as one run.
    let mut to = staging[..room].chunks_exact_mut(len.max(1));
    for strip in gathered.strips(I::ROWS) {
        for tap in 0..taps {
            for m in 0..strip.rows().len() {
                isa.stage(strip.slice(tap, m), to.next().expect("there is room"));
            }
        }
    }
    let mut ready = Gathered::new();
    ready.begin(rows.clone(), taps, len);
    for tap in 0..taps {
        for strip in strips(rows.clone(), I::ROWS) {
            let before = (strip.start - rows.start) * taps + tap * strip.len();
            ready.push_apart(&*staging, before * len, len, strip.len());
        }
    }
    Some(ready)
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

/// As [`BLOCK_BYTES`] where the weights stay in L2 ([`RESIDENT`]): the block stays in L1.
const SMALL_BLOCK_BYTES: usize = 24 * 1024;

/// Weights that stay in L2 while block after block passes by.
const RESIDENT: usize = 512 * 1024;

/// `rows` in as few blocks as the caches allow, for strips of `strip` rows of which each holds `row` bytes
/// there, and `weights` bytes of weights.
#[inline(always)]
pub(crate) fn blocks(
    rows: Range<usize>,
    strip: usize,
    row: usize,
    weights: usize,
) -> impl Iterator<Item = Range<usize>> {
    let bytes = if weights <= RESIDENT { SMALL_BLOCK_BYTES } else { BLOCK_BYTES };
    // Whole strips: seven rows are not a strip of six and one of one, but four and three.
    let fit = bytes / row.max(1) / strip * strip;
    strips(rows, fit.max(strip))
}

/// Bytes that a row, of which `fresh` are its own, holds in a cache while it meets `weights`.
#[inline(always)]
pub(crate) fn held<I: Isa>(fresh: usize, weights: &PackedWeights) -> usize {
    let (taps, c) = (weights.taps(), weights.c());
    // A level that stages rows copies every slice. Where rows are read once, it is all the same how long
    // they stay.
    let read = match size_of::<I::Act>() {
        1 if weights.panels() > 1 => fresh,
        1 => 0,
        _ => taps * c,
    };
    taps * size_of::<usize>() + read
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
    let sweep = panels.into();
    let mut acc: Tile = [[[0; LANES]; PANEL_BLOCKS]; TILE_ROWS];
    let mut gathered = Gathered::new();
    let held = held::<I>(rows.fresh(), weights);
    for block in blocks(range, I::ROWS, held, weights.bytes()) {
        let count = strips(block.clone(), I::ROWS).len();
        rows.gather(block, &mut gathered);
        let staged = staged(isa, &gathered, staging);
        let ready = staged.as_ref().or_else(|| I::in_place(&gathered)).expect("staged or in place");
        let mut done = 0;
        while let Some(index) = sweep.panel(done) {
            done += 1;
            let mut panel = weights.panel(index);
            // Each strip asks for its share of the next panel. A single strip has no time to spare: it
            // waits for the weights anyway.
            let next = match sweep.panel(done) {
                Some(next) if count > 1 => weights.panel(next).blocks,
                _ => &[],
            };
            let mut shares = next.chunks(next.len().div_ceil(count).max(1));
            for taps in ready.strips(I::ROWS) {
                panel.ahead = shares.next().unwrap_or_default();
                isa.tile(&taps, &panel, &mut acc);
                for (m, row) in taps.rows().enumerate() {
                    epilogue.finish(isa, row, index, &acc[m][..panel.width]);
                }
            }
        }
    }
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
        for (rows, held) in [(1, 9), (1024, 1032), (5000, 648), (40, 60_008)] {
            let all: Vec<_> = blocks(0..rows, TILE_ROWS, held, RESIDENT + 1).collect();
            assert!(
                all.iter()
                    .all(|block| block.len() <= TILE_ROWS || held * block.len() <= BLOCK_BYTES)
            );
            let fit = BLOCK_BYTES / held / TILE_ROWS * TILE_ROWS;
            assert_eq!(all.len(), rows.div_ceil(fit.max(TILE_ROWS)));
            let again = all.into_iter().flatten().collect::<Vec<_>>();
            assert_eq!(again, (0..rows).collect::<Vec<_>>());
        }
    }
}
