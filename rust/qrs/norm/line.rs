//! A line through each byte: what every normalization ends in.

use super::padded;
use crate::byte::Byte;
use crate::isa::{Isa, LANES};
use crate::quantize::Steps;

/// One number for a whole row, or one for each of its places.
#[derive(Clone, Copy)]
pub(super) enum Factor<'a> {
    All(f32),
    Each(&'a [f32]),
}

impl Factor<'_> {
    /// The numbers of places `16 i..`.
    #[inline(always)]
    fn at<I: Isa>(self, isa: I, i: usize) -> I::F {
        match self {
            Factor::All(v) => isa.f_splat(v),
            Factor::Each(values) => match values[LANES * i..].first_chunk::<LANES>() {
                Some(chunk) => isa.f_load(chunk),
                None => isa.f_load(&padded(&values[LANES * i..], 0.0)),
            },
        }
    }
}

/// `y = fma((d - center) * scale, factor, shift)`.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub center: Factor<'a>,
    pub scale: f32,
    pub factor: Factor<'a>,
    pub shift: Factor<'a>,
}

/// Bytes of `out` from those of `x`. Centers and scales are all 0 and 1 unless `CENTER`.
#[inline(always)]
pub(super) fn apply<I: Isa, T: Byte, const CENTER: bool>(
    isa: I,
    x: &[T],
    zero_point: I::I,
    line: Line<'_>,
    steps: &Steps<I>,
    out: &mut [T],
) {
    let scale = isa.f_splat(line.scale);
    let (chunks, rest) = x.as_chunks::<LANES>();
    let (rooms, tail) = out.as_chunks_mut::<LANES>();
    let mut last = [T::default(); LANES];
    last[..rest.len()].copy_from_slice(rest);
    for i in 0..rooms.len() + usize::from(!rest.is_empty()) {
        let chunk = chunks.get(i).unwrap_or(&last);
        let mut d = isa.f_from_i(isa.i_sub(T::widen(isa, chunk), zero_point));
        if CENTER {
            d = isa.f_mul(isa.f_sub(d, line.center.at(isa, i)), scale);
        }
        let y = isa.f_fma(d, line.factor.at(isa, i), line.shift.at(isa, i));
        let bytes: [T; LANES] = T::narrow(isa, steps.of(isa, y));
        match rooms.get_mut(i) {
            Some(room) => *room = bytes,
            None => tail.copy_from_slice(&bytes[..tail.len()]),
        }
    }
}
