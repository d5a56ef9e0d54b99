//! Lookup of quantized rows, singly or in bags.
//!
//! A row stands for `fma(q, s, b)` with `b = -z * s`. A bag adds, row by row,
//! `fma(q, s * w, sum + b * w)`; its mean is the sum divided by the number of rows.

use crate::error::{Error, Result, filled, same};
use crate::isa::{Isa, Kernel, LANES, Level};
use crate::parallel::{Split, Window, split, threads_for};

/// A row number as users give it.
pub trait Index: Copy + Send + Sync + 'static {
    /// The number.
    fn number(self) -> i64;
}

impl Index for i32 {
    fn number(self) -> i64 {
        self.into()
    }
}

impl Index for i64 {
    fn number(self) -> i64 {
        self
    }
}

/// Rows of 8 or 4 bits, each with a scale and an offset of its own.
#[derive(Clone, Debug)]
pub struct Embedding {
    bytes: Vec<u8>,
    /// Scale and offset.
    lines: Vec<[f32; 2]>,
    dim: usize,
    four_bits: bool,
}

/// What becomes of the rows of a bag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Their sum; a row can have a factor.
    Sum,
    /// Their mean; 0 for an empty bag.
    Mean,
    /// The largest value in each place; 0 for an empty bag.
    Max,
}

/// Rows in bags.
#[derive(Clone, Copy, Debug)]
pub struct Bags<'a, N> {
    /// Rows of all bags, one after the other.
    pub indices: &'a [N],
    /// Where each bag begins; it ends where the next begins or at `end`.
    pub starts: &'a [N],
    /// Where the last bag ends.
    pub end: usize,
    /// A factor for each row; only with [`Mode::Sum`].
    pub weights: Option<&'a [f32]>,
    /// What becomes of them.
    pub mode: Mode,
    /// A row that counts for nothing.
    pub padding: Option<usize>,
}

/// Values worked on at a time.
const WIDE: usize = 4 * LANES;

impl Embedding {
    /// Rows of `dim` values from their bytes, `[rows][dim]`; with `four_bits` two values a byte, the
    /// first in the low half, and each row beginning with a byte.
    ///
    /// # Errors
    /// If a length does not fit.
    pub fn new(
        bytes: &[u8],
        dim: usize,
        scales: &[f32],
        zero_points: &[f32],
        four_bits: bool,
    ) -> Result<Self> {
        const OP: &str = "embedding";
        let width = if four_bits { dim.div_ceil(2) } else { dim };
        same(OP, "number of bytes", bytes.len(), scales.len() * width)?;
        same(OP, "number of zero points", zero_points.len(), scales.len())?;
        let line = |(&scale, &zero_point): (&f32, &f32)| [scale, -zero_point * scale];
        let lines = scales.iter().zip(zero_points).map(line).collect();
        let mut own = filled(OP, 0, bytes.len())?;
        own.copy_from_slice(bytes);
        Ok(Self { bytes: own, lines, dim, four_bits })
    }

    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// Values of a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    fn check<N: Index>(&self, op: &'static str, indices: &[N]) -> Result<()> {
        let rows = self.rows();
        let outside = |index: &&N| usize::try_from(index.number()).map_or(true, |i| i >= rows);
        match indices.iter().find(outside) {
            Some(index) => Err(Error::Index { op, index: index.number(), rows }),
            None => Ok(()),
        }
    }

    /// `out[i]` = row `indices[i]`.
    ///
    /// # Errors
    /// If a length does not fit or an index is no row.
    pub fn lookup<N: Index>(&self, level: Level, indices: &[N], out: &mut [f32]) -> Result<()> {
        const OP: &str = "embedding";
        same(OP, "output length", out.len(), indices.len() * self.dim)?;
        self.check(OP, indices)?;
        split(out, self.dim, threads_for(out.len() / 4), Split::Rows(1), |window| {
            level.run(Lookup { table: self, indices, window });
        });
        Ok(())
    }

    /// `out[i]` = what bag `i` comes to.
    ///
    /// # Errors
    /// If a length does not fit, an index is no row, or the bags do not follow each other.
    pub fn bags<N: Index>(&self, level: Level, bags: Bags<'_, N>, out: &mut [f32]) -> Result<()> {
        const OP: &str = "embedding_bag";
        let Bags { indices, starts, end, weights, mode, .. } = bags;
        same(OP, "output length", out.len(), starts.len() * self.dim)?;
        same(OP, "number of weights", weights.map_or(indices.len(), <[f32]>::len), indices.len())?;
        if weights.is_some() && mode != Mode::Sum {
            let message = "weights came for a mean or maximum, expected them for a sum".to_owned();
            return Err(Error::Value { op: OP, message });
        }
        let mut before = 0;
        for (i, start) in starts.iter().map(|start| start.number()).enumerate() {
            if start < before || (i == 0 && start != 0) {
                let message = format!(
                    "offset {i} is {start}, expected {before} or more; offsets begin with 0 and never \
                     fall"
                );
                return Err(Error::Value { op: OP, message });
            }
            before = start;
        }
        if end > indices.len() || before > end as i64 {
            let message = format!(
                "bags end at {} of {} indices, expected them to end within",
                before.max(end as i64),
                indices.len()
            );
            return Err(Error::Value { op: OP, message });
        }
        self.check(OP, indices)?;
        let values = indices.len() * self.dim + out.len();
        split(out, self.dim, threads_for(values / 4), Split::Rows(1), |window| {
            level.run(Pour { table: self, bags, window });
        });
        Ok(())
    }

    /// Bytes of row `row`.
    #[inline(always)]
    fn row(&self, row: usize) -> &[u8] {
        let width = if self.four_bits { self.dim.div_ceil(2) } else { self.dim };
        &self.bytes[row * width..][..width]
    }

    /// The 16 values of a row from place `at` on; 0 past its end.
    #[inline(always)]
    fn sixteen<I: Isa>(&self, isa: I, row: &[u8], at: usize) -> I::F {
        let mut bytes = [0; LANES];
        if self.four_bits {
            let mut halves = [0; LANES / 2];
            match row[at / 2..].first_chunk() {
                Some(chunk) => halves = *chunk,
                None => halves[..row.len() - at / 2].copy_from_slice(&row[at / 2..]),
            }
            for j in 0..LANES / 2 {
                bytes[2 * j] = halves[j] & 15;
                bytes[2 * j + 1] = halves[j] >> 4;
            }
        } else {
            match row[at..].first_chunk() {
                Some(chunk) => bytes = *chunk,
                None => bytes[..row.len() - at].copy_from_slice(&row[at..]),
            }
        }
        isa.f_from_i(isa.i_from_u8(&bytes))
    }
}

