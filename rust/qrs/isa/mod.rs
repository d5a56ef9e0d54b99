//! The instruction-set layer: one narrow vocabulary, one token per level.
//!
//! A *level* is an instruction set that the kernels can use. Each level has a zero-sized token whose
//! construction proves that the CPU has the features; holding the token makes every verb of [`Isa`]
//! safe to call. Kernels are written once, generic over [`Isa`], and entered through [`Level::run`],
//! which compiles them inside a function that carries the level's features.
//!
//! Every verb gives the same bits on every level. Level `scalar` is the definition.
//!
//! Methods are `inline(always)`: a verb left out of line runs up to 40 times slower, because its
//! vectors then travel through memory. For the same reason a kernel's body stands in no closure: a
//! closure is a function of its own, without the features (a dynamic linear layer whose product stood
//! in one took twice the time).

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512vnni;
pub mod band;
pub mod environment;
mod level;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neon_dot;
mod outputs;
mod scalar;
mod strips;
mod taps;
pub mod to_bytes;
mod token;

use std::ops::Range;

pub use band::{Lines, Source, Strip, Sweep};
pub use level::{Level, level};
pub use outputs::Outputs;
pub use strips::{Strips, strips};
pub use taps::{Gathered, Taps};

use self::to_bytes::ToBytes;
use crate::scratch::Scratch;

/// Lanes of every vector of the vocabulary.
pub const LANES: usize = 16;

/// Vectors of a band: see [`band`].
pub const WIDE: usize = 4;

/// Rows of the largest tile.
pub const TILE_ROWS: usize = 6;

/// Blocks (of 16 channels) of the widest panel.
pub const PANEL_BLOCKS: usize = 4;

/// 16 output channels x 4 consecutive inputs: element `4 * channel + k`. One cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Block(pub [i8; 64]);

/// Accumulators of one tile, `[row][block][lane]`. Lives in L1 between the tile and its epilogue.
pub type Tile = [[[i32; LANES]; PANEL_BLOCKS]; TILE_ROWS];

/// A panel of packed weights: up to [`PANEL_BLOCKS`] blocks side by side.
#[derive(Clone, Copy, Debug)]
pub struct Panel<'a> {
    /// `taps * ceil(c / 4)` steps of `width` blocks.
    pub blocks: &'a [Block],
    /// Sum of each channel's weights, `width` entries.
    pub sums: &'a [[i32; LANES]],
    /// Blocks side by side, `1..=PANEL_BLOCKS`.
    pub width: usize,
    /// Weights that a later tile reads: a level may fetch them into L2 while it computes.
    pub ahead: &'a [Block],
}

/// 16 bytes from `start` on.
#[inline(always)]
pub(crate) fn sixteen(x: &[u8], start: usize) -> [u8; LANES] {
    let mut bytes = [0; LANES];
    bytes.copy_from_slice(&x[start..start + LANES]);
    bytes
}

