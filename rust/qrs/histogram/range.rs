//! Which range of a histogram to quantize.

use crate::error::{Error, Result, same};
use crate::isa::{Isa, Kernel, Level};
use crate::qparams::Span;

/// Fraction of the mass that one step of [`least_error_range`] cuts off.
const STEP: f64 = 1e-5;

/// Sums are taken in so many parts, one after the other, and joined in one order.
const PARTS: usize = 8;

/// The first and last bin of the range with the least squared error, found on the way inwards from
/// the full one.
///
/// Each step cuts `STEP` of the mass from the side where that crosses more bins; the walk ends when
/// the error first rises. The error is that of `levels` equal steps over the range, with each bin's
/// mass spread evenly over it and what lies outside clamped. Source: PyTorch 1.8.1, as measured.
#[must_use]
pub fn least_error_range(
    level: Level,
    counts: &[f32],
    width: f64,
    levels: usize,
) -> (usize, usize) {
    let counts: Vec<f64> = counts.iter().map(|&count| f64::from(count)).collect();
    let mut total = 0.0;
    let mass: Vec<f64> = counts
        .iter()
        .map(|count| {
            total += count;
            total
        })
        .collect();
    let (mut start, mut end) = (0, counts.len().saturating_sub(1));
    let (mut alpha, mut beta, mut best) = (0.0, 1.0, f64::INFINITY);
    while alpha < beta {
        let (next_alpha, next_beta) = (alpha + STEP, beta - STEP);
        let (mut left, mut right) = (start, end);
        while left < end && mass[left] < next_alpha * total {
            left += 1;
        }
        while right > start && mass[right] > next_beta * total {
            right -= 1;
        }
        let cut = if left - start > end - right {
            alpha = next_alpha;
            (left, end)
        } else {
            beta = next_beta;
            (start, right)
        };
        if cut == (start, end) {
            continue;
        }
        let error =
            level.run(StepError { counts: &counts, width, start: cut.0, end: cut.1, levels });
        if error > best {
            break;
        }
        best = error;
        (start, end) = cut;
    }
    (start, end)
}

/// Squared error when bins `start..=end` are cut into `levels` steps and the rest is clamped.
///
/// A bin of density `d` that covers `[b, e]`, seen from the start of the range, adds the integral of
/// the squared distance to the centre of its step: with `G(u, v) = (v^3 - u^3) / 3` and steps of `w`,
/// `d * (G(b - cb, w/2) + (je - jb - 1) G(-w/2, w/2) + G(-w/2, e - ce))`, where `jb`, `je` are the
/// steps of its ends and `cb`, `ce` their centres.
struct StepError<'a> {
    counts: &'a [f64],
    width: f64,
    start: usize,
    end: usize,
    levels: usize,
}

impl Kernel for StepError<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> f64 {
        let Self { counts, width, start, end, levels } = self;
        let step = width * (end - start + 1) as f64 / levels as f64;
        let (half, last) = (step / 2.0, levels as f64 - 1.0);
        let cube = half * half * half;
        let mut sums = [0.0; PARTS];
        for (i, &count) in counts.iter().enumerate() {
            let begin = (i as f64 - start as f64) * width;
            let finish = begin + width;
            let of_begin = (begin / step).floor().clamp(0.0, last);
            let of_finish = (finish / step).floor().clamp(0.0, last);
            let u = begin - (of_begin + 0.5) * step;
            let v = finish - (of_finish + 0.5) * step;
            let whole = (of_finish - of_begin - 1.0) * (2.0 * cube);
            sums[i % PARTS] += count / width * ((cube - u * u * u) + whole + (v * v * v + cube));
        }
        joined(sums) / 3.0
    }
}

fn joined(sums: [f64; PARTS]) -> f64 {
    sums.iter().fold(0.0, |total, sum| total + sum)
}

/// A range to try, with the scale and zero point that it leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Its lower end.
    pub lo: f64,
    /// Its upper end.
    pub hi: f64,
    /// Real units per step, above 0.
    pub scale: f64,
    /// The integer that stands for 0.
    pub zero_point: f64,
}

impl Candidate {
    #[inline(always)]
    fn stored(self, x: f64, span: Span) -> f64 {
        let q = (x / self.scale).round_ties_even() + self.zero_point;
        q.clamp(f64::from(span.min), f64::from(span.max))
    }
}

fn check(op: &'static str, counts: usize, centres: usize, span: Span) -> Result<()> {
    same(op, "number of centres", centres, counts)?;
    let Span { min, max } = span;
    if min < max && i64::from(max) - i64::from(min) < 1 << 16 {
        return Ok(());
    }
    let message = format!("stored range {min} to {max} came, expected 16 bits at most");
    Err(Error::Value { op, message })
}

