//! The mean over whole axes, of as many bytes as there are.

use super::{BLOCKS, MAX_SUM, store, sums};
use crate::byte::Byte;
use crate::error::{Error, Result, same};
use crate::isa::{Isa, Kernel, LANES, Level};
use crate::parallel::{self, Split, split, threads_for};

/// The mean over the middle axis of `x`, `[outer][count][inner]`: `q = z + rne(sum of (q - z) / count)`.
///
/// # Errors
/// If a length does not fit, or there is nothing to average.
pub fn mean<T: Byte>(
    level: Level,
    x: &[T],
    [outer, count, inner]: [usize; 3],
    zero_point: i32,
    out: &mut [T],
) -> Result<()> {
    const OP: &str = "mean";
    same(OP, "input length", x.len(), outer * count * inner)?;
    same(OP, "output length", out.len(), outer * inner)?;
    if count == 0 && !out.is_empty() {
        return Err(Error::Value { op: OP, message: "no values came, expected some".to_owned() });
    }
    let by = if outer == 1 { Split::Columns(LANES) } else { Split::Rows(1) };
    split(out, inner, threads_for(x.len() / 10), by, |window| {
        level.run(Middle { x, count, inner, zero_point, window });
    });
    Ok(())
}

struct Middle<'a, 'w, T> {
    x: &'a [T],
    count: usize,
    inner: usize,
    zero_point: i32,
    window: parallel::Window<'w, T>,
}

impl<T: Byte> Kernel for Middle<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let Self { x, count, inner, zero_point, .. } = self;
        let columns = self.window.columns();
        // Sums of as many rows as fit 32 bits, whatever the bytes.
        let rows = (MAX_SUM / inner).clamp(1, count);
        let offsets: Vec<usize> = (0..rows).map(|row| row * inner).collect();
        for r in self.window.rows() {
            let x = &x[r * count * inner..][..count * inner];
            let out = self.window.row(r);
            if inner == 1 {
                let mut sum = 0;
                for part in x.chunks(MAX_SUM) {
                    sum += i64::from(total(part));
                }
                out[0] = quotient(sum, count, zero_point);
                continue;
            }
            let mut at = columns.start;
            while at < columns.end {
                let mut totals = [[0_i64; LANES]; BLOCKS];
                for part in x.chunks(rows * inner) {
                    let sums = sums(isa, part, &offsets[..part.len() / inner], at, columns.end);
                    for (totals, sums) in totals.iter_mut().zip(sums) {
                        let mut lanes = [0; LANES];
                        isa.i_store(sums, &mut lanes);
                        for j in 0..LANES {
                            totals[j] += i64::from(lanes[j]);
                        }
                    }
                }
                for (b, totals) in totals.iter().enumerate() {
                    let mut bytes = [T::default(); LANES];
                    for j in 0..LANES {
                        bytes[j] = quotient(totals[j], count, zero_point);
                    }
                    store(&bytes, out, at - columns.start + b * LANES);
                }
                at += BLOCKS * LANES;
            }
        }
    }
}

/// Sum of at most [`MAX_SUM`] bytes.
#[inline(always)]
fn total<T: Byte>(x: &[T]) -> i32 {
    let mut sum = 0;
    for q in x {
        sum += q.int();
    }
    sum
}

/// `z + rne(sum of (q - z) / count)`: it lies between the integers that it is the mean of.
#[inline(always)]
fn quotient<T: Byte>(sum: i64, count: usize, zero_point: i32) -> T {
    // The nearest f64 of a quotient is a tie only if the quotient is.
    let distance = (sum - count as i64 * i64::from(zero_point)) as f64;
    T::from_int(zero_point + (distance / count as f64).round_ties_even() as i32)
}
