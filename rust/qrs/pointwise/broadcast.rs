//! Two shapes under one: which elements meet.

use crate::error::{Error, Result};

/// How the elements of two dense arrays meet in a third: an axis of length 1 is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broadcast {
    /// Axes around the rows, outermost first.
    outer: Vec<Axis>,
    /// Elements of a row, and whether each operand has one for each of them.
    pub(super) row: usize,
    pub(super) varies: [bool; 2],
    shape: Vec<usize>,
    lens: [usize; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    len: usize,
    /// Elements from one index to the next, 0 where an operand is repeated.
    steps: [usize; 2],
}

impl Broadcast {
    /// For arrays of the shapes `a` and `b`, aligned at their last axes.
    ///
    /// # Errors
    /// If an axis has two lengths, neither of which is 1.
    pub fn new(op: &'static str, a: &[usize], b: &[usize]) -> Result<Self> {
        let rank = a.len().max(b.len());
        let len = |shape: &[usize], axis: usize| {
            let missing = rank - shape.len();
            if axis < missing { 1 } else { shape[axis - missing] }
        };
        let mut shape = vec![0; rank];
        let mut lens = [1; 2];
        // From the inside out; axes that both operands run through alike become one.
        let mut axes: Vec<Axis> = Vec::with_capacity(rank);
        for axis in (0..rank).rev() {
            let each = [len(a, axis), len(b, axis)];
            let [x, y] = each;
            if x != y && x != 1 && y != 1 {
                let message = format!(
                    "shapes {a:?} and {b:?} came, expected equal lengths, or 1, in every dimension"
                );
                return Err(Error::Value { op, message });
            }
            let n = if x == 1 { y } else { x };
            shape[axis] = n;
            let steps = [0, 1].map(|i| if each[i] == 1 { 0 } else { lens[i] });
            for i in 0..2 {
                lens[i] *= each[i];
            }
            if n == 1 {
                continue;
            }
            match axes.last_mut() {
                Some(last) if (0..2).all(|i| steps[i] == last.len * last.steps[i]) => last.len *= n,
                _ => axes.push(Axis { len: n, steps }),
            }
        }
        let innermost = if axes.is_empty() { None } else { Some(axes.remove(0)) };
        let Axis { len: row, steps } = innermost.unwrap_or(Axis { len: 1, steps: [1; 2] });
        axes.reverse();
        Ok(Self { outer: axes, row, varies: steps.map(|step| step != 0), shape, lens })
    }

    /// The shape of the result.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Elements of the two operands and of the result.
    #[must_use]
    pub fn lens(&self) -> [usize; 3] {
        [self.lens[0], self.lens[1], self.shape.iter().product()]
    }

    /// Where row `row` begins in each operand.
    #[inline(always)]
    pub(super) fn starts(&self, mut row: usize) -> [usize; 2] {
        let mut starts = [0; 2];
        for (i, axis) in self.outer.iter().enumerate().rev() {
            // The outermost index needs no division.
            let (next, index) = if i == 0 { (0, row) } else { (row / axis.len, row % axis.len) };
            row = next;
            starts[0] += index * axis.steps[0];
            starts[1] += index * axis.steps[1];
        }
        starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(a: &[usize], b: &[usize]) -> (usize, [bool; 2], Vec<[usize; 2]>) {
        let broadcast = Broadcast::new("test", a, b).expect("shapes agree");
        let rows = broadcast.lens()[2] / broadcast.row.max(1);
        let starts = (0..rows).map(|row| broadcast.starts(row)).collect();
        (broadcast.row, broadcast.varies, starts)
    }

    #[test]
    fn equal_shapes_are_one_row() {
        assert_eq!(met(&[2, 3, 4], &[2, 3, 4]), (24, [true, true], vec![[0, 0]]));
        assert_eq!(met(&[], &[]), (1, [true, true], vec![[0, 0]]));
    }

    #[test]
    fn repeated_axes_do_not_step() {
        assert_eq!(met(&[2, 3], &[3]), (3, [true, true], vec![[0, 0], [3, 0]]));
        assert_eq!(met(&[2, 3], &[2, 1]), (3, [true, false], vec![[0, 0], [3, 1]]));
        assert_eq!(met(&[1, 2], &[3, 1]), (2, [true, false], vec![[0, 0], [0, 1], [0, 2]]));
        assert_eq!(met(&[5, 4], &[1]), (20, [true, false], vec![[0, 0]]));
    }

    #[test]
    fn nothing_times_something_is_nothing() {
        let broadcast = Broadcast::new("test", &[0, 3], &[1, 3]).expect("shapes agree");
        assert_eq!((broadcast.shape(), broadcast.lens()), (&[0, 3][..], [0, 3, 0]));
    }

    #[test]
    fn unequal_lengths_are_refused() {
        assert!(Broadcast::new("test", &[2, 3], &[2, 4]).is_err());
        assert!(Broadcast::new("test", &[0], &[2]).is_err());
    }
}
