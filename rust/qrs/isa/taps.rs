//! Where a tile reads its activations: pointers that were checked when they were written down.
//!
//! A *tap* is a kernel position; a matrix has one. For each tap a tile reads one slice a row, all of one
//! length. A convolution has as many slices as taps times pixels, so each costs one word here, and those
//! of a tap are written together: as fat slices, each checked again by every tile, they took a fifth of
//! the time of a 3x3 convolution of 64 channels.

use std::marker::PhantomData;
use std::ops::Range;

use super::TILE_ROWS;

/// The slices of strips of rows, strip after strip.
#[derive(Debug)]
pub struct Gathered<'a, A> {
    /// `[tap][row]`; rows that a strip does not have are its first one.
    at: Vec<[*const A; TILE_ROWS]>,
    strips: Vec<Strip>,
    data: PhantomData<&'a [A]>,
}

/// First tap of a strip, its rows, and the length of its slices.
#[derive(Clone, Debug)]
struct Strip {
    first: usize,
    rows: Range<usize>,
    len: usize,
}

/// The slices of one strip.
#[derive(Clone, Debug)]
pub struct Taps<'a, A> {
    rows: Range<usize>,
    at: &'a [[*const A; TILE_ROWS]],
    len: usize,
    data: PhantomData<&'a [A]>,
}

/// Where the rows of a strip begin in some data, before the offset of a tap is added.
#[derive(Clone, Copy, Debug)]
pub struct Corners {
    at: [usize; TILE_ROWS],
    last: usize,
}

impl Corners {
    /// Of `rows` rows, 1 to [`TILE_ROWS`], `step` apart.
    #[inline(always)]
    #[must_use]
    pub fn apart(first: usize, step: usize, rows: usize) -> Self {
        Self::new(std::array::from_fn(|m| first + if m < rows { m * step } else { 0 }))
    }

    /// One a row; rows that the strip does not have repeat another.
    #[inline(always)]
    #[must_use]
    pub fn new(at: [usize; TILE_ROWS]) -> Self {
        Self { at, last: at.into_iter().fold(0, usize::max) }
    }
}

impl<'a, A> Gathered<'a, A> {
    /// Room for `taps` taps in all.
    #[must_use]
    pub fn with_capacity(taps: usize) -> Self {
        Self { at: Vec::with_capacity(taps), strips: Vec::new(), data: PhantomData }
    }

    /// Forgets all strips.
    pub fn clear(&mut self) {
        self.at.clear();
        self.strips.clear();
    }

    /// Begins a strip of 1 to [`TILE_ROWS`] rows whose slices have `len` elements.
    #[inline(always)]
    pub fn begin(&mut self, rows: Range<usize>, len: usize) {
        assert!((1..=TILE_ROWS).contains(&rows.len()), "taps: {} rows", rows.len());
        self.strips.push(Strip { first: self.at.len(), rows, len });
    }

    #[inline(always)]
    fn len(&self) -> usize {
        self.strips.last().map_or(0, |strip| strip.len)
    }

    /// The next tap of the strip begun last: for each corner the slice of `data` that begins `offset`
    /// after it.
    #[inline(always)]
    pub fn push_at(&mut self, data: &'a [A], corners: &Corners, offset: usize) {
        let end = corners.last.saturating_add(offset).saturating_add(self.len());
        assert!(end <= data.len(), "taps: {end} elements of {}", data.len());
        let start = data.as_ptr().wrapping_add(offset);
        self.at.push(corners.at.map(|corner| start.wrapping_add(corner)));
    }

