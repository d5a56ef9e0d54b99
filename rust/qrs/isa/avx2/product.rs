//! The two exact products of bytes: see [`super`].

use std::arch::x86_64::{
    __m128i, __m256i, _MM_HINT_T0, _mm_abs_epi8, _mm_add_epi32, _mm_and_si128, _mm_cmpgt_epi8,
    _mm_cvtsi128_si32, _mm_extract_epi32, _mm_prefetch, _mm_sad_epu8, _mm_set1_epi8,
    _mm_setzero_si128, _mm_storeu_si128, _mm_unpackhi_epi32, _mm_unpacklo_epi32, _mm_xor_si128,
    _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_slli_epi32,
    _mm256_storeu_si256, _mm256_xor_si256,
};

use super::{half, half_mut, xmm};
use crate::isa::{LANES, Panel, Taps, Tile};

/// Prepares a row for [`signed`]: per 4 inputs, 4 magnitudes of `a - 128` and 4 sign masks; at the end
/// the sum of the magnitudes under a mask, as an `i32`. Padding is 128, whose magnitude is 0.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn stage(row: &[u8], to: &mut [i16]) {
    let (chunks, rest) = row.as_chunks::<16>();
    let mut last = [128; LANES];
    last[..rest.len()].copy_from_slice(rest);
    let zero = _mm_setzero_si128();
    let mut masked = zero;
    let mut quads = [0_i16; 32];
    let start = to.as_mut_ptr().cast::<__m128i>();
    let count = chunks.len();
    for (i, chunk) in chunks.iter().chain([&last]).enumerate() {
        let a = _mm_xor_si128(xmm(chunk), _mm_set1_epi8(-128));
        let magnitude = _mm_abs_epi8(a);
        let mask = _mm_cmpgt_epi8(zero, a);
        masked = _mm_add_epi32(masked, _mm_sad_epu8(_mm_and_si128(magnitude, mask), zero));
        // SAFETY: for the whole block: a whole chunk has its 32 bytes in `to` (see `Avx2::stage`), the last
        // one goes through an array of that size.
        unsafe {
            let to = if i < count { start.add(2 * i) } else { quads.as_mut_ptr().cast() };
            _mm_storeu_si128(to, _mm_unpacklo_epi32(magnitude, mask));
            _mm_storeu_si128(to.add(1), _mm_unpackhi_epi32(magnitude, mask));
        }
    }
    let tail = &mut to[16 * count..];
    let steps = tail.len() - 4;
    tail[..steps].copy_from_slice(&quads[..steps]);
    let sum = _mm_cvtsi128_si32(masked) + _mm_extract_epi32::<2>(masked);
    tail[steps..].copy_from_slice(&[sum as i16, (sum >> 16) as i16, 0, 0]);
}

/// Exact byte product of any activations and weights: passes of `U` units (8 channels, 32 bytes) over
/// the panel, `M` rows at once.
///
/// With `s = a - 128`, `m = |s|` and `n` all ones where `s < 0`, the bytes `w ^ n` are `w` or `-w - 1`:
/// `sum of m * (w ^ n) = sum of s * w - sum of m where s < 0`. No pair of products leaves 16 bits:
/// `2 * 128 * 127 < 2^15` and `2 * 128 * -128 = -2^15`. A row's second sum is ready (see [`stage`]);
/// `128 * sum of w` gives back what the shift by 128 took.
///
/// Four instructions per 32 products, of which two need the two multipliers. Measured on Zen 3 against
/// 16-bit `vpmaddwd` on widened weights (GB/s of weights from L2 for one row, then GMAC/s for more):
/// 90 against 50, and 68 against 59, 67 : 50, 66 : 60, 68 : 64 for 2 to 5 rows.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn signed<const M: usize, const U: usize>(
    rows: &Taps<'_, i16>,
    steps: usize,
    panel: &Panel<'_>,
    acc: &mut Tile,
) {
    let units = 2 * panel.width;
    let stride = 64 * panel.width;
    let ones = _mm256_set1_epi16(1);
    let base = panel.blocks.as_ptr().cast::<i8>();
    for first in (0..units).step_by(U) {
        let mut sums = [[_mm256_setzero_si256(); U]; M];
        let mut masked = [0; M];
        // SAFETY: for the whole block, see `Avx2::tile`, which proved every row and block read here; `U`
        // divides the units of the panels that it gives.
        unsafe {
            let mut weights = base.add(32 * first);
            for tap in 0..rows.count() {
                let (at, from) = rows.pointers::<M>(tap);
                let mut at = at.map(|at| at.add(from).cast::<i32>());
                for _ in 0..steps {
                    for line in 0..U / 2 {
                        prefetch(weights, 8 * stride + 64 * line);
                    }
                    for m in 0..M {
                        let magnitude = _mm256_set1_epi32(at[m].read_unaligned());
                        let mask = _mm256_set1_epi32(at[m].add(1).read_unaligned());
                        for u in 0..U {
                            let w = _mm256_loadu_si256(weights.add(32 * u).cast());
                            let pairs = _mm256_maddubs_epi16(magnitude, _mm256_xor_si256(w, mask));
                            let products = _mm256_madd_epi16(pairs, ones);
                            sums[m][u] = _mm256_add_epi32(sums[m][u], products);
                        }
                        at[m] = at[m].add(2);
                    }
                    weights = weights.add(stride);
                }
                for m in 0..M {
                    masked[m] += at[m].read_unaligned();
                }
            }
            for u in 0..U {
                let unit = first + u;
                let (b, h) = (unit / 2, unit % 2);
                let weight_sums = _mm256_loadu_si256(half(&panel.sums[b], h).cast());
                let shift = _mm256_slli_epi32::<7>(weight_sums);
                for m in 0..M {
                    let row = _mm256_add_epi32(shift, _mm256_set1_epi32(masked[m]));
                    let total = _mm256_add_epi32(sums[m][u], row);
                    _mm256_storeu_si256(half_mut(&mut acc[m][b], h).cast(), total);
                }
            }
        }
    }
}

