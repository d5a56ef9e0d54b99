//! Between real numbers and stored integers.

use qrs::isa::{Isa, Kernel, Level};
use qrs::parallel::set_num_threads;
use qrs::qparams::{
    Dequantizer, QINT8, QINT32, QParams, QUINT7, QUINT8, Quantizer, RealQParams, Rounding, Span,
};
use qrs::quantize::{Axis, Source, Stored, dequantize, min_max, quantize};
use qrs::reference::quantize as reference;
use qrs::table::{Table, reals};

use super::{Bits, Hash, Rng, same};

const ROUNDINGS: [Rounding; 2] = [Rounding::ThenAdd, Rounding::AfterFma];

/// Floats that are easy to get wrong at this scale: ties, ends of the range, and no numbers at all.
fn floats(rng: &mut Rng, len: usize, params: QParams, span: Span) -> Vec<f32> {
    let QParams { scale, zero_point } = params;
    rng.vec(len, |rng| match rng.int(0, 9) {
        0 => rng.any_float(),
        1 => [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MAX, 1e-45]
            [rng.int(0, 5) as usize],
        2 => span.max.wrapping_sub(zero_point) as f32 * scale,
        3 => span.min.wrapping_sub(zero_point) as f32 * scale,
        4..=6 => (rng.int(-300, 300) as f32 + 0.5) * scale,
        _ => rng.float(-300.0, 300.0) * scale,
    })
}

fn quantized<S: Source, T: Stored>(level: Level, x: &[S], axis: Axis, by: &[Quantizer]) -> Vec<T> {
    let mut out = vec![T::default(); x.len()];
    quantize(level, x, axis, by, &mut out).expect("lengths agree");
    out
}

fn dequantized<T: Stored>(level: Level, q: &[T], axis: Axis, by: &[Dequantizer]) -> Vec<f32> {
    let mut out = vec![0.0; q.len()];
    dequantize(level, q, axis, by, &mut out).expect("lengths agree");
    out
}

/// There and back for one type: lengths of all tails, zero points at both ends, both roundings.
fn whole<T: Stored + Bits + TryFrom<i32>>(level: Level, hash: &mut Hash, spans: &[Span])
where
    i32: From<T>,
{
    let mut rng = Rng(11);
    let narrow = |q: i32| T::try_from(q).ok().expect("within the type");
    for len in 0..70 {
        for &span in spans {
            let zero_points = [span.min, span.max, 0.clamp(span.min, span.max), 7, 64];
            let zero_point = zero_points[len % zero_points.len()];
            for scale in [0.5, 0.002_148_548_6, rng.float(1e-3, 2.0), 1e-38, 1e30] {
                let params = QParams { scale, zero_point };
                let x = floats(&mut rng, len, params, span);
                for rounding in ROUNDINGS {
                    if T::SPAN == QINT32 && rounding == Rounding::AfterFma {
                        continue; // used for bytes only
                    }
                    let what = format!("{len} values, {params:?}, {span:?}, {rounding:?}");
                    let got: Vec<T> =
                        quantized(level, &x, Axis::none(len), &[params.quantizer(span, rounding)]);
                    let wanted: Vec<_> = x
                        .iter()
                        .map(|&x| narrow(reference::quantize(x, scale, zero_point, rounding, span)))
                        .collect();
                    same(hash, "quantize", level, &what, &got, &wanted);
                    let back = dequantized(level, &got, Axis::none(len), &[params.dequantizer()]);
                    let wanted: Vec<_> = got
                        .iter()
                        .map(|&q| reference::dequantize(q.into(), scale, zero_point))
                        .collect();
                    same(hash, "dequantize", level, &what, &back, &wanted);
                }
            }
        }
    }
}

/// Unsigned, signed and 32-bit integers with one scale.
pub fn per_tensor(level: Level) -> u64 {
    let mut hash = Hash::default();
    whole::<u8>(level, &mut hash, &[QUINT8, QUINT7, Span { min: 0, max: 15 }]);
    whole::<i8>(level, &mut hash, &[QINT8, Span { min: -127, max: 127 }]);
    whole::<i32>(level, &mut hash, &[QINT32]);
    hash.0
}

