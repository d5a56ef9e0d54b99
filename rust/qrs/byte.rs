//! The two types of bytes that tensors store, under one name.

use crate::isa::{Isa, LANES};
use crate::quantize::Stored;

/// `u8` (quint8) or `i8` (qint8).
pub trait Byte: Stored + Ord {
    /// The integer that it is.
    fn int(self) -> i32;
    /// `v`, which lies within the span.
    fn from_int(v: i32) -> Self;
    /// 16 of them as integers.
    fn widen<I: Isa>(isa: I, q: &[Self; LANES]) -> I::I;
    /// 16 integers, each clamped to the span.
    fn narrow<I: Isa>(isa: I, v: I::I) -> [Self; LANES];
    /// `max(low, clamp(rne(v) + zero_point))` of vectors at once, by the rules of [`Isa::f_store_u8`].
    fn store<I: Isa, const V: usize>(
        isa: I,
        v: [I::F; V],
        zero_point: i32,
        low: i32,
        to: &mut [[Self; LANES]; V],
    );
    /// The larger ones of two times 16.
    fn larger<I: Isa>(isa: I, a: &[Self; LANES], b: &[Self; LANES]) -> [Self; LANES];
}

macro_rules! byte {
    ($t:ty, $from:ident, $to:ident, $max:ident) => {
        impl Byte for $t {
            #[inline(always)]
            fn int(self) -> i32 {
                self.into()
            }
            #[inline(always)]
            fn from_int(v: i32) -> Self {
                v as Self
            }
            #[inline(always)]
            fn widen<I: Isa>(isa: I, q: &[Self; LANES]) -> I::I {
                isa.$from(q)
            }
            #[inline(always)]
            fn narrow<I: Isa>(isa: I, v: I::I) -> [Self; LANES] {
                isa.$to(v)
            }
            #[inline(always)]
            fn store<I: Isa, const V: usize>(
                isa: I,
                v: [I::F; V],
                zero_point: i32,
                low: i32,
                to: &mut [[Self; LANES]; V],
            ) {
                // Signed bytes are unsigned ones less 128, which is their highest bit turned.
                const LEAST: i32 = <$t as Stored>::SPAN.min;
                let mut bytes = [[0; LANES]; V];
                isa.f_store_u8(v, (zero_point - LEAST) as i16, (low - LEAST) as u8, &mut bytes);
                *to = bytes.map(|bytes| bytes.map(|byte| (byte ^ LEAST as u8) as Self));
            }
            #[inline(always)]
            fn larger<I: Isa>(isa: I, a: &[Self; LANES], b: &[Self; LANES]) -> [Self; LANES] {
                isa.$max(a, b)
            }
        }
    };
}
byte!(u8, i_from_u8, i_to_u8, u8_max);
byte!(i8, i_from_i8, i_to_i8, i8_max);