/// The vocabulary: what the algorithms of this crate need of 16 lanes, and no more.
///
/// `I` holds 16 `i32`, `F` holds 16 `f32`, in however many registers the level needs.
pub trait Isa: Copy + Send + Sync + 'static {
    /// The level this token stands for.
    const LEVEL: Level;
    /// Rows of this level's best tile, at most [`TILE_ROWS`].
    const ROWS: usize = TILE_ROWS;
    /// Vectors of 16 sums that stay in registers beside what they are made of.
    const SUMS: usize = 4;
    /// Whether layers that can be are made by bands, not by blocks of 16 channels: see [`band`]. On AVX2,
    /// which has too few registers for four vectors of sums, bands took 41 us instead of 35 for 14 x 14
    /// pixels of 384 channels, and 71 instead of 49 for 5 x 5 kernels on 240.
    const BANDS: bool = false;
    /// Elements that a staged row has beyond its inputs.
    const STAGED_EXTRA: usize = 0;
    /// Element of a staged activation row (see [`Isa::in_place`]).
    type Act: Copy + Default + Send + Sync + 'static;
    /// 16 x i32.
    type I: Copy;
    /// 16 x f32.
    type F: Copy;
    /// 4 input bytes for each of 16 channels, as [`Isa::quad_dot`] wants them.
    type Quad: Copy;
    /// 4 weights for each of 16 channels, as [`Isa::quad_dot`] wants them.
    type QuadWeights: Copy;
    /// Which bytes a quad takes, as [`Isa::quad_pick`] wants it.
    type Picks: Copy;

    /// All lanes `v`.
    fn i_splat(self, v: i32) -> Self::I;
    /// Lanes from memory.
    fn i_load(self, v: &[i32; LANES]) -> Self::I;
    /// Lanes to memory.
    fn i_store(self, v: Self::I, to: &mut [i32; LANES]);
    /// Wrapping sum.
    fn i_add(self, a: Self::I, b: Self::I) -> Self::I;
    /// Wrapping difference.
    fn i_sub(self, a: Self::I, b: Self::I) -> Self::I;
    /// Low 32 bits of the product.
    fn i_mul(self, a: Self::I, b: Self::I) -> Self::I;
    /// Smaller lane.
    fn i_min(self, a: Self::I, b: Self::I) -> Self::I;
    /// Larger lane.
    fn i_max(self, a: Self::I, b: Self::I) -> Self::I;
    /// Widened bytes.
    fn i_from_u8(self, v: &[u8; LANES]) -> Self::I;
    /// Widened signed bytes.
    fn i_from_i8(self, v: &[i8; LANES]) -> Self::I;
    /// Bytes, each lane clamped to `0..=255`.
    fn i_to_u8(self, v: Self::I) -> [u8; LANES];
    /// Signed bytes, each lane clamped to `-128..=127`.
    fn i_to_i8(self, v: Self::I) -> [i8; LANES];
    /// `2^n` for `n` in `-127..=128`; the ends give 0 and infinity.
    fn i_exp2(self, n: Self::I) -> Self::F;

    /// All lanes `v`.
    fn f_splat(self, v: f32) -> Self::F;
    /// Lanes from memory.
    fn f_load(self, v: &[f32; LANES]) -> Self::F;
    /// Lanes to memory.
    fn f_store(self, v: Self::F, to: &mut [f32; LANES]);
    /// Sum.
    fn f_add(self, a: Self::F, b: Self::F) -> Self::F;
    /// Difference.
    fn f_sub(self, a: Self::F, b: Self::F) -> Self::F;
    /// Product.
    fn f_mul(self, a: Self::F, b: Self::F) -> Self::F;
    /// Quotient, correctly rounded.
    fn f_div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, rounded once.
    fn f_fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// Square root, correctly rounded.
    fn f_sqrt(self, a: Self::F) -> Self::F;
    /// `a < b ? a : b`: `b` where either is NaN.
    fn f_min(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a > b ? a : b`: `b` where either is NaN.
    fn f_max(self, a: Self::F, b: Self::F) -> Self::F;
    /// Sign bit cleared.
    fn f_abs(self, a: Self::F) -> Self::F;
    /// Magnitude of `a`, sign of `s`.
    fn f_copysign(self, a: Self::F, s: Self::F) -> Self::F;
    /// Nearest integral value, ties to even.
    fn f_round(self, a: Self::F) -> Self::F;
    /// `a < b ? x : y`, false where either is NaN.
    fn f_select_lt(self, a: Self::F, b: Self::F, x: Self::F, y: Self::F) -> Self::F;
    /// NaN lanes become zero.
    fn f_nan_to_zero(self, a: Self::F) -> Self::F;
    /// The same 32 bits read as integers.
    fn f_bits(self, a: Self::F) -> Self::I;
    /// Converted to float, ties to even.
    fn f_from_i(self, a: Self::I) -> Self::F;
    /// Converted to integer, ties to even. The value must lie within `-2^31 ..= 2^31 - 128`.
    fn f_to_i(self, a: Self::F) -> Self::I;

    /// The rows themselves when this level's tile reads bytes in place; `None` when it wants them
    /// prepared by [`Isa::stage`] first.
    fn in_place<'r, 'a>(rows: &'r Gathered<'a, u8>) -> Option<&'r Gathered<'a, Self::Act>>;
    /// Prepares `row` in `to`, whose length is that of `row` rounded up to 4, and
    /// [`Isa::STAGED_EXTRA`].
    fn stage(self, row: &[u8], to: &mut [Self::Act]);
    /// This level's staging room inside the thread's scratch memory.
    fn staging(scratch: &mut Scratch) -> &mut Vec<Self::Act>;

    /// `acc[m][b][j] = sum over taps t and inputs k of rows[t][m][k] * weight`, exact.
    ///
    /// The slices of `rows` have `c` inputs (staged ones are longer); the panel has
    /// `taps * ceil(c / 4)` steps. A strip has at most [`Isa::ROWS`] rows.
    fn tile(self, rows: &Taps<'_, Self::Act>, panel: &Panel<'_>, acc: &mut Tile);

    /// As [`Isa::tile`] for each strip of `rows`, but the sums go, as `by` says, to columns `columns` of
    /// the rows of `out`, which has one for each of `rows`: a level may keep them in registers. Otherwise
    /// they pass through `acc`.
    #[inline(always)]
    fn tile_bytes(
        self,
        rows: &Gathered<'_, Self::Act>,
        panel: &Panel<'_>,
        by: &ToBytes<'_>,
        (out, columns): (&mut Outputs<'_>, Range<usize>),
        acc: &mut Tile,
    ) {
        to_bytes::through_memory(self, rows, panel, by, (out, columns), acc);
    }

    /// Larger byte.
    fn u8_max(self, a: &[u8; LANES], b: &[u8; LANES]) -> [u8; LANES];
    /// Larger signed byte.
    fn i8_max(self, a: &[i8; LANES], b: &[i8; LANES]) -> [i8; LANES];
    /// `out[j] = bytes[by[j]]`, for indices below 16.
    fn b_shuffle(self, bytes: &[u8; LANES], by: &[u8; LANES]) -> [u8; LANES];
    /// Interleaves 4 rows of 16 channels.
    fn quad(self, rows: [[u8; LANES]; 4]) -> Self::Quad;
    /// [`Isa::quad`] of every column of `strip`.
    #[inline(always)]
    fn quads(self, rows: [&[u8]; 4], strip: Strip, to: &mut [Self::Quad]) {
        let len = rows[0].len();
        // Of one length, as the compiler sees now: one comparison for all four.
        let rows = [rows[0], &rows[1][..len], &rows[2][..len], &rows[3][..len]];
        let (mut at, mut place) = (strip.from, 0);
        for _ in 0..strip.count {
            to[place] = self.quad([
                sixteen(rows[0], at),
                sixteen(rows[1], at),
                sixteen(rows[2], at),
                sixteen(rows[3], at),
            ]);
            at += strip.step;
            place += strip.apart;
        }
    }
    /// [`Isa::quad_pick`] of every column of `strip`.
    #[inline(always)]
    fn quads_picked(self, row: &[u8], picks: Self::Picks, strip: Strip, to: &mut [Self::Quad]) {
        let (mut at, mut place) = (strip.from, 0);
        for _ in 0..strip.count {
            to[place] = self.quad_pick(&sixteen(row, at), picks);
            at += strip.step;
            place += strip.apart;
        }
    }
    /// Which of 16 bytes stands at `4 * channel + row` of a quad: indices below 16.
    fn picks(self, by: &[u8; 64]) -> Self::Picks;
    /// The quad of the bytes that `picks` names.
    fn quad_pick(self, bytes: &[u8; LANES], picks: Self::Picks) -> Self::Quad;
    /// Weights `4 * channel + row`.
    fn quad_weights(self, weights: &Block) -> Self::QuadWeights;
    /// `acc[j] += sum over rows t of quad[t][j] * weights[4 * j + t]`, exact.
    fn quad_dot(self, acc: Self::I, quad: Self::Quad, weights: Self::QuadWeights) -> Self::I;

    /// The four quads of each column of `strip`, whose bytes are those of one row each for every output:
    /// see [`band`]. A column lies in 1, 2 or 4 pieces: `pieces` says how far each begins from the first.
    #[inline(always)]
    fn band_of_rows(
        self,
        rows: [&[u8]; 4],
        pieces: &[usize],
        strip: Strip,
        to: &mut [[Self::Quad; WIDE]],
    ) {
        band::of_rows(self, rows, pieces, strip, to);
    }
    /// As [`Isa::band_of_rows`] of one row, four bytes that lie together for every output: quad `k` holds
    /// bytes `4 * k..4 * k + 4` of each 16, four times.
    #[inline(always)]
    fn band_of_channels(
        self,
        row: &[u8],
        pieces: &[usize],
        strip: Strip,
        to: &mut [[Self::Quad; WIDE]],
    ) {
        band::of_channels(self, row, pieces, strip, to);
    }
    /// [`Isa::quad_weights`] of all blocks, made in `room` where they cannot be used as they lie.
    #[inline(always)]
    fn all_weights<'w>(
        self,
        blocks: &'w [Block],
        room: &'w mut Vec<Self::QuadWeights>,
    ) -> &'w [Self::QuadWeights] {
        room.clear();
        for block in blocks {
            room.push(self.quad_weights(block));
        }
        room
    }

    /// `max(low, clamp(rne(v) + zero_point, 0, 255))` of vectors at once, which is cheaper than one by
    /// one. No value may exceed `2^31 - 128`; any may be as low as it likes.
    fn f_store_u8<const V: usize>(
        self,
        v: [Self::F; V],
        zero_point: i16,
        low: u8,
        to: &mut [[u8; LANES]; V],
    );
    /// As [`Isa::f_store_u8`], the bytes of each vector `apart` bytes from those of the one before.
    #[inline(always)]
    fn f_store_u8_apart<const V: usize>(
        self,
        v: [Self::F; V],
        zero_point: i16,
        low: u8,
        to: &mut [u8],
        apart: usize,
    ) {
        let mut bytes = [[0; LANES]; V];
        self.f_store_u8(v, zero_point, low, &mut bytes);
        for i in 0..V {
            to[i * apart..][..LANES].copy_from_slice(&bytes[i]);
        }
    }

    /// The bytes of the outputs of `sweep`, for each of whose bands `by` has four blocks, in the order of a
    /// band. The quads of the columns of `source` are made on the way; those of other columns were.
    #[inline(always)]
    fn band(
        self,
        source: &Source<'_>,
        sweep: &Sweep<'_>,
        of: (&mut [[Self::Quad; WIDE]], &[[Self::QuadWeights; WIDE]]),
        by: &ToBytes<'_>,
        out: &mut [u8],
    ) {
        band::outputs(self, source, sweep, of, by, out);
    }
    /// As [`Isa::f_store_u8`] of the vectors of a band, whose pieces, 1, 2 or 4, begin at `at`: see [`band`].
    #[inline(always)]
    fn f_store_band(
        self,
        v: [Self::F; WIDE],
        zero_point: i16,
        low: u8,
        to: &mut [u8],
        at: &[usize],
    ) {
        let mut bytes = [[0; LANES]; WIDE];
        self.f_store_u8(v, zero_point, low, &mut bytes);
        band::put(&bytes, to, at);
    }

    /// `dst[i] = table[src[i]]`.
    fn lookup(self, table: &[u8; 256], src: &[u8], dst: &mut [u8]);
}

/// A computation that can be compiled for every level: a struct of its arguments.
pub trait Kernel {
    /// What it returns.
    type Output;
    /// The computation. Mark it `#[inline(always)]`.
    fn run<I: Isa>(self, isa: I) -> Self::Output;
}