/// One scale per channel, integer or real zero points, the channels at every place.
pub fn per_channel(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(12);
    for (outer, channels, inner) in [
        (1, 5, 40),
        (3, 4, 9),
        (2, 17, 1),
        (7, 33, 1),
        (1, 1, 1),
        (4, 16, 16),
        (0, 3, 5),
        (2, 3, 0),
    ] {
        let axis = Axis { outer, channels, inner };
        let len = outer * channels * inner;
        let channel = |i: usize| i / inner % channels;
        let params = rng.vec(channels, |rng| QParams {
            scale: rng.float(0.01, 1.0),
            zero_point: rng.int(-128, 127),
        });
        let x = floats(&mut rng, len, params[0], QINT8);
        let by: Vec<_> = params.iter().map(|p| p.quantizer(QINT8, Rounding::ThenAdd)).collect();
        let got: Vec<i8> = quantized(level, &x, axis, &by);
        let wanted: Vec<_> = x
            .iter()
            .enumerate()
            .map(|(i, &x)| {
                let QParams { scale, zero_point } = params[channel(i)];
                reference::quantize(x, scale, zero_point, Rounding::ThenAdd, QINT8) as i8
            })
            .collect();
        same(&mut hash, "quantize per channel", level, format!("{axis:?}"), &got, &wanted);
        let by: Vec<_> = params.iter().map(|p| p.dequantizer()).collect();
        let back = dequantized(level, &got, axis, &by);
        let wanted: Vec<_> = got
            .iter()
            .enumerate()
            .map(|(i, &q)| {
                let QParams { scale, zero_point } = params[channel(i)];
                reference::dequantize(q.into(), scale, zero_point)
            })
            .collect();
        same(&mut hash, "dequantize per channel", level, format!("{axis:?}"), &back, &wanted);

        let params = rng.vec(channels, |rng| RealQParams {
            scale: rng.float(0.01, 1.0),
            zero_point: rng.float(-10.0, 265.0),
        });
        let by: Vec<_> = params.iter().map(|p| p.quantizer(QUINT8)).collect();
        let got: Vec<u8> = quantized(level, &x, axis, &by);
        let wanted: Vec<_> = x
            .iter()
            .enumerate()
            .map(|(i, &x)| {
                let RealQParams { scale, zero_point } = params[channel(i)];
                reference::quantize_real(x, scale, zero_point, QUINT8) as u8
            })
            .collect();
        same(&mut hash, "quantize, real zero point", level, format!("{axis:?}"), &got, &wanted);
        let by: Vec<_> = params.iter().map(|p| p.dequantizer()).collect();
        let back = dequantized(level, &got, axis, &by);
        let wanted: Vec<_> = got
            .iter()
            .enumerate()
            .map(|(i, &q)| {
                let RealQParams { scale, zero_point } = params[channel(i)];
                reference::dequantize_real(q.into(), scale, zero_point)
            })
            .collect();
        same(&mut hash, "dequantize, real zero point", level, format!("{axis:?}"), &back, &wanted);
    }
    hash.0
}

/// Sums back to bytes: ends of 32 bits, ties, multipliers from tiny to huge.
pub fn requantize(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(13);
    for len in 0..70 {
        for multiplier in [0.5, 1.0, 0.001_234_5, 1e-30, 3e38, rng.float(1e-6, 1e-2)] {
            let acc = rng.vec(len, |rng| match rng.int(0, 3) {
                0 => rng.bits() as i32,
                1 => [i32::MIN, i32::MAX, 0, -1, 1 << 24, (1 << 24) + 1][rng.int(0, 5) as usize],
                _ => rng.int(-1000, 1000),
            });
            for (zero_point, span) in [(0, QUINT8), (255, QUINT8), (131, QUINT8), (100, QUINT7)] {
                let by = Quantizer { inv_scale: multiplier, before: 0.0, after: zero_point, span };
                let got: Vec<u8> = quantized(level, &acc, Axis::none(len), &[by]);
                let wanted: Vec<_> = acc
                    .iter()
                    .map(|&a| reference::requantize(a, multiplier, zero_point, span) as u8)
                    .collect();
                let what = format!("{len} sums, x {multiplier}, + {zero_point}, {span:?}");
                same(&mut hash, "requantize", level, what, &got, &wanted);
            }
        }
    }
    hash.0
}

struct MinMax<'a>(&'a [f32]);

impl Kernel for MinMax<'_> {
    type Output = (f32, f32, bool);
    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Self::Output {
        min_max(isa, self.0)
    }
}

