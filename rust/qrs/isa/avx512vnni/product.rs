//! The product of a tile, all accumulators in registers, and what becomes of them.

use std::arch::x86_64::{
    __m512, __m512i, _MM_HINT_T1, _mm_maskz_loadu_epi8, _mm_prefetch, _mm256_storeu_si256,
    _mm512_add_epi32, _mm512_add_ps, _mm512_broadcastd_epi32, _mm512_castsi512_si256,
    _mm512_cvtepi32_ps, _mm512_cvtps_epi32, _mm512_dpbusd_epi32, _mm512_load_ps, _mm512_load_si512,
    _mm512_loadu_si512, _mm512_mask_storeu_epi8, _mm512_min_epu8, _mm512_mul_ps,
    _mm512_packs_epi32, _mm512_packus_epi16, _mm512_set1_epi8, _mm512_set1_epi32,
    _mm512_setzero_ps, _mm512_setzero_si512, _mm512_storeu_si512,
};
use std::iter;
use std::ops::Range;

use super::{Avx512Vnni, bytes, in_order};
use crate::isa::to_bytes::ToBytes;
use crate::isa::{Block, Gathered, Isa, Outputs, Panel, Taps, Tile, checked_panel};

/// Rows whose sums stay in registers, by panels of so many blocks. Six rows of narrow panels wait for their
/// sums: 14 x 14 pixels of 512 channels in groups of 16 took 101 us instead of 80. More than eight have too few
/// registers for their pointers.
pub(super) fn rows(width: usize) -> usize {
    if width > 2 { Avx512Vnni::ROWS } else { 8 }
}

/// Calls `$module::$product::<M, B>` for the rows and blocks at hand.
macro_rules! by_shape {
    ($m_rows:expr, $width:expr, $module:ident :: $product:ident $arguments:tt) => {
        match ($m_rows, $width) {
            (1, 1) => $module::$product::<1, 1> $arguments,
            (1, 2) => $module::$product::<1, 2> $arguments,
            (1, 3) => $module::$product::<1, 3> $arguments,
            (1, _) => $module::$product::<1, 4> $arguments,
            (2, 1) => $module::$product::<2, 1> $arguments,
            (2, 2) => $module::$product::<2, 2> $arguments,
            (2, 3) => $module::$product::<2, 3> $arguments,
            (2, _) => $module::$product::<2, 4> $arguments,
            (3, 1) => $module::$product::<3, 1> $arguments,
            (3, 2) => $module::$product::<3, 2> $arguments,
            (3, 3) => $module::$product::<3, 3> $arguments,
            (3, _) => $module::$product::<3, 4> $arguments,
            (4, 1) => $module::$product::<4, 1> $arguments,
            (4, 2) => $module::$product::<4, 2> $arguments,
            (4, 3) => $module::$product::<4, 3> $arguments,
            (4, _) => $module::$product::<4, 4> $arguments,
            (5, 1) => $module::$product::<5, 1> $arguments,
            (5, 2) => $module::$product::<5, 2> $arguments,
            (5, 3) => $module::$product::<5, 3> $arguments,
            (5, _) => $module::$product::<5, 4> $arguments,
            (_, 1) => $module::$product::<6, 1> $arguments,
            (_, 2) => $module::$product::<6, 2> $arguments,
            (_, 3) => $module::$product::<6, 3> $arguments,
            _ => $module::$product::<6, 4> $arguments,
        }
    };
}
pub(super) use by_shape;

/// `M` rows by `B` blocks of 16 channels, whose sums go to `acc`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,avx2,fma")]
pub(super) unsafe fn sums<const M: usize, const B: usize>(
    rows: &Taps<'_, u8>,
    panel: &Panel<'_>,
    acc: &mut Tile,
) {
    let store = |sums: [[__m512i; B]; M]| {
        for m in 0..M {
            for b in 0..B {
                // SAFETY: an array of the size of the store.
                unsafe { _mm512_storeu_si512(acc[m][b].as_mut_ptr().cast(), sums[m][b]) }
            }
        }
    };
    // SAFETY: as the caller proved.
    unsafe {
        accumulate(rows, panel, [_mm512_setzero_si512(); B], iter::empty(), panel.ahead, store);
    }
}

