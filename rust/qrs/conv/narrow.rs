//! Depthwise convolutions, and groups of few channels: too narrow for a matrix product.
//!
//! ```text
//! for each few rows of the output, whose input rows stay in L1
//!   for each block of 16 output channels
//!     for each `share` rows, for each 4 columns of the output:
//!       interleave the bytes of the input columns that are new under their kernels
//!       dot products over all columns under the kernels of 4 x `share` outputs, then requantize
//! ```
//!
//! A *quad* holds, for each of 16 output channels, 4 input bytes: 4 kernel rows of one channel
//! (depthwise), or 4 channels of one row, or elements of neighbouring rows. Interleaving is the
//! expensive part, so a column is interleaved once and used by every output whose kernel covers it.
//! Depthwise, 3 kernel rows leave one of the 4 free: the same quad with the weights one row lower
//! serves the output row below, too. In general `share` rows fit in as many quads as one needs.
//!
//! On some levels, four quads are made at once, a *band*, where an output's bytes never leave the 16 around
//! it, and 64 neighbouring outputs are stored at once: `bands.rs`. All else goes by blocks of 16 outputs:
//! `part.rs`.

mod bands;
mod columns;
mod part;
mod three;

use self::bands::Bands;
use super::Geometry;
use crate::isa::{Block, Isa, LANES};
use crate::requant::Plan;

pub(super) use part::Part;

/// Quads of columns that are kept together: they stay in L1.
const fn quads<I: Isa>() -> usize {
    16 * 1024 / size_of::<I::Quad>()
}

/// Weights of a convolution of narrow groups.
#[derive(Clone, Debug)]
pub(super) struct Narrow {
    /// `[block][kernel column][quad][row of the output]`.
    weights: Vec<Block>,
    /// Of each block of 16 output channels.
    feeds: Vec<Feed>,
    /// For levels that work by them.
    bands: Option<Bands>,
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

/// What a block of 16 outputs reads. The last block begins where it ends with the last output, and
/// makes some outputs once more, unless there are fewer than 16 in all.
#[derive(Clone, Debug)]
struct Feed {
    /// First output channel.
    output: usize,
    /// First of 16 neighbouring input channels; all exist where the layer has that many.
    input: usize,
    /// For input `i` of a group: which of the 16 bytes each output takes.
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
            .map(|from| {
                let from = from.min(outputs.saturating_sub(LANES));
                feed(from, (inputs, outputs), (c, n))
            })
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
            bands: None,
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
        made.bands = Bands::new(&made, n, weights);
        Some(made)
    }

    fn pack(&mut self, weights: &[i8]) {
        let Self { geometry, c, share, quads, outputs, .. } = *self;
        let (width, depth) = (geometry.kernel[2], geometry.taps() * c);
        let size = self.blocks();
        self.weights = vec![Block([0; 64]); self.feeds.len() * size];
        for (feed, own) in self.feeds.iter().zip(self.weights.chunks_exact_mut(size)) {
            for o in feed.output..outputs.min(feed.output + LANES) {
                for (at, &w) in weights[o * depth..][..depth].iter().enumerate() {
                    let (tap, i) = (at / c, at % c);
                    for r in 0..share {
                        let element = (tap / width + r * geometry.stride[1]) * c + i;
                        let block = (tap % width * quads + element / 4) * share + r;
                        own[block].0[4 * (o - feed.output) + element % 4] = w;
                    }
                }
            }
        }
    }

    /// Blocks of weights that a block of 16 channels has.
    fn blocks(&self) -> usize {
        self.share * self.geometry.kernel[2] * self.quads
    }

    /// Columns under the kernel of an output, with those between its taps.
    fn reach(&self) -> usize {
        (self.geometry.kernel[2] - 1) * self.geometry.dilation[2] + 1
    }

    /// Rows that are found under a kernel, some of them for nothing.
    fn tall(&self) -> usize {
        self.lines.next_multiple_of(4)
    }

    /// The plans that the kernels want, made of that of the channels in order.
    pub(super) fn plans(&self, plan: Plan) -> Vec<Plan> {
        let of_bands = self.bands.as_ref().map(|bands| bands.arranged(&plan));
        std::iter::once(plan).chain(of_bands).collect()
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

    /// About how long `pixels` output pixels take on one thread. Products run at half the matrix rate
    /// where many end in one output, as 7 x 7 kernels have, and at a tenth where few do and columns are
    /// shared by few outputs, as with 3 x 3 kernels of stride 2; a fifth lies between.
    pub(super) fn nanoseconds(&self, products_per_nanosecond: usize, pixels: usize) -> usize {
        5 * pixels * self.outputs * self.geometry.taps() * self.c / products_per_nanosecond
    }
}

/// The bytes that 16 outputs from `output` on read, if they are few enough.
fn feed(output: usize, (inputs, outputs): (usize, usize), (c, n): (usize, usize)) -> Option<Feed> {
    let group = |j: usize| (output + j).min(outputs - 1) / n;
    let input = (group(0) * c).min(inputs.saturating_sub(LANES));
    let wide = group(LANES - 1) * c + c - input;
    let pick = |i| std::array::from_fn(|j| (group(j) * c + i - input) as u8);
    (wide <= LANES).then(|| Feed { output, input, picks: (0..c).map(pick).collect() })
}

/// Output rows, a power of two, whose input rows, together, fill no more quads than those of one.
fn share(geometry: Geometry) -> usize {
    let Geometry { kernel, stride, dilation, .. } = geometry;
    if kernel[0] > 1 || dilation[1] > 1 {
        return 1;
    }
    let most = 1 + (kernel[1].next_multiple_of(4) - kernel[1]) / stride[1];
    1 << most.ilog2()
}
