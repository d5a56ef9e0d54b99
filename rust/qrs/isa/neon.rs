//! ARMv8 NEON. 16 lanes are four 128-bit registers.
//!
//! The byte products of NEON are signed x signed. An activation `a` enters as `a - 128` (one
//! exclusive-or), and `128 * sum of weights` comes back through the panel's sums: the total is exact.

use std::arch::aarch64::{
    float32x4_t, int16x8_t, int32x4_t, vabsq_f32, vaddq_f32, vaddq_s32, vandq_u32, vbslq_f32,
    vceqq_f32, vcgtq_f32, vcltq_f32, vcvtnq_s32_f32, vcvtq_f32_s32, vdivq_f32, vdupq_n_f32,
    vdupq_n_s32, vdupq_n_u32, vfmaq_f32, vget_low_s8, vget_low_s16, vget_low_u8, vld1q_f32,
    vld1q_s8, vld1q_s16, vld1q_s32, vld1q_u8, vmaxq_s8, vmaxq_s32, vmaxq_u8, vminq_s32,
    vmlal_high_s16, vmlal_s16, vmlaq_s32, vmovl_high_u8, vmovl_u8, vmull_high_s8, vmull_s8,
    vmulq_f32, vmulq_s32, vpadalq_s16, vpaddq_s32, vqtbl1q_u8, vreinterpretq_f32_s32,
    vreinterpretq_f32_u32, vreinterpretq_s8_s32, vreinterpretq_s16_u16, vreinterpretq_s32_f32,
    vreinterpretq_u32_f32, vrndnq_f32, vshlq_n_s32, vsqrtq_f32, vst1q_f32, vst1q_s8, vst1q_s32,
    vst1q_u8, vsubq_f32, vsubq_s32,
};

use super::token::{token, verbs};
use super::{Block, Gathered, Isa, LANES, Level, Panel, Taps, Tile, checked_steps};
use crate::scratch::Scratch;

token!(
    /// Baseline NEON, present on every ARMv8-A CPU.
    Neon, is_aarch64_feature_detected, "neon", "neon"
);

pub(super) type I = [int32x4_t; 4];
pub(super) type F = [float32x4_t; 4];

