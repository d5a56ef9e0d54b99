//! Exact sums of bytes and of their squares.

use std::ops::Range;

use crate::byte::Byte;
use crate::isa::{Isa, LANES};

/// Bytes of one lane whose squares an i32 holds the sum of.
const LANE_BYTES: usize = (i32::MAX / (255 * 255)) as usize;

/// Sums in 16 lanes, of bytes and of their squares, moved to 64 bits before they overflow.
#[derive(Clone, Copy)]
struct Moments<I: Isa> {
    sum: I::I,
    squares: I::I,
}

impl<I: Isa> Moments<I> {
    #[inline(always)]
    fn zero(isa: I) -> Self {
        Self { sum: isa.i_splat(0), squares: isa.i_splat(0) }
    }

    #[inline(always)]
    fn add<T: Byte>(&mut self, isa: I, chunk: &[T; LANES]) {
        let q = T::widen(isa, chunk);
        self.sum = isa.i_add(self.sum, q);
        self.squares = isa.i_add(self.squares, isa.i_mul(q, q));
    }

    #[inline(always)]
    fn lanes(&self, isa: I) -> [[i32; LANES]; 2] {
        let mut lanes = [[0; LANES]; 2];
        isa.i_store(self.sum, &mut lanes[0]);
        isa.i_store(self.squares, &mut lanes[1]);
        lanes
    }
}

/// Sums of the bytes of `x` and of their squares.
#[inline(always)]
pub(super) fn moments<I: Isa, T: Byte>(isa: I, x: &[T]) -> (i64, i64) {
    let mut total = (0, 0);
    for part in x.chunks(LANE_BYTES / LANES * LANES) {
        let mut moments = Moments::zero(isa);
        let (chunks, rest) = part.as_chunks::<LANES>();
        for chunk in chunks {
            moments.add(isa, chunk);
        }
        // A zero adds nothing to either sum.
        let mut last = [T::default(); LANES];
        last[..rest.len()].copy_from_slice(rest);
        moments.add(isa, &last);
        let [sums, squares] = moments.lanes(isa);
        for j in 0..LANES {
            total.0 += i64::from(sums[j]);
            total.1 += i64::from(squares[j]);
        }
    }
    total
}

/// As [`moments`] for each channel in `columns` of an image whose pixels have `channels`.
#[inline(always)]
pub(super) fn channel_moments<I: Isa, T: Byte>(
    isa: I,
    image: &[T],
    channels: usize,
    columns: Range<usize>,
    sums: &mut [(i64, i64)],
) {
    sums.fill((0, 0));
    for (block, sums) in sums.chunks_mut(LANES).enumerate() {
        let at = columns.start + block * LANES;
        for part in image.chunks(LANE_BYTES * channels) {
            let mut moments = Moments::zero(isa);
            for pixel in part.chunks_exact(channels) {
                match pixel[at..].first_chunk() {
                    Some(chunk) => moments.add(isa, chunk),
                    None => {
                        let mut last = [T::default(); LANES];
                        last[..channels - at].copy_from_slice(&pixel[at..]);
                        moments.add(isa, &last);
                    }
                }
            }
            let [own, squares] = moments.lanes(isa);
            for (j, total) in sums.iter_mut().enumerate() {
                total.0 += i64::from(own[j]);
                total.1 += i64::from(squares[j]);
            }
        }
    }
}
