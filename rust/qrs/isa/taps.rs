//! Where a tile reads its activations: pointers that were checked when they were written down.
//!
//! A *tap* is a kernel position; a matrix has one. For each tap a row reads one slice, all of one
//! length. A convolution has as many slices as taps times pixels, so each costs one word here: as fat
//! slices, each checked again by every tile, they took a fifth of the time of a 3x3 convolution of 64
//! channels. Those of a tap stand together, row after row: most lie a fixed step apart, and writing down
//! a few instructions each. Strip by strip, six at once, they took 40 of 340 cycles of a tile of a 1x1
//! convolution of 64 channels.

use std::marker::PhantomData;
use std::ops::Range;

use super::strips::strips;

/// The slices of a block of rows.
#[derive(Debug, Default)]
pub struct Gathered<'a, A> {
    /// `[tap][row]`.
    at: Vec<*const A>,
    rows: Range<usize>,
    taps: usize,
    /// Elements of a slice as it was written.
    len: usize,
    /// Those that are read.
    part: Range<usize>,
    outside: Vec<Outside>,
    data: PhantomData<&'a [A]>,
}

/// Neighbouring rows of which a tap lies outside the image.
#[derive(Clone, Debug)]
struct Outside {
    tap: usize,
    rows: Range<usize>,
}

/// The slices of a strip: some neighbouring rows of a block.
#[derive(Clone, Debug)]
pub struct Taps<'a, A> {
    rows: Range<usize>,
    /// From the strip's first row at the first tap on.
    at: &'a [*const A],
    /// From a tap to the next.
    apart: usize,
    count: usize,
    part: Range<usize>,
    outside: &'a [Outside],
    data: PhantomData<&'a [A]>,
}

impl<'a, A> Gathered<'a, A> {
    /// No rows.
    #[must_use]
    pub fn new() -> Self {
        let (at, outside) = (Vec::new(), Vec::new());
        Self { at, rows: 0..0, taps: 0, len: 0, part: 0..0, outside, data: PhantomData }
    }

    /// Begins a block of `rows` with `taps` slices each of `len` elements, in place of what was there.
    /// As many must follow: for each tap, first to last, all rows, first to last.
    pub fn begin(&mut self, rows: Range<usize>, taps: usize, len: usize) {
        self.at.clear();
        self.outside.clear();
        self.at.reserve(rows.len() * taps);
        (self.rows, self.taps, self.len, self.part) = (rows, taps, len, 0..len);
    }

    /// The next `count` slices: they begin `step` elements of `data` from each other, the first at
    /// `start`.
    pub fn push_apart(&mut self, data: &'a [A], start: usize, step: usize, count: usize) {
        let Some(last) = count.checked_sub(1) else { return };
        let end = last.checked_mul(step).and_then(|last| last.checked_add(start));
        let end = end.and_then(|end| end.checked_add(self.len));
        assert!(
            end.is_some_and(|end| end <= data.len()),
            "taps: {count} slices of {}, {step} apart from {start}, of {}",
            self.len,
            data.len()
        );
        // Added up: the compiler would vectorize a multiplication of 64 bits, of three instructions each.
        let mut next = data.as_ptr().wrapping_add(start);
        self.at.extend((0..count).map(|_| {
            let at = next;
            next = next.wrapping_add(step);
            at
        }));
    }

    /// The next `count` slices: the beginning of `slice`.
    pub fn push_same(&mut self, slice: &'a [A], count: usize) {
        assert!(slice.len() >= self.len, "taps: {} elements, not {}", slice.len(), self.len);
        self.at.extend(std::iter::repeat_n(slice.as_ptr(), count));
    }

    /// As [`Gathered::push_same`] for rows of which one tap lies outside the image: `slice` holds what the
    /// padding does.
    pub fn push_outside(&mut self, slice: &'a [A], count: usize) {
        let (height, place) = (self.rows.len(), self.at.len());
        let (tap, row) = (place / height, place % height);
        assert!(count <= height - row, "taps: {count} rows outside, {height} less {row} are left");
        let start = self.rows.start + row;
        match self.outside.last_mut() {
            Some(last) if last.tap == tap && last.rows.end == start => last.rows.end += count,
            _ => self.outside.push(Outside { tap, rows: start..start + count }),
        }
        self.push_same(slice, count);
    }

    /// From here on slices are `part` of what was written.
    pub fn turn_to(&mut self, part: Range<usize>) {
        let fits = part.start <= part.end && part.end <= self.len;
        assert!(fits, "taps: elements {part:?} of {}", self.len);
        self.part = part;
    }

