//! Histograms of floats, and the searches for a range to quantize: the work of observers.
//!
//! Counts are integers, so neither the division between threads nor the order of the data shows in
//! them. Searches run in f64 in one fixed order, so that a tie falls the same way on every machine.

mod range;

pub use range::{Candidate, divergences, least_error_range, squared_errors};

use crate::error::{Error, Result};
use crate::isa::{Isa, Kernel, LANES, Level};
use crate::parallel::{Split, share, split, threads_for};

/// The most bins: their numbers are exact in f32.
pub const MAX_BINS: usize = 1 << 24;

/// Values are counted in 32 bits at first, so many at a time.
const PIECE: usize = 1 << 30;

/// Where the bins are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bins {
    /// Equal ones on `[lo, hi]`: `x` lies in bin `floor((x - lo) / (hi - lo) * bins)`, each operation
    /// rounded to f32, and the largest value in the last bin.
    Interval {
        /// Where the first bin begins.
        lo: f32,
        /// Where the last bin ends, above `lo`.
        hi: f32,
    },
    /// Those between multiples of a power of two: `x` lies in bin `floor(x / 2^exponent) - first`,
    /// exactly.
    Grid {
        /// The multiple at which the first bin begins, within 30 bits.
        first: i32,
        /// Logarithm of the width, `-200..=130`.
        exponent: i32,
    },
}

/// Adds to `counts[j]` the number of values of `x` in bin `j`. Those outside count in the nearest bin.
///
/// # Errors
/// If there is no bin, too many, or they lie nowhere.
pub fn count(level: Level, x: &[f32], bins: Bins, counts: &mut [i64]) -> Result<()> {
    const OP: &str = "histogram";
    if !(1..=MAX_BINS).contains(&counts.len()) {
        let message = format!("{} bins came, expected 1 to {MAX_BINS}", counts.len());
        return Err(Error::Value { op: OP, message });
    }
    let usable = match bins {
        Bins::Interval { lo, hi } => lo.is_finite() && hi.is_finite() && lo < hi,
        Bins::Grid { first, exponent } => {
            (-200..=130).contains(&exponent) && first.unsigned_abs() <= 1 << 30
        }
    };
    if !usable {
        let message = format!("bins at {bins:?} came, expected finite ones of some width");
        return Err(Error::Value { op: OP, message });
    }
    // About a nanosecond a value, and four tables to clear and add.
    let parts = threads_for(x.len()).min(1 + x.len() / (8 * counts.len()));
    if parts <= 1 {
        level.run(Count { x, bins, counts });
        return Ok(());
    }
    let width = counts.len();
    let mut partial = vec![0; parts * width];
    split(&mut partial, width, parts, Split::Rows(1), |mut window| {
        for part in window.rows() {
            let x = &x[share(x.len(), LANES, part, parts)];
            level.run(Count { x, bins, counts: window.row(part) });
        }
    });
    for row in partial.chunks_exact(width) {
        add(row, counts);
    }
    Ok(())
}

fn add(more: &[i64], counts: &mut [i64]) {
    for (count, more) in counts.iter_mut().zip(more) {
        *count += more;
    }
}

struct Count<'a> {
    x: &'a [f32],
    bins: Bins,
    counts: &'a mut [i64],
}

impl Kernel for Count<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { x, bins, counts } = self;
        // A bin has four counters, so that equal values in a row do not wait for each other.
        let mut table = vec![[0_u32; 4]; counts.len()];
        for piece in x.chunks(PIECE) {
            match bins {
                Bins::Interval { lo, hi } => {
                    fill(isa, Interval::new(isa, lo, hi, counts.len()), piece, &mut table);
                }
                Bins::Grid { first, exponent } => {
                    fill(isa, Grid::new(isa, first, exponent), piece, &mut table);
                }
            }
            for (count, counters) in counts.iter_mut().zip(&mut table) {
                *count += std::mem::take(counters).map(i64::from).iter().sum::<i64>();
            }
        }
    }
}

