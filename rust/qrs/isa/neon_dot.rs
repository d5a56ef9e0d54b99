//! ARMv8.2 NEON with `sdot`: four byte products per lane and instruction.
//!
//! The intrinsic is not stable yet, so the instruction is reached through one line of assembly; the
//! compiler still allocates and schedules the registers.

use std::arch::aarch64::{
    float32x4_t, int8x16_t, int16x8_t, int32x4_t, vabsq_f32, vaddq_f32, vaddq_s32, vandq_u32,
    vbslq_f32, vceqq_f32, vcgtq_f32, vcltq_f32, vcvtnq_s32_f32, vcvtq_f32_s32, vdivq_f32,
    vdupq_n_f32, vdupq_n_s32, vdupq_n_u32, vfmaq_f32, vget_low_s16, vget_low_u8, vld1q_f32,
    vld1q_s8, vld1q_s16, vld1q_s32, vld1q_u8, vmaxq_s8, vmaxq_s32, vmaxq_u8, vminq_s32,
    vmlal_high_s16, vmlal_s16, vmlaq_s32, vmovl_high_u8, vmovl_u8, vmulq_f32, vmulq_s32,
    vqtbl1q_u8, vreinterpretq_f32_s32, vreinterpretq_f32_u32, vreinterpretq_s8_s32,
    vreinterpretq_s16_u16, vreinterpretq_s32_f32, vreinterpretq_u32_f32, vrndnq_f32, vshlq_n_s32,
    vsqrtq_f32, vst1q_f32, vst1q_s8, vst1q_s32, vst1q_u8, vsubq_f32, vsubq_s32,
};

use super::neon::{common, signed_quad};
use super::token::{token, verbs};
use super::{Block, Gathered, Isa, LANES, Level, Panel, Taps, Tile, checked_steps};
use crate::scratch::Scratch;

token!(
    /// NEON with the dot-product extension: Cortex-A76, Apple M1, Graviton 2 and later.
    NeonDot, is_aarch64_feature_detected, "neon,dotprod", "neon", "dotprod"
);

type I = [int32x4_t; 4];
type F = [float32x4_t; 4];

impl Isa for NeonDot {
    const LEVEL: Level = Level::NeonDot;
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
        // SAFETY: the token proves dotprod; `checked_steps` proves that `steps` steps can be read
        // from every row (the last one byte by byte) and that the panel holds every block.
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

/// `sum[j] += a[4j..4j+4] . w[4j..4j+4]`.
#[inline(always)]
fn sdot(mut sum: int32x4_t, a: int8x16_t, w: int8x16_t) -> int32x4_t {
    // SAFETY: called by this file's `product` only, whose token proves dotprod; no memory.
    unsafe {
        std::arch::asm!(
            ".arch_extension dotprod",
            "sdot {sum:v}.4s, {a:v}.16b, {w:v}.16b",
            sum = inout(vreg) sum,
            a = in(vreg) a,
            w = in(vreg) w,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

/// One block (16 channels, four registers) at a time, `M` rows.
#[target_feature(enable = "neon,dotprod")]
unsafe fn product<const M: usize>(
    rows: &Taps<'_, u8>,
    steps: usize,
    panel: &Panel<'_>,
    acc: &mut Tile,
) {
    for b in 0..panel.width {
        let mut sums = [[vdupq_n_s32(0); 4]; M];
        // SAFETY: for the whole block, see `tile`, which proved every row and block read here.
        unsafe {
            let mut weights = panel.blocks.as_ptr().add(b).cast::<i8>();
            for t in 0..rows.count() {
                for k in 0..steps {
                    let w: [int8x16_t; 4] = std::array::from_fn(|q| vld1q_s8(weights.add(16 * q)));
                    for m in 0..M {
                        let a = vreinterpretq_s8_s32(vdupq_n_s32(signed_quad(rows.slice(t, m), k)));
                        for q in 0..4 {
                            sums[m][q] = sdot(sums[m][q], a, w[q]);
                        }
                    }
                    weights = weights.add(64 * panel.width);
                }
            }
            for m in 0..M {
                for q in 0..4 {
                    let from = panel.sums[b][4 * q..].as_ptr();
                    let total = vmlaq_s32(sums[m][q], vld1q_s32(from), vdupq_n_s32(128));
                    vst1q_s32(acc[m][b][4 * q..].as_mut_ptr(), total);
                }
            }
        }
    }
}
