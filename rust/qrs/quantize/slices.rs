//! Quantization of slices: pieces for fused kernels. Each gives the same bits on every level and takes
//! any length.

use crate::isa::{Isa, LANES};
use crate::qparams::{Dequantizer, QINT8, QINT32, QUINT8, Quantizer, Span};

/// Smallest and largest value of `x`, and whether every value is finite. The bounds mean nothing
/// when some value is not; they are `(inf, -inf)` when `x` is empty. A zero is always `+0.0`.
#[inline(always)]
pub fn min_max<I: Isa>(isa: I, x: &[f32]) -> (f32, f32, bool) {
    // `x * 0` is 0 unless x is NaN or infinite, and a NaN stays in a sum: one operation finds both.
    // Two chains hide its latency; four would not fit AVX2's registers and ran at half the speed.
    let zero = isa.f_splat(0.0);
    let mut low = [isa.f_splat(f32::INFINITY); 2];
    let mut high = [isa.f_splat(f32::NEG_INFINITY); 2];
    let mut check = [zero; 2];
    let (chunks, rest) = x.as_chunks::<LANES>();
    let (pairs, single) = chunks.as_chunks::<2>();
    for pair in pairs {
        for j in 0..2 {
            let v = isa.f_load(&pair[j]);
            low[j] = isa.f_min(v, low[j]);
            high[j] = isa.f_max(v, high[j]);
            check[j] = isa.f_fma(v, zero, check[j]);
        }
    }
    let mut last = [x.first().copied().unwrap_or(0.0); LANES];
    last[..rest.len()].copy_from_slice(rest);
    let padded = [last];
    let tail: &[[f32; LANES]] = if rest.is_empty() { &[] } else { &padded };
    for chunk in single.iter().chain(tail) {
        let v = isa.f_load(chunk);
        low[0] = isa.f_min(v, low[0]);
        high[0] = isa.f_max(v, high[0]);
        check[0] = isa.f_fma(v, zero, check[0]);
    }
    let mut lanes = [[0.0; LANES]; 3];
    isa.f_store(isa.f_min(low[0], low[1]), &mut lanes[0]);
    isa.f_store(isa.f_max(high[0], high[1]), &mut lanes[1]);
    isa.f_store(isa.f_add(check[0], check[1]), &mut lanes[2]);
    let [mut low, mut high, mut check] = lanes;
    for width in [8, 4, 2, 1] {
        for j in 0..width {
            let (a, b) = (low[j], low[j + width]);
            low[j] = if a < b { a } else { b };
            let (a, b) = (high[j], high[j + width]);
            high[j] = if a > b { a } else { b };
            check[j] += check[j + width];
        }
    }
    (low[0] + 0.0, high[0] + 0.0, check[0] == 0.0)
}

/// A [`Quantizer`] in registers, for spans of 8 bits.
#[derive(Clone, Copy)]
pub struct Steps<I: Isa> {
    inv_scale: I::F,
    before: I::F,
    after: I::I,
    low: I::F,
    high: I::F,
}

impl<I: Isa> Steps<I> {
    /// The same quantizer in every lane.
    #[inline(always)]
    pub fn new(isa: I, by: Quantizer) -> Self {
        let (low, high) = by.bounds();
        Self {
            inv_scale: isa.f_splat(by.inv_scale),
            before: isa.f_splat(by.before),
            after: isa.i_splat(by.after),
            low: isa.f_splat(low),
            high: isa.f_splat(high),
        }
    }

    /// A quantizer of its own in each lane; lanes without one give 0.
    #[inline(always)]
    pub(super) fn load(isa: I, by: &[Quantizer]) -> Self {
        let [mut inv_scale, mut before, mut low, mut high] = [[0.0; LANES]; 4];
        let mut after = [0; LANES];
        for (j, by) in by.iter().enumerate() {
            (inv_scale[j], before[j], after[j]) = (by.inv_scale, by.before, by.after);
            (low[j], high[j]) = by.bounds();
        }
        Self {
            inv_scale: isa.f_load(&inv_scale),
            before: isa.f_load(&before),
            after: isa.i_load(&after),
            low: isa.f_load(&low),
            high: isa.f_load(&high),
        }
    }