/// Every verb but the product, shared with the dot-product token.
macro_rules! common {
    () => {
        verbs! {
            i_splat(v: i32) -> I = [vdupq_n_s32(v); 4];
            i_load(v: &[i32; LANES]) -> I =
                std::array::from_fn(|q| vld1q_s32(v[4 * q..].as_ptr()));
            i_store(v: I, to: &mut [i32; LANES]) -> () = {
                for q in 0..4 {
                    vst1q_s32(to[4 * q..].as_mut_ptr(), v[q]);
                }
            };
            i_add(a: I, b: I) -> I = std::array::from_fn(|q| vaddq_s32(a[q], b[q]));
            i_sub(a: I, b: I) -> I = std::array::from_fn(|q| vsubq_s32(a[q], b[q]));
            i_mul(a: I, b: I) -> I = std::array::from_fn(|q| vmulq_s32(a[q], b[q]));
            i_min(a: I, b: I) -> I = std::array::from_fn(|q| vminq_s32(a[q], b[q]));
            i_max(a: I, b: I) -> I = std::array::from_fn(|q| vmaxq_s32(a[q], b[q]));
            i_exp2(n: I) -> F = std::array::from_fn(|q| {
                vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(n[q], vdupq_n_s32(127))))
            });
            f_splat(v: f32) -> F = [vdupq_n_f32(v); 4];
            f_load(v: &[f32; LANES]) -> F =
                std::array::from_fn(|q| vld1q_f32(v[4 * q..].as_ptr()));
            f_store(v: F, to: &mut [f32; LANES]) -> () = {
                for q in 0..4 {
                    vst1q_f32(to[4 * q..].as_mut_ptr(), v[q]);
                }
            };
            f_add(a: F, b: F) -> F = std::array::from_fn(|q| vaddq_f32(a[q], b[q]));
            f_sub(a: F, b: F) -> F = std::array::from_fn(|q| vsubq_f32(a[q], b[q]));
            f_mul(a: F, b: F) -> F = std::array::from_fn(|q| vmulq_f32(a[q], b[q]));
            f_div(a: F, b: F) -> F = std::array::from_fn(|q| vdivq_f32(a[q], b[q]));
            f_fma(a: F, b: F, c: F) -> F = std::array::from_fn(|q| vfmaq_f32(c[q], a[q], b[q]));
            f_sqrt(a: F) -> F = a.map(|v| vsqrtq_f32(v));
            // Not `vminq`/`vmaxq`: those give NaN where the definition gives `b`.
            f_min(a: F, b: F) -> F =
                std::array::from_fn(|q| vbslq_f32(vcltq_f32(a[q], b[q]), a[q], b[q]));
            f_max(a: F, b: F) -> F =
                std::array::from_fn(|q| vbslq_f32(vcgtq_f32(a[q], b[q]), a[q], b[q]));
            f_abs(a: F) -> F = a.map(|v| vabsq_f32(v));
            f_copysign(a: F, s: F) -> F =
                std::array::from_fn(|q| vbslq_f32(vdupq_n_u32(0x7fff_ffff), a[q], s[q]));
            f_round(a: F) -> F = a.map(|v| vrndnq_f32(v));
            f_select_lt(a: F, b: F, x: F, y: F) -> F =
                std::array::from_fn(|q| vbslq_f32(vcltq_f32(a[q], b[q]), x[q], y[q]));
            f_nan_to_zero(a: F) -> F = a.map(|v| {
                vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), vceqq_f32(v, v)))
            });
            f_bits(a: F) -> I = a.map(|v| vreinterpretq_s32_f32(v));
            f_from_i(a: I) -> F = a.map(|v| vcvtq_f32_s32(v));
            f_to_i(a: F) -> I = a.map(|v| vcvtnq_s32_f32(v));
            u8_max(a: &[u8; LANES], b: &[u8; LANES]) -> [u8; LANES] = {
                let mut out = [0; LANES];
                vst1q_u8(out.as_mut_ptr(), vmaxq_u8(vld1q_u8(a.as_ptr()), vld1q_u8(b.as_ptr())));
                out
            };
            i8_max(a: &[i8; LANES], b: &[i8; LANES]) -> [i8; LANES] = {
                let mut out = [0; LANES];
                vst1q_s8(out.as_mut_ptr(), vmaxq_s8(vld1q_s8(a.as_ptr()), vld1q_s8(b.as_ptr())));
                out
            };
            b_shuffle(bytes: &[u8; LANES], by: &[u8; LANES]) -> [u8; LANES] = {
                let mut out = [0; LANES];
                let shuffled = vqtbl1q_u8(vld1q_u8(bytes.as_ptr()), vld1q_u8(by.as_ptr()));
                vst1q_u8(out.as_mut_ptr(), shuffled);
                out
            };
            quad(rows: [[u8; LANES]; 4]) -> [[int16x8_t; 2]; 4] = std::array::from_fn(|t| {
                let row = vld1q_u8(rows[t].as_ptr());
                [
                    vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(row))),
                    vreinterpretq_s16_u16(vmovl_high_u8(row)),
                ]
            });
            quad_dot(acc: I, quad: [[int16x8_t; 2]; 4], weights: [[int16x8_t; 2]; 4]) -> I = {
                let mut acc = acc;
                for t in 0..4 {
                    for h in 0..2 {
                        let (a, w) = (quad[t][h], weights[t][h]);
                        acc[2 * h] = vmlal_s16(acc[2 * h], vget_low_s16(a), vget_low_s16(w));
                        acc[2 * h + 1] = vmlal_high_s16(acc[2 * h + 1], a, w);
                    }
                }
                acc
            };
        }

        #[inline(always)]
        fn picks(self, by: &[u8; 64]) -> [[u8; LANES]; 4] {
            std::array::from_fn(|t| std::array::from_fn(|j| by[4 * j + t]))
        }
        #[inline(always)]
        fn quad_pick(self, bytes: &[u8; LANES], picks: [[u8; LANES]; 4]) -> [[int16x8_t; 2]; 4] {
            let [p0, p1, p2, p3] = &picks;
            self.quad([
                self.b_shuffle(bytes, p0),
                self.b_shuffle(bytes, p1),
                self.b_shuffle(bytes, p2),
                self.b_shuffle(bytes, p3),
            ])
        }
        #[inline(always)]
        fn quad_weights(self, weights: &Block) -> [[int16x8_t; 2]; 4] {
            std::array::from_fn(|t| {
                std::array::from_fn(|h| {
                    let words: [i16; 8] =
                        std::array::from_fn(|j| i16::from(weights.0[4 * (8 * h + j) + t]));
                    // SAFETY: the token proves NEON; the array has the size of the load.
                    unsafe { vld1q_s16(words.as_ptr()) }
                })
            })
        }

        // Byte conversions of 16 lanes: the compiler vectorizes these loops with NEON.
        #[inline(always)]
        fn i_from_u8(self, v: &[u8; LANES]) -> I {
            self.i_load(&v.map(i32::from))
        }
        #[inline(always)]
        fn i_from_i8(self, v: &[i8; LANES]) -> I {
            self.i_load(&v.map(i32::from))
        }
        #[inline(always)]
        fn i_to_u8(self, v: I) -> [u8; LANES] {
            let mut lanes = [0; LANES];
            self.i_store(v, &mut lanes);
            lanes.map(|x| x.clamp(0, 255) as u8)
        }
        #[inline(always)]
        fn i_to_i8(self, v: I) -> [i8; LANES] {
            let mut lanes = [0; LANES];
            self.i_store(v, &mut lanes);
            lanes.map(|x| x.clamp(-128, 127) as i8)
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
        fn f_store_u8<const V: usize>(
            self,
            v: [F; V],
            zero_point: i16,
            low: u8,
            to: &mut [[u8; LANES]; V],
        ) {
            for i in 0..V {
                let mut lanes = [0; LANES];
                self.i_store(self.f_to_i(v[i]), &mut lanes);
                let byte =
                    |x: i32| x.saturating_add(zero_point.into()).clamp(low.into(), 255) as u8;
                to[i] = lanes.map(byte);
            }
        }

        fn lookup(self, table: &[u8; 256], src: &[u8], dst: &mut [u8]) {
            crate::isa::neon::lookup(table, src, dst);
        }
    };
}
pub(super) use common;

