//! The quads of the columns of a band.

use std::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm256_loadu_si256, _mm512_castsi128_si512, _mm512_castsi256_si512,
    _mm512_inserti32x4, _mm512_inserti64x4, _mm512_loadu_si512, _mm512_setzero_si512,
    _mm512_shuffle_epi32, _mm512_unpackhi_epi8, _mm512_unpackhi_epi16, _mm512_unpacklo_epi8,
    _mm512_unpacklo_epi16,
};

use crate::isa::{Strip, WIDE};

/// Quads of the columns of `strip` in `K` rows, four or one: every piece of every column can be read from
/// each of `rows`, and `room` has the places of its quads.
#[target_feature(enable = "avx512f,avx512bw")]
pub(in crate::isa::avx512vnni) unsafe fn of_columns<const K: usize>(
    rows: [&[u8]; K],
    pieces: &[usize],
    strip: Strip,
    room: *mut [__m512i; WIDE],
) {
    let rows = rows.map(<[u8]>::as_ptr);
    for i in 0..strip.count {
        // SAFETY: as the caller proved.
        unsafe {
            *room.add(i * strip.apart) = quads(rows, pieces, strip.from + i * strip.step);
        }
    }
}

/// The quads of a column in `K` rows, four or one, under the terms of [`quads_of_rows`].
#[inline(always)]
pub(super) unsafe fn quads<const K: usize>(
    rows: [*const u8; K],
    pieces: &[usize],
    at: usize,
) -> [__m512i; WIDE] {
    // SAFETY: as the caller proved.
    unsafe {
        match *rows.as_slice() {
            [a, b, c, d] => quads_of_rows([a, b, c, d], pieces, at),
            _ => quads_of_channels(rows[0], pieces, at),
        }
    }
}

/// Called by functions that carry the features; every piece can be read `at` bytes after the rows' beginnings.
#[inline(always)]
pub(super) unsafe fn quads_of_rows(
    rows: [*const u8; 4],
    pieces: &[usize],
    at: usize,
) -> [__m512i; WIDE] {
    // SAFETY: as the caller proved.
    unsafe {
        let [a, b, c, d] = columns(rows, pieces, at);
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
unsafe fn quads_of_channels(row: *const u8, pieces: &[usize], at: usize) -> [__m512i; WIDE] {
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
unsafe fn columns<const K: usize>(
    rows: [*const u8; K],
    pieces: &[usize],
    at: usize,
) -> [__m512i; K] {
    // SAFETY: as the caller proved.
    unsafe {
        let mut bytes = [_mm512_setzero_si512(); K];
        match *pieces {
            [_] => {
                for t in 0..K {
                    bytes[t] = _mm512_loadu_si512(rows[t].add(at).cast());
                }
            }
            [_, b] => {
                for t in 0..K {
                    let from = rows[t].add(at);
                    let first = _mm512_castsi256_si512(_mm256_loadu_si256(from.cast()));
                    let second = _mm256_loadu_si256(from.add(b).cast());
                    bytes[t] = _mm512_inserti64x4::<1>(first, second);
                }
            }
            _ => {
                for t in 0..K {
                    let from = rows[t].add(at);
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