    /// The stored integers of 16 values. NaN counts as 0.
    #[inline(always)]
    pub fn of(&self, isa: I, x: I::F) -> I::I {
        self.of_number(isa, isa.f_nan_to_zero(x))
    }

    /// As [`Steps::of`] for values that are not NaN.
    #[inline(always)]
    pub fn of_number(&self, isa: I, x: I::F) -> I::I {
        isa.i_add(isa.f_to_i(self.bounded(isa, x)), self.after)
    }

    /// What [`Steps::of_number`] rounds, before the zero point is added.
    #[inline(always)]
    pub fn bounded(&self, isa: I, x: I::F) -> I::F {
        // The bounds are integers, so clamping before the rounding is clamping after it.
        isa.f_min(isa.f_max(self.unbounded(isa, x), self.low), self.high)
    }

    /// As [`Steps::bounded`] without the bounds.
    #[inline(always)]
    pub fn unbounded(&self, isa: I, x: I::F) -> I::F {
        isa.f_fma(x, self.inv_scale, self.before)
    }
}

/// A [`Dequantizer`] in registers.
#[derive(Clone, Copy)]
pub(super) struct Reals<I: Isa> {
    scale: I::F,
    zero_point: I::I,
    offset: I::F,
}

impl<I: Isa> Reals<I> {
    #[inline(always)]
    fn new(isa: I, by: Dequantizer) -> Self {
        Self {
            scale: isa.f_splat(by.scale),
            zero_point: isa.i_splat(by.zero_point),
            offset: isa.f_splat(by.offset),
        }
    }

    #[inline(always)]
    pub(super) fn load(isa: I, by: &[Dequantizer]) -> Self {
        let (mut scale, mut zero_point, mut offset) = ([0.0; LANES], [0; LANES], [0.0; LANES]);
        for (j, by) in by.iter().enumerate() {
            (scale[j], zero_point[j], offset[j]) = (by.scale, by.zero_point, by.offset);
        }
        Self {
            scale: isa.f_load(&scale),
            zero_point: isa.i_load(&zero_point),
            offset: isa.f_load(&offset),
        }
    }

    #[inline(always)]
    pub(super) fn of<T: Stored>(&self, isa: I, q: &[T; LANES]) -> [f32; LANES] {
        let distance = isa.f_sub(T::distance(isa, q, self.zero_point), self.offset);
        let mut x = [0.0; LANES];
        isa.f_store(isa.f_mul(distance, self.scale), &mut x);
        x
    }
}

/// A type that stored integers have: `u8`, `i8` or `i32`.
pub trait Stored: Copy + Default + Send + Sync + 'static {
    /// All its values.
    const SPAN: Span;
    /// Stored integers of 16 values; `steps` are `by`, which is one for all lanes or one for each.
    fn quantize<I: Isa>(isa: I, by: &[Quantizer], steps: &Steps<I>, x: I::F) -> [Self; LANES];
    /// `f32(q - z)`, rounded once.
    fn distance<I: Isa>(isa: I, q: &[Self; LANES], zero_point: I::I) -> I::F;
}

macro_rules! stored_byte {
    ($t:ty, $span:ident, $to:ident, $from:ident) => {
        impl Stored for $t {
            const SPAN: Span = $span;
            #[inline(always)]
            fn quantize<I: Isa>(
                isa: I,
                _: &[Quantizer],
                steps: &Steps<I>,
                x: I::F,
            ) -> [Self; LANES] {
                isa.$to(steps.of(isa, x))
            }
            #[inline(always)]
            fn distance<I: Isa>(isa: I, q: &[Self; LANES], zero_point: I::I) -> I::F {
                isa.f_from_i(isa.i_sub(isa.$from(q), zero_point))
            }
        }
    };
}
stored_byte!(u8, QUINT8, i_to_u8, i_from_u8);
stored_byte!(i8, QINT8, i_to_i8, i_from_i8);

