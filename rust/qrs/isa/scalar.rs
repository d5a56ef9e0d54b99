//! Portable code, 16 lanes like the others: the definition of every verb.

use super::{Block, Gathered, Isa, LANES, Level, PANEL_BLOCKS, Panel, Taps, Tile, checked_steps};
use crate::scratch::Scratch;

/// The level that needs no feature.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scalar;

#[inline(always)]
fn map<T: Copy, U: Copy + Default>(a: [T; LANES], f: impl Fn(T) -> U) -> [U; LANES] {
    let mut out = [U::default(); LANES];
    for j in 0..LANES {
        out[j] = f(a[j]);
    }
    out
}

#[inline(always)]
fn zip<T: Copy, U: Copy + Default>(
    a: [T; LANES],
    b: [T; LANES],
    f: impl Fn(T, T) -> U,
) -> [U; LANES] {
    let mut out = [U::default(); LANES];
    for j in 0..LANES {
        out[j] = f(a[j], b[j]);
    }
    out
}

impl Isa for Scalar {
    const LEVEL: Level = Level::Scalar;
    const BANDS: bool = true;
    type Act = u8;
    type I = [i32; LANES];
    type F = [f32; LANES];
    type Quad = [[u8; LANES]; 4];
    type QuadWeights = [i8; 64];
    type Picks = [u8; 64];

