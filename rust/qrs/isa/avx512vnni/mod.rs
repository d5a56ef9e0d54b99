//! x86-64 AVX-512 with VNNI. 16 lanes are one 512-bit register.

use std::arch::x86_64::{
    __m512, __m512i, _CMP_EQ_OQ, _CMP_LT_OQ, _MM_FROUND_NO_EXC, _MM_FROUND_TO_NEAREST_INT,
    _mm_loadu_si128, _mm_max_epi8, _mm_max_epu8, _mm_shuffle_epi8, _mm_storeu_si128,
    _mm256_storeu_si256, _mm512_add_epi32, _mm512_add_ps, _mm512_adds_epi16, _mm512_and_epi32,
    _mm512_andnot_epi32, _mm512_broadcast_i32x4, _mm512_castps_si512, _mm512_castsi128_si512,
    _mm512_castsi512_ps, _mm512_castsi512_si128, _mm512_castsi512_si256, _mm512_cmp_ps_mask,
    _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps, _mm512_cvtepu8_epi32, _mm512_cvtps_epi32,
    _mm512_cvtsepi32_epi8, _mm512_cvtusepi32_epi8, _mm512_div_ps, _mm512_dpbusd_epi32,
    _mm512_extracti32x4_epi32, _mm512_fmadd_ps, _mm512_inserti32x4, _mm512_loadu_ps,
    _mm512_loadu_si512, _mm512_mask_blend_ps, _mm512_maskz_mov_ps, _mm512_max_epi32,
    _mm512_max_epu8, _mm512_max_ps, _mm512_min_epi32, _mm512_min_ps, _mm512_mul_ps,
    _mm512_mullo_epi32, _mm512_or_epi32, _mm512_packs_epi32, _mm512_packus_epi16,
    _mm512_permutexvar_epi8, _mm512_permutexvar_epi32, _mm512_roundscale_ps, _mm512_set1_epi8,
    _mm512_set1_epi16, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setr_epi32, _mm512_setzero_si512,
    _mm512_shuffle_epi8, _mm512_slli_epi32, _mm512_sqrt_ps, _mm512_storeu_ps, _mm512_storeu_si512,
    _mm512_sub_epi32, _mm512_sub_ps,
};
use std::ops::Range;

mod band;
mod lookup;
mod product;

use self::product::by_shape;
use super::avx2::xmm;
use super::band::check;
use super::to_bytes::{self, ToBytes};
use super::token::{token, verbs};
use super::{
    Block, Gathered, Isa, LANES, Level, Outputs, Panel, Source, Strip, Sweep, Taps, Tile, WIDE,
    checked_steps, strips,
};
use crate::scratch::Scratch;

token!(
    /// AVX-512 F, BW, VL, VNNI and VBMI: Ice Lake and Zen 4 onwards.
    Avx512Vnni, is_x86_feature_detected,
    "avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,avx2,fma",
    "avx512f", "avx512bw", "avx512vl", "avx512vnni", "avx512vbmi", "avx2", "fma"
);

/// Byte `4 * j + t` of a quad is byte `16 * t + j` of its rows.
const TRANSPOSED: [u8; 64] = {
    let mut by = [0; 64];
    let mut i = 0;
    while i < 64 {
        by[i] = (16 * (i % 4) + i / 4) as u8;
        i += 1;
    }
    by
};

const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

impl Isa for Avx512Vnni {
    const LEVEL: Level = Level::Avx512Vnni;
    const SUMS: usize = 16;
    const BANDS: bool = true;
    type Act = u8;
    type I = __m512i;
    type F = __m512;
    type Quad = __m512i;
    type QuadWeights = __m512i;
    type Picks = __m512i;

