//! x86-64 AVX2 with FMA. 16 lanes are two 256-bit registers.
//!
//! Two tokens, both of which multiply bytes (`vpmaddubsw`, whose sums of two products must fit 16
//! bits): [`Avx2Seven`] multiplies activations of at most 127 as they are, which is exact since
//! `2 * 127 * 128 = 32512 < 32768`; [`Avx2`] moves the sign of `activation - 128` to the weights first,
//! which is exact for every byte. Both give the same bits.

use std::arch::x86_64::{
    __m128i, __m256, __m256i, _CMP_EQ_OQ, _CMP_LT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT,
    _mm_adds_epi16, _mm_loadl_epi64, _mm_loadu_si128, _mm_max_epi8, _mm_max_epu8, _mm_packs_epi16,
    _mm_packus_epi16, _mm_set1_epi8, _mm_set1_epi16, _mm_shuffle_epi8, _mm_shuffle_epi32,
    _mm_storeu_si128, _mm_unpackhi_epi8, _mm_unpacklo_epi8, _mm256_add_epi32, _mm256_add_ps,
    _mm256_and_ps, _mm256_andnot_ps, _mm256_blend_epi16, _mm256_blendv_ps, _mm256_castps_si256,
    _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cmp_ps, _mm256_cvtepi8_epi32,
    _mm256_cvtepi32_ps, _mm256_cvtepu8_epi16, _mm256_cvtepu8_epi32, _mm256_cvtps_epi32,
    _mm256_div_ps, _mm256_extracti128_si256, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_max_epi32, _mm256_max_ps, _mm256_min_epi32, _mm256_min_ps,
    _mm256_mul_ps, _mm256_mullo_epi32, _mm256_or_ps, _mm256_packs_epi32, _mm256_round_ps,
    _mm256_set1_epi32, _mm256_set1_ps, _mm256_slli_epi16, _mm256_slli_epi32, _mm256_sqrt_ps,
    _mm256_srai_epi16, _mm256_srli_epi32, _mm256_storeu_ps, _mm256_storeu_si256, _mm256_sub_epi32,
    _mm256_sub_ps,
};

mod lookup;
mod product;

use super::token::{token, verbs};
use super::{Block, Gathered, Isa, LANES, Level, Panel, Taps, Tile, checked_steps};
use crate::scratch::Scratch;

token!(
    /// AVX2 and FMA, any activation.
    Avx2, is_x86_feature_detected, "avx2,fma", "avx2", "fma"
);
token!(
    /// AVX2 and FMA, activations at most 127.
    Avx2Seven, is_x86_feature_detected, "avx2,fma", "avx2", "fma"
);

type I = [__m256i; 2];
type F = [__m256; 2];

#[inline(always)]
fn half<T>(v: &[T; LANES], h: usize) -> *const T {
    v[8 * h..].as_ptr()
}

#[inline(always)]
fn half_mut<T>(v: &mut [T; LANES], h: usize) -> *mut T {
    v[8 * h..].as_mut_ptr()
}

