//! The one packed layout of weights, for every level.
//!
//! Output channels come in *panels* of up to 64, a panel in *blocks* of 16. Inside a panel, every
//! step of 4 inputs holds one 64-byte block per 16 channels, so a tile walks the panel once, front
//! to back. Inputs are padded to 4 (per tap) and channels to 16 with zeros: kernels have no tails.
//! Packed weights never leave the process; files hold the plain integers.

use crate::error::{Error, Result, filled, same};
use crate::isa::{Block, LANES, PANEL_BLOCKS, Panel};

/// Products per output that an i32 holds whatever the data: `(2^31 - 1) / (255 * 128)`.
pub const MAX_DEPTH: usize = 65_792;

/// As [`MAX_DEPTH`] when weights have a zero point: `(2^31 - 1) / (255 * 255)`.
pub const MAX_DEPTH_AFFINE: usize = 33_025;

/// Weights of one product, packed. Immutable, cheap to share between threads.
#[derive(Clone, Debug)]
pub struct PackedWeights {
    blocks: Vec<Block>,
    sums: Vec<[i32; LANES]>,
    n: usize,
    taps: usize,
    c: usize,
    width: usize,
}

impl PackedWeights {
    /// Packs `weights`, `[n][taps][c]` row-major: `n` output channels, `taps` kernel positions (1 for
    /// a matrix), `c` inputs per tap.
    pub fn new(weights: &[i8], n: usize, taps: usize, c: usize) -> Result<Self> {
        let channels: Vec<_> = (0..n).map(Some).collect();
        Self::with_channels(weights, n, &channels, taps, c, PANEL_BLOCKS)
    }

    /// As [`PackedWeights::new`] with the packed channels in the order `channels` (`None` leaves a
    /// zero channel) and panels of `width` blocks: the gates of a recurrent layer stand side by side.
    pub fn with_channels(
        weights: &[i8],
        n: usize,
        channels: &[Option<usize>],
        taps: usize,
        c: usize,
        width: usize,
    ) -> Result<Self> {
        let k = taps * c;
        same("pack", "number of weights", weights.len(), n * k)?;
        if k > MAX_DEPTH {
            return Err(Error::TooDeep { op: "pack", k, limit: MAX_DEPTH });
        }
        let steps = c.div_ceil(4);
        let count = channels.len().div_ceil(LANES);
        let mut blocks = filled("pack", Block([0; 64]), count * taps * steps)?;
        let mut sums = filled("pack", [0; LANES], count)?;
        for (to, from) in channels.iter().enumerate() {
            let Some(from) = from else { continue };
            let row = &weights[from * k..][..k];
            let (block, lane) = (to / LANES, to % LANES);
            sums[block][lane] = row.iter().map(|&w| i32::from(w)).sum();
            // Blocks before this panel, then the step's row of blocks inside it.
            let panel = block / width;
            let base = panel * width * taps * steps;
            let wide = width.min(count - panel * width);
            for t in 0..taps {
                for i in 0..c {
                    let step = t * steps + i / 4;
                    blocks[base + step * wide + block % width].0[4 * lane + i % 4] = row[t * c + i];
                }
            }
        }
        Ok(Self { blocks, sums, n: channels.len(), taps, c, width })
    }

    /// Output channels, zero channels included.
    #[must_use]
    pub fn n(&self) -> usize {
        self.n
    }

