//! The two types of bytes that tensors store, under one name.

use crate::isa::{Isa, LANES, WIDE};
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
    /// 64 integers, each clamped to the span.
    fn narrow_wide<I: Isa>(isa: I, v: [I::I; WIDE]) -> [[Self; LANES]; WIDE];
    /// The larger ones of two times 16.
    fn larger<I: Isa>(isa: I, a: &[Self; LANES], b: &[Self; LANES]) -> [Self; LANES];
}

macro_rules! byte {
    ($t:ty, $from:ident, $to:ident, $wide:ident, $max:ident) => {
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
            fn narrow_wide<I: Isa>(isa: I, v: [I::I; WIDE]) -> [[Self; LANES]; WIDE] {
                isa.$wide(v)
            }
            #[inline(always)]
            fn larger<I: Isa>(isa: I, a: &[Self; LANES], b: &[Self; LANES]) -> [Self; LANES] {
                isa.$max(a, b)
            }
        }
    };
}
byte!(u8, i_from_u8, i_to_u8, i_to_u8_wide, u8_max);
byte!(i8, i_from_i8, i_to_i8, i_to_i8_wide, i8_max);