/// Every verb but the product, which the two tokens have of their own.
macro_rules! common {
    () => {
        verbs! {
            i_splat(v: i32) -> I = [_mm256_set1_epi32(v); 2];
            i_load(v: &[i32; LANES]) -> I =
                [_mm256_loadu_si256(half(v, 0).cast()), _mm256_loadu_si256(half(v, 1).cast())];
            i_store(v: I, to: &mut [i32; LANES]) -> () = {
                _mm256_storeu_si256(half_mut(to, 0).cast(), v[0]);
                _mm256_storeu_si256(half_mut(to, 1).cast(), v[1]);
            };
            i_add(a: I, b: I) -> I = [_mm256_add_epi32(a[0], b[0]), _mm256_add_epi32(a[1], b[1])];
            i_sub(a: I, b: I) -> I = [_mm256_sub_epi32(a[0], b[0]), _mm256_sub_epi32(a[1], b[1])];
            i_mul(a: I, b: I) -> I =
                [_mm256_mullo_epi32(a[0], b[0]), _mm256_mullo_epi32(a[1], b[1])];
            i_min(a: I, b: I) -> I = [_mm256_min_epi32(a[0], b[0]), _mm256_min_epi32(a[1], b[1])];
            i_max(a: I, b: I) -> I = [_mm256_max_epi32(a[0], b[0]), _mm256_max_epi32(a[1], b[1])];
            i_from_u8(v: &[u8; LANES]) -> I = [
                _mm256_cvtepu8_epi32(_mm_loadl_epi64(half(v, 0).cast())),
                _mm256_cvtepu8_epi32(_mm_loadl_epi64(half(v, 1).cast())),
            ];
            i_from_i8(v: &[i8; LANES]) -> I = [
                _mm256_cvtepi8_epi32(_mm_loadl_epi64(half(v, 0).cast())),
                _mm256_cvtepi8_epi32(_mm_loadl_epi64(half(v, 1).cast())),
            ];
            i_to_u8(v: I) -> [u8; LANES] = {
                let mut out = [0; LANES];
                let [low, high] = narrow(v);
                let bytes = in_order(_mm_packus_epi16(low, high));
                _mm_storeu_si128(out.as_mut_ptr().cast(), bytes);
                out
            };
            i_to_i8(v: I) -> [i8; LANES] = {
                let mut out = [0; LANES];
                let [low, high] = narrow(v);
                let bytes = in_order(_mm_packs_epi16(low, high));
                _mm_storeu_si128(out.as_mut_ptr().cast(), bytes);
                out
            };
            // Verbs spell out both halves: a closure would stay a call, without the features.
            i_exp2(n: I) -> F = {
                let bias = _mm256_set1_epi32(127);
                [
                    _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(n[0], bias))),
                    _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(n[1], bias))),
                ]
            };
            f_splat(v: f32) -> F = [_mm256_set1_ps(v); 2];
            f_load(v: &[f32; LANES]) -> F =
                [_mm256_loadu_ps(half(v, 0)), _mm256_loadu_ps(half(v, 1))];
            f_store(v: F, to: &mut [f32; LANES]) -> () = {
                _mm256_storeu_ps(half_mut(to, 0), v[0]);
                _mm256_storeu_ps(half_mut(to, 1), v[1]);
            };
            f_add(a: F, b: F) -> F = [_mm256_add_ps(a[0], b[0]), _mm256_add_ps(a[1], b[1])];
            f_sub(a: F, b: F) -> F = [_mm256_sub_ps(a[0], b[0]), _mm256_sub_ps(a[1], b[1])];
            f_mul(a: F, b: F) -> F = [_mm256_mul_ps(a[0], b[0]), _mm256_mul_ps(a[1], b[1])];
            f_div(a: F, b: F) -> F = [_mm256_div_ps(a[0], b[0]), _mm256_div_ps(a[1], b[1])];
            f_fma(a: F, b: F, c: F) -> F =
                [_mm256_fmadd_ps(a[0], b[0], c[0]), _mm256_fmadd_ps(a[1], b[1], c[1])];
            f_sqrt(a: F) -> F = [_mm256_sqrt_ps(a[0]), _mm256_sqrt_ps(a[1])];
            f_min(a: F, b: F) -> F = [_mm256_min_ps(a[0], b[0]), _mm256_min_ps(a[1], b[1])];
            f_max(a: F, b: F) -> F = [_mm256_max_ps(a[0], b[0]), _mm256_max_ps(a[1], b[1])];
            f_abs(a: F) -> F = {
                let sign = _mm256_set1_ps(-0.0);
                [_mm256_andnot_ps(sign, a[0]), _mm256_andnot_ps(sign, a[1])]
            };
            f_copysign(a: F, s: F) -> F = {
                let sign = _mm256_set1_ps(-0.0);
                [
                    _mm256_or_ps(_mm256_andnot_ps(sign, a[0]), _mm256_and_ps(sign, s[0])),
                    _mm256_or_ps(_mm256_andnot_ps(sign, a[1]), _mm256_and_ps(sign, s[1])),
                ]
            };
            f_round(a: F) -> F = [
                _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a[0]),
                _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a[1]),
            ];
            f_select_lt(a: F, b: F, x: F, y: F) -> F = [
                _mm256_blendv_ps(y[0], x[0], _mm256_cmp_ps::<_CMP_LT_OQ>(a[0], b[0])),
                _mm256_blendv_ps(y[1], x[1], _mm256_cmp_ps::<_CMP_LT_OQ>(a[1], b[1])),
            ];
            f_nan_to_zero(a: F) -> F = [
                _mm256_and_ps(a[0], _mm256_cmp_ps::<_CMP_EQ_OQ>(a[0], a[0])),
                _mm256_and_ps(a[1], _mm256_cmp_ps::<_CMP_EQ_OQ>(a[1], a[1])),
            ];
            f_bits(a: F) -> I = [_mm256_castps_si256(a[0]), _mm256_castps_si256(a[1])];
            f_from_i(a: I) -> F = [_mm256_cvtepi32_ps(a[0]), _mm256_cvtepi32_ps(a[1])];
            f_to_i(a: F) -> I = [_mm256_cvtps_epi32(a[0]), _mm256_cvtps_epi32(a[1])];
            u8_max(a: &[u8; LANES], b: &[u8; LANES]) -> [u8; LANES] = {
                let mut out = [0; LANES];
                _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_max_epu8(xmm(a), xmm(b)));
                out
            };
            i8_max(a: &[i8; LANES], b: &[i8; LANES]) -> [i8; LANES] = {
                let mut out = [0; LANES];
                let (a, b) = (_mm_loadu_si128(a.as_ptr().cast()), _mm_loadu_si128(b.as_ptr().cast()));
                _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_max_epi8(a, b));
                out
            };
            b_shuffle(bytes: &[u8; LANES], by: &[u8; LANES]) -> [u8; LANES] = {
                let mut out = [0; LANES];
                let (bytes, by) = (xmm(bytes), xmm(by));
                _mm_storeu_si128(out.as_mut_ptr().cast(), _mm_shuffle_epi8(bytes, by));
                out
            };
            // Rows 0 and 1, then 2 and 3, as 16-bit pairs; the lower 8 channels, then the upper.
            quad(rows: [[u8; LANES]; 4]) -> [__m256i; 4] = {
                let [r0, r1, r2, r3] = [xmm(&rows[0]), xmm(&rows[1]), xmm(&rows[2]), xmm(&rows[3])];
                [
                    _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(r0, r1)),
                    _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(r0, r1)),
                    _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(r2, r3)),
                    _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(r2, r3)),
                ]
            };
            quad_dot(acc: I, quad: [__m256i; 4], weights: [__m256i; 4]) -> I = [
                _mm256_add_epi32(
                    _mm256_add_epi32(acc[0], _mm256_madd_epi16(quad[0], weights[0])),
                    _mm256_madd_epi16(quad[2], weights[2]),
                ),
                _mm256_add_epi32(
                    _mm256_add_epi32(acc[1], _mm256_madd_epi16(quad[1], weights[1])),
                    _mm256_madd_epi16(quad[3], weights[3]),
                ),
            ];
        }

        #[inline(always)]
        fn picks(self, by: &[u8; 64]) -> [[u8; LANES]; 4] {
            std::array::from_fn(|t| std::array::from_fn(|j| by[4 * j + t]))
        }
        #[inline(always)]
        fn quad_pick(self, bytes: &[u8; LANES], picks: [[u8; LANES]; 4]) -> [__m256i; 4] {
            let [p0, p1, p2, p3] = &picks;
            self.quad([
                self.b_shuffle(bytes, p0),
                self.b_shuffle(bytes, p1),
                self.b_shuffle(bytes, p2),
                self.b_shuffle(bytes, p3),
            ])
        }
        #[inline(always)]
        fn quad_weights(self, weights: &Block) -> [__m256i; 4] {
            // SAFETY: the token proves AVX2; the halves of the block are as long as the loads.
            unsafe {
                let [a, b] = weight_pairs(_mm256_loadu_si256(weights.0.as_ptr().cast()));
                let upper = weights.0[32..].as_ptr();
                let [c, d] = weight_pairs(_mm256_loadu_si256(upper.cast()));
                [a, c, b, d]
            }
        }

        #[inline(always)]
        fn f_store_u8<const V: usize>(
            self,
            v: [F; V],
            zero_point: i16,
            low: u8,
            to: &mut [[u8; LANES]; V],
        ) {
            for i in 0..V {
                // SAFETY: the token proves AVX2; the store goes through an array of its size.
                unsafe {
                    let words = narrow([_mm256_cvtps_epi32(v[i][0]), _mm256_cvtps_epi32(v[i][1])]);
                    let zero_point = _mm_set1_epi16(zero_point);
                    let [first, second] =
                        [_mm_adds_epi16(words[0], zero_point), _mm_adds_epi16(words[1], zero_point)];
                    let bytes = in_order(_mm_packus_epi16(first, second));
                    let bytes = _mm_max_epu8(bytes, _mm_set1_epi8(low as i8));
                    _mm_storeu_si128(to[i].as_mut_ptr().cast(), bytes);
                }
            }
        }

        fn lookup(self, table: &[u8; 256], src: &[u8], dst: &mut [u8]) {
            // SAFETY: the token proves AVX2; the function checks its slices.
            unsafe { lookup::lookup(table, src, dst) }
        }
    };
}

