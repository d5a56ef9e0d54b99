//! Depthwise convolutions, and groups of few channels: too narrow for a matrix product.
//!
//! ```text
//! for each `share` rows of the output
//!   for each chunk of 16 to 64 output channels
//!     for each column of the input: interleave the bytes that its products need     once per column
//!     for each output of the rows: dot products over the columns under its kernel   then requantize
//! ```
//!
//! A *quad* holds, for each of 16 output channels, 4 input bytes: 4 kernel rows of one channel
//! (depthwise), or 4 channels of one row, or elements of neighbouring rows. Interleaving is the
//! expensive part, so a column is interleaved once and used by every output whose kernel covers it.
//! Depthwise, 3 kernel rows leave one of the 4 free: the same quad with the weights one row lower
//! serves the output row below, too. In general `share` rows fit in as many quads as one needs.

mod interleave;
mod part;

use super::Geometry;
use crate::isa::{Block, LANES};

pub(super) use part::Part;

/// Blocks of 16 channels that are worked on together, largest first.
const CHUNKS: [usize; 3] = [4, 2, 1];

/// Weights of a convolution of narrow groups.
#[derive(Clone, Debug)]
pub(super) struct Narrow {
    /// `[block][row of the output][kernel column][quad]`.
    weights: Vec<Block>,
    feeds: Vec<Feed>,
    sums: Vec<i32>,
    geometry: Geometry,
    inputs: usize,
    outputs: usize,
    /// Input channels of a group.
    c: usize,
    /// How quads are made.
    mode: Mode,
    /// Output rows that share quads.
    share: usize,
    /// Input rows under the kernel of that many output rows.
    lines: usize,
    /// Quads of a column.
    quads: usize,
}

/// How the bytes of a quad are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// 4 rows; every output reads the byte of its own channel.
    Rows,
    /// 4 channels of one row.
    Channels,
    /// Any 4 elements, `row * c + channel` counted through.
    Elements,
}

/// Which input bytes a block of 16 outputs reads.
#[derive(Clone, Debug)]
struct Feed {
    /// First input channel.
    first: usize,
    /// For input `i` of a group: which byte after `first` each of the 16 outputs takes.
    picks: Vec<[u8; LANES]>,
}

impl Narrow {
    /// Packs `weights`, `[outputs][taps][c]`, if groups are narrow enough: at most 8 inputs, and any 16
    /// outputs in a row read at most 16 neighbouring bytes.
    pub(super) fn new(
        weights: &[i8],
        (inputs, outputs): (usize, usize),
        geometry: Geometry,
    ) -> Option<Self> {
        let (c, n) = (inputs / geometry.groups, outputs / geometry.groups);
        if geometry.groups < 2 || c > 8 {
            return None;
        }
        let feeds: Vec<Feed> = (0..outputs)
            .step_by(LANES)
            .map(|from| feed(from, outputs, c, n))
            .collect::<Option<_>>()?;
        let mode = match (c, n) {
            (1, 1) => Mode::Rows,
            _ if c.is_multiple_of(4) => Mode::Channels,
            _ => Mode::Elements,
        };
        let share = if mode == Mode::Rows { share(geometry) } else { 1 };
        let lines = geometry.kernel[0] * geometry.kernel[1] + (share - 1) * geometry.stride[1];
        let sum = |w: &[i8]| w.iter().map(|&w| i32::from(w)).sum();
        let mut made = Self {
            weights: Vec::new(),
            feeds,
            sums: weights.chunks_exact(geometry.taps() * c).map(sum).collect(),
            geometry,
            inputs,
            outputs,
            c,
            mode,
            share,
            lines,
            quads: (lines * c).div_ceil(4),
        };
        made.pack(weights);
        Some(made)
    }

    fn pack(&mut self, weights: &[i8]) {
        let Self { geometry, c, share, quads, .. } = *self;
        let (width, depth) = (geometry.kernel[2], geometry.taps() * c);
        self.weights = vec![Block([0; 64]); self.feeds.len() * self.blocks()];
        for (o, weights) in weights.chunks_exact(depth).enumerate() {
            let own = &mut self.weights[o / LANES * share * width * quads..];
            for (at, &w) in weights.iter().enumerate() {
                let (tap, i) = (at / c, at % c);
                for r in 0..share {
                    let element = (tap / width + r * geometry.stride[1]) * c + i;
                    let quad = (r * width + tap % width) * quads + element / 4;
                    own[quad].0[4 * (o % LANES) + element % 4] = w;
                }
            }
        }
    }

    /// Blocks of weights that a block of 16 channels has.
    fn blocks(&self) -> usize {
        self.share * self.geometry.kernel[2] * self.quads
    }

    /// First block and number of blocks of each chunk of at most `most` blocks.
    fn chunks(&self, most: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let blocks = self.feeds.len();
        let mut first = 0;
        std::iter::from_fn(move || {
            let fits = |count: &usize| *count <= most.min(blocks - first);
            let count = CHUNKS.into_iter().find(fits)?;
            first += count;
            Some((first - count, count))
        })
    }

    /// Sum of each output channel's weights.
    pub(super) fn sums(&self) -> &[i32] {
        &self.sums
    }

    /// Output channels.
    pub(super) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Output rows that are worked on together.
    pub(super) fn share(&self) -> usize {
        self.share
    }

    /// About how long `pixels` output pixels take on one thread: products here run at a fifth of the
    /// matrix rate.
    pub(super) fn nanoseconds(&self, products_per_nanosecond: usize, pixels: usize) -> usize {
        5 * pixels * self.outputs * self.geometry.taps() * self.c / products_per_nanosecond
    }
}

/// The bytes that the outputs from `from` on read, if they are few enough.
fn feed(from: usize, outputs: usize, c: usize, n: usize) -> Option<Feed> {
    let group = |j: usize| (from + j).min(outputs - 1) / n;
    let first = group(0) * c;
    let wide = group(LANES - 1) * c + c - first;
    let pick = |i| std::array::from_fn(|j| (group(j) * c + i - first) as u8);
    (wide <= LANES).then(|| Feed { first, picks: (0..c).map(pick).collect() })
}

/// Output rows whose input rows, together, fill no more quads than those of one.
fn share(geometry: Geometry) -> usize {
    let Geometry { kernel, stride, dilation, .. } = geometry;
    if kernel[0] > 1 || dilation[1] > 1 {
        return 1;
    }
    1 + (kernel[1].next_multiple_of(4) - kernel[1]) / stride[1]
}