/// Writes those of 16 values that have a place from `at` on.
#[inline(always)]
fn store<I: Isa>(isa: I, v: I::F, out: &mut [f32], at: usize) {
    match out[at..].first_chunk_mut() {
        Some(room) => isa.f_store(v, room),
        None => {
            let mut last = [0.0; LANES];
            isa.f_store(v, &mut last);
            let room = &mut out[at..];
            room.copy_from_slice(&last[..room.len()]);
        }
    }
}

struct Lookup<'a, 'w, N> {
    table: &'a Embedding,
    indices: &'a [N],
    window: Window<'w, f32>,
}

impl<N: Index> Kernel for Lookup<'_, '_, N> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let table = self.table;
        for r in self.window.rows() {
            let index = self.indices[r].number() as usize;
            let (row, [scale, offset]) = (table.row(index), table.lines[index]);
            let (scale, offset) = (isa.f_splat(scale), isa.f_splat(offset));
            let out = self.window.row(r);
            for at in (0..out.len()).step_by(LANES) {
                let v = isa.f_fma(table.sixteen(isa, row, at), scale, offset);
                store(isa, v, out, at);
            }
        }
    }
}

struct Pour<'a, 'w, N> {
    table: &'a Embedding,
    bags: Bags<'a, N>,
    window: Window<'w, f32>,
}

impl<N: Index> Kernel for Pour<'_, '_, N> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let Self { table, bags, .. } = self;
        for bag in self.window.rows() {
            let start = bags.starts[bag].number() as usize;
            let end = bags.starts.get(bag + 1).map_or(bags.end, |next| next.number() as usize);
            let out = self.window.row(bag);
            let mut first = 0;
            while first < out.len() {
                let blocks = (out.len() - first).min(WIDE).div_ceil(LANES);
                let mut values = [isa.f_splat(0.0); WIDE / LANES];
                let mut count = 0_u32;
                for i in start..end {
                    let index = bags.indices[i].number() as usize;
                    if bags.padding == Some(index) {
                        continue;
                    }
                    let (row, [scale, offset]) = (table.row(index), table.lines[index]);
                    let weight = bags.weights.map_or(1.0, |weights| weights[i]);
                    let (scale, offset) =
                        (isa.f_splat(scale * weight), isa.f_splat(offset * weight));
                    for b in 0..blocks {
                        let q = table.sixteen(isa, row, first + b * LANES);
                        values[b] = match bags.mode {
                            Mode::Max if count == 0 => isa.f_fma(q, scale, offset),
                            Mode::Max => isa.f_max(isa.f_fma(q, scale, offset), values[b]),
                            _ => isa.f_fma(q, scale, isa.f_add(values[b], offset)),
                        };
                    }
                    count += 1;
                }
                let count = isa.f_splat(count.max(1) as f32);
                for b in 0..blocks {
                    let v = match bags.mode {
                        Mode::Mean => isa.f_div(values[b], count),
                        _ => values[b],
                    };
                    store(isa, v, out, first + b * LANES);
                }
                first += WIDE;
            }
        }
    }
}
