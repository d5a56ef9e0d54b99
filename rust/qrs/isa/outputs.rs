//! Where the bytes of strips of rows go: pointers that were checked when they were written down.

use std::marker::PhantomData;

use super::TILE_ROWS;
use crate::parallel::Lent;

/// Rows of an output, strip after strip, all of one length and lent to nobody else.
#[derive(Debug)]
pub struct Outputs<'a> {
    strips: Vec<Strip>,
    len: usize,
    rows: PhantomData<&'a mut [u8]>,
}

/// The rows of a strip, and how many they are.
#[derive(Debug)]
struct Strip {
    at: [*mut u8; TILE_ROWS],
    count: usize,
}

impl<'a> Outputs<'a> {
    /// Rows of `len` bytes; room for `strips` strips.
    #[must_use]
    pub fn new(len: usize, strips: usize) -> Self {
        Self { strips: Vec::with_capacity(strips), len, rows: PhantomData }
    }

    /// Adds a strip of 1 to [`TILE_ROWS`] rows.
    #[inline(always)]
    pub fn push(&mut self, rows: impl Iterator<Item = &'a mut [u8]>) {
        // Filled where it stays: copied afterwards, in wider words than it was written, it would wait for
        // each of them.
        self.strips.push(Strip { at: [std::ptr::null_mut(); TILE_ROWS], count: 0 });
        let strip = self.strips.last_mut().expect("just pushed");
        for row in rows {
            assert!(row.len() == self.len, "outputs: {} bytes, not {}", row.len(), self.len);
            strip.at[strip.count] = row.as_mut_ptr();
            strip.count += 1;
        }
    }

    /// Adds a strip of 1 to [`TILE_ROWS`] rows.
    #[inline(always)]
    pub fn push_lent(&mut self, rows: &Lent<'a, u8>) {
        let (count, len) = rows.size();
        assert!((1..=TILE_ROWS).contains(&count), "outputs: {count} rows");
        assert!(len == self.len, "outputs: {len} bytes, not {}", self.len);
        self.strips.push(Strip { at: std::array::from_fn(|m| rows.pointer(m)), count });
    }

    /// Strips.
    #[must_use]
    pub fn count(&self) -> usize {
        self.strips.len()
    }

    /// Bytes of a row.
    #[inline(always)]
    #[must_use]
    pub fn row_len(&self) -> usize {
        self.len
    }

    /// The first `rows` rows of strip `strip`: at each [`Outputs::row_len`] bytes can be written.
    #[inline(always)]
    pub fn pointers(&mut self, strip: usize, rows: usize) -> &[*mut u8; TILE_ROWS] {
        let strip = &self.strips[strip];
        assert!(rows <= strip.count, "outputs: {rows} rows of {}", strip.count);
        &strip.at
    }

    /// Row `m` of strip `strip`.
    #[inline(always)]
    pub fn row(&mut self, strip: usize, m: usize) -> &mut [u8] {
        let at = self.pointers(strip, m + 1)[m];
        #[expect(unsafe_code, reason = "the pointers were mutable slices of this length")]
        // SAFETY: `push` writes only pointers of slices of `len` bytes that are borrowed for `'a`, and
        // `self` lends one at a time.
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
        let mut outputs = Outputs::new(4, 2);
        let mut rows = data.chunks_exact_mut(4);
        outputs.push(rows.by_ref().take(2));
        outputs.push(rows);
        outputs.row(0, 1).copy_from_slice(&[1, 2, 3, 4]);
        outputs.row(1, 2)[3] = 9;
        assert_eq!((outputs.count(), outputs.row_len()), (2, 4));
        assert_eq!((&data[4..8], data[19]), (&[1, 2, 3, 4][..], 9));
    }

    #[test]
    #[should_panic(expected = "outputs: 3 rows of 2")]
    fn a_row_that_was_not_lent_is_refused() {
        let mut data = [0; 8];
        let mut outputs = Outputs::new(4, 1);
        outputs.push(data.chunks_exact_mut(4));
        outputs.row(0, 2);
    }
}