/// The rows `own` of `rows` in strips of `M`, by a panel of `B` blocks, whose sums become bytes where they are:
/// through memory, 1x1 convolutions of 64 channels took half as long again.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,avx2,fma")]
pub(super) unsafe fn stored_bytes<const M: usize, const B: usize>(
    (rows, own): (&Gathered<'_, u8>, Range<usize>),
    panel: &Panel<'_>,
    by: &ToBytes<'_>,
    (out, columns): (&mut Outputs<'_>, &Range<usize>),
    ahead: &mut &[Block],
) {
    let blocks = by.blocks.as_ptr();
    let first = rows.rows().start;
    for row in own.step_by(M) {
        let taps = rows.strip(row..row + M);
        let steps = checked_panel::<Avx512Vnni>(&taps, panel) * taps.count();
        let to = out.pointers::<M>(row - first);
        // SAFETY: there are `B` blocks, and each array has the size of its load; for `accumulate` and
        // `store`: as the caller proved.
        unsafe {
            let mut start = std::array::from_fn(|b| {
                _mm512_load_si512((&raw const (*blocks.add(b)).start).cast())
            });
            let outside = || taps.outside().filter(|_| !by.outside.is_empty());
            for tap in outside() {
                for b in 0..B {
                    let adds = by.outside[b * taps.count() + tap].as_ptr();
                    start[b] = _mm512_add_epi32(start[b], _mm512_loadu_si512(adds.cast()));
                }
            }
            let store = |sums: [[__m512i; B]; M]| match by.range.is_whole() {
                true => store::<M, B, true>(&sums, by, to, columns),
                false => store::<M, B, false>(&sums, by, to, columns),
            };
            accumulate(&taps, panel, start, outside(), ahead, store);
        }
        // The next strip asks for the lines that this one had no step for.
        *ahead = ahead.get(steps..).unwrap_or_default();
    }
}

/// Stores `sums` as bytes. Where `WHOLE`, the range is 0 to 255 around zero point 0, to which packing
/// saturates anyway.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,avx2,fma")]
unsafe fn store<const M: usize, const B: usize, const WHOLE: bool>(
    sums: &[[__m512i; B]; M],
    by: &ToBytes<'_>,
    out: &[*mut u8; M],
    columns: &Range<usize>,
) {
    let (blocks, range) = (by.blocks.as_ptr(), by.range);
    let len = columns.len();
    let mask = u64::MAX >> (64 - len);
    let high = _mm512_set1_epi8(range.high as i8);
    // SAFETY: for the whole block: as the caller proved; there are `B` blocks, and each array has the
    // size of its load.
    unsafe {
        for m in 0..M {
            let mut real = [_mm512_setzero_ps(); B];
            for b in 0..B {
                let bias = _mm512_load_ps((&raw const (*blocks.add(b)).bias).cast());
                let multiplier = _mm512_load_ps((&raw const (*blocks.add(b)).multiplier).cast());
                let sum = _mm512_cvtepi32_ps(sums[m][b]);
                real[b] = _mm512_mul_ps(_mm512_add_ps(sum, bias), multiplier);
            }
            let bytes = if WHOLE {
                whole_bytes(real)
            } else {
                _mm512_min_epu8(bytes(real, range.zero_point, range.low), high)
            };
            let to = out[m].add(columns.start);
            match B {
                4 if len == 64 => _mm512_storeu_si512(to.cast(), bytes),
                2 if len == 32 => _mm256_storeu_si256(to.cast(), _mm512_castsi512_si256(bytes)),
                _ => _mm512_mask_storeu_epi8(to.cast(), mask, bytes),
            }
        }
    }
}

/// As [`bytes`] for zero point 0 and lowest byte 0.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn whole_bytes<const V: usize>(v: [__m512; V]) -> __m512i {
    let q0 = _mm512_cvtps_epi32(v[0]);
    let q1 = if V > 1 { _mm512_cvtps_epi32(v[1]) } else { q0 };
    let first = _mm512_packs_epi32(q0, q1);
    let mut second = first;
    if V > 2 {
        let q2 = _mm512_cvtps_epi32(v[2]);
        let q3 = if V > 3 { _mm512_cvtps_epi32(v[3]) } else { q2 };
        second = _mm512_packs_epi32(q2, q3);
    }
    in_order(_mm512_packus_epi16(first, second))
}

/// Sums of `M` rows by `B` blocks, all in registers, from `start` on, without the taps `outside`, which are
/// in order; for `end`: returned, they would pass through memory wherever the compiler does not inline this
/// function.
///
/// While it computes it asks for the lines `ahead`, one a step on average: without that the first strip of
/// each panel waits for L3. On Sapphire Rapids (28 GB/s from L3) it took a product of 126 x 768 x 3072
/// from 82 to 99 % of the peak. Asking for lines of the same panel, further on, gains nothing: the
/// hardware does that. Two steps a turn of the loop are as fast as one on a core of one's own, and 2 to 7 %
/// faster while the host lends its other half to somebody else; four were 1 to 4 % slower, at every depth.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,avx2,fma")]
unsafe fn accumulate<const M: usize, const B: usize>(
    rows: &Taps<'_, u8>,
    panel: &Panel<'_>,
    start: [__m512i; B],
    mut outside: impl Iterator<Item = usize>,
    ahead: &[Block],
    end: impl FnOnce([[__m512i; B]; M]),
) {
    let (whole, rest) = (rows.len() / 4, rows.len() % 4);
    let mut sums = [start; M];
    let mut left_out = outside.next();
    // With nothing to fetch it asks for a line that is there: an address that is not mapped would cost a
    // walk through the page tables.
    let ahead = if ahead.is_empty() { panel.blocks.get(..1).unwrap_or_default() } else { ahead };
    let ahead = ahead.as_ptr_range();
    let (mut next, last) = (ahead.start, ahead.end.wrapping_sub(1));
    // SAFETY: for the whole block, see `tile`, which proved every block read here; `Taps` vouches for
    // the rows. The last load of a row is masked to the bytes that it has.
    unsafe {
        let mut weights = panel.blocks.as_ptr().cast::<i8>();
        for tap in 0..rows.count() {
            if left_out == Some(tap) {
                left_out = outside.next();
                weights = weights.add(64 * B * rows.len().div_ceil(4));
                continue;
            }
            let (at, from) = rows.pointers::<M>(tap);
            let quad = |m: usize, k: usize| {
                _mm512_set1_epi32(at[m].add(from + 4 * k).cast::<i32>().read_unaligned())
            };
            for k in (0..whole & !1).step_by(2) {
                if M > 2 {
                    _mm_prefetch::<_MM_HINT_T1>(next.cast());
                    _mm_prefetch::<_MM_HINT_T1>(next.wrapping_add(1).cast());
                    next = if next < last { next.wrapping_add(2) } else { last };
                }
                step(weights, |m| quad(m, k), &mut sums);
                step(weights.add(64 * B), |m| quad(m, k + 1), &mut sums);
                weights = weights.add(128 * B);
            }
            if whole % 2 > 0 {
                step(weights, |m| quad(m, whole - 1), &mut sums);
                weights = weights.add(64 * B);
            }
            if rest > 0 {
                let quad = |m: usize| {
                    let last = at[m].add(from + 4 * whole).cast();
                    _mm512_broadcastd_epi32(_mm_maskz_loadu_epi8((1 << rest) - 1, last))
                };
                step(weights, quad, &mut sums);
                weights = weights.add(64 * B);
            }
        }
    }
    end(sums);
}

/// One step of [`sums`]: `B` blocks times the quad of each row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,avx2,fma")]
unsafe fn step<const M: usize, const B: usize>(
    weights: *const i8,
    quad: impl Fn(usize) -> __m512i,
    sums: &mut [[__m512i; B]; M],
) {
    // SAFETY: the caller proved that `B` blocks can be read from `weights`.
    let w: [__m512i; B] =
        std::array::from_fn(|b| unsafe { _mm512_loadu_si512(weights.add(64 * b).cast()) });
    for m in 0..M {
        let a = quad(m);
        for b in 0..B {
            sums[m][b] = _mm512_dpbusd_epi32(sums[m][b], a, w[b]);
        }
    }
}
