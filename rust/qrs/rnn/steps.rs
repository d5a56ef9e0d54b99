//! Which row of a matrix holds which step of which sample.

use std::ops::Range;

use crate::error::{Error, Result, same};

/// How a sequence lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steps<'a> {
    /// `[steps][batch][features]`.
    TimeMajor {
        /// Steps of every sample.
        steps: usize,
        /// Samples.
        batch: usize,
    },
    /// `[batch][steps][features]`.
    BatchMajor {
        /// Steps of every sample.
        steps: usize,
        /// Samples.
        batch: usize,
    },
    /// Step after step of samples sorted by falling length: entry `t` counts the samples that have a
    /// step `t`. What PyTorch calls a packed sequence.
    Packed(&'a [usize]),
}

/// The rows of a sequence in the order in which a layer takes its steps.
#[derive(Clone, Debug)]
pub struct Order {
    steps: usize,
    batch: usize,
    reverse: bool,
    place: Place,
}

/// The rows of one step, sample after sample.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepRows {
    first: usize,
    stride: usize,
    samples: usize,
}

impl StepRows {
    /// Row of `sample`, if it takes part.
    #[inline(always)]
    #[must_use]
    pub fn row(self, sample: usize) -> Option<usize> {
        (sample < self.samples).then_some(self.first + sample * self.stride)
    }
}

#[derive(Clone, Debug)]
enum Place {
    TimeMajor,
    BatchMajor,
    /// Row of the first sample of every step, then the number of rows.
    Packed(Vec<usize>),
    /// Two slots of `batch` rows, used in turn.
    Ring,
}

impl Order {
    /// The order of `steps`, from the last step to the first if `reverse`.
    ///
    /// # Errors
    /// If the batch sizes of a packed sequence grow or reach zero.
    pub fn new(op: &'static str, steps: Steps<'_>, reverse: bool) -> Result<Self> {
        let (steps, batch, place) = match steps {
            Steps::TimeMajor { steps, batch } => (steps, batch, Place::TimeMajor),
            Steps::BatchMajor { steps, batch } => (steps, batch, Place::BatchMajor),
            Steps::Packed(sizes) => {
                if sizes.contains(&0) || !sizes.is_sorted_by(|a, b| a >= b) {
                    let message = format!(
                        "batch sizes are {sizes:?}, expected positive and never growing numbers; \
                         sort the samples by falling length"
                    );
                    return Err(Error::Value { op, message });
                }
                let mut offsets = vec![0; sizes.len() + 1];
                for (t, size) in sizes.iter().enumerate() {
                    offsets[t + 1] = offsets[t] + size;
                }
                (sizes.len(), sizes.first().copied().unwrap_or(0), Place::Packed(offsets))
            }
        };
        Ok(Self { steps, batch, reverse, place })
    }

    /// Two slots that `self.steps()` steps use in turn: working memory of the same steps.
    #[must_use]
    pub fn ring(&self) -> Self {
        Self { place: Place::Ring, ..self.clone() }
    }

    /// Number of steps.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Samples of the widest step.
    #[must_use]
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Rows of the matrix.
    #[must_use]
    pub fn rows(&self) -> usize {
        match &self.place {
            Place::TimeMajor | Place::BatchMajor => self.steps * self.batch,
            Place::Packed(offsets) => offsets.last().copied().unwrap_or(0),
            Place::Ring => 2 * self.batch,
        }
    }

    /// Rows of the step taken `done` steps after the first; none if there is no such step. They are
    /// below [`Order::rows`], and no row of a neighbouring step is among them.
    #[must_use]
    pub fn step(&self, done: usize) -> StepRows {
        if done >= self.steps {
            return StepRows::default();
        }
        let t = if self.reverse { self.steps - 1 - done } else { done };
        let (first, stride, samples) = match &self.place {
            Place::TimeMajor => (t * self.batch, 1, self.batch),
            Place::BatchMajor => (t, self.steps, self.batch),
            Place::Packed(offsets) => (offsets[t], 1, offsets[t + 1] - offsets[t]),
            Place::Ring => (done % 2 * self.batch, 1, self.batch),
        };
        StepRows { first, stride, samples }
    }

    /// Samples of the step taken `done` steps after the first.
    #[must_use]
    pub fn samples(&self, done: usize) -> usize {
        self.step(done).samples
    }

    /// Row of `sample` in the step taken `done` steps after the first; see [`Order::step`].
    #[must_use]
    pub fn row(&self, done: usize, sample: usize) -> Option<usize> {
        self.step(done).row(sample)
    }

    /// Steps taken when `sample` has its final state: all, unless it ends earlier.
    #[must_use]
    pub fn last(&self, sample: usize) -> usize {
        (0..self.steps).rev().find(|&done| self.row(done, sample).is_some()).unwrap_or(0)
    }

    /// The steps from `start` on whose rows number at most `fit`, at least one step.
    #[must_use]
    pub fn block(&self, start: usize, fit: usize) -> Range<usize> {
        let mut rows = self.samples(start);
        let mut end = start + 1;
        while end < self.steps && rows + self.samples(end) <= fit {
            rows += self.samples(end);
            end += 1;
        }
        start..end
    }

    /// `Ok` if `values` holds `columns` values a row.
    pub fn fits(
        &self,
        op: &'static str,
        what: &'static str,
        values: usize,
        columns: usize,
    ) -> Result<()> {
        same(op, what, values, self.rows() * columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_visits_every_row_once() {
        let packed = [4, 3, 3, 1];
        let all = [
            Steps::TimeMajor { steps: 5, batch: 3 },
            Steps::BatchMajor { steps: 5, batch: 3 },
            Steps::Packed(&packed),
        ];
        for steps in all {
            for reverse in [false, true] {
                let order = Order::new("test", steps, reverse).expect("sorted");
                let mut rows: Vec<_> = (0..order.steps())
                    .flat_map(|s| (0..order.batch()).map(move |b| (s, b)))
                    .filter_map(|(s, b)| order.row(s, b))
                    .collect();
                rows.sort_unstable();
                assert_eq!(rows, (0..order.rows()).collect::<Vec<_>>(), "{steps:?} {reverse}");
            }
        }
    }

    #[test]
    fn blocks_hold_as_many_whole_steps_as_fit() {
        let order = Order::new("test", Steps::Packed(&[4, 3, 3, 1]), false).expect("sorted");
        assert_eq!(order.block(0, 9), 0..2);
        assert_eq!(order.block(2, 9), 2..4);
        assert_eq!(order.block(0, 1), 0..1);
    }

    #[test]
    fn a_sample_ends_with_its_last_step() {
        let order =
            |reverse| Order::new("test", Steps::Packed(&[2, 1, 1]), reverse).expect("sorted");
        assert_eq!((order(false).last(0), order(false).last(1)), (2, 0));
        assert_eq!((order(true).last(0), order(true).last(1)), (2, 2));
    }

    #[test]
    fn growing_batch_sizes_are_refused() {
        assert!(Order::new("test", Steps::Packed(&[1, 2]), false).is_err());
        assert!(Order::new("test", Steps::Packed(&[1, 0]), false).is_err());
    }
}