    /// The next tap of the strip begun last: a slice a row, 1 to [`TILE_ROWS`].
    #[inline(always)]
    pub fn push(&mut self, rows: &[&'a [A]]) {
        let len = self.len();
        assert!(rows.iter().all(|row| row.len() == len), "taps: slices not of {len} elements");
        let first = rows[0].as_ptr();
        self.at.push(std::array::from_fn(|m| rows.get(m).map_or(first, |row| row.as_ptr())));
    }

    /// The strips of `whole`, of each slice just `len` elements from `from` on.
    #[inline(always)]
    pub fn take_part(&mut self, whole: &Self, from: usize, len: usize) {
        self.clear();
        for strip in &whole.strips {
            assert!(from + len <= strip.len, "taps: {from} + {len} elements of {}", strip.len);
            self.strips.push(Strip { len, ..strip.clone() });
        }
        self.at.extend(whole.at.iter().map(|tap| tap.map(|row| row.wrapping_add(from))));
    }

    /// The number of strips.
    #[must_use]
    pub fn count(&self) -> usize {
        self.strips.len()
    }

    /// All strips.
    #[inline(always)]
    pub fn strips(&self) -> impl Iterator<Item = Taps<'_, A>> {
        (0..self.count()).map(|i| self.strip(i))
    }

    /// The `i`-th strip.
    #[inline(always)]
    #[must_use]
    pub fn strip(&self, i: usize) -> Taps<'_, A> {
        let Strip { first, ref rows, len } = self.strips[i];
        let end = self.strips.get(i + 1).map_or(self.at.len(), |next| next.first);
        Taps { rows: rows.clone(), at: &self.at[first..end], len, data: PhantomData }
    }
}

impl<'a, A> Taps<'a, A> {
    /// The rows of the strip.
    #[inline(always)]
    #[must_use]
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Taps.
    #[inline(always)]
    #[must_use]
    pub fn count(&self) -> usize {
        self.at.len()
    }

    /// Elements of each slice.
    #[inline(always)]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether slices have no elements.
    #[inline(always)]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// For each tap, where the slice of each row begins: [`Taps::len`] elements can be read there.
    #[inline(always)]
    #[must_use]
    pub fn pointers(&self) -> &'a [[*const A; TILE_ROWS]] {
        self.at
    }

    /// The slice of row `m` at tap `tap`.
    #[inline(always)]
    #[must_use]
    pub fn slice(&self, tap: usize, m: usize) -> &'a [A] {
        #[expect(unsafe_code, reason = "the pointers were slices of this length")]
        // SAFETY: `Gathered` writes only pointers at which `len` elements, borrowed for `'a`, can be read.
        unsafe {
            std::slice::from_raw_parts(self.at[tap][m], self.len)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_those_that_were_written() {
        let data: Vec<u8> = (0..100).collect();
        let mut gathered = Gathered::with_capacity(3);
        gathered.begin(7..10, 4);
        gathered.push_at(&data, &Corners::apart(10, 20, 3), 5);
        gathered.push(&[&data[1..5], &data[2..6]]);
        gathered.begin(10..12, 2);
        gathered.push_at(&data, &Corners::new([0, 98, 0, 0, 0, 0]), 0);
        assert_eq!(gathered.count(), 2);
        let (first, second) = (gathered.strip(0), gathered.strip(1));
        assert_eq!((first.count(), first.len(), second.count(), second.len()), (2, 4, 1, 2));
        assert_eq!((first.rows(), second.rows()), (7..10, 10..12));
        assert_eq!(first.slice(0, 2), [55, 56, 57, 58]);
        assert_eq!(first.slice(0, 5), first.slice(0, 0), "a row that is not there");
        assert_eq!(first.slice(1, 1), [2, 3, 4, 5]);
        assert_eq!(second.slice(0, 1), [98, 99]);
        let mut part = Gathered::with_capacity(3);
        part.take_part(&gathered, 1, 1);
        assert_eq!((part.strip(0).slice(0, 2), part.strip(1).slice(0, 1)), (&[56][..], &[99][..]));
    }

    #[test]
    #[should_panic(expected = "taps: 101 elements of 100")]
    fn a_slice_beyond_the_data_is_refused() {
        let data = [0_u8; 100];
        let mut gathered = Gathered::with_capacity(1);
        gathered.begin(0..2, 2);
        gathered.push_at(&data, &Corners::apart(0, 99, 2), 0);
    }

    #[test]
    #[should_panic(expected = "taps: slices not of 3 elements")]
    fn a_slice_of_another_length_is_refused() {
        let data = [0_u8; 4];
        let mut gathered = Gathered::with_capacity(1);
        gathered.begin(0..1, 3);
        gathered.push(&[&data]);
    }
}