impl Isa for Avx2 {
    const LEVEL: Level = Level::Avx2;
    // A sixth row would not fit the 16 registers beside two units of weights.
    const ROWS: usize = 5;
    const STAGED_EXTRA: usize = 4;
    type Act = i16;
    type I = I;
    type F = F;
    type Quad = [__m256i; 4];
    type QuadWeights = [__m256i; 4];
    type Picks = [[u8; LANES]; 4];
    common!();

    #[inline(always)]
    fn in_place<'r, 'a>(_: &'r Gathered<'a, u8>) -> Option<&'r Gathered<'a, i16>> {
        None
    }
    #[inline(always)]
    fn stage(self, row: &[u8], to: &mut [i16]) {
        assert!(
            to.len() == row.len().next_multiple_of(4) + 4,
            "stage: {} for {}",
            to.len(),
            row.len()
        );
        // SAFETY: the token proves AVX2; the line above that `to` holds 8 bytes for each 4 of `row`
        // and 8 more.
        unsafe { product::stage(row, to) }
    }
    #[inline(always)]
    fn staging(scratch: &mut Scratch) -> &mut Vec<i16> {
        &mut scratch.words
    }
    #[inline(always)]
    fn tile(self, rows: &Taps<'_, i16>, panel: &Panel<'_>, acc: &mut Tile) {
        let steps = checked_steps::<Self>(rows, panel);
        assert!(rows.len() == 4 * steps + 4, "tile: rows were not staged");
        // SAFETY: the token proves AVX2; `checked_steps` and the line above prove that `steps` steps
        // of 8 bytes and 4 more can be read from every row and that the panel holds every block.
        unsafe {
            match (rows.rows().len(), panel.width) {
                (1, 4) => product::signed::<1, 8>(rows, steps, panel, acc),
                (1, 3) => product::signed::<1, 6>(rows, steps, panel, acc),
                (1, 2) => product::signed::<1, 4>(rows, steps, panel, acc),
                (1, _) => product::signed::<1, 2>(rows, steps, panel, acc),
                (2, 2 | 4) => product::signed::<2, 4>(rows, steps, panel, acc),
                (2, _) => product::signed::<2, 2>(rows, steps, panel, acc),
                (3, _) => product::signed::<3, 2>(rows, steps, panel, acc),
                (4, _) => product::signed::<4, 2>(rows, steps, panel, acc),
                _ => product::signed::<5, 2>(rows, steps, panel, acc),
            }
        }
    }
}

