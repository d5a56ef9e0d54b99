//! Pooling of bytes, channels last: the largest or the mean of each window.
//!
//! The integers of a window are added exactly. The mean is then, with the f32 factor `1 / count`,
//!
//! ```text
//! q = clamp(z + rne((sum of q - z) * (1 / count)))      Rounding::ThenAdd
//! q = clamp(rne((sum of q - z) * (1 / count) + z))      Rounding::AfterFma
//! ```
//!
//! PyTorch 1.8.1 rounds tensors whose channels are last in memory the first way, and most other ones
//! the second; they differ where a mean lies between two integers and `z` is odd.
//! [`mean`] of whole axes rounds the exact quotient, the first way.

mod mean;
mod window;

pub use mean::mean;
pub use window::{Axis, Slide, Window};

use crate::byte::Byte;
use crate::error::{Error, Result, same};
use crate::isa::{Isa, Kernel, LANES, Level};
use crate::parallel::{self, Split, split, threads_for};
use crate::qparams::{Quantizer, Rounding};
use crate::quantize::Steps;

/// The most bytes whose sum an i32 holds.
const MAX_SUM: usize = (i32::MAX / 255) as usize;

/// Shape of a pooling over depth, height and width. Fewer dimensions have ones in front.
#[derive(Clone, Copy, Debug)]
pub struct Pool<'a> {
    /// Operation, for errors.
    pub op: &'static str,
    /// Images.
    pub batch: usize,
    /// Windows.
    pub axes: &'a [Axis; 3],
    /// Channels.
    pub channels: usize,
}

/// How windows are averaged.
#[derive(Clone, Copy, Debug)]
pub struct Average {
    /// The integer that stands for 0.
    pub zero_point: i32,
    /// When it is added.
    pub rounding: Rounding,
    /// Whether the padding counts.
    pub include_padding: bool,
    /// What sums are divided by instead of their count.
    pub divisor: Option<i32>,
}

impl Pool<'_> {
    /// Sizes of the output.
    #[must_use]
    pub fn output(&self) -> [usize; 3] {
        [0, 1, 2].map(|d| self.axes[d].windows.len())
    }

    /// Inputs under all windows: about what the work is proportional to.
    #[must_use]
    pub fn visits(&self) -> usize {
        let visits = |axis: &Axis| axis.windows.iter().map(|w| w.count).sum::<usize>();
        self.batch * self.axes.iter().map(visits).product::<usize>() * self.channels
    }

    fn check(&self, x: usize, out: usize) -> Result<()> {
        let input: usize = self.axes.iter().map(|axis| axis.size).product();
        let output: usize = self.output().iter().product();
        same(self.op, "input length", x, self.batch * input * self.channels)?;
        same(self.op, "output length", out, self.batch * output * self.channels)
    }

    /// Coordinates of output pixel `pixel`: image, depth, height, width.
    fn place(&self, pixel: usize) -> [usize; 4] {
        let [depth, height, width] = self.output();
        let [line, plane] = [pixel / width, pixel / (width * height)];
        [plane / depth, plane % depth, line % height, pixel % width]
    }

    /// The next pixel's coordinates: divisions would take longer than a small window.
    #[inline(always)]
    fn advance(&self, place: &mut [usize; 4]) {
        for d in (1..4).rev() {
            place[d] += 1;
            if place[d] < self.axes[d - 1].windows.len() {
                return;
            }
            place[d] = 0;
        }
        place[0] += 1;
    }

    /// Makes `taps` those under the window at `place`.
    #[inline(always)]
    fn look(&self, place: [usize; 4], taps: &mut Taps) {
        let [depth, height, width] = self.axes;
        let windows = [depth.windows[place[1]], height.windows[place[2]], width.windows[place[3]]];
        let [d, h, w] = windows;
        let plane = place[0] * depth.size + d.first;
        let line = plane * height.size + h.first;
        taps.first = (line * width.size + w.first) * self.channels;
        taps.padded = d.padded * h.padded * w.padded;
        let counts = windows.map(|window| window.count);
        if taps.counts == counts {
            return;
        }
        taps.counts = counts;
        taps.offsets.clear();
        for z in 0..d.count {
            for y in 0..h.count {
                for x in 0..w.count {
                    let line = z * depth.step * height.size + y * height.step;
                    taps.offsets.push((line * width.size + x * width.step) * self.channels);
                }
            }
        }
    }

    /// The largest byte of each window; of an empty one, the smallest that there is.
    ///
    /// # Errors
    /// If a length does not fit.
    pub fn max<T: Byte>(&self, level: Level, x: &[T], out: &mut [T]) -> Result<()> {
        self.check(x.len(), out.len())?;
        if out.is_empty() {
            return Ok(());
        }
        let (threads, by) = (threads_for(self.visits() / 20), Split::Rows(self.output()[2]));
        split(out, self.channels, threads, by, |window| {
            level.run(Max { pool: self, x, window });
        });
        Ok(())
    }

    /// The mean of each window.
    ///
    /// # Errors
    /// If a length does not fit, or a window is too large for 32 bits.
    pub fn average<T: Byte>(
        &self,
        level: Level,
        how: Average,
        x: &[T],
        out: &mut [T],
    ) -> Result<()> {
        self.check(x.len(), out.len())?;
        let largest = |axis: &Axis| axis.windows.iter().map(|w| w.count).max().unwrap_or(0);
        let k = self.axes.iter().map(largest).product();
        if k > MAX_SUM {
            return Err(Error::TooDeep { op: self.op, k, limit: MAX_SUM });
        }
        split(out, self.channels, threads_for(self.visits() / 10), Split::Rows(1), |window| {
            level.run(Mean { pool: self, how, x, window });
        });
        Ok(())
    }
}