    /// The rows of the block.
    #[must_use]
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Slices of each row.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.taps
    }

    /// Elements of each slice.
    #[must_use]
    pub fn len(&self) -> usize {
        self.part.len()
    }

    /// Whether slices have no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.part.is_empty()
    }

    /// The block in strips of at most `most` rows.
    #[inline(always)]
    pub fn strips(&self, most: usize) -> impl Iterator<Item = Taps<'_, A>> {
        strips(self.rows(), most).map(|strip| self.strip(strip))
    }

    /// The slices of some rows of the block.
    #[inline(always)]
    #[must_use]
    pub fn strip(&self, rows: Range<usize>) -> Taps<'_, A> {
        let Self { rows: ref all, taps, ref part, .. } = *self;
        let inside = all.start <= rows.start && rows.start < rows.end && rows.end <= all.end;
        assert!(inside, "taps: rows {rows:?} of {all:?}");
        assert!(self.at.len() == taps * all.len(), "taps: {} of {taps} x {all:?}", self.at.len());
        let at = &self.at[rows.start - all.start..];
        Taps {
            rows,
            at,
            apart: all.len(),
            count: taps,
            part: part.clone(),
            outside: &self.outside,
            data: PhantomData,
        }
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
        self.count
    }

    /// Elements of each slice.
    #[inline(always)]
    #[must_use]
    pub fn len(&self) -> usize {
        self.part.len()
    }

    /// Whether slices have no elements.
    #[inline(always)]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.part.is_empty()
    }

    /// The taps that lie outside the image in all rows, in order.
    #[inline(always)]
    pub fn outside(&self) -> impl Iterator<Item = usize> {
        let Range { start, end } = self.rows;
        let covers = move |all: &Range<usize>| all.start <= start && end <= all.end;
        self.outside.iter().filter(move |part| covers(&part.rows)).map(|part| part.tap)
    }

    /// Pointers for the slices of tap `tap` in the first `M` rows, and how many elements after each its
    /// slice begins: [`Taps::len`] elements can be read there. Added by whoever reads, who adds something
    /// anyway, it costs nothing; as a list of pointers for each group, it was 5 % of a convolution of
    /// groups of 32 channels.
    #[inline(always)]
    #[must_use]
    pub fn pointers<const M: usize>(&self, tap: usize) -> (&'a [*const A; M], usize) {
        assert!(M <= self.rows.len(), "taps: {M} rows of {:?}", self.rows);
        let at = self.at[tap * self.apart..].first_chunk();
        (at.expect("all rows have all taps"), self.part.start)
    }

    /// The slice of row `m` at tap `tap`.
    #[inline(always)]
    #[must_use]
    pub fn slice(&self, tap: usize, m: usize) -> &'a [A] {
        assert!(m < self.rows.len(), "taps: row {m} of {:?}", self.rows);
        let at = self.at[tap * self.apart + m].wrapping_add(self.part.start);
        #[expect(unsafe_code, reason = "the pointers were slices of this length")]
        // SAFETY: `Gathered` writes only pointers at which as many elements as it says can be read, borrowed
        // for `'a`, and `part` is some of them.
        unsafe {
            std::slice::from_raw_parts(at, self.part.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_those_that_were_written() {
        let data: Vec<u8> = (0..100).collect();
        let mut gathered = Gathered::new();
        gathered.begin(7..10, 2, 4);
        gathered.push_apart(&data, 15, 20, 3);
        gathered.push_same(&data[90..], 1);
        gathered.push_apart(&data, 1, 1, 2);
        let (all, last) = (gathered.strip(7..10), gathered.strip(9..10));
        assert_eq!((all.count(), all.len(), all.rows(), last.rows()), (2, 4, 7..10, 9..10));
        assert_eq!(all.slice(0, 2), [55, 56, 57, 58]);
        assert_eq!(all.slice(1, 0), [90, 91, 92, 93]);
        assert_eq!(last.slice(1, 0), [2, 3, 4, 5]);
        assert_eq!(all.pointers::<2>(1).0[1], &raw const data[1]);
        for part in [2..4, 1..3] {
            gathered.turn_to(part.clone());
            let strip = gathered.strip(8..9);
            assert_eq!(strip.slice(0, 0), &data[35..][part.clone()]);
            assert_eq!(
                (strip.len(), strip.pointers::<1>(0)),
                (2, (&[&raw const data[35]], part.start))
            );
        }
        assert_eq!(gathered.strips(2).map(|strip| strip.rows()).collect::<Vec<_>>(), [7..9, 9..10]);
    }

    #[test]
    fn taps_outside_are_those_of_all_rows_of_a_strip() {
        let data = [0_u8; 9];
        let mut gathered = Gathered::new();
        gathered.begin(5..9, 3, 2);
        gathered.push_outside(&data, 2);
        gathered.push_outside(&data, 1);
        gathered.push_apart(&data, 0, 1, 1);
        gathered.push_apart(&data, 0, 1, 3);
        gathered.push_outside(&data, 1);
        gathered.push_outside(&data, 4);
        let outside = |rows| gathered.strip(rows).outside().collect::<Vec<_>>();
        assert_eq!(outside(5..8), [0, 2]);
        assert_eq!(outside(6..9), [2]);
        assert_eq!(outside(8..9), [1, 2]);
    }

    #[test]
    #[should_panic(expected = "taps: 2 slices of 2, 99 apart from 0, of 100")]
    fn a_slice_beyond_the_data_is_refused() {
        let data = [0_u8; 100];
        let mut gathered = Gathered::new();
        gathered.begin(0..2, 1, 2);
        gathered.push_apart(&data, 0, 99, 2);
    }

    #[test]
    #[should_panic(expected = "taps: 2 elements, not 3")]
    fn a_shorter_slice_is_refused() {
        let data = [0_u8; 2];
        let mut gathered = Gathered::new();
        gathered.begin(0..1, 1, 3);
        gathered.push_same(&data, 1);
    }

    #[test]
    #[should_panic(expected = "taps: elements 1..4 of 3")]
    fn a_part_beyond_the_slices_is_refused() {
        let mut gathered = Gathered::<u8>::new();
        gathered.begin(0..1, 1, 3);
        gathered.turn_to(1..4);
    }

    #[test]
    #[should_panic(expected = "taps: 1 of 2 x 0..1")]
    fn a_block_that_is_not_finished_is_refused() {
        let data = [0_u8; 4];
        let mut gathered = Gathered::new();
        gathered.begin(0..1, 2, 3);
        gathered.push_same(&data, 1);
        let _ = gathered.strip(0..1);
    }
}