/// Bounds of all lengths, and one value that is not finite at every place.
pub fn bounds(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(14);
    for len in 0..150 {
        let mut x = rng.floats(len, -5.0, 5.0);
        for v in &mut x {
            if rng.int(0, 4) == 0 {
                *v = if rng.int(0, 1) == 0 { 0.0 } else { -0.0 };
            }
        }
        let (min, max, finite) = level.run(MinMax(&x));
        let low = x.iter().fold(f32::INFINITY, |a, &b| a.min(b)) + 0.0;
        let high = x.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b)) + 0.0;
        same(&mut hash, "min_max", level, format!("{len} values"), &[min, max], &[low, high]);
        assert!(finite, "min_max on {}: {len} finite values are called not finite", level.name());
        for i in 0..len {
            for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let good = std::mem::replace(&mut x[i], bad);
                let (_, _, finite) = level.run(MinMax(&x));
                assert!(!finite, "min_max on {}: {bad} at {i} of {len} is missed", level.name());
                x[i] = good;
            }
        }
    }
    hash.0
}

/// Every 65537th bit pattern of a float.
pub fn sampled(level: Level) -> u64 {
    let mut hash = Hash::default();
    let x: Vec<f32> = (0..=u16::MAX).map(|i| f32::from_bits(u32::from(i) * 65_537)).collect();
    let params = QParams { scale: 0.013, zero_point: 77 };
    for rounding in ROUNDINGS {
        let by = params.quantizer(QUINT8, rounding);
        let got: Vec<u8> = quantized(level, &x, Axis::none(x.len()), &[by]);
        let wanted: Vec<_> = x
            .iter()
            .map(|&x| reference::quantize(x, params.scale, 77, rounding, QUINT8) as u8)
            .collect();
        same(&mut hash, "quantize", level, format!("all exponents, {rounding:?}"), &got, &wanted);
    }
    hash.0
}

/// Results on 1, 2, 3 and 8 threads, of tensors large enough to be shared out.
pub fn threads(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(15);
    let x = rng.floats(240_000, -3.0, 3.0);
    for (outer, channels, inner) in [(1, 1, 240_000), (3, 8, 10_000), (10_000, 24, 1)] {
        let axis = Axis { outer, channels, inner };
        let params =
            rng.vec(channels, |rng| QParams { scale: rng.float(0.01, 0.1), zero_point: 128 });
        let by: Vec<_> = params.iter().map(|p| p.quantizer(QUINT8, Rounding::ThenAdd)).collect();
        let back: Vec<_> = params.iter().map(|p| p.dequantizer()).collect();
        let wanted: Vec<u8> = quantized(level, &x, axis, &by);
        let reals = dequantized(level, &wanted, axis, &back);
        for n in [1, 2, 3, 8] {
            set_num_threads(n).expect("a valid number");
            let what = format!("{axis:?}, {n} threads");
            same(
                &mut hash,
                "quantize",
                level,
                &what,
                &quantized::<_, u8>(level, &x, axis, &by),
                &wanted,
            );
            same(
                &mut hash,
                "dequantize",
                level,
                &what,
                &dequantized(level, &wanted, axis, &back),
                &reals,
            );
        }
    }
    hash.0
}

/// A table gives what the function gives, for unsigned and signed bytes.
pub fn table(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(16);
    let function = |x: f32| x * x - 1.0;
    for (span, signed) in [(QUINT8, false), (QINT8, true)] {
        let input = QParams { scale: 0.02, zero_point: rng.int(span.min, span.max) };
        let output = QParams { scale: 0.01, zero_point: rng.int(span.min, span.max) };
        let values = reals(input.dequantizer(), signed).map(function);
        let table = Table::new(&values, output.quantizer(span, Rounding::ThenAdd));
        for len in (0..70).chain([1000, 300_000]) {
            let x = rng.bytes(len);
            let wanted: Vec<u8> = x
                .iter()
                .map(|&b| {
                    let q = if signed { i32::from(b as i8) } else { i32::from(b) };
                    let y = function(reference::dequantize(q, input.scale, input.zero_point));
                    let QParams { scale, zero_point } = output;
                    reference::quantize(y, scale, zero_point, Rounding::ThenAdd, span) as u8
                })
                .collect();
            let mut got = vec![0; len];
            table.apply(level, &x, &mut got).expect("lengths agree");
            same(&mut hash, "table", level, format!("{len} bytes, signed={signed}"), &got, &wanted);
        }
    }
    hash.0
}
