//! The product of a tile, all accumulators in registers, and what becomes of them.

use std::arch::x86_64::{
    __m512i, _MM_HINT_T1, _mm_maskz_loadu_epi8, _mm_prefetch, _mm256_storeu_si256, _mm512_add_ps,
    _mm512_broadcastd_epi32, _mm512_castsi512_si256, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32,
    _mm512_load_ps, _mm512_load_si512, _mm512_loadu_si512, _mm512_mask_storeu_epi8,
    _mm512_min_epu8, _mm512_mul_ps, _mm512_set1_epi8, _mm512_set1_epi32, _mm512_setzero_ps,
    _mm512_setzero_si512, _mm512_storeu_si512,
};
use std::ops::Range;

use super::bytes;
use crate::isa::to_bytes::ToBytes;
use crate::isa::{Block, Panel, TILE_ROWS, Taps, Tile};

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
    // SAFETY: as the caller proved.
    let sums = unsafe { accumulate::<M, B>(rows, panel, [_mm512_setzero_si512(); B], panel.ahead) };
    for m in 0..M {
        for b in 0..B {
            // SAFETY: an array of the size of the store.
            unsafe { _mm512_storeu_si512(acc[m][b].as_mut_ptr().cast(), sums[m][b]) }
        }
    }
}

/// As [`sums`], but the sums become bytes where they are: through memory, 1x1 convolutions of 64
/// channels took half as long again.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,avx2,fma")]
pub(super) unsafe fn stored_bytes<const M: usize, const B: usize>(
    rows: &Taps<'_, u8>,
    panel: &Panel<'_>,
    by: &ToBytes<'_>,
    out: &[*mut u8; TILE_ROWS],
    columns: &Range<usize>,
    ahead: &[Block],
) {
    let blocks = by.blocks.as_ptr();
    let len = columns.len();
    let mask = u64::MAX >> (64 - len);
    // SAFETY: for the whole block: as the caller proved; there are `B` blocks, and each array has the
    // size of its load.
    unsafe {
        let start =
            std::array::from_fn(|b| _mm512_load_si512((&raw const (*blocks.add(b)).start).cast()));
        let sums = accumulate::<M, B>(rows, panel, start, ahead);
        let high = _mm512_set1_epi8(by.range.high as i8);
        for m in 0..M {
            let mut real = [_mm512_setzero_ps(); B];
            for b in 0..B {
                let bias = _mm512_load_ps((&raw const (*blocks.add(b)).bias).cast());
                let multiplier = _mm512_load_ps((&raw const (*blocks.add(b)).multiplier).cast());
                let sum = _mm512_cvtepi32_ps(sums[m][b]);
                real[b] = _mm512_mul_ps(_mm512_add_ps(sum, bias), multiplier);
            }
            let bytes = bytes(real, by.range.zero_point, by.range.low);
            let bytes = _mm512_min_epu8(bytes, high);
            let to = out[m].add(columns.start);
            match B {
                4 if len == 64 => _mm512_storeu_si512(to.cast(), bytes),
                2 if len == 32 => _mm256_storeu_si256(to.cast(), _mm512_castsi512_si256(bytes)),
                _ => _mm512_mask_storeu_epi8(to.cast(), mask, bytes),
            }
        }
    }
}

/// Sums of `M` rows by `B` blocks, all in registers, from `start` on.
///
/// While it computes it asks for the lines `ahead`, one a step: without that the first strip of
/// each panel waits for L3. On Sapphire Rapids (28 GB/s from L3) it took a product of 126 x 768 x 3072
/// from 82 to 99 % of the peak. Asking for lines of the same panel, further on, gains nothing: the
/// hardware does that. Four steps a turn of the loop were 1 to 4 % slower, at every depth.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,avx2,fma")]
unsafe fn accumulate<const M: usize, const B: usize>(
    rows: &Taps<'_, u8>,
    panel: &Panel<'_>,
    start: [__m512i; B],
    ahead: &[Block],
) -> [[__m512i; B]; M] {
    let (whole, rest) = (rows.len() / 4, rows.len() % 4);
    let mut sums = [start; M];
    // With nothing to fetch it walks through lines that are there: an address that is not mapped would
    // cost a walk through the page tables.
    let ahead = if ahead.is_empty() { panel.blocks } else { ahead }.as_ptr_range();
    let (mut next, last) = (ahead.start, ahead.end.wrapping_sub(1));
    // SAFETY: for the whole block, see `tile`, which proved every block read here; `Taps` vouches for
    // the rows. The last load of a row is masked to the bytes that it has.
    unsafe {
        let mut weights = panel.blocks.as_ptr().cast::<i8>();
        for at in rows.pointers() {
            for k in 0..whole {
                if M > 2 {
                    _mm_prefetch::<_MM_HINT_T1>(next.cast());
                    next = if next < last { next.wrapping_add(1) } else { last };
                }
                let quad =
                    |m: usize| _mm512_set1_epi32(at[m].add(4 * k).cast::<i32>().read_unaligned());
                step(weights, quad, &mut sums);
                weights = weights.add(64 * B);
            }
            if rest > 0 {
                let quad = |m: usize| {
                    let last = at[m].add(4 * whole).cast();
                    _mm512_broadcastd_epi32(_mm_maskz_loadu_epi8((1 << rest) - 1, last))
                };
                step(weights, quad, &mut sums);
                weights = weights.add(64 * B);
            }
        }
    }
    sums
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
