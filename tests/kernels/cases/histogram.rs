//! Counts in bins, and the ranges that are chosen from them.

use qrs::histogram::{Bins, Candidate, count, divergences, least_error_range, squared_errors};
use qrs::isa::Level;
use qrs::parallel::set_num_threads;
use qrs::qparams::{QINT8, QUINT7, QUINT8, Span};
use qrs::reference::histogram as reference;

use super::{Hash, Rng, same};

fn counted(level: Level, x: &[f32], place: Bins, bins: usize) -> Vec<i64> {
    let mut counts = vec![0; bins];
    count(level, x, place, &mut counts).expect("bins of some width");
    counts
}

/// Every length of tail, values at the borders of bins and far outside, widths of all magnitudes.
pub fn counts(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(81);
    let intervals = [
        (-1.0, 1.0),
        (0.0, 1e-45),
        (0.1, 0.100_000_01),
        (-3e38, 3e38),
        (5.0, 1e30),
        (-1e-40, 1e-40),
    ];
    for bins in [1, 2, 7, 256, 2048] {
        for len in (0..40).chain([1000]) {
            for (lo, hi) in intervals {
                let x = rng.vec(len, |rng| match rng.int(0, 5) {
                    0 => lo,
                    1 => hi,
                    2 => rng.any_float(),
                    3 => lo + (hi - lo) * (rng.int(0, bins) as f32 / bins as f32),
                    _ => rng.float(lo / 2.0, hi / 2.0) * 2.0,
                });
                let x: Vec<f32> = x.into_iter().filter(|v| !v.is_nan()).collect();
                let (place, bins) = (Bins::Interval { lo, hi }, bins as usize);
                let what = format!("{len} values in {bins} bins on {lo}..{hi}");
                let wanted = reference::count(&x, place, bins);
                same(
                    &mut hash,
                    "histogram",
                    level,
                    what,
                    &counted(level, &x, place, bins),
                    &wanted,
                );
            }
            for exponent in [-178, -130, -12, 0, 3, 100, 127, 130] {
                let first = rng.int(-bins, 3);
                let width = f64::from(exponent).exp2();
                let x = rng.vec(len, |rng| match rng.int(0, 3) {
                    0 => [0.0, -0.0, 1e-45, -1e-45, f32::MAX, f32::MIN][rng.int(0, 5) as usize],
                    1 => rng.any_float(),
                    2 => (width * f64::from(rng.int(first, first + bins))) as f32,
                    _ => (width * f64::from(rng.float(first as f32, (first + bins) as f32))) as f32,
                });
                let x: Vec<f32> = x.into_iter().filter(|v| v.is_finite()).collect();
                let (place, bins) = (Bins::Grid { first, exponent }, bins as usize);
                let what = format!("{len} values in {bins} bins from {first} of 2^{exponent}");
                let wanted = reference::count(&x, place, bins);
                same(
                    &mut hash,
                    "histogram",
                    level,
                    what,
                    &counted(level, &x, place, bins),
                    &wanted,
                );
            }
        }
    }
    hash.0
}

#[track_caller]
fn near(what: &str, got: f64, wanted: f64) {
    let both_infinite = got.is_infinite() && wanted.is_infinite();
    let close = both_infinite || (got - wanted).abs() <= 1e-9 * wanted.abs().max(1e-3);
    assert!(close, "{what}: {got}, wanted {wanted}");
}

/// A histogram with empty bins, a peak and outliers.
fn histogram(rng: &mut Rng, bins: usize) -> Vec<i64> {
    let peak = rng.int(0, bins as i32 - 1);
    (0..bins as i32)
        .map(|i| match rng.int(0, 3) {
            0 => 0,
            1 => i64::from(rng.int(0, 3)),
            _ => i64::from(rng.int(0, 4000) / (1 + (i - peak).abs())),
        })
        .collect()
}

