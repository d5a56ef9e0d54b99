//! Dynamically quantized linear layer: float in, float out, integers between.
//!
//! Per call: measure the input, quantize it to bytes, multiply, and turn the sums back into floats
//! in one pass. See [`crate::qparams`] for the formulas.

use std::sync::{Mutex, PoisonError};

use super::Linear;
use crate::error::{Error, Result, same};
use crate::gemm::{BLOCK_BYTES, Dense, Epilogue, gemm};
use crate::isa::{Isa, Kernel, LANES, Level, TILE_ROWS};
use crate::parallel::{Split, Window, split, threads_for};
use crate::qparams::{Engine, QParams, Span};
use crate::quantize::{min_max, quantize_u8};
use crate::scratch::{self, QuantizedRow, QuantizedRows};

const OP: &str = "dynamic linear";

/// How one call computes.
#[derive(Clone, Copy, Debug)]
pub struct Dynamic {
    /// Numeric profile.
    pub engine: Engine,
    /// Whether `fbgemm` keeps activations within 7 bits (its default).
    pub reduce_range: bool,
    /// Whether negative outputs become zero.
    pub relu: bool,
}

impl Linear {
    /// `out[i][j] = sum over k of x[i][k] * w[j][k] + bias[j]`, for `x` of `m` rows.
    ///
    /// # Errors
    /// If a length does not fit, or `x` holds NaN or infinity.
    pub fn dynamic(
        &self,
        level: Level,
        how: Dynamic,
        m: usize,
        x: &[f32],
        out: &mut [f32],
    ) -> Result<()> {
        let (k, n) = (self.k(), self.n());
        same(OP, "input length", x.len(), m * k)?;
        same(OP, "output length", out.len(), m * n)?;
        if out.is_empty() {
            return Ok(());
        }
        if k == 0 {
            // Rows without elements cannot be told apart in `x`: every output row is the bias.
            let bias = &self.bias.as_flattened()[..n];
            for row in out.chunks_exact_mut(n) {
                for (y, &b) in row.iter_mut().zip(bias) {
                    *y = if how.relu { b.max(0.0) } else { b };
                }
            }
            return Ok(());
        }
        let whole = match how.engine.quantizes_rows() {
            true => None,
            false => Some(level.run(Measure { x, k, how })?),
        };
        let threads = threads_for(self.nanoseconds(level, m));
        let by_rows = threads == 1 || m >= 32.max(6 * threads);
        let source = Source { layer: self, how, whole, x };
        if by_rows {
            let failed = Mutex::new(None);
            split(out, n, threads, Split::Rows(6), |window| {
                if let Err(error) = source.enter(level, QuantizeAndMultiply { source, window }) {
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            });
            return failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err);
        }
        // Few rows: each is quantized once, here, and the threads share out the panels.
        let mut room = std::mem::take(&mut scratch::borrow().quantized);
        level.run(Quantize { source, first: 0, x, room: &mut room })?;
        split(out, n, threads, Split::Columns(64), |mut window| {
            let window = &mut window;
            source.enter(level, Multiply { source, quantized: &room, first: 0, window });
        });
        scratch::borrow().quantized = room;
        Ok(())
    }

    /// About how long `m` rows take on one thread.
    fn nanoseconds(&self, level: Level, m: usize) -> usize {
        // One row reads each weight once: 60 to 100 bytes a nanosecond from L2, half that beyond.
        self.weights.products(m) / level.products_per_nanosecond() + self.weights.bytes() / 100
    }
}

/// What every part of a call reads.
#[derive(Clone, Copy)]
struct Source<'a> {
    layer: &'a Linear,
    how: Dynamic,
    /// Parameters of the whole input, for profiles that measure it at once.
    whole: Option<QParams>,
    x: &'a [f32],
}

impl Source<'_> {
    /// Runs `kernel` with the product that fits the activations' range.
    fn enter<K: Kernel>(&self, level: Level, kernel: K) -> K::Output {
        match self.how.span().max <= 127 {
            true => level.run_seven_bit(kernel),
            false => level.run(kernel),
        }
    }
}

impl Dynamic {
    fn span(self) -> Span {
        self.engine.dynamic_span(self.reduce_range)
    }
}

/// Measures the whole input.
struct Measure<'a> {
    x: &'a [f32],
    k: usize,
    how: Dynamic,
}

impl Kernel for Measure<'_> {
    type Output = Result<QParams>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Result<QParams> {
        let (min, max, finite) = min_max(isa, self.x);
        if !finite {
            let at = self.x.iter().position(|v| !v.is_finite()).unwrap_or(0);
            return Err(Error::NonFinite { op: OP, row: at / self.k.max(1) });
        }
        Ok(QParams::dynamic(min, max, self.how.span()))
    }
}

/// Quantizes the rows `x`, the first of which is row `first` of the input.
struct Quantize<'a> {
    source: Source<'a>,
    first: usize,
    x: &'a [f32],
    room: &'a mut QuantizedRows,
}