impl Isa for Neon {
    const LEVEL: Level = Level::Neon;
    type Act = u8;
    type I = I;
    type F = F;
    type Quad = [[int16x8_t; 2]; 4];
    type QuadWeights = [[int16x8_t; 2]; 4];
    type Picks = [[u8; LANES]; 4];
    common!();

    #[inline(always)]
    fn tile(self, rows: &Taps<'_, u8>, panel: &Panel<'_>, acc: &mut Tile) {
        let steps = checked_steps::<Self>(rows, panel);
        // SAFETY: the token proves NEON; `checked_steps` proves that `steps` steps can be read from
        // every row (the last one byte by byte) and that the panel holds every block.
        unsafe {
            match rows.rows().len() {
                1 => product::<1>(rows, steps, panel, acc),
                2 => product::<2>(rows, steps, panel, acc),
                3 => product::<3>(rows, steps, panel, acc),
                4 => product::<4>(rows, steps, panel, acc),
                5 => product::<5>(rows, steps, panel, acc),
                _ => product::<6>(rows, steps, panel, acc),
            }
        }
    }
}

/// The `k`-th quad of `row`, each byte less 128; past its end the bytes meet zero weights.
#[inline(always)]
pub(super) fn signed_quad(row: &[u8], k: usize) -> i32 {
    let mut quad = [0; 4];
    let rest = &row[4 * k..];
    let n = rest.len().min(4);
    quad[..n].copy_from_slice(&rest[..n]);
    i32::from_le_bytes(quad) ^ 0x8080_8080_u32 as i32
}

