//! Bands: see [`crate::isa::band`]. A row of a column is one register.

use std::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm_storeu_si128, _mm256_loadu_si256, _mm256_storeu_si256,
    _mm512_add_ps, _mm512_castsi128_si512, _mm512_castsi256_si512, _mm512_castsi512_si128,
    _mm512_castsi512_si256, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_extracti32x4_epi32,
    _mm512_extracti64x4_epi64, _mm512_inserti32x4, _mm512_inserti64x4, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_min_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_setzero_si512, _mm512_shuffle_epi32, _mm512_storeu_si512, _mm512_unpackhi_epi8,
    _mm512_unpackhi_epi16, _mm512_unpacklo_epi8, _mm512_unpacklo_epi16,
};

use super::packed;
use crate::isa::to_bytes::{Affine, Range, ToBytes};
use crate::isa::{Source, Strip, Sweep, WIDE};

/// Quads of four rows: every piece of every column can be read from each of `rows`, and `room` has the
/// places of its quads.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn of_rows(
    rows: &[&[u8]; 4],
    pieces: &[usize],
    strip: Strip,
    room: *mut [__m512i; WIDE],
) {
    for i in 0..strip.count {
        // SAFETY: as the caller proved.
        unsafe {
            let room = room.add(i * strip.apart);
            *room = quads_of_rows(rows, pieces, strip.from + i * strip.step);
        }
    }
}

/// As [`of_rows`], of one row.
#[target_feature(enable = "avx512f,avx512bw")]
pub(super) unsafe fn of_channels(
    row: &[u8],
    pieces: &[usize],
    strip: Strip,
    room: *mut [__m512i; WIDE],
) {
    for i in 0..strip.count {
        // SAFETY: as the caller proved.
        unsafe {
            let room = room.add(i * strip.apart);
            *room = quads_of_channels(row, pieces, strip.from + i * strip.step);
        }
    }
}

/// Called by functions that carry the features; every piece can be read `at` bytes after the rows' beginnings.
#[inline(always)]
unsafe fn quads_of_rows(rows: &[&[u8]; 4], pieces: &[usize], at: usize) -> [__m512i; WIDE] {
    // SAFETY: as the caller proved.
    unsafe {
        let [a, b, c, d] = columns([rows[0], rows[1], rows[2], rows[3]], pieces, at);
        let (low, high) = (_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b));
        let (low2, high2) = (_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d));
        [
            _mm512_unpacklo_epi16(low, low2),
            _mm512_unpackhi_epi16(low, low2),
            _mm512_unpacklo_epi16(high, high2),
            _mm512_unpackhi_epi16(high, high2),
        ]
    }
}

/// As [`quads_of_rows`], of one row.
#[inline(always)]
unsafe fn quads_of_channels(row: &[u8], pieces: &[usize], at: usize) -> [__m512i; WIDE] {
    // SAFETY: as the caller proved.
    unsafe {
        let [bytes] = columns([row], pieces, at);
        [
            _mm512_shuffle_epi32::<0b00_00_00_00>(bytes),
            _mm512_shuffle_epi32::<0b01_01_01_01>(bytes),
            _mm512_shuffle_epi32::<0b10_10_10_10>(bytes),
            _mm512_shuffle_epi32::<0b11_11_11_11>(bytes),
        ]
    }
}

/// The bytes of a column in `K` rows, under the terms of [`quads_of_rows`].
#[inline(always)]
unsafe fn columns<const K: usize>(rows: [&[u8]; K], pieces: &[usize], at: usize) -> [__m512i; K] {
    // SAFETY: as the caller proved.
    unsafe {
        let mut bytes = [_mm512_setzero_si512(); K];
        match *pieces {
            [_] => {
                for t in 0..K {
                    bytes[t] = _mm512_loadu_si512(rows[t].as_ptr().add(at).cast());
                }
            }
            [_, b] => {
                for t in 0..K {
                    let from = rows[t].as_ptr().add(at);
                    let first = _mm512_castsi256_si512(_mm256_loadu_si256(from.cast()));
                    let second = _mm256_loadu_si256(from.add(b).cast());
                    bytes[t] = _mm512_inserti64x4::<1>(first, second);
                }
            }
            _ => {
                for t in 0..K {
                    let from = rows[t].as_ptr().add(at);
                    let one = _mm512_castsi128_si512(_mm_loadu_si128(from.cast()));
                    let second = _mm_loadu_si128(from.add(pieces[1]).cast());
                    let third = _mm_loadu_si128(from.add(pieces[2]).cast());
                    let fourth = _mm_loadu_si128(from.add(pieces[3]).cast());
                    let two = _mm512_inserti32x4::<1>(one, second);
                    let three = _mm512_inserti32x4::<2>(two, third);
                    bytes[t] = _mm512_inserti32x4::<3>(three, fourth);
                }
            }
        }
        bytes
    }
}

