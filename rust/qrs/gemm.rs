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

use crate::isa::{Corners, Gathered, Isa, LANES, PANEL_BLOCKS, TILE_ROWS, Taps, Tile};
use crate::pack::PackedWeights;

/// Where activation rows come from.
pub trait Rows: Sync {
    /// Adds `strips` to `to`: for each tap the bytes that each row of a strip contributes at that kernel
    /// position. Taps whose bytes lie one behind the other may be one longer tap.
    fn gather<'a>(&'a self, strips: Strips, to: &mut Gathered<'a, u8>);
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
    fn gather<'a>(&'a self, strips: Strips, to: &mut Gathered<'a, u8>) {
        for strip in strips {
            let corners = Corners::apart(strip.start * self.k, self.k, strip.len());
            to.begin(strip, self.k);
            to.push_at(self.data, &corners, 0);
        }
    }
}

/// What happens to finished sums.
pub trait Epilogue {
    /// Takes the sums of `row` and all blocks of `panel`.
    fn finish<I: Isa>(&mut self, isa: I, row: usize, panel: usize, sums: &[[i32; LANES]]);
}

/// The strips as `isa` wants them; `None` if it takes them as they are.
#[inline(always)]
pub(crate) fn staged<'s, I: Isa>(
    isa: I,
    gathered: &Gathered<'_, u8>,
    staging: &'s mut Vec<I::Act>,
) -> Option<Gathered<'s, I::Act>> {
    if I::in_place(gathered).is_some() {
        return None;
    }
    let padded = |taps: &Taps<'_, u8>| taps.len().next_multiple_of(4) + I::STAGED_EXTRA;
    let held = |taps: &Taps<'_, u8>| taps.count() * taps.rows().len() * padded(taps);
    let room: usize = gathered.strips().map(|taps| held(&taps)).sum();
    if staging.len() < room {
        staging.resize(room, I::Act::default());
    }
    let mut to = &mut staging[..room];
    for taps in gathered.strips() {
        let own;
        (own, to) = to.split_at_mut(held(&taps));
        let m_rows = taps.rows().len();
        for (i, to) in own.chunks_exact_mut(padded(&taps).max(1)).enumerate() {
            isa.stage(taps.slice(i / m_rows, i % m_rows), to);
        }
    }
    let mut ready = Gathered::with_capacity(gathered.strips().map(|taps| taps.count()).sum());
    let (staging, mut from) = (&staging[..], 0);
    for taps in gathered.strips() {
        let (len, m_rows) = (padded(&taps), taps.rows().len());
        ready.begin(taps.rows(), len);
        for _ in 0..taps.count() {
            ready.push_at(staging, &Corners::apart(from, len, m_rows), 0);
            from += m_rows * len;
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

/// `rows` in as few blocks as the caches allow, for rows of `taps` slices of `c` bytes against
/// `weights` bytes of weights.
#[inline(always)]
pub(crate) fn blocks(
    rows: Range<usize>,
    (taps, c): (usize, usize),
    weights: usize,
) -> impl Iterator<Item = Range<usize>> {
    let bytes = if weights <= RESIDENT { SMALL_BLOCK_BYTES } else { BLOCK_BYTES };
    let fit = bytes / (taps * (c + size_of::<usize>())).max(1);
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
    let sweep = panels.into();
    let mut acc: Tile = [[[0; LANES]; PANEL_BLOCKS]; TILE_ROWS];
    let mut gathered = Gathered::with_capacity(0);
    for block in blocks(range, (weights.taps(), weights.c()), weights.bytes()) {
        gathered.clear();
        rows.gather(strips(block, I::ROWS), &mut gathered);
        let staged = staged(isa, &gathered, staging);
        let ready = staged.as_ref().or_else(|| I::in_place(&gathered)).expect("staged or in place");
        let mut done = 0;
        while let Some(index) = sweep.panel(done) {
            done += 1;
            let mut panel = weights.panel(index);
            // Each strip asks for its share of the next panel. A single strip has no time to spare: it
            // waits for the weights anyway.
            let next = match sweep.panel(done) {
                Some(next) if ready.count() > 1 => weights.panel(next).blocks,
                _ => &[],
            };
            let mut shares = next.chunks(next.len().div_ceil(ready.count()).max(1));
            for taps in ready.strips() {
                panel.ahead = shares.next().unwrap_or_default();
                isa.tile(&taps, &panel, &mut acc);
                for (m, row) in taps.rows().enumerate() {
                    epilogue.finish(isa, row, index, &acc[m][..panel.width]);
                }
            }
        }
    }
}

/// `range` in as few strips of at most `rows` as possible, sizes differing by at most one: 49 rows in
/// sixes are 4 x 6 + 5 x 5, because a strip of one row runs at a fraction of the speed of one of five.
#[inline(always)]
pub(crate) fn strips(range: Range<usize>, rows: usize) -> Strips {
    let count = range.len().div_ceil(rows).max(1);
    // One division a call, and none a strip: there is a call for every panel.
    let (len, longer) = (range.len() / count, range.len() % count);
    Strips { range, len, longer }
}

/// Rows one behind the other, a few at a time, in order.
#[derive(Clone, Debug)]
pub struct Strips {
    range: Range<usize>,
    len: usize,
    /// The first so many strips have a row more.
    longer: usize,
}

impl Iterator for Strips {
    type Item = Range<usize>;

    #[inline(always)]
    fn next(&mut self) -> Option<Range<usize>> {
        let Range { start, end } = self.range;
        let more = usize::from(self.longer > 0);
        self.longer -= more;
        self.range.start += self.len + more;
        (start < end).then_some(start..self.range.start)
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
        for (rows, taps, c) in [(1, 1, 1), (1024, 1, 1024), (5000, 9, 64), (40, 1, 60_000)] {
            let all: Vec<_> = blocks(0..rows, (taps, c), RESIDENT + 1).collect();
            let held = |rows: usize| rows * taps * (c + size_of::<usize>());
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