/// Four channels (16 weight bytes) at a time: `smull` gives single products (at most 2^14, so the
/// pairwise add into 32 bits is exact), two partial sums a channel, folded at the end.
#[target_feature(enable = "neon")]
unsafe fn product<const M: usize>(
    rows: &Taps<'_, u8>,
    steps: usize,
    panel: &Panel<'_>,
    acc: &mut Tile,
) {
    for unit in 0..4 * panel.width {
        let mut sums = [[vdupq_n_s32(0); 2]; M];
        // SAFETY: for the whole block, see `tile`, which proved every row and block read here.
        unsafe {
            let mut weights = panel.blocks.as_ptr().cast::<i8>().add(16 * unit);
            for t in 0..rows.count() {
                for k in 0..steps {
                    let w = vld1q_s8(weights);
                    for m in 0..M {
                        let a = vreinterpretq_s8_s32(vdupq_n_s32(signed_quad(rows.slice(t, m), k)));
                        let low = vmull_s8(vget_low_s8(a), vget_low_s8(w));
                        let high = vmull_high_s8(a, w);
                        sums[m][0] = vpadalq_s16(sums[m][0], low);
                        sums[m][1] = vpadalq_s16(sums[m][1], high);
                    }
                    weights = weights.add(64 * panel.width);
                }
            }
            let from = panel.sums[unit / 4][4 * (unit % 4)..].as_ptr();
            for m in 0..M {
                let folded = vpaddq_s32(sums[m][0], sums[m][1]);
                let total = vmlaq_s32(folded, vld1q_s32(from), vdupq_n_s32(128));
                vst1q_s32(acc[m][unit / 4][4 * (unit % 4)..].as_mut_ptr(), total);
            }
        }
    }
}

/// Table lookup: four 64-byte tables, each out-of-range index leaving the lane as it was.
pub(super) fn lookup(table: &[u8; 256], src: &[u8], dst: &mut [u8]) {
    use std::arch::aarch64::{
        uint8x16x4_t, vdupq_n_u8, vld1q_u8, vqtbl4q_u8, vqtbx4q_u8, vst1q_u8, vsubq_u8,
    };
    let n = src.len().min(dst.len());
    let (chunks, rest) = src[..n].as_chunks::<16>();
    let (rooms, tail) = dst[..n].as_chunks_mut::<16>();
    let (rows, _) = table.as_chunks::<16>();
    // SAFETY: for the whole block: NEON is part of every aarch64 target this crate builds for; each load
    // and store goes through an array of its size.
    unsafe {
        let load = |i: usize| vld1q_u8(rows[i].as_ptr());
        let tables: [uint8x16x4_t; 4] = std::array::from_fn(|t| {
            uint8x16x4_t(load(4 * t), load(4 * t + 1), load(4 * t + 2), load(4 * t + 3))
        });
        for (chunk, room) in chunks.iter().zip(rooms) {
            let index = vld1q_u8(chunk.as_ptr());
            let mut out = vqtbl4q_u8(tables[0], index);
            for (t, table) in tables.iter().enumerate().skip(1) {
                out = vqtbx4q_u8(out, *table, vsubq_u8(index, vdupq_n_u8(64 * t as u8)));
            }
            vst1q_u8(room.as_mut_ptr(), out);
        }
    }
    for (d, s) in tail.iter_mut().zip(rest) {
        *d = table[usize::from(*s)];
    }
}