    /// Kernel positions.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.taps
    }

    /// Inputs per tap.
    #[must_use]
    pub fn c(&self) -> usize {
        self.c
    }

    /// Blocks per panel (the last panel may be narrower).
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of panels.
    #[must_use]
    pub fn panels(&self) -> usize {
        self.sums.len().div_ceil(self.width)
    }

    /// Sum of each channel's weights, by blocks of 16 channels.
    #[must_use]
    pub fn sums(&self) -> &[[i32; LANES]] {
        &self.sums
    }

    /// Sum of the weights of each tap, `[block][tap]`.
    #[must_use]
    pub fn tap_sums(&self) -> Vec<[i32; LANES]> {
        let (taps, steps) = (self.taps, self.c.div_ceil(4));
        let mut sums = vec![[0; LANES]; self.sums.len() * taps];
        for p in 0..self.panels() {
            let Panel { blocks, width, .. } = self.panel(p);
            for (i, block) in blocks.iter().enumerate() {
                let (b, tap) = (p * self.width + i % width, i / width / steps);
                for (sum, quad) in sums[b * taps + tap].iter_mut().zip(block.0.as_chunks::<4>().0) {
                    *sum += quad.iter().map(|&w| i32::from(w)).sum::<i32>();
                }
            }
        }
        sums
    }

    /// The panels that hold the channels `columns`, which begin at a panel.
    #[must_use]
    pub fn panels_of(&self, columns: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let width = LANES * self.width;
        columns.start / width..columns.end.div_ceil(width)
    }

    /// Products of `m` rows.
    #[must_use]
    pub fn products(&self, m: usize) -> usize {
        m * self.n * self.taps * self.c
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        64 * self.blocks.len() + 4 * LANES * self.sums.len()
    }

    /// The `p`-th panel.
    #[must_use]
    #[inline(always)]
    pub fn panel(&self, p: usize) -> Panel<'_> {
        let first = p * self.width;
        let width = self.width.min(self.sums.len() - first);
        let deep = self.taps * self.c.div_ceil(4);
        Panel {
            blocks: &self.blocks[first * deep..(first + width) * deep],
            sums: &self.sums[first..first + width],
            width,
            ahead: &[],
        }
    }

    /// The plain weights, `[n][taps][c]`: the inverse of [`PackedWeights::new`].
    #[must_use]
    pub fn unpack(&self) -> Vec<i8> {
        let steps = self.c.div_ceil(4);
        let mut out = Vec::with_capacity(self.n * self.taps * self.c);
        for channel in 0..self.n {
            let (block, lane) = (channel / LANES, channel % LANES);
            let panel = self.panel(block / self.width);
            for t in 0..self.taps {
                for i in 0..self.c {
                    let step = t * steps + i / 4;
                    let at = step * panel.width + block % self.width;
                    out.push(panel.blocks[at].0[4 * lane + i % 4]);
                }
            }
        }
        out
    }
}

/// `values` by blocks of 16 channels, padded with `fill`.
#[must_use]
pub fn by_blocks<T: Copy>(values: &[T], fill: T) -> Vec<[T; LANES]> {
    values
        .chunks(LANES)
        .map(|chunk| std::array::from_fn(|j| chunk.get(j).copied().unwrap_or(fill)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpack_inverts_pack() {
        for (n, taps, c) in [(1, 1, 1), (16, 1, 4), (17, 3, 5), (65, 2, 7), (130, 9, 3)] {
            let weights: Vec<i8> = (0..n * taps * c).map(|i| (i * 37 + 11) as i8).collect();
            let packed = PackedWeights::new(&weights, n, taps, c).expect("small");
            assert_eq!(packed.unpack(), weights, "n={n} taps={taps} c={c}");
        }
    }

    #[test]
    fn sums_are_of_the_weights() {
        let packed = PackedWeights::new(&[1, 2, 3, -4, -5, -6], 2, 1, 3).expect("small");
        assert_eq!(packed.sums()[0][..3], [6, -15, 0]);
    }

    #[test]
    fn the_sums_of_taps_add_up() {
        let (n, taps, c) = (70, 3, 5);
        let weights: Vec<i8> = (0..n * taps * c).map(|i| (i * 29 + 7) as i8).collect();
        let packed = PackedWeights::new(&weights, n, taps, c).expect("small");
        let by_tap = packed.tap_sums();
        for (j, own) in weights.chunks_exact(taps * c).enumerate() {
            for (tap, own) in own.chunks_exact(c).enumerate() {
                let wanted: i32 = own.iter().map(|&w| i32::from(w)).sum();
                assert_eq!(by_tap[j / LANES * taps + tap][j % LANES], wanted, "{j} {tap}");
            }
        }
    }

    #[test]
    fn a_depth_that_could_overflow_is_refused() {
        let k = MAX_DEPTH + 1;
        let refused = PackedWeights::new(&vec![0; k], 1, 1, k).expect_err("too deep");
        assert_eq!(refused, Error::TooDeep { op: "pack", k, limit: MAX_DEPTH });
    }
}