/// The walk inwards, and the loss of candidates under each range of integers.
pub fn ranges(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(82);
    for bins in [1, 2, 5, 64, 300] {
        for levels in [16, 256] {
            let counts = histogram(&mut rng, bins);
            let floats: Vec<f32> = counts.iter().map(|&n| n as f32).collect();
            let width = f64::from(rng.float(1e-3, 10.0));
            let (start, end) = least_error_range(level, &floats, width, levels);
            let error = |start, end| reference::step_error(&floats, width, start, end, levels);
            let (left, right) = walked(&floats, error);
            assert_eq!((start, end), (left, right), "{bins} bins, {levels} levels");
            hash.add(&[start as u64, end as u64]);
        }
        for span in [QUINT8, QUINT7, QINT8, Span { min: 0, max: 15 }] {
            let mut counts = histogram(&mut rng, bins);
            counts[bins / 2] += 1;
            let from = rng.float(-2.0, 0.5);
            let centres: Vec<f64> = (0..bins).map(|i| f64::from(from) + 0.25 * i as f64).collect();
            let candidates = rng.vec(20, |rng| {
                let (lo, hi) = (rng.float(-2.0, 0.0), rng.float(0.0, 0.25 * bins as f32));
                let scale = f64::from((hi - lo).max(0.01)) / f64::from(span.max - span.min);
                let zero_point = f64::from(rng.int(span.min, span.max));
                Candidate { lo: lo.into(), hi: hi.into(), scale, zero_point }
            });
            let squares = squared_errors(level, &counts, &centres, &candidates, span).expect("fit");
            let lost = divergences(level, &counts, &centres, &candidates, span).expect("fit");
            for (i, &by) in candidates.iter().enumerate() {
                let what = format!("{bins} bins, {span:?}, {by:?}");
                let wanted = reference::squared_error(&counts, &centres, by, span);
                near(&format!("squared error, {what}"), squares[i], wanted);
                let wanted = reference::divergence(&counts, &centres, by, span);
                near(&format!("divergence, {what}"), lost[i], wanted);
            }
            hash.add(&squares.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
            hash.add(&lost.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
        }
    }
    hash.0
}

/// The walk of the specification, with masses summed anew each time.
fn walked(counts: &[f32], error: impl Fn(usize, usize) -> f64) -> (usize, usize) {
    let mass = |upto: usize| counts[..=upto].iter().map(|&n| f64::from(n)).sum::<f64>();
    let total = mass(counts.len() - 1);
    let (mut start, mut end, mut best) = (0, counts.len() - 1, f64::INFINITY);
    let (mut alpha, mut beta) = (0.0, 1.0);
    while alpha < beta {
        let (a, b) = (alpha + 1e-5, beta - 1e-5);
        let left = (start..end).find(|&i| mass(i) >= a * total).unwrap_or(end);
        let right = (start + 1..=end).rev().find(|&i| mass(i) <= b * total).unwrap_or(start);
        let cut = if left - start > end - right { (left, end) } else { (start, right) };
        if cut.1 == end && left - start > end - right {
            alpha = a;
        } else {
            beta = b;
        }
        if cut != (start, end) {
            let now = error(cut.0, cut.1);
            if now > best {
                break;
            }
            (best, start, end) = (now, cut.0, cut.1);
        }
    }
    (start, end)
}

/// Counts on 1, 2, 3 and 8 threads.
pub fn threads(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(83);
    let x = rng.floats(200_003, -4.0, 3.0);
    let places = [Bins::Interval { lo: -4.0, hi: 3.0 }, Bins::Grid { first: -1024, exponent: -8 }];
    for place in places {
        let wanted = reference::count(&x, place, 2048);
        for n in [1, 2, 3, 8] {
            set_num_threads(n).expect("a valid number");
            let what = format!("{n} threads");
            same(&mut hash, "histogram", level, what, &counted(level, &x, place, 2048), &wanted);
        }
    }
    hash.0
}