impl Isa for Avx2Seven {
    const LEVEL: Level = Level::Avx2;
    type Act = u8;
    type I = I;
    type F = F;
    type Quad = [__m256i; 4];
    type QuadWeights = [__m256i; 4];
    type Picks = [[u8; LANES]; 4];
    common!();

    #[inline(always)]
    fn in_place<'r, 'a>(rows: &'r Gathered<'a, u8>) -> Option<&'r Gathered<'a, u8>> {
        Some(rows)
    }
    fn stage(self, row: &[u8], to: &mut [u8]) {
        to[..row.len()].copy_from_slice(row);
        to[row.len()..].fill(0);
    }
    fn staging(scratch: &mut Scratch) -> &mut Vec<u8> {
        &mut scratch.unused
    }
    #[inline(always)]
    fn tile(self, rows: &Taps<'_, u8>, panel: &Panel<'_>, acc: &mut Tile) {
        let steps = checked_steps::<Self>(rows, panel);
        debug_assert!(
            (0..rows.count())
                .all(|t| (0..rows.rows().len()).all(|m| rows.slice(t, m).iter().all(|&a| a <= 127))),
            "tile: an activation above 127 reached the seven-bit product"
        );
        // SAFETY: the token proves AVX2; `checked_steps` proves that `steps` steps can be read from
        // every row (the last one byte by byte) and that the panel holds every block.
        unsafe {
            match rows.rows().len() {
                1 if panel.width == 4 => product::seven::<1, 8>(rows, steps, panel, acc),
                1 if panel.width == 3 => product::seven::<1, 6>(rows, steps, panel, acc),
                1 => product::seven::<1, 2>(rows, steps, panel, acc),
                2 if panel.width > 1 => product::seven::<2, 4>(rows, steps, panel, acc),
                2 => product::seven::<2, 2>(rows, steps, panel, acc),
                3 if panel.width > 1 => product::seven::<3, 4>(rows, steps, panel, acc),
                3 => product::seven::<3, 2>(rows, steps, panel, acc),
                4 => product::seven::<4, 2>(rows, steps, panel, acc),
                5 => product::seven::<5, 2>(rows, steps, panel, acc),
                _ => product::seven::<6, 2>(rows, steps, panel, acc),
            }
        }
    }
}