/// The inputs under one window: neighbouring windows mostly have the same offsets.
#[derive(Default)]
struct Taps {
    /// Where the bytes of the first input begin.
    first: usize,
    /// Those of each, counted from the first.
    offsets: Vec<usize>,
    /// Inputs along each axis.
    counts: [usize; 3],
    /// Inputs and padding.
    padded: usize,
}

struct Max<'a, 'w, T> {
    pool: &'a Pool<'a>,
    x: &'a [T],
    window: parallel::Window<'w, T>,
}

impl<T: Byte> Kernel for Max<'_, '_, T> {
    type Output = ();

    /// The largest of a window is the largest along the width of what is largest across it: each
    /// input line is read once for every output line that sees it, not once for every output.
    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let Self { pool: &Pool { axes, channels, .. }, x, .. } = self;
        let [depth, height, width] = axes;
        let wide = width.size * channels;
        let mut across = vec![T::default(); wide];
        let mut offsets = Vec::new();
        for pixel in self.window.rows().step_by(width.windows.len()) {
            let [image, z, y, _] = self.pool.place(pixel);
            let (d, h) = (depth.windows[z], height.windows[y]);
            offsets.clear();
            for z in 0..d.count {
                let plane = image * depth.size + d.first + z * depth.step;
                for y in 0..h.count {
                    offsets.push((plane * height.size + h.first + y * height.step) * wide);
                }
            }
            largest(isa, x, &offsets, &mut across);
            for (w, window) in width.windows.iter().enumerate() {
                offsets.clear();
                for x in 0..window.count {
                    offsets.push((window.first + x * width.step) * channels);
                }
                largest(isa, &across, &offsets, self.window.row(pixel + w));
            }
        }
    }
}

