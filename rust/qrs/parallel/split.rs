//! A matrix divided between threads: each gets a window that no other touches.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::{run, share};

/// How a matrix is divided between threads.
#[derive(Clone, Copy, Debug)]
pub enum Split {
    /// Whole rows, in multiples of the number.
    Rows(usize),
    /// Whole columns, in multiples of the number.
    Columns(usize),
}

/// One thread's part of a row-major matrix.
#[derive(Debug)]
pub struct Window<'a, T> {
    start: *mut T,
    stride: usize,
    rows: Range<usize>,
    columns: Range<usize>,
    matrix: PhantomData<&'a mut [T]>,
}

impl<T> Window<'_, T> {
    /// The rows of this part.
    #[must_use]
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The columns of this part.
    #[must_use]
    pub fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// The part's columns of row `row` (counted in the whole matrix).
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &mut [T] {
        assert!(self.rows.contains(&row), "window: row {row} outside {:?}", self.rows);
        #[expect(unsafe_code, reason = "threads own disjoint columns of one matrix")]
        // SAFETY: `split` checked that the matrix holds every row of `stride` columns; the row is in
        // this window by the line above and the columns are its own, so no other thread's slice
        // overlaps this one.
        unsafe {
            let from = self.start.add(row * self.stride + self.columns.start);
            std::slice::from_raw_parts_mut(from, self.columns.len())
        }
    }

    /// The rows `rows` of this part.
    #[inline(always)]
    pub fn part(&mut self, rows: Range<usize>) -> Window<'_, T> {
        let inside = self.rows.start <= rows.start && rows.end <= self.rows.end;
        assert!(inside, "window: rows {rows:?} outside {:?}", self.rows);
        let (start, stride, columns) = (self.start, self.stride, self.columns());
        Window { start, stride, rows, columns, matrix: PhantomData }
    }

    /// Lends rows, each below the one before.
    #[inline(always)]
    pub fn downward(&mut self) -> Downward<'_, T> {
        let next = self.rows.start;
        Downward { window: self.part(self.rows()), next }
    }

    /// The rows `rows`, one after the other, of a part that has all columns.
    #[inline(always)]
    pub fn whole_rows(&mut self, rows: Range<usize>) -> &mut [T] {
        let inside = self.rows.start <= rows.start && rows.end <= self.rows.end;
        assert!(inside && rows.start <= rows.end, "window: rows {rows:?} outside {:?}", self.rows);
        assert!(self.columns == (0..self.stride), "window: columns {:?} only", self.columns);
        #[expect(unsafe_code, reason = "threads own disjoint rows of one matrix")]
        // SAFETY: `split` checked that the matrix holds every row of `stride` columns; the rows are in
        // this window by the lines above, with all their columns, so no other slice overlaps them.
        unsafe {
            let from = self.start.add(rows.start * self.stride);
            std::slice::from_raw_parts_mut(from, rows.len() * self.stride)
        }
    }
}

/// Lends rows of a window, each below the one before.
#[derive(Debug)]
pub struct Downward<'a, T> {
    window: Window<'a, T>,
    next: usize,
}

impl<'a, T> Downward<'a, T> {
    /// The window's columns of row `row`.
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &'a mut [T] {
        assert!(self.next <= row, "window: row {row} after {} were lent", self.next);
        self.next = row + 1;
        let row = self.window.row(row);
        #[expect(unsafe_code, reason = "rows that differ do not overlap")]
        // SAFETY: the window is borrowed for `'a`, and each of its rows is lent once at most.
        unsafe {
            std::slice::from_raw_parts_mut(row.as_mut_ptr(), row.len())
        }
    }

    /// The rows `rows`.
    #[inline(always)]
    pub fn rows(&mut self, rows: Range<usize>) -> Lent<'a, T> {
        let Window { start, stride, rows: own, columns, .. } = &self.window;
        let inside = self.next <= rows.start && rows.start < rows.end && rows.end <= own.end;
        assert!(inside, "window: rows {rows:?} after {} were lent, of {own:?}", self.next);
        self.next = rows.end;
        let first = start.wrapping_add(rows.start * stride + columns.start);
        Lent {
            first,
            stride: *stride,
            rows: rows.len(),
            columns: columns.len(),
            matrix: PhantomData,
        }
    }
}

/// Rows lent at once.
#[derive(Debug)]
pub struct Lent<'a, T> {
    first: *mut T,
    stride: usize,
    rows: usize,
    columns: usize,
    matrix: PhantomData<&'a mut [T]>,
}

impl<T> Lent<'_, T> {
    /// How long each is.
    #[inline(always)]
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Where each begins: its columns can be written there.
    #[inline(always)]
    pub fn pointers(&self) -> impl Iterator<Item = *mut T> {
        let mut next = self.first;
        (0..self.rows).map(move |_| {
            let at = next;
            next = next.wrapping_add(self.stride);
            at
        })
    }
}

/// Divides the matrix `out` of `columns` columns between `threads` and runs `part` on each window.
pub fn split<T: Send>(
    out: &mut [T],
    columns: usize,
    threads: usize,
    how: Split,
    part: impl Fn(Window<'_, T>) + Sync,
) {
    let rows = out.len().checked_div(columns).unwrap_or(0);
    assert!(out.len() == rows * columns, "split: {} values, {rows} x {columns}", out.len());
    let start = AtomicPtr::new(out.as_mut_ptr());
    run(threads, |i, n| {
        let (rows, part_columns) = match how {
            Split::Rows(unit) => (share(rows, unit, i, n), 0..columns),
            Split::Columns(unit) => (0..rows, share(columns, unit, i, n)),
        };
        if !rows.is_empty() && !part_columns.is_empty() {
            part(Window {
                start: start.load(Ordering::Relaxed),
                stride: columns,
                rows,
                columns: part_columns,
                matrix: PhantomData,
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_the_matrix() {
        for how in [Split::Rows(2), Split::Columns(4)] {
            for threads in [1, 2, 3, 8] {
                let mut out = vec![0_u32; 7 * 13];
                split(&mut out, 13, threads, how, |mut window| {
                    for r in window.rows() {
                        window.row(r).iter_mut().for_each(|v| *v += 1);
                    }
                });
                assert!(out.iter().all(|&v| v == 1), "{how:?} {threads}");
            }
        }
    }
}