    verbs! {
        i_splat(v: i32) -> __m512i = _mm512_set1_epi32(v);
        i_load(v: &[i32; LANES]) -> __m512i = _mm512_loadu_si512(v.as_ptr().cast());
        i_store(v: __m512i, to: &mut [i32; LANES]) -> () =
            _mm512_storeu_si512(to.as_mut_ptr().cast(), v);
        i_add(a: __m512i, b: __m512i) -> __m512i = _mm512_add_epi32(a, b);
        i_sub(a: __m512i, b: __m512i) -> __m512i = _mm512_sub_epi32(a, b);
        i_mul(a: __m512i, b: __m512i) -> __m512i = _mm512_mullo_epi32(a, b);
        i_min(a: __m512i, b: __m512i) -> __m512i = _mm512_min_epi32(a, b);
        i_max(a: __m512i, b: __m512i) -> __m512i = _mm512_max_epi32(a, b);
        i_from_u8(v: &[u8; LANES]) -> __m512i =
            _mm512_cvtepu8_epi32(_mm_loadu_si128(v.as_ptr().cast()));
        i_from_i8(v: &[i8; LANES]) -> __m512i =
            _mm512_cvtepi8_epi32(_mm_loadu_si128(v.as_ptr().cast()));
        i_to_u8(v: __m512i) -> [u8; LANES] = {
            let mut out = [0; LANES];
            // The conversion reads its lanes as unsigned: negative ones are raised to zero first.
            let narrow = _mm512_cvtusepi32_epi8(_mm512_max_epi32(v, _mm512_setzero_si512()));
            _mm_storeu_si128(out.as_mut_ptr().cast(), narrow);
            out
        };
        i_to_i8(v: __m512i) -> [i8; LANES] = {
            let mut out = [0; LANES];
            _mm_storeu_si128(out.as_mut_ptr().cast(), _mm512_cvtsepi32_epi8(v));
            out
        };
        i_exp2(n: __m512i) -> __m512 = _mm512_castsi512_ps(_mm512_slli_epi32::<23>(
            _mm512_add_epi32(n, _mm512_set1_epi32(127))));
        f_splat(v: f32) -> __m512 = _mm512_set1_ps(v);
        f_load(v: &[f32; LANES]) -> __m512 = _mm512_loadu_ps(v.as_ptr());
        f_store(v: __m512, to: &mut [f32; LANES]) -> () = _mm512_storeu_ps(to.as_mut_ptr(), v);
        f_add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        f_sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        f_mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        f_div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
        f_fma(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        f_sqrt(a: __m512) -> __m512 = _mm512_sqrt_ps(a);
        f_min(a: __m512, b: __m512) -> __m512 = _mm512_min_ps(a, b);
        f_max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
        f_abs(a: __m512) -> __m512 = _mm512_castsi512_ps(_mm512_and_epi32(
            _mm512_castps_si512(a), _mm512_set1_epi32(i32::MAX)));
        f_copysign(a: __m512, s: __m512) -> __m512 = {
            let sign = _mm512_set1_epi32(i32::MIN);
            let magnitude = _mm512_andnot_epi32(sign, _mm512_castps_si512(a));
            let sign = _mm512_and_epi32(sign, _mm512_castps_si512(s));
            _mm512_castsi512_ps(_mm512_or_epi32(magnitude, sign))
        };
        f_round(a: __m512) -> __m512 = _mm512_roundscale_ps::<NEAREST>(a);
        f_select_lt(a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 =
            _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), y, x);
        f_nan_to_zero(a: __m512) -> __m512 =
            _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, a), a);
        f_bits(a: __m512) -> __m512i = _mm512_castps_si512(a);
        f_from_i(a: __m512i) -> __m512 = _mm512_cvtepi32_ps(a);
        f_to_i(a: __m512) -> __m512i = _mm512_cvtps_epi32(a);
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
        quad(rows: [[u8; LANES]; 4]) -> __m512i = {
            let quad = _mm512_castsi128_si512(xmm(&rows[0]));
            let quad = _mm512_inserti32x4::<1>(quad, xmm(&rows[1]));
            let quad = _mm512_inserti32x4::<2>(quad, xmm(&rows[2]));
            let quad = _mm512_inserti32x4::<3>(quad, xmm(&rows[3]));
            let by = _mm512_loadu_si512(TRANSPOSED.as_ptr().cast());
            _mm512_permutexvar_epi8(by, quad)
        };
        picks(by: &[u8; 64]) -> __m512i = _mm512_loadu_si512(by.as_ptr().cast());
        quad_pick(bytes: &[u8; LANES], picks: __m512i) -> __m512i =
            _mm512_shuffle_epi8(_mm512_broadcast_i32x4(xmm(bytes)), picks);
        quad_weights(weights: &Block) -> __m512i = _mm512_loadu_si512(weights.0.as_ptr().cast());
        quad_dot(acc: __m512i, quad: __m512i, weights: __m512i) -> __m512i =
            _mm512_dpbusd_epi32(acc, quad, weights);
    }

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
        checked_steps::<Self>(rows, panel);
        // SAFETY: the token proves the features; `checked_steps` proves that the panel holds a block for
        // every four bytes of the slices, begun or whole.
        unsafe { by_shape!(rows.rows().len(), panel.width, product::sums(rows, panel, acc)) }
    }

    #[inline(always)]
    fn tile_bytes(
        self,
        rows: &Gathered<'_, u8>,
        panel: &Panel<'_>,
        by: &ToBytes<'_>,
        (out, columns): (&mut Outputs<'_>, Range<usize>),
        acc: &mut Tile,
    ) {
        if !by.range.bounded {
            return to_bytes::through_memory(self, rows, panel, by, (out, columns), acc);
        }
        assert!(by.blocks.len() == panel.width, "tile: {} channel blocks", by.blocks.len());
        let inside = columns.start < columns.end && columns.end <= out.row_len();
        assert!(inside && columns.len() <= LANES * panel.width, "tile: columns {columns:?}");
        let mut ahead = panel.ahead;
        for (own, m_rows) in strips(rows.rows(), product::rows(panel.width)).runs() {
            if own.is_empty() {
                continue;
            }
            let (own, to, ahead) = ((rows, own), (&mut *out, &columns), &mut ahead);
            // SAFETY: the token proves the features; the lines above prove that there is an `Affine` for
            // each block, and that the columns can be written in each row.
            unsafe {
                match (m_rows, panel.width) {
                    (7, 1) => product::stored_bytes::<7, 1>(own, panel, by, to, ahead),
                    (7, 2) => product::stored_bytes::<7, 2>(own, panel, by, to, ahead),
                    (8, 1) => product::stored_bytes::<8, 1>(own, panel, by, to, ahead),
                    (8, 2) => product::stored_bytes::<8, 2>(own, panel, by, to, ahead),
                    (_, width) => {
                        by_shape!(m_rows, width, product::stored_bytes(own, panel, by, to, ahead));
                    }
                }
            }
        }
    }

    fn band_of_rows(
        self,
        rows: [&[u8]; 4],
        pieces: &[usize],
        strip: Strip,
        to: &mut [[__m512i; WIDE]],
    ) {
        strip.check_band(pieces, rows.iter().map(|row| row.len()).min().unwrap_or(0), to.len());
        // SAFETY: the token proves the features; the line above that every row has the bytes of every
        // column, and `to` the places of its quads.
        unsafe { band::of_columns(rows, pieces, strip, to.as_mut_ptr()) }
    }

    fn band_of_channels(
        self,
        row: &[u8],
        pieces: &[usize],
        strip: Strip,
        to: &mut [[__m512i; WIDE]],
    ) {
        strip.check_band(pieces, row.len(), to.len());
        // SAFETY: see `band_of_rows`.
        unsafe { band::of_columns([row], pieces, strip, to.as_mut_ptr()) }
    }

    #[inline(always)]
    fn all_weights<'w>(self, blocks: &'w [Block], _: &'w mut Vec<__m512i>) -> &'w [__m512i] {
        // SAFETY: a block has the size and alignment of a register, which may hold any bytes.
        unsafe { std::slice::from_raw_parts(blocks.as_ptr().cast(), blocks.len()) }
    }

    fn band(
        self,
        source: &Source<'_>,
        sweep: &Sweep<'_>,
        (quads, weights): (&mut [[__m512i; WIDE]], &[[__m512i; WIDE]]),
        by: &ToBytes<'_>,
        out: &mut [u8],
    ) {
        check(source, sweep, (quads.len(), weights.len()), out.len());
        assert!(by.blocks.len() == WIDE * sweep.bands.len(), "band: {} blocks", by.blocks.len());
        // SAFETY: the token proves the features; the lines above that every byte, place and output lies
        // inside, and that there are four blocks for each band.
        unsafe { band::outputs(source, sweep, (quads.as_mut_ptr(), weights), by, out.as_mut_ptr()) }
    }

    #[inline(always)]
    fn quads_picked(self, row: &[u8], picks: __m512i, strip: Strip, to: &mut [__m512i]) {
        strip.check(LANES, row.len(), to.len());
        let mut at = row.as_ptr().wrapping_add(strip.from);
        let mut room = to.as_mut_ptr();
        for _ in 0..strip.count {
            // SAFETY: the token proves the features; `check` proves that the row has the bytes of every
            // column, and `to` the place of its quad.
            unsafe {
                let bytes = _mm512_broadcast_i32x4(_mm_loadu_si128(at.cast()));
                *room = _mm512_shuffle_epi8(bytes, picks);
            }
            at = at.wrapping_add(strip.step);
            room = room.wrapping_add(strip.apart);
        }
    }

    #[inline(always)]
    fn f_store_u8<const V: usize>(
        self,
        v: [__m512; V],
        zero_point: i16,
        low: u8,
        to: &mut [[u8; LANES]; V],
    ) {
        // SAFETY: the token proves the features; `V` vectors give the 16 * V bytes of `to`.
        unsafe {
            let bytes = bytes(v, zero_point, low);
            let room = to.as_mut_ptr().cast::<u8>();
            match V {
                1 => _mm_storeu_si128(room.cast(), _mm512_castsi512_si128(bytes)),
                2 => _mm256_storeu_si256(room.cast(), _mm512_castsi512_si256(bytes)),
                3 => {
                    _mm256_storeu_si256(room.cast(), _mm512_castsi512_si256(bytes));
                    let third = _mm512_extracti32x4_epi32::<2>(bytes);
                    _mm_storeu_si128(room.add(32).cast(), third);
                }
                _ => _mm512_storeu_si512(room.cast(), bytes),
            }
        }
    }

    #[inline(always)]
    fn f_store_u8_apart<const V: usize>(
        self,
        v: [__m512; V],
        zero_point: i16,
        low: u8,
        to: &mut [u8],
        apart: usize,
    ) {
        let end = (V - 1).checked_mul(apart).and_then(|at| at.checked_add(LANES));
        assert!(end.is_some_and(|end| end <= to.len()), "store: {V} vectors, {apart} apart");
        // SAFETY: the token proves the features; the line above that `to` has the place of the last
        // vector's bytes, and so of all.
        unsafe {
            let bytes = bytes(v, zero_point, low);
            let room = to.as_mut_ptr();
            _mm_storeu_si128(room.cast(), _mm512_castsi512_si128(bytes));
            if V > 1 {
                let second = _mm512_extracti32x4_epi32::<1>(bytes);
                _mm_storeu_si128(room.add(apart).cast(), second);
            }
            if V > 2 {
                let third = _mm512_extracti32x4_epi32::<2>(bytes);
                _mm_storeu_si128(room.add(2 * apart).cast(), third);
            }
            if V > 3 {
                let fourth = _mm512_extracti32x4_epi32::<3>(bytes);
                _mm_storeu_si128(room.add(3 * apart).cast(), fourth);
            }
        }
    }

    fn lookup(self, table: &[u8; 256], src: &[u8], dst: &mut [u8]) {
        // SAFETY: the token proves the features; the function checks its slices.
        unsafe { lookup::lookup(table, src, dst) }
    }
}

