//! How rows are divided into the strips of a tile.

use std::ops::Range;

/// `range` in as few strips of at most `rows` as possible, sizes differing by at most one: 49 rows in
/// sixes are 4 x 6 + 5 x 5, because a strip of one row runs at a fraction of the speed of one of five.
#[inline(always)]
#[must_use]
pub fn strips(range: Range<usize>, rows: usize) -> Strips {
    let left = range.len().div_ceil(rows);
    // One division a call, and none a strip: there is a call for every panel.
    let (len, longer) = (range.len() / left.max(1), range.len() % left.max(1));
    Strips { start: range.start, left, len, longer }
}

/// Rows one behind the other, a few at a time, in order.
#[derive(Clone, Debug)]
pub struct Strips {
    start: usize,
    left: usize,
    len: usize,
    /// The first so many strips have a row more.
    longer: usize,
}

impl Strips {
    /// The rows of all strips of one length, and that length; the longer ones first.
    #[inline(always)]
    #[must_use]
    pub fn runs(&self) -> [(Range<usize>, usize); 2] {
        let Self { start, left, len, longer } = *self;
        let middle = start + longer * (len + 1);
        [(start..middle, len + 1), (middle..middle + (left - longer) * len, len)]
    }
}

impl Iterator for Strips {
    type Item = Range<usize>;

    #[inline(always)]
    fn next(&mut self) -> Option<Range<usize>> {
        self.left = self.left.checked_sub(1)?;
        let more = usize::from(self.longer > 0);
        self.longer -= more;
        let start = self.start;
        self.start += self.len + more;
        Some(start..self.start)
    }

    #[inline(always)]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Strips {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::TILE_ROWS;

    #[test]
    fn strips_cover_the_range_evenly() {
        for len in 0..200 {
            let all: Vec<_> = strips(7..7 + len, TILE_ROWS).collect();
            assert_eq!(
                all.iter().cloned().flatten().collect::<Vec<_>>(),
                (7..7 + len).collect::<Vec<_>>()
            );
            assert_eq!(strips(7..7 + len, TILE_ROWS).len(), all.len());
            let runs = strips(7..7 + len, TILE_ROWS).runs();
            let again = runs.into_iter().flat_map(|(rows, each)| {
                rows.clone().step_by(each.max(1)).map(move |start| start..start + each)
            });
            assert_eq!(again.collect::<Vec<_>>(), all);
            let sizes: Vec<_> = all.iter().map(ExactSizeIterator::len).collect();
            let (min, max) = (sizes.iter().min(), sizes.iter().max());
            assert!(max.unwrap_or(&0) - min.unwrap_or(&0) <= 1, "{len}: {sizes:?}");
        }
    }
}
