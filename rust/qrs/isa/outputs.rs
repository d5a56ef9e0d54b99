//! Where the bytes of a block of rows go: pointers that were checked when they were written down.

use std::marker::PhantomData;

use crate::parallel::Lent;

/// Rows of an output, all of one length and lent to nobody else.
#[derive(Debug)]
pub struct Outputs<'a> {
    rows: Vec<*mut u8>,
    len: usize,
    data: PhantomData<&'a mut [u8]>,
}

impl<'a> Outputs<'a> {
    /// Rows of `len` bytes; room for `rows` of them.
    #[must_use]
    pub fn new(len: usize, rows: usize) -> Self {
        Self { rows: Vec::with_capacity(rows), len, data: PhantomData }
    }

    /// The next row.
    #[inline(always)]
    pub fn push(&mut self, row: &'a mut [u8]) {
        assert!(row.len() == self.len, "outputs: {} bytes, not {}", row.len(), self.len);
        self.rows.push(row.as_mut_ptr());
    }

    /// The next rows.
    #[inline(always)]
    pub fn push_lent(&mut self, rows: &Lent<'a, u8>) {
        let len = rows.columns();
        assert!(len == self.len, "outputs: {len} bytes, not {}", self.len);
        self.rows.extend(rows.pointers());
    }

    /// Bytes of a row.
    #[inline(always)]
    #[must_use]
    pub fn row_len(&self) -> usize {
        self.len
    }

    /// `M` rows from `first` on: at each [`Outputs::row_len`] bytes can be written.
    #[inline(always)]
    pub fn pointers<const M: usize>(&mut self, first: usize) -> &[*mut u8; M] {
        let rows = self.rows.get(first..).and_then(|rows| rows.first_chunk());
        rows.expect("outputs: rows that were not lent")
    }

    /// Row `row`.
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &mut [u8] {
        let [at] = *self.pointers(row);
        #[expect(unsafe_code, reason = "the pointers were mutable slices of this length")]
        // SAFETY: only pointers of `len` bytes that are borrowed for `'a` were written down, and `self`
        // lends one row at a time.
        unsafe {
            std::slice::from_raw_parts_mut(at, self.len)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_that_were_lent() {
        let mut data = [0; 20];
        let mut outputs = Outputs::new(4, 5);
        data.chunks_exact_mut(4).for_each(|row| outputs.push(row));
        outputs.row(1).copy_from_slice(&[1, 2, 3, 4]);
        outputs.row(4)[3] = 9;
        assert_eq!((outputs.row_len(), &data[4..8], data[19]), (4, &[1, 2, 3, 4][..], 9));
    }

    #[test]
    #[should_panic(expected = "outputs: rows that were not lent")]
    fn a_row_that_was_not_lent_is_refused() {
        let mut data = [0; 8];
        let mut outputs = Outputs::new(4, 2);
        data.chunks_exact_mut(4).for_each(|row| outputs.push(row));
        let _ = outputs.pointers::<2>(1);
    }
}