#[inline(always)]
pub(super) fn xmm(bytes: &[u8; LANES]) -> __m128i {
    // SAFETY: SSE2 is part of every x86-64; the array has the size of the load.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// 32-bit lanes saturated to 16 bits: 0 to 3 and 8 to 11, then 4 to 7 and 12 to 15.
#[inline(always)]
fn narrow(v: I) -> [__m128i; 2] {
    // SAFETY: called by verbs of this file's tokens only, which prove AVX2; no memory.
    unsafe {
        let words = _mm256_packs_epi32(v[0], v[1]);
        [_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words)]
    }
}

/// The first two weights of 8 channels, and the last two, as 16-bit pairs.
#[inline(always)]
fn weight_pairs(quads: __m256i) -> [__m256i; 2] {
    // SAFETY: called by verbs of this file's tokens only, which prove AVX2; no memory.
    unsafe {
        let even = _mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(quads));
        let odd = _mm256_srai_epi16::<8>(quads);
        [
            _mm256_blend_epi16::<0b1010_1010>(even, _mm256_slli_epi32::<16>(odd)),
            _mm256_blend_epi16::<0b1010_1010>(_mm256_srli_epi32::<16>(even), odd),
        ]
    }
}

/// Bytes whose quads lie in the order 0, 2, 1, 3, as [`narrow`] left them.
#[inline(always)]
fn in_order(bytes: __m128i) -> __m128i {
    // SAFETY: called by verbs of this file's tokens only, which prove AVX2; no memory.
    unsafe { _mm_shuffle_epi32::<0b11_01_10_00>(bytes) }
}