/// Bytes of up to four vectors, in order: see [`Isa::f_store_u8`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn bytes<const V: usize>(v: [__m512; V], zero_point: i16, low: u8) -> __m512i {
    in_order(packed(v, zero_point, low))
}

/// As [`bytes`], in the order in which four vectors are packed.
#[inline(always)]
fn packed<const V: usize>(v: [__m512; V], zero_point: i16, low: u8) -> __m512i {
    const { assert!(1 <= V && V <= 4, "four vectors fill a register with bytes") }
    // SAFETY: called by functions that carry the features; no memory.
    unsafe {
        let q0 = _mm512_cvtps_epi32(v[0]);
        let q1 = if V > 1 { _mm512_cvtps_epi32(v[1]) } else { q0 };
        let mut first = _mm512_packs_epi32(q0, q1);
        let mut second = first;
        if V > 2 {
            let q2 = _mm512_cvtps_epi32(v[2]);
            let q3 = if V > 3 { _mm512_cvtps_epi32(v[3]) } else { q2 };
            second = _mm512_packs_epi32(q2, q3);
        }
        // Both are zero where ReLU follows, and a jump that is always taken costs nothing beside the
        // ports of vectors.
        if zero_point != 0 {
            let point = _mm512_set1_epi16(zero_point);
            (first, second) = (_mm512_adds_epi16(first, point), _mm512_adds_epi16(second, point));
        }
        let bytes = _mm512_packus_epi16(first, second);
        if low == 0 { bytes } else { _mm512_max_epu8(bytes, _mm512_set1_epi8(low as i8)) }
    }
}

/// The bytes of four vectors that were packed in their quarters: quarter `k` of `packed` holds four
/// bytes of each, which belong to lanes `4 k..` of theirs.
#[inline]
#[target_feature(enable = "avx512f")]
fn in_order(packed: __m512i) -> __m512i {
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_permutexvar_epi32(order, packed)
}
