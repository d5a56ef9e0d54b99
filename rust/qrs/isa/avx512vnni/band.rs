//! Bands: see [`crate::isa::band`]. A row of a column is one register.

use std::arch::x86_64::{
    __m512i, _mm_storeu_si128, _mm256_storeu_si256, _mm512_add_ps, _mm512_castsi512_si128,
    _mm512_castsi512_si256, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_extracti32x4_epi32,
    _mm512_extracti64x4_epi64, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_min_ps, _mm512_mul_ps,
    _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_storeu_si512,
};

mod quads;

pub(super) use self::quads::of_columns;
use self::quads::{quads, quads_of_rows};
use super::packed;
use crate::isa::to_bytes::{Affine, Range, ToBytes};
use crate::isa::{Source, Sweep, WIDE};

/// What the outputs of a band in some lines are made of.
#[derive(Clone, Copy)]
struct Origin<'a> {
    source: &'a Source<'a>,
    /// The input rows under their kernels.
    rows: *const &'a [u8],
    /// Where in a pixel the band begins.
    band: usize,
}

impl Origin<'_> {
    /// Where `K` rows from row `first` on begin, for the columns of the source.
    #[inline(always)]
    unsafe fn rows<const K: usize>(self, first: usize) -> [*const u8; K] {
        let on = self.source.strip.from.wrapping_add(self.band);
        // SAFETY: as the caller proved.
        let rows: &[&[u8]; K] = unsafe { &*self.rows.add(first).cast() };
        rows.map(|row| row.as_ptr().wrapping_add(on))
    }
}

/// See [`crate::isa::Isa::band`]. Every byte, place, block and output lies where it is looked for.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn outputs(
    source: &Source<'_>,
    sweep: &Sweep<'_>,
    (room, weights): (*mut [__m512i; WIDE], &[[__m512i; WIDE]]),
    by: &ToBytes<'_>,
    out: *mut u8,
) {
    let first = sweep.lines[0].first;
    let own = weights.len() / sweep.bands.len();
    for (b, &band) in sweep.bands.iter().enumerate() {
        let of = (room, weights.as_ptr().wrapping_add(b * own));
        let by = by.four(b);
        for (i, lines) in sweep.lines.iter().enumerate() {
            let rows = source.rows.as_ptr().wrapping_add(i * source.tall);
            let from = Origin { source, rows, band };
            let out = out.wrapping_add((lines.first - first) * sweep.row + band);
            // SAFETY: as the caller proved.
            unsafe { of_lines(from, (sweep, lines.count), of, &by, out) }
        }
    }
}

/// The outputs of a band in `count` rows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn of_lines(
    from: Origin<'_>,
    (sweep, count): (&Sweep<'_>, usize),
    of: (*mut [__m512i; WIDE], *const [__m512i; WIDE]),
    by: &ToBytes<'_>,
    out: *mut u8,
) {
    let source = from.source;
    let three = sweep.runs == 1 && sweep.run == 3 && source.strip.apart == 1;
    // SAFETY: as the caller proved.
    unsafe {
        match (source.rows_of_quad, sweep.step, count) {
            (4, 1, 1) if three => return sliding::<1, 1>(from, sweep, of, by, out),
            (4, 1, 2) if three => return sliding::<2, 1>(from, sweep, of, by, out),
            (4, 2, 1) if three => return sliding::<1, 2>(from, sweep, of, by, out),
            (4, ..) => make::<4>(from, of.0),
            _ => make::<1>(from, of.0),
        }
        let across = sweep.step * source.strip.apart;
        let quads = (of.0.cast_const(), across);
        // So many outputs at once that weights are read seldom enough.
        match (sweep.spread, count) {
            (1, 1) => made::<1, 4, 1>(source.streams, sweep, quads, of.1, by, out),
            (1, 2) => made::<2, 2, 1>(source.streams, sweep, quads, of.1, by, out),
            (1, 3) => made::<3, 1, 1>(source.streams, sweep, quads, of.1, by, out),
            (1, _) => made::<4, 1, 1>(source.streams, sweep, quads, of.1, by, out),
            (2, _) => made::<1, 4, 2>(source.streams, sweep, quads, of.1, by, out),
            _ => made::<1, 4, 4>(source.streams, sweep, quads, of.1, by, out),
        }
    }
}