/// In 64 bits, lane by lane: the ends of the range are no floats, and differences need 33 bits.
impl Stored for i32 {
    const SPAN: Span = QINT32;
    #[inline(always)]
    fn quantize<I: Isa>(isa: I, by: &[Quantizer], _: &Steps<I>, x: I::F) -> [Self; LANES] {
        let (mut values, mut out) = ([0.0; LANES], [0; LANES]);
        isa.f_store(x, &mut values);
        for j in 0..LANES {
            out[j] = by[j.min(by.len() - 1)].quantize(values[j]);
        }
        out
    }
    #[inline(always)]
    fn distance<I: Isa>(isa: I, q: &[Self; LANES], zero_point: I::I) -> I::F {
        let (mut z, mut out) = ([0; LANES], [0.0; LANES]);
        isa.i_store(zero_point, &mut z);
        for j in 0..LANES {
            out[j] = (i64::from(q[j]) - i64::from(z[j])) as f32;
        }
        isa.f_load(&out)
    }
}

/// What is quantized: floats, or integer sums.
pub trait Source: Copy + Default + Send + Sync + 'static {
    /// 16 of them as floats.
    fn load<I: Isa>(isa: I, x: &[Self; LANES]) -> I::F;
}

impl Source for f32 {
    #[inline(always)]
    fn load<I: Isa>(isa: I, x: &[Self; LANES]) -> I::F {
        isa.f_load(x)
    }
}

impl Source for i32 {
    #[inline(always)]
    fn load<I: Isa>(isa: I, x: &[Self; LANES]) -> I::F {
        isa.f_from_i(isa.i_load(x))
    }
}

/// Evaluates `$body` for each 16 of `$x`, numbered, into `$out`, the rest of both padded.
macro_rules! for_each_chunk {
    ($x:expr, $out:expr, |$i:pat_param, $chunk:ident| $body:expr) => {{
        let (chunks, rest) = $x.as_chunks::<LANES>();
        let (rooms, tail) = $out.as_chunks_mut::<LANES>();
        assert!(chunks.len() == rooms.len() && rest.len() == tail.len(), "lengths differ");
        for (i, ($chunk, room)) in chunks.iter().zip(rooms).enumerate() {
            let $i = i;
            *room = $body;
        }
        if !rest.is_empty() {
            let mut last = [Default::default(); LANES];
            last[..rest.len()].copy_from_slice(rest);
            let ($i, $chunk) = (chunks.len(), &last);
            tail.copy_from_slice(&$body[..rest.len()]);
        }
    }};
}

/// `out[i]` = stored integer of `x[i]`; the span of `by` lies within that of `T`.
#[inline(always)]
pub fn quantize_slice<I: Isa, S: Source, T: Stored>(isa: I, x: &[S], by: Quantizer, out: &mut [T]) {
    let steps = Steps::new(isa, by);
    for_each_chunk!(x, out, |_, chunk| T::quantize(isa, &[by], &steps, S::load(isa, chunk)));
}

/// [`quantize_slice`] of floats to bytes.
#[inline(always)]
pub fn quantize_u8<I: Isa>(isa: I, x: &[f32], by: Quantizer, out: &mut [u8]) {
    quantize_slice(isa, x, by, out);
}

/// `out[i]` = the real number that `q[i]` stands for.
#[inline(always)]
pub fn dequantize_slice<I: Isa, T: Stored>(isa: I, q: &[T], by: Dequantizer, out: &mut [f32]) {
    let reals = Reals::new(isa, by);
    for_each_chunk!(q, out, |_, chunk| reals.of(isa, chunk));
}

pub(super) use for_each_chunk;