/// See [`crate::isa::Isa::band`]. Every byte, place, block and output lies where it is looked for.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(super) unsafe fn outputs(
    source: &Source<'_>,
    sweep: &Sweep<'_>,
    of: (*mut [__m512i; WIDE], *const [__m512i; WIDE]),
    by: &ToBytes<'_>,
    out: *mut u8,
) {
    let first = sweep.lines[0].first;
    for (i, lines) in sweep.lines.iter().enumerate() {
        let out = out.wrapping_add((lines.first - first) * sweep.row);
        let rows = source.rows.as_ptr().wrapping_add(i * source.tall);
        // SAFETY: as the caller proved.
        unsafe { of_lines((source, rows), (sweep, lines.count), of, by, out) }
    }
}

/// The outputs of `count` rows; the input rows under their kernels begin at `rows`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn of_lines(
    (source, rows): (&Source<'_>, *const &[u8]),
    (sweep, count): (&Sweep<'_>, usize),
    of: (*mut [__m512i; WIDE], *const [__m512i; WIDE]),
    by: &ToBytes<'_>,
    out: *mut u8,
) {
    let three = sweep.runs == 1 && sweep.run == 3 && source.strip.apart == 1;
    let from = (source, rows);
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
unsafe fn make<const K: usize>(
    (source, rows): (&Source<'_>, *const &[u8]),
    room: *mut [__m512i; WIDE],
) {
    let strip = source.strip;
    let pieces = &source.pieces[..source.streams];
    // SAFETY: as the caller proved.
    unsafe {
        for unit in 0..strip.apart {
            let mut room = room.add(source.first * strip.apart + unit);
            let rows = rows.add(unit * K);
            let mut at = strip.from;
            for _ in 0..strip.count {
                *room = match K {
                    4 => quads_of_rows(&*rows.cast(), pieces, at),
                    _ => quads_of_channels(*rows, pieces, at),
                };
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
    source: (&Source<'_>, *const &[u8]),
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
        let first = column(source, 0, room);
        let mut older = added(start, first, weights);
        let mut newer = start;
        if STEP == 1 {
            let second = column(source, 1, room);
            older = added(older, second, weights.add(1));
            newer = added(start, second, weights);
        }
        for at in 0..sweep.count {
            let done;
            if STEP == 1 {
                let quads = column(source, at + 2, room);
                done = added(older, quads, weights.add(2));
                older = added(newer, quads, weights.add(1));
                newer = added(start, quads, weights);
            } else {
                let quads = column(source, 2 * at + 1, room);
                older = added(older, quads, weights.add(1));
                let quads = column(source, 2 * at + 2, room);
                done = added(older, quads, weights.add(2));
                older = added(start, quads, weights);
            }
            store::<R, 1>(source.0.streams, sweep, &done.map(|done| [done]), by, out);
            out = out.wrapping_add(sweep.column);
        }
    }
}

/// Column `at`: from the rows, or from `room` if it is not of `source`.
#[inline(always)]
unsafe fn column(
    (source, rows): (&Source<'_>, *const &[u8]),
    at: usize,
    room: *const [__m512i; WIDE],
) -> [__m512i; WIDE] {
    let inside = at.wrapping_sub(source.first);
    // SAFETY: as the caller proved.
    unsafe {
        if inside >= source.strip.count {
            return *room.add(at);
        }
        let from = source.strip.from + inside * source.strip.step;
        let pieces = &source.pieces[..source.streams];
        quads_of_rows(&*rows.cast(), pieces, from)
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