/// Makes the quads of all columns, of `K` rows each.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn make<const K: usize>(from: Origin<'_>, room: *mut [__m512i; WIDE]) {
    let source = from.source;
    let strip = source.strip;
    let pieces = &source.pieces[..source.streams];
    // SAFETY: as the caller proved.
    unsafe {
        for unit in 0..strip.apart {
            let mut room = room.add(source.first * strip.apart + unit);
            let rows = from.rows::<K>(unit * K);
            let mut at = 0;
            for _ in 0..strip.count {
                *room = quads(rows, pieces, at);
                at = at.wrapping_add(strip.step);
                room = room.wrapping_add(strip.apart);
            }
        }
    }
}

/// Three columns of one place under a kernel, `STEP` columns from one output to the next, `R` rows of the
/// output: every column is made once and added, from registers, to the outputs it lies under.
///
/// Kept in memory, quads took 11.3 us instead of 10.5 for 14 x 14 pixels of 384 channels on a Sapphire
/// Rapids, since there are then as many loads as products; made there one column ahead of the products
/// that read them, 12.6 us.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn sliding<const R: usize, const STEP: usize>(
    from: Origin<'_>,
    sweep: &Sweep<'_>,
    (room, weights): (*mut [__m512i; WIDE], *const [__m512i; WIDE]),
    by: &ToBytes<'_>,
    mut out: *mut u8,
) {
    // SAFETY: as the caller proved.
    unsafe {
        let mut start = [[_mm512_setzero_si512(); WIDE]; R];
        for q in 0..WIDE {
            for r in 0..R {
                start[r][q] = _mm512_loadu_si512(by.blocks[q].start.as_ptr().cast());
            }
        }
        let columns = Columns { rows: from.rows(0), source: from.source, room };
        let first = columns.column(0);
        let mut older = added(start, first, weights);
        let mut newer = start;
        if STEP == 1 {
            let second = columns.column(1);
            older = added(older, second, weights.add(1));
            newer = added(start, second, weights);
        }
        for at in 0..sweep.count {
            let done;
            if STEP == 1 {
                let quads = columns.column(at + 2);
                done = added(older, quads, weights.add(2));
                older = added(newer, quads, weights.add(1));
                newer = added(start, quads, weights);
            } else {
                let quads = columns.column(2 * at + 1);
                older = added(older, quads, weights.add(1));
                let quads = columns.column(2 * at + 2);
                done = added(older, quads, weights.add(2));
                older = added(start, quads, weights);
            }
            store::<R, 1>(from.source.streams, sweep, &done.map(|done| [done]), by, out);
            out = out.wrapping_add(sweep.column);
        }
    }
}

/// The columns under the kernels of a band.
struct Columns<'a> {
    rows: [*const u8; 4],
    source: &'a Source<'a>,
    room: *const [__m512i; WIDE],
}

impl Columns<'_> {
    /// Column `at`: from the rows, or from `room` if it is not of the source.
    #[inline(always)]
    unsafe fn column(&self, at: usize) -> [__m512i; WIDE] {
        let source = self.source;
        let inside = at.wrapping_sub(source.first);
        // SAFETY: as the caller proved.
        unsafe {
            if inside >= source.strip.count {
                return *self.room.add(at);
            }
            let pieces = &source.pieces[..source.streams];
            quads_of_rows(self.rows, pieces, inside * source.strip.step)
        }
    }
}

/// `sums` with the products of a column, whose weights of a row are three places apart.
#[inline(always)]
unsafe fn added<const R: usize>(
    mut sums: [[__m512i; WIDE]; R],
    quads: [__m512i; WIDE],
    weights: *const [__m512i; WIDE],
) -> [[__m512i; WIDE]; R] {
    for r in 0..R {
        for q in 0..WIDE {
            // SAFETY: as the caller proved.
            unsafe {
                let weights = (*weights.add(3 * r))[q];
                sums[r][q] = _mm512_dpbusd_epi32(sums[r][q], quads[q], weights);
            }
        }
    }
    sums
}

/// `R` rows of the output, `P` outputs side by side at once, `H` quads of a place in a group: from `quads`,
/// where those of an output lie `across` places from those of the one before.
#[inline(never)]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn made<const R: usize, const P: usize, const H: usize>(
    streams: usize,
    sweep: &Sweep<'_>,
    (quads, across): (*const [__m512i; WIDE], usize),
    weights: *const [__m512i; WIDE],
    by: &ToBytes<'_>,
    out: *mut u8,
) {
    let mut at = 0;
    // SAFETY: as the caller proved.
    unsafe {
        while at + P <= sweep.count {
            let sums = sums::<R, P, H>(sweep, (quads.add(at * across), across), weights, by);
            store(streams, sweep, &sums, by, out.add(at * sweep.column));
            at += P;
        }
        while at < sweep.count {
            let sums = sums::<R, 1, H>(sweep, (quads.add(at * across), across), weights, by);
            store(streams, sweep, &sums, by, out.add(at * sweep.column));
            at += 1;
        }
    }
}