    #[inline(always)]
    fn i_splat(self, v: i32) -> Self::I {
        [v; LANES]
    }
    #[inline(always)]
    fn i_load(self, v: &[i32; LANES]) -> Self::I {
        *v
    }
    #[inline(always)]
    fn i_store(self, v: Self::I, to: &mut [i32; LANES]) {
        *to = v;
    }
    #[inline(always)]
    fn i_add(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, i32::wrapping_add)
    }
    #[inline(always)]
    fn i_sub(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, i32::wrapping_sub)
    }
    #[inline(always)]
    fn i_mul(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, i32::wrapping_mul)
    }
    #[inline(always)]
    fn i_min(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, i32::min)
    }
    #[inline(always)]
    fn i_max(self, a: Self::I, b: Self::I) -> Self::I {
        zip(a, b, i32::max)
    }
    #[inline(always)]
    fn i_from_u8(self, v: &[u8; LANES]) -> Self::I {
        map(*v, i32::from)
    }
    #[inline(always)]
    fn i_from_i8(self, v: &[i8; LANES]) -> Self::I {
        map(*v, i32::from)
    }
    #[inline(always)]
    fn i_to_u8(self, v: Self::I) -> [u8; LANES] {
        map(v, |x| x.clamp(0, 255) as u8)
    }
    #[inline(always)]
    fn i_to_i8(self, v: Self::I) -> [i8; LANES] {
        map(v, |x| x.clamp(-128, 127) as i8)
    }
    #[inline(always)]
    fn i_exp2(self, n: Self::I) -> Self::F {
        map(n, |x| f32::from_bits((x.wrapping_add(127) as u32) << 23))
    }

    #[inline(always)]
    fn f_splat(self, v: f32) -> Self::F {
        [v; LANES]
    }
    #[inline(always)]
    fn f_load(self, v: &[f32; LANES]) -> Self::F {
        *v
    }
    #[inline(always)]
    fn f_store(self, v: Self::F, to: &mut [f32; LANES]) {
        *to = v;
    }
    #[inline(always)]
    fn f_add(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| x + y)
    }
    #[inline(always)]
    fn f_sub(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| x - y)
    }
    #[inline(always)]
    fn f_mul(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| x * y)
    }
    #[inline(always)]
    fn f_div(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| x / y)
    }
    #[inline(always)]
    fn f_fma(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        let mut out = c;
        for j in 0..LANES {
            out[j] = a[j].mul_add(b[j], c[j]);
        }
        out
    }
    #[inline(always)]
    fn f_sqrt(self, a: Self::F) -> Self::F {
        map(a, f32::sqrt)
    }
    #[inline(always)]
    fn f_min(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| if x < y { x } else { y })
    }
    #[inline(always)]
    fn f_max(self, a: Self::F, b: Self::F) -> Self::F {
        zip(a, b, |x, y| if x > y { x } else { y })
    }
    #[inline(always)]
    fn f_abs(self, a: Self::F) -> Self::F {
        map(a, f32::abs)
    }
    #[inline(always)]
    fn f_copysign(self, a: Self::F, s: Self::F) -> Self::F {
        zip(a, s, f32::copysign)
    }
    #[inline(always)]
    fn f_round(self, a: Self::F) -> Self::F {
        map(a, f32::round_ties_even)
    }
    #[inline(always)]
    fn f_select_lt(self, a: Self::F, b: Self::F, x: Self::F, y: Self::F) -> Self::F {
        let mut out = y;
        for j in 0..LANES {
            if a[j] < b[j] {
                out[j] = x[j];
            }
        }
        out
    }
    #[inline(always)]
    fn f_nan_to_zero(self, a: Self::F) -> Self::F {
        map(a, |x| if x.is_nan() { 0.0 } else { x })
    }
    #[inline(always)]
    fn f_bits(self, a: Self::F) -> Self::I {
        map(a, |x| x.to_bits() as i32)
    }
    #[inline(always)]
    fn f_from_i(self, a: Self::I) -> Self::F {
        map(a, |x| x as f32)
    }
    #[inline(always)]
    fn f_to_i(self, a: Self::F) -> Self::I {
        map(a, |x| x.round_ties_even() as i32)
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

    fn tile(self, rows: &Taps<'_, u8>, panel: &Panel<'_>, acc: &mut Tile) {
        let steps = checked_steps::<Self>(rows, panel);
        for m in 0..rows.rows().len() {
            acc[m] = [[0; LANES]; PANEL_BLOCKS];
            for t in 0..rows.count() {
                for (k, &a) in rows.slice(t, m).iter().enumerate() {
                    let step = (t * steps + k / 4) * panel.width;
                    for b in 0..panel.width {
                        let block = &panel.blocks[step + b].0;
                        for j in 0..LANES {
                            acc[m][b][j] += i32::from(a) * i32::from(block[4 * j + k % 4]);
                        }
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn u8_max(self, a: &[u8; LANES], b: &[u8; LANES]) -> [u8; LANES] {
        zip(*a, *b, u8::max)
    }
    #[inline(always)]
    fn i8_max(self, a: &[i8; LANES], b: &[i8; LANES]) -> [i8; LANES] {
        zip(*a, *b, i8::max)
    }
    #[inline(always)]
    fn b_shuffle(self, bytes: &[u8; LANES], by: &[u8; LANES]) -> [u8; LANES] {
        by.map(|i| bytes[usize::from(i)])
    }
    #[inline(always)]
    fn quad(self, rows: [[u8; LANES]; 4]) -> Self::Quad {
        rows
    }
    #[inline(always)]
    fn picks(self, by: &[u8; 64]) -> [u8; 64] {
        *by
    }
    #[inline(always)]
    fn quad_pick(self, bytes: &[u8; LANES], picks: [u8; 64]) -> Self::Quad {
        let mut quad = [[0; LANES]; 4];
        for (at, &pick) in picks.iter().enumerate() {
            quad[at % 4][at / 4] = bytes[usize::from(pick)];
        }
        quad
    }
    #[inline(always)]
    fn quad_weights(self, weights: &Block) -> [i8; 64] {
        weights.0
    }
    #[inline(always)]
    fn quad_dot(self, mut acc: Self::I, quad: Self::Quad, weights: [i8; 64]) -> Self::I {
        for (t, row) in quad.iter().enumerate() {
            for j in 0..LANES {
                acc[j] += i32::from(row[j]) * i32::from(weights[4 * j + t]);
            }
        }
        acc
    }

    #[inline(always)]
    fn f_store_u8<const V: usize>(
        self,
        v: [Self::F; V],
        zero_point: i16,
        low: u8,
        to: &mut [[u8; LANES]; V],
    ) {
        for (to, v) in to.iter_mut().zip(v) {
            let byte = |x: f32| (x.round_ties_even() as i32).saturating_add(zero_point.into());
            *to = map(v, |x| byte(x).clamp(low.into(), 255) as u8);
        }
    }

    fn lookup(self, table: &[u8; 256], src: &[u8], dst: &mut [u8]) {
        for (d, s) in dst.iter_mut().zip(src) {
            *d = table[usize::from(*s)];
        }
    }
}
