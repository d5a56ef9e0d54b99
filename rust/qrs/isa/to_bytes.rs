//! From the sums of a panel to stored bytes, in terms of verbs. [`crate::requant`] has the formula.

use super::{Gathered, Isa, LANES, Outputs, Panel, Tile, WIDE};

/// What the sums of 16 channels need to become bytes.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Affine {
    /// Where sums start: with the zero point of the input, and a bias of integers, in them.
    pub start: [i32; LANES],
    /// Added to the converted sum.
    pub bias: [f32; LANES],
    /// Then multiplied with it.
    pub multiplier: [f32; LANES],
}

/// What every channel of a layer shares.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Zero point of the output.
    pub zero_point: i16,
    /// Lowest byte.
    pub low: u8,
    /// Highest byte.
    pub high: u8,
    /// Whether no sum can become a real above `2^31 - 128`, whatever the activations.
    pub bounded: bool,
}

impl Range {
    /// Whether it is all that a byte holds, around zero point 0: saturation to a byte is all it takes.
    #[inline(always)]
    #[must_use]
    pub fn is_whole(self) -> bool {
        (self.zero_point, self.low, self.high) == (0, 0, u8::MAX)
    }
}

/// How the sums of a panel become bytes. Weights have no zero points.
#[derive(Clone, Copy, Debug)]
pub struct ToBytes<'a> {
    /// A block each.
    pub blocks: &'a [Affine],
    /// `[block][tap]`: what a tap adds to a sum that lies outside the image. With it, a level may leave out
    /// such taps; empty where they have to be read.
    pub outside: &'a [[i32; LANES]],
    /// See there.
    pub range: Range,
}

impl ToBytes<'_> {
    /// What four blocks need, number `i` of those in fours.
    #[inline(always)]
    pub(super) fn four(&self, i: usize) -> ToBytes<'_> {
        ToBytes { blocks: &self.blocks[WIDE * i..][..WIDE], outside: &[], range: self.range }
    }
}

/// [`Affine`] in registers.
#[derive(Clone, Copy)]
pub struct Lanes<I: Isa> {
    /// See [`Affine::start`].
    pub start: I::I,
    bias: I::F,
    multiplier: I::F,
    high: I::F,
    range: Range,
    /// Whether a real can be too large for [`Isa::f_store_u8`], or for the range but not for a byte.
    clamped: bool,
}

impl<I: Isa> Lanes<I> {
    /// In registers.
    #[inline(always)]
    pub fn new(isa: I, affine: &Affine, range: Range) -> Self {
        Self {
            start: isa.i_load(&affine.start),
            bias: isa.f_load(&affine.bias),
            multiplier: isa.f_load(&affine.multiplier),
            high: isa.f_splat(f32::from(range.high) - f32::from(range.zero_point)),
            range,
            clamped: !range.bounded || range.high < u8::MAX,
        }
    }

    /// Of several blocks.
    #[inline(always)]
    pub fn all<const B: usize>(isa: I, blocks: &[Affine; B], range: Range) -> [Self; B] {
        let mut lanes = [Self::new(isa, &blocks[0], range); B];
        for b in 1..B {
            lanes[b] = Self::new(isa, &blocks[b], range);
        }
        lanes
    }

    /// Stored bytes of several vectors of channels, from sums that began at `start`.
    #[inline(always)]
    pub fn store<const V: usize>(
        isa: I,
        lanes: &[Self; V],
        sums: [I::I; V],
        to: &mut [[u8; LANES]; V],
    ) {
        let Range { zero_point, low, .. } = lanes[0].range;
        isa.f_store_u8(Self::reals(isa, lanes, sums), zero_point, low, to);
    }

    /// As [`Lanes::store`] of vectors of the same channels, `apart` bytes from each other.
    #[inline(always)]
    pub fn store_apart<const V: usize>(
        &self,
        isa: I,
        sums: [I::I; V],
        to: &mut [u8],
        apart: usize,
    ) {
        let Range { zero_point, low, .. } = self.range;
        isa.f_store_u8_apart(Self::reals(isa, &[*self; V], sums), zero_point, low, to, apart);
    }