impl Kernel for Quantize<'_> {
    type Output = Result<()>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Result<()> {
        let Source { layer, how, whole, .. } = self.source;
        let k = layer.k();
        self.room.rows.clear();
        if self.room.bytes.len() < self.x.len() {
            self.room.bytes.resize(self.x.len(), 0);
        }
        for (i, x) in self.x.chunks_exact(k.max(1)).enumerate() {
            let params = match whole {
                Some(params) => params,
                None => {
                    let (min, max, finite) = min_max(isa, x);
                    if !finite {
                        return Err(Error::NonFinite { op: OP, row: self.first + i });
                    }
                    QParams::dynamic(min, max, how.span())
                }
            };
            let bytes = &mut self.room.bytes[i * k..][..k];
            let quantizer = params.quantizer(how.span(), how.engine.dynamic_rounding());
            quantize_u8(isa, x, quantizer, bytes);
            let sum = match layer.zero_points {
                Some(_) => bytes.iter().map(|&b| i32::from(b)).sum(),
                None => 0,
            };
            self.room.rows.push(QuantizedRow { params, sum });
        }
        Ok(())
    }
}

/// Multiplies quantized rows, the first of which is row `first` of the input, into `window`.
struct Multiply<'a, 'w> {
    source: Source<'a>,
    quantized: &'a QuantizedRows,
    first: usize,
    window: &'a mut Window<'w, f32>,
}

impl Kernel for Multiply<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let weights = &self.source.layer.weights;
        let panels = weights.panels_of(self.window.columns());
        let rows = 0..self.quantized.rows.len();
        let data = Dense { data: &self.quantized.bytes, k: weights.c() };
        let mut scratch = scratch::borrow();
        gemm(isa, &data, rows, weights, panels, I::staging(&mut scratch), &mut self);
    }
}

impl Epilogue for Multiply<'_, '_> {
    #[inline(always)]
    fn finish<I: Isa>(&mut self, isa: I, row: usize, panel: usize, sums: &[[i32; LANES]]) {
        let Source { layer, how, .. } = self.source;
        let QuantizedRow { params, sum } = self.quantized.rows[row];
        let scale = isa.f_splat(params.scale);
        let zero_point = isa.i_splat(params.zero_point);
        let first = panel * layer.weights.width();
        let skip = first * LANES - self.window.columns().start;
        let out = &mut self.window.row(self.first + row)[skip..];
        let (whole, rest) = out.as_chunks_mut::<LANES>();
        for (b, sums) in sums.iter().enumerate() {
            let at = first + b;
            let correction = isa.i_mul(zero_point, isa.i_load(&layer.weights.sums()[at]));
            let mut acc = isa.i_sub(isa.i_load(sums), correction);
            if let Some(zero_points) = &layer.zero_points {
                let a = sum.wrapping_sub((layer.k() as i32).wrapping_mul(params.zero_point));
                let by_row = isa.i_mul(isa.i_splat(a), isa.i_load(&zero_points[at]));
                acc = isa.i_sub(acc, by_row);
            }
            let multiplier = isa.f_mul(scale, isa.f_load(&layer.scales[at]));
            let bias = isa.f_load(&layer.bias[at]);
            let acc = isa.f_from_i(acc);
            let mut y = match how.engine.fuses_bias() {
                true => isa.f_fma(acc, multiplier, bias),
                false => isa.f_add(isa.f_mul(acc, multiplier), bias),
            };
            if how.relu {
                y = isa.f_max(y, isa.f_splat(0.0));
            }
            match whole.get_mut(b) {
                Some(to) => isa.f_store(y, to),
                None => {
                    let mut last = [0.0; LANES];
                    isa.f_store(y, &mut last);
                    rest.copy_from_slice(&last[..rest.len()]);
                }
            }
        }
    }
}

/// Quantizes and multiplies the rows of `window`, a block at a time so that bytes stay in cache.
struct QuantizeAndMultiply<'a> {
    source: Source<'a>,
    window: Window<'a, f32>,
}

impl Kernel for QuantizeAndMultiply<'_> {
    type Output = Result<()>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Result<()> {
        let Self { source, mut window } = self;
        let k = source.layer.k();
        let block = (BLOCK_BYTES / k.max(1)).max(TILE_ROWS) / TILE_ROWS * TILE_ROWS;
        let mut room = std::mem::take(&mut scratch::borrow().quantized);
        let all = window.rows();
        let mut done = Ok(());
        let mut first = all.start;
        while first < all.end && done.is_ok() {
            let end = all.end.min(first + block);
            let x = &source.x[first * k..end * k];
            done = Quantize { source, first, x, room: &mut room }.run(isa);
            if done.is_ok() {
                Multiply { source, quantized: &room, first, window: &mut window }.run(isa);
            }
            first = end;
        }
        scratch::borrow().quantized = room;
        done
    }
}