/// For each candidate the squared quantization error, rounding and clamping included, of values at
/// the centres of their bins.
///
/// # Errors
/// If lengths differ, or the range of integers is too wide.
pub fn squared_errors(
    level: Level,
    counts: &[i64],
    centres: &[f64],
    candidates: &[Candidate],
    span: Span,
) -> Result<Vec<f64>> {
    check("squared_errors", counts.len(), centres.len(), span)?;
    let one = |&by| level.run(SquaredError { counts, centres, by, span });
    Ok(candidates.iter().map(one).collect())
}

struct SquaredError<'a> {
    counts: &'a [i64],
    centres: &'a [f64],
    by: Candidate,
    span: Span,
}

impl Kernel for SquaredError<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> f64 {
        let Self { counts, centres, by, span } = self;
        let mut sums = [0.0; PARTS];
        for (i, (&count, &x)) in counts.iter().zip(centres).enumerate() {
            let lost = x - (by.stored(x, span) - by.zero_point) * by.scale;
            sums[i % PARTS] += count as f64 * (lost * lost);
        }
        joined(sums)
    }
}

/// For each candidate the information that it loses (Kullback-Leibler divergence), infinite where it
/// holds no value.
///
/// The reference distribution has what lies outside in the outermost bins of the range; the other one
/// gives every used bin of a step the mean of the used bins of that step, outliers not counted.
/// Source: Migacz, "8-bit inference with `TensorRT`", 2017.
///
/// # Errors
/// If lengths differ, or the range of integers is too wide.
pub fn divergences(
    level: Level,
    counts: &[i64],
    centres: &[f64],
    candidates: &[Candidate],
    span: Span,
) -> Result<Vec<f64>> {
    check("divergences", counts.len(), centres.len(), span)?;
    let entropies: Vec<f64> = counts.iter().map(|&count| entropy(count as f64)).collect();
    let one = |&by| level.run(Divergence { counts, entropies: &entropies, centres, by, span });
    Ok(candidates.iter().map(one).collect())
}

fn entropy(count: f64) -> f64 {
    if count > 0.0 { count * count.ln() } else { 0.0 }
}

struct Divergence<'a> {
    counts: &'a [i64],
    /// `c ln c` of each count.
    entropies: &'a [f64],
    centres: &'a [f64],
    by: Candidate,
    span: Span,
}

/// What the bins of one step of the quantized range hold.
#[derive(Clone, Copy, Default)]
struct Step {
    kept: f64,
    reference: f64,
    used: f64,
}

impl Kernel for Divergence<'_> {
    type Output = f64;

    /// With counts `r` of the reference, `R` their sum, `K` that of the kept ones and `m` the mean of
    /// a step, `sum (r / R) ln((r / R) / (m / K))` is
    /// `(sum r ln r - sum over steps of r ln(m / K)) / R - ln R`.
    #[inline(always)]
    fn run<I: Isa>(self, _: I) -> f64 {
        let Self { counts, entropies, centres, by, span } = self;
        let start = centres.partition_point(|&x| x < by.lo);
        let stop = centres.partition_point(|&x| x <= by.hi);
        let sum = |counts: &[i64]| counts.iter().sum::<i64>() as f64;
        let (total, kept) = (sum(counts), sum(&counts[start..stop.max(start)]));
        if kept == 0.0 {
            return f64::INFINITY;
        }
        let outside = [(start, sum(&counts[..start])), (stop - 1, sum(&counts[stop..]))];
        let lowest = by.stored(centres[start], span);
        let mut steps = vec![Step::default(); (span.max - span.min) as usize + 1];
        let mut own = 0.0;
        for i in start..stop {
            let count = counts[i] as f64;
            let more = outside.iter().fold(0.0, |m, &(at, n)| if at == i { m + n } else { m });
            let step = &mut steps[(by.stored(centres[i], span) - lowest) as usize];
            step.kept += count;
            step.reference += count + more;
            step.used += f64::from(u8::from(count + more > 0.0));
            own += if more == 0.0 { entropies[i] } else { entropy(count + more) };
        }
        let mut model = 0.0;
        for step in steps.iter().filter(|step| step.reference > 0.0) {
            // A used step without mass holds an outermost bin alone.
            model += step.reference * (step.kept / step.used / kept).max(1e-12).ln();
        }
        (own - model) / total - total.ln()
    }
}