#[inline(always)]
fn fill<I: Isa>(isa: I, place: impl Place<I>, x: &[f32], table: &mut [[u32; 4]]) {
    let (zero, last) = (isa.i_splat(0), isa.i_splat(table.len() as i32 - 1));
    let mut numbers = [0; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    for chunk in chunks {
        let bin = place.bin(isa, isa.f_load(chunk));
        isa.i_store(isa.i_min(isa.i_max(bin, zero), last), &mut numbers);
        for (j, &bin) in numbers.iter().enumerate() {
            table[bin as usize][j % 4] += 1;
        }
    }
    let mut padded = [0.0; LANES];
    padded[..rest.len()].copy_from_slice(rest);
    let bin = place.bin(isa, isa.f_load(&padded));
    isa.i_store(isa.i_min(isa.i_max(bin, zero), last), &mut numbers);
    for &bin in &numbers[..rest.len()] {
        table[bin as usize][0] += 1;
    }
}

/// The bins of 16 values.
trait Place<I: Isa>: Copy {
    fn bin(self, isa: I, x: I::F) -> I::I;
}

#[derive(Clone, Copy)]
struct Interval<I: Isa> {
    lo: I::F,
    width: I::F,
    bins: I::F,
    /// 1, or a half where the width has no f32.
    unit: I::F,
}

impl<I: Isa> Interval<I> {
    #[inline(always)]
    fn new(isa: I, lo: f32, hi: f32, bins: usize) -> Self {
        let unit = if (hi - lo).is_finite() { 1.0 } else { 0.5 };
        Self {
            lo: isa.f_splat(lo * unit),
            width: isa.f_splat(hi * unit - lo * unit),
            bins: isa.f_splat(bins as f32),
            unit: isa.f_splat(unit),
        }
    }
}

impl<I: Isa> Place<I> for Interval<I> {
    #[inline(always)]
    fn bin(self, isa: I, x: I::F) -> I::I {
        let above = isa.f_sub(isa.f_mul(x, self.unit), self.lo);
        isa.f_to_i(floor(isa, isa.f_mul(isa.f_div(above, self.width), self.bins)))
    }
}

#[derive(Clone, Copy)]
struct Grid<I: Isa> {
    /// Their product is `2^-exponent`, which may have no f32.
    factors: [I::F; 2],
    first: I::I,
    zero: I::F,
    minus_one: I::F,
}

impl<I: Isa> Grid<I> {
    #[inline(always)]
    fn new(isa: I, first: i32, exponent: i32) -> Self {
        let half = -exponent / 2;
        Self {
            factors: [half, -exponent - half].map(|n| isa.i_exp2(isa.i_splat(n))),
            first: isa.i_splat(first),
            zero: isa.f_splat(0.0),
            minus_one: isa.f_splat(-1.0),
        }
    }
}

impl<I: Isa> Place<I> for Grid<I> {
    #[inline(always)]
    fn bin(self, isa: I, x: I::F) -> I::I {
        let steps = isa.f_mul(isa.f_mul(x, self.factors[0]), self.factors[1]);
        let below = floor(isa, steps);
        // The product is exact unless it vanishes; what is negative lies below bin 0 all the same.
        let negative = isa.f_min(below, self.minus_one);
        isa.i_sub(isa.f_to_i(isa.f_select_lt(x, self.zero, negative, below)), self.first)
    }
}

/// The largest integer up to `v`, which is clamped to 30 bits.
#[inline(always)]
fn floor<I: Isa>(isa: I, v: I::F) -> I::F {
    let most = (1_i32 << 30) as f32;
    let v = isa.f_min(isa.f_max(v, isa.f_splat(-most)), isa.f_splat(most));
    let near = isa.f_round(v);
    isa.f_select_lt(v, near, isa.f_sub(near, isa.f_splat(1.0)), near)
}