/// Byte product for activations of at most 127, read in place; as [`signed`] otherwise.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn seven<const M: usize, const U: usize>(
    rows: &Taps<'_, u8>,
    steps: usize,
    panel: &Panel<'_>,
    acc: &mut Tile,
) {
    let units = 2 * panel.width;
    let stride = 64 * panel.width;
    let whole = rows.len() / 4;
    let base = panel.blocks.as_ptr().cast::<i8>();
    let mut unit = 0;
    while unit < units {
        let first = unit.min(units - U);
        let mut sums = [[_mm256_setzero_si256(); U]; M];
        // SAFETY: for the whole block, see `Avx2Seven::tile`, which proved every row and block read here.
        unsafe {
            let mut weights = base.add(32 * first);
            for t in 0..rows.count() {
                let (at, from) = rows.pointers::<M>(t);
                for k in 0..whole {
                    let quad = |m: usize| at[m].add(from + 4 * k).cast::<i32>().read_unaligned();
                    seven_step(weights, quad, &mut sums);
                    weights = weights.add(stride);
                }
                if whole < steps {
                    seven_step(weights, |m| last_quad(&rows.slice(t, m)[4 * whole..]), &mut sums);
                    weights = weights.add(stride);
                }
            }
            for m in 0..M {
                for u in 0..U {
                    let unit = first + u;
                    let to = half_mut(&mut acc[m][unit / 2], unit % 2);
                    _mm256_storeu_si256(to.cast(), sums[m][u]);
                }
            }
        }
        unit += U;
    }
}

/// One step of [`seven`]: `U` units of 32 weight bytes times one quad of each row.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn seven_step<const M: usize, const U: usize>(
    weights: *const i8,
    quad: impl Fn(usize) -> i32,
    sums: &mut [[__m256i; U]; M],
) {
    let ones = _mm256_set1_epi16(1);
    for m in 0..M {
        let a = _mm256_set1_epi32(quad(m));
        for u in 0..U {
            // An array of all units' weights would not always stay in registers.
            // SAFETY: the caller proved that `U` units can be read from `weights`.
            let w = unsafe { _mm256_loadu_si256(weights.add(32 * u).cast()) };
            let products = _mm256_madd_epi16(_mm256_maddubs_epi16(a, w), ones);
            sums[m][u] = _mm256_add_epi32(sums[m][u], products);
        }
    }
}

/// Asks for the cache line `ahead` bytes further on: a pass reads every fourth line, which the
/// hardware fetches late. Gained 5 to 20 % where the panel is larger than L1; nothing for [`seven`].
#[inline]
#[target_feature(enable = "avx2,fma")]
fn prefetch(weights: *const i8, ahead: usize) {
    _mm_prefetch::<_MM_HINT_T0>(weights.wrapping_add(ahead));
}

/// The last one to three bytes of a row, zero above.
#[inline(always)]
fn last_quad(rest: &[u8]) -> i32 {
    let mut quad = [0; 4];
    quad[..rest.len()].copy_from_slice(rest);
    i32::from_le_bytes(quad)
}
