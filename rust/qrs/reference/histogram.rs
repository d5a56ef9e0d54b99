//! Histograms, one value at a time, and what a range loses, by its definition.

use super::quantize::nearest_even;
use crate::histogram::{Bins, Candidate};
use crate::qparams::Span;

/// The bin of `x` among `bins` of them.
#[must_use]
pub fn bin(x: f32, place: Bins, bins: usize) -> usize {
    let number = match place {
        Bins::Interval { lo, hi } => {
            // Every step is rounded to f32; where the width has none, all is halved.
            let unit = if f64::from(hi) - f64::from(lo) <= f64::from(f32::MAX) { 1.0 } else { 0.5 };
            let f32 = |v: f64| f64::from(v as f32);
            let [x, lo, hi] = [x, lo, hi].map(|v| f32(unit * f64::from(v)));
            f32(f32(f32(x - lo) / f32(hi - lo)) * bins as f64).floor()
        }
        Bins::Grid { first, exponent } => {
            (f64::from(x) * 2.0_f64.powi(-exponent)).floor() - f64::from(first)
        }
    };
    number.max(0.0).min(bins as f64 - 1.0) as usize
}

/// Counts of all values.
#[must_use]
pub fn count(x: &[f32], place: Bins, bins: usize) -> Vec<i64> {
    let mut counts = vec![0; bins];
    for &x in x {
        counts[bin(x, place, bins)] += 1;
    }
    counts
}

/// The integral of the squared distance to the nearest of `levels` centres of equal steps that cover
/// bins `start..=end`, each bin's mass spread evenly over it: piece by piece between their borders.
#[must_use]
pub fn step_error(counts: &[f32], width: f64, start: usize, end: usize, levels: usize) -> f64 {
    let step = width * (end - start + 1) as f64 / levels as f64;
    let mut error = 0.0;
    for (i, &count) in counts.iter().enumerate() {
        let begin = (i as f64 - start as f64) * width;
        let inner = (1..levels).map(|j| j as f64 * step);
        let mut borders = vec![begin];
        borders.extend(inner.filter(|&t| begin < t && t < begin + width));
        borders.push(begin + width);
        for piece in borders.windows(2) {
            let middle = f64::midpoint(piece[0], piece[1]);
            let index = (middle / step).floor().clamp(0.0, levels as f64 - 1.0);
            let [from, to] = [piece[0], piece[1]].map(|t| t - (index + 0.5) * step);
            error += f64::from(count) / width * (to.powi(3) - from.powi(3)) / 3.0;
        }
    }
    error
}

/// Squared error of all values, each at the centre of its bin, quantized and back.
#[must_use]
pub fn squared_error(counts: &[i64], centres: &[f64], by: Candidate, span: Span) -> f64 {
    let lost = |x: f64| x - (stored(x, by, span) as f64 - by.zero_point) * by.scale;
    counts.iter().zip(centres).map(|(&n, &x)| n as f64 * lost(x).powi(2)).sum()
}

fn stored(x: f64, by: Candidate, span: Span) -> i64 {
    let q = nearest_even(x / by.scale) + by.zero_point as i64;
    q.clamp(span.min.into(), span.max.into())
}

/// `sum p ln(p / q)` over the bins that hold values: `p` the histogram with what lies outside moved
/// into the outermost bins of the range, `q` the mean of the used bins of each step.
#[must_use]
pub fn divergence(counts: &[i64], centres: &[f64], by: Candidate, span: Span) -> f64 {
    let inside: Vec<usize> =
        (0..counts.len()).filter(|&i| by.lo <= centres[i] && centres[i] <= by.hi).collect();
    let kept: i64 = inside.iter().map(|&i| counts[i]).sum();
    if kept == 0 {
        return f64::INFINITY;
    }
    let (first, last) = (inside[0], inside[inside.len() - 1]);
    let reference = |i: usize| {
        let below: i64 = if i == first { counts[..first].iter().sum() } else { 0 };
        let above: i64 = if i == last { counts[last + 1..].iter().sum() } else { 0 };
        counts[i] + below + above
    };
    let total: i64 = counts.iter().sum();
    let mut sum = 0.0;
    for &i in inside.iter().filter(|&&i| reference(i) > 0) {
        let same_step: Vec<usize> = inside
            .iter()
            .copied()
            .filter(|&j| stored(centres[j], by, span) == stored(centres[i], by, span))
            .collect();
        let used = same_step.iter().filter(|&&j| reference(j) > 0).count();
        let mass: i64 = same_step.iter().map(|&j| counts[j]).sum();
        let p = reference(i) as f64 / total as f64;
        let q = (mass as f64 / used as f64 / kept as f64).max(1e-12);
        sum += p * (p / q).ln();
    }
    sum
}