    /// As [`Lanes::store`] of the vectors of a band, whose pieces begin at `at`.
    #[inline(always)]
    pub fn store_band(
        isa: I,
        lanes: &[Self; WIDE],
        sums: [I::I; WIDE],
        to: &mut [u8],
        at: &[usize],
    ) {
        let Range { zero_point, low, .. } = lanes[0].range;
        isa.f_store_band(Self::reals(isa, lanes, sums), zero_point, low, to, at);
    }

    /// What is rounded. Clamping comes before rounding: the bounds are integers, so the result is the
    /// same and the conversion cannot overflow.
    #[inline(always)]
    fn reals<const V: usize>(isa: I, lanes: &[Self; V], sums: [I::I; V]) -> [I::F; V] {
        let mut reals = [isa.f_splat(0.0); V];
        for i in 0..V {
            let real = isa.f_add(isa.f_from_i(sums[i]), lanes[i].bias);
            reals[i] = isa.f_mul(real, lanes[i].multiplier);
        }
        if lanes[0].clamped {
            for i in 0..V {
                reals[i] = isa.f_min(reals[i], lanes[i].high);
            }
        }
        reals
    }

    /// As [`Lanes::store`], to as many channels as `out` has.
    #[inline(always)]
    pub fn put<const V: usize>(isa: I, lanes: &[Self; V], sums: [I::I; V], out: &mut [u8]) {
        if let Some(to) = out.as_chunks_mut::<LANES>().0.first_chunk_mut::<V>() {
            Self::store(isa, lanes, sums, to);
        } else {
            let mut bytes = [[0; LANES]; V];
            Self::store(isa, lanes, sums, &mut bytes);
            let len = out.len();
            out.copy_from_slice(&bytes.as_flattened()[..len]);
        }
    }
}

/// [`Isa::tile_bytes`] where the sums pass through memory.
#[inline(always)]
pub(super) fn through_memory<I: Isa>(
    isa: I,
    rows: &Gathered<'_, I::Act>,
    panel: &Panel<'_>,
    by: &ToBytes<'_>,
    (out, columns): (&mut Outputs<'_>, std::ops::Range<usize>),
    acc: &mut Tile,
) {
    let first = rows.rows().start;
    for taps in rows.strips(I::ROWS) {
        isa.tile(&taps, panel, acc);
        let strip = (taps.rows().start - first, taps.rows().len());
        // Blocks together: four fill a register with bytes, and one by one take half as long again.
        match *by.blocks {
            [] => {}
            [a] => store(isa, strip, acc, ([a], by.range), out, columns.clone()),
            [a, b] => store(isa, strip, acc, ([a, b], by.range), out, columns.clone()),
            [a, b, c] => store(isa, strip, acc, ([a, b, c], by.range), out, columns.clone()),
            [a, b, c, d, ..] => {
                store(isa, strip, acc, ([a, b, c, d], by.range), out, columns.clone());
            }
        }
    }
}

/// The rows of a tile of `B` blocks: those of the output from `first` on.
#[inline(always)]
fn store<I: Isa, const B: usize>(
    isa: I,
    (first, count): (usize, usize),
    acc: &Tile,
    (blocks, range): ([Affine; B], Range),
    out: &mut Outputs<'_>,
    columns: std::ops::Range<usize>,
) {
    let lanes = Lanes::all(isa, &blocks, range);
    for m in 0..count {
        let mut sums = [isa.i_splat(0); B];
        for b in 0..B {
            sums[b] = isa.i_add(isa.i_load(&acc[m][b]), lanes[b].start);
        }
        Lanes::put(isa, &lanes, sums, &mut out.row(first + m)[columns.clone()]);
    }
}
