//! A matrix that several threads fill step by step: each its own columns of the step's rows, reading
//! whatever all of them wrote in the step before.
//!
//! This is how the threads of a recurrent layer share the hidden state. One barrier a step is enough,
//! because no step's rows are written while the rows of the step before are read.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use super::steps::{Order, StepRows};
use crate::parallel::{Barrier, share};

/// The most parts that one exchange takes.
pub const MAX_PARTS: usize = 64;

/// Columns of a matrix, filled step by step.
#[derive(Debug)]
pub struct Exchange<'a> {
    start: AtomicPtr<f32>,
    stride: usize,
    columns: usize,
    unit: usize,
    order: &'a Order,
    barrier: Barrier,
    /// Bit `i` is set once part `i` has been handed out.
    claimed: AtomicU64,
    /// The number of parts, 0 until the first is handed out.
    parts: AtomicUsize,
    matrix: PhantomData<&'a mut [f32]>,
}

impl<'a> Exchange<'a> {
    /// One exchange for each of `orders`, over equal groups of columns of `matrix`, whose rows are
    /// those of each order. Parts own multiples of `unit` columns.
    #[must_use]
    pub fn over(matrix: &'a mut [f32], orders: &'a [Order], unit: usize) -> Vec<Self> {
        let stride = orders.first().map_or(0, |order| matrix.len() / order.rows().max(1));
        assert!(
            orders.iter().all(|order| matrix.len() == order.rows() * stride)
                && stride.is_multiple_of(orders.len()),
            "exchange: {} values for {orders:?}",
            matrix.len()
        );
        let columns = stride / orders.len();
        let start = matrix.as_mut_ptr();
        let one = |(group, order)| Self {
            start: AtomicPtr::new(start.wrapping_add(group * columns)),
            stride,
            columns,
            unit,
            order,
            barrier: Barrier::default(),
            claimed: AtomicU64::new(0),
            parts: AtomicUsize::new(0),
            matrix: PhantomData,
        };
        orders.iter().enumerate().map(one).collect()
    }

    /// Part `i` of `n`, for one thread. Each part can be had once, and all must take every step.
    ///
    /// # Panics
    /// If the part was handed out before, or with another `n`.
    #[must_use]
    pub fn part(&'a self, i: usize, n: usize) -> Part<'a> {
        assert!(i < n && n <= MAX_PARTS, "exchange: part {i} of {n}");
        let parts = self.parts.compare_exchange(0, n, Ordering::Relaxed, Ordering::Relaxed);
        assert!(parts.is_ok() || parts == Err(n), "exchange: {parts:?} parts, now {n}");
        let before = self.claimed.fetch_or(1 << i, Ordering::Relaxed);
        assert!(before & (1 << i) == 0, "exchange: part {i} was handed out before");
        Part {
            exchange: self,
            own: share(self.columns, self.unit, i, n),
            parts: n,
            done: 0,
            before: StepRows::default(),
            now: self.order.step(0),
        }
    }
}

/// One thread's hold on an [`Exchange`].
#[derive(Debug)]
pub struct Part<'a> {
    exchange: &'a Exchange<'a>,
    own: Range<usize>,
    parts: usize,
    /// Steps taken.
    done: usize,
    /// Rows of the step before.
    before: StepRows,
    /// Rows of the current step.
    now: StepRows,
}

impl Part<'_> {
    /// The columns that this part writes.
    #[must_use]
    pub fn own(&self) -> Range<usize> {
        self.own.clone()
    }

    /// This part's columns of sample `sample` in the current step.
    #[inline(always)]
    pub fn write(&mut self, sample: usize) -> &mut [f32] {
        let row = self.now.row(sample).expect("the sample takes part in this step");
        let start = self.exchange.start.load(Ordering::Relaxed);
        #[expect(unsafe_code, reason = "threads own disjoint columns of one matrix")]
        // SAFETY: `now` gave a row of the matrix and `over` checked that it holds `stride` columns of
        // every row. These columns are this part's alone: parts of one exchange have different
        // numbers (`claimed`) of the same `parts`, and exchanges of one matrix have disjoint columns.
        // `previous` reads only rows of the step before, which are other rows.
        unsafe {
            let from = start.add(row * self.exchange.stride + self.own.start);
            std::slice::from_raw_parts_mut(from, self.own.len())
        }
    }

    /// All columns of sample `sample` in the step before; `None` if it had no part in that step.
    #[inline(always)]
    #[must_use]
    pub fn previous(&self, sample: usize) -> Option<&[f32]> {
        let row = self.before.row(sample)?;
        let start = self.exchange.start.load(Ordering::Relaxed);
        #[expect(unsafe_code, reason = "threads read what all wrote a step before")]
        // SAFETY: the row exists, as in `write`. Nobody writes it now: every part has left the step
        // before (`advance` waits for all) and none is past the current one, since this part has not
        // left it; the rows of two neighbouring steps differ (`Order::step`). Going on to the next
        // step takes `&mut self`, which ends this borrow.
        unsafe {
            let from = start.add(row * self.exchange.stride);
            Some(std::slice::from_raw_parts(from, self.exchange.columns))
        }
    }

    /// Ends the step: returns when every part has ended it.
    pub fn advance(&mut self) {
        self.exchange.barrier.wait(self.parts);
        self.done += 1;
        self.before = self.now;
        self.now = self.exchange.order.step(self.done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parallel::meet;
    use crate::rnn::steps::Steps;

    #[test]
    fn every_thread_sees_what_all_wrote_a_step_before() {
        for threads in [1, 2, 3, 8] {
            let steps = Steps::TimeMajor { steps: 50, batch: 2 };
            let orders = [Order::new("test", steps, true).expect("fits")];
            let mut matrix = vec![0.0; 100 * 5];
            let exchange = Exchange::over(&mut matrix, &orders, 1).remove(0);
            meet(threads, |i, n| {
                let mut part = exchange.part(i, n);
                for _ in 0..50 {
                    for b in 0..2 {
                        let before = part.previous(b).map_or(0.0, |row| row.iter().sum());
                        let first = part.own().start as f32;
                        for (j, to) in part.write(b).iter_mut().enumerate() {
                            *to = before / 5.0 + first + j as f32 - 1.0;
                        }
                    }
                    part.advance();
                }
            });
            // Each step adds the mean of 0..5, less 1, to the row's mean.
            let sum: f32 = matrix[..10].iter().sum();
            assert!((sum - 2.0 * 5.0 * 50.0).abs() < 0.01, "{threads} threads: {sum}");
        }
    }

    #[test]
    #[should_panic(expected = "part 0 was handed out before")]
    fn a_part_is_handed_out_once() {
        let steps = Steps::TimeMajor { steps: 1, batch: 1 };
        let orders = [Order::new("test", steps, false).expect("fits")];
        let mut matrix = [0.0; 4];
        let exchange = Exchange::over(&mut matrix, &orders, 1).remove(0);
        let _first = exchange.part(0, 2);
        let _second = exchange.part(0, 2);
    }
}