/// Steps of the panel, after checking that rows and panel describe one product, whose sums fit a [`Tile`].
///
/// Every tile calls it first: it is what makes the unchecked reads that follow sound.
#[inline(always)]
fn checked_steps<I: Isa>(rows: &Taps<'_, I::Act>, panel: &Panel<'_>) -> usize {
    assert!(rows.rows().len() <= I::ROWS, "tile: {:?} rows, {} fit", rows.rows(), I::ROWS);
    checked_panel::<I>(rows, panel)
}

/// As [`checked_steps`], of any number of rows.
#[inline(always)]
fn checked_panel<I: Isa>(rows: &Taps<'_, I::Act>, panel: &Panel<'_>) -> usize {
    assert!((1..=PANEL_BLOCKS).contains(&panel.width), "tile: panel of {} blocks", panel.width);
    assert!(
        panel.sums.len() == panel.width,
        "tile: {} sums, {} blocks",
        panel.sums.len(),
        panel.width
    );
    assert!(rows.len() >= I::STAGED_EXTRA, "tile: rows were not staged");
    let (taps, steps) = (rows.count(), (rows.len() - I::STAGED_EXTRA).div_ceil(4));
    assert!(
        panel.blocks.len() == taps * steps * panel.width,
        "tile: panel of {} blocks, {taps} taps of {steps} steps need {}",
        panel.blocks.len(),
        taps * steps * panel.width
    );
    steps
}