/// `out[c]` = largest of `x[offset + c]` over `offsets`, or the smallest byte if there are none.
#[inline(always)]
fn largest<I: Isa, T: Byte>(isa: I, x: &[T], offsets: &[usize], out: &mut [T]) {
    let least = T::from_int(T::SPAN.min);
    let (wide, rest) = out.as_chunks_mut::<{ BLOCKS * LANES }>();
    for (i, room) in wide.iter_mut().enumerate() {
        let at = i * BLOCKS * LANES;
        let mut best = [[least; LANES]; BLOCKS];
        for offset in offsets {
            let chunks: &[[T; LANES]] = x[offset + at..][..BLOCKS * LANES].as_chunks().0;
            for b in 0..BLOCKS {
                best[b] = T::larger(isa, &best[b], &chunks[b]);
            }
        }
        room.as_chunks_mut().0.copy_from_slice(&best);
    }
    let mut at = wide.len() * BLOCKS * LANES;
    let (narrow, rest) = rest.as_chunks_mut::<LANES>();
    for room in narrow {
        let mut best = [least; LANES];
        for offset in offsets {
            let chunk = x[offset + at..].first_chunk().expect("16 bytes under every window");
            best = T::larger(isa, &best, chunk);
        }
        *room = best;
        at += LANES;
    }
    for byte in rest {
        let mut best = least;
        for offset in offsets {
            best = best.max(x[offset + at]);
        }
        *byte = best;
        at += 1;
    }
}

struct Mean<'a, 'w, T> {
    pool: &'a Pool<'a>,
    how: Average,
    x: &'a [T],
    window: parallel::Window<'w, T>,
}

impl<T: Byte> Kernel for Mean<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let Average { zero_point, rounding, include_padding, divisor } = self.how;
        let (before, after) = match rounding {
            Rounding::ThenAdd => (0.0, zero_point),
            Rounding::AfterFma => (zero_point as f32, 0),
        };
        let steps = Steps::new(isa, Quantizer { inv_scale: 1.0, before, after, span: T::SPAN });
        let mut taps = Taps::default();
        let mut place = self.pool.place(self.window.rows().start);
        for pixel in self.window.rows() {
            self.pool.look(place, &mut taps);
            self.pool.advance(&mut place);
            let count = match divisor {
                Some(divisor) => divisor as f32,
                None if include_padding => taps.padded as f32,
                None => taps.offsets.len() as f32,
            };
            let factor = isa.f_splat(1.0 / count);
            let zeros = isa.i_splat(zero_point.wrapping_mul(taps.offsets.len() as i32));
            let x = self.x.get(taps.first..).unwrap_or_default();
            let out = self.window.row(pixel);
            let channels = out.len();
            let mut at = 0;
            while at < channels {
                let sums = sums(isa, x, &taps.offsets, at, channels);
                for (b, sums) in sums.into_iter().enumerate() {
                    let v = isa.f_mul(isa.f_from_i(isa.i_sub(sums, zeros)), factor);
                    let bytes = T::narrow(isa, steps.of_number(isa, v));
                    store(&bytes, out, at + b * LANES);
                }
                at += BLOCKS * LANES;
            }
        }
    }
}

/// Blocks of 16 channels that are summed at once.
const BLOCKS: usize = 4;

/// Sums over `offsets` of the channels `at..` of `channels`; blocks past the end mean nothing.
#[inline(always)]
fn sums<I: Isa, T: Byte>(
    isa: I,
    x: &[T],
    offsets: &[usize],
    at: usize,
    channels: usize,
) -> [I::I; BLOCKS] {
    let mut sums = [isa.i_splat(0); BLOCKS];
    let whole = (channels - at) / LANES;
    if whole >= BLOCKS {
        for offset in offsets {
            let row: &[[T; LANES]] = x[offset + at..][..BLOCKS * LANES].as_chunks().0;
            for b in 0..BLOCKS {
                sums[b] = isa.i_add(sums[b], T::widen(isa, &row[b]));
            }
        }
        return sums;
    }
    for b in 0..(channels - at).div_ceil(LANES) {
        let from = at + b * LANES;
        let n = LANES.min(channels - from);
        for offset in offsets {
            let mut chunk = [T::default(); LANES];
            chunk[..n].copy_from_slice(&x[offset + from..][..n]);
            sums[b] = isa.i_add(sums[b], T::widen(isa, &chunk));
        }
    }
    sums
}

/// Writes those of 16 bytes that have a place from `at` on.
#[inline(always)]
fn store<T: Byte>(bytes: &[T; LANES], out: &mut [T], at: usize) {
    if let Some(room) = out.get_mut(at..) {
        match room.first_chunk_mut() {
            Some(room) => *room = *bytes,
            None => room.copy_from_slice(&bytes[..room.len()]),
        }
    }
}