/// The sums of `P` outputs side by side in each of `R` rows.
#[inline(always)]
unsafe fn sums<const R: usize, const P: usize, const H: usize>(
    sweep: &Sweep<'_>,
    (mut quads, across): (*const [__m512i; WIDE], usize),
    mut weights: *const [__m512i; WIDE],
    by: &ToBytes<'_>,
) -> [[[__m512i; WIDE]; P]; R] {
    let steps = sweep.steps();
    // SAFETY: as the caller proved.
    unsafe {
        let mut sums = [[[_mm512_setzero_si512(); WIDE]; P]; R];
        for q in 0..WIDE {
            let start = _mm512_loadu_si512(by.blocks[q].start.as_ptr().cast());
            for r in 0..R {
                for p in 0..P {
                    sums[r][p][q] = start;
                }
            }
        }
        for _ in 0..sweep.runs {
            let mut at = quads;
            for _ in 0..sweep.run {
                for h in 0..H {
                    for q in 0..WIDE {
                        for r in 0..R {
                            let weights = (*weights.add(r * steps + h))[q];
                            for p in 0..P {
                                let quad = (*at.add(p * across))[q / H * H + h];
                                sums[r][p][q] = _mm512_dpbusd_epi32(sums[r][p][q], quad, weights);
                            }
                        }
                    }
                }
                at = at.wrapping_add(1);
                weights = weights.wrapping_add(H);
            }
            quads = quads.wrapping_add(sweep.apart);
        }
        sums
    }
}

/// Stores the bytes of `P` outputs side by side in each of `R` rows.
#[inline(always)]
unsafe fn store<const R: usize, const P: usize>(
    streams: usize,
    sweep: &Sweep<'_>,
    sums: &[[[__m512i; WIDE]; P]; R],
    by: &ToBytes<'_>,
    out: *mut u8,
) {
    let Range { zero_point, low, high, bounded } = by.range;
    let clamped = !bounded || high < u8::MAX;
    // SAFETY: as the caller proved.
    let most = unsafe { _mm512_set1_ps(f32::from(high) - f32::from(zero_point)) };
    let [a, b, c, d] = sweep.pieces;
    for r in 0..R {
        for p in 0..P {
            // SAFETY: as the caller proved; each load goes through an array of its size.
            unsafe {
                let mut reals = [_mm512_setzero_ps(); WIDE];
                for q in 0..WIDE {
                    let Affine { bias, multiplier, .. } = &by.blocks[q];
                    let real = _mm512_cvtepi32_ps(sums[r][p][q]);
                    let real = _mm512_add_ps(real, _mm512_loadu_ps(bias.as_ptr()));
                    reals[q] = _mm512_mul_ps(real, _mm512_loadu_ps(multiplier.as_ptr()));
                }
                if clamped {
                    for q in 0..WIDE {
                        reals[q] = _mm512_min_ps(reals[q], most);
                    }
                }
                let bytes = packed(reals, zero_point, low);
                let to = out.wrapping_add(r * sweep.row + p * sweep.column);
                match streams {
                    1 => _mm512_storeu_si512(to.add(a).cast(), bytes),
                    2 => {
                        _mm256_storeu_si256(to.add(a).cast(), _mm512_castsi512_si256(bytes));
                        let second = _mm512_extracti64x4_epi64::<1>(bytes);
                        _mm256_storeu_si256(to.add(b).cast(), second);
                    }
                    _ => {
                        _mm_storeu_si128(to.add(a).cast(), _mm512_castsi512_si128(bytes));
                        let second = _mm512_extracti32x4_epi32::<1>(bytes);
                        _mm_storeu_si128(to.add(b).cast(), second);
                        let third = _mm512_extracti32x4_epi32::<2>(bytes);
                        _mm_storeu_si128(to.add(c).cast(), third);
                        let fourth = _mm512_extracti32x4_epi32::<3>(bytes);
                        _mm_storeu_si128(to.add(d).cast(), fourth);
                    }
                }
            }
        }
    }
}
