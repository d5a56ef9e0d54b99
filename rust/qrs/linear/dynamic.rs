//! Dynamically quantized linear layer: float in, float out, integers between.
//!
//! Per call: measure the input, quantize it to bytes, multiply, and turn the sums back into floats
//! in one pass. See [`crate::qparams`] for the formulas.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::Linear;
use crate::columns::{Columns, ScaleBack};
use crate::error::{Error, Result, same};
use crate::gemm::{Dense, Epilogue, blocks, gemm};
use crate::isa::{Isa, Kernel, LANES, Level, PANEL_BLOCKS};
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
            let bias = &self.channels.bias;
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

    /// How sums become outputs.
    fn scale_back(&self, engine: Engine) -> ScaleBack {
        let affine = (!self.channels.zero_points.is_empty()).then(|| self.k());
        ScaleBack { engine, affine }
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

/// Rows that are measured before they are quantized.
const GROUP: usize = 4;

/// Quantizes the rows `x` (not empty), the first of which is row `first` of the input.
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
        let (k, affine) = (layer.k(), layer.scale_back(how.engine).affine.is_some());
        self.room.rows.clear();
        if self.room.bytes.len() < self.x.len() {
            self.room.bytes.resize(self.x.len(), 0);
        }
        // A few rows at a time: the parameters of one row are a long chain of divisions, and those of
        // several overlap.
        let mut params = [whole.unwrap_or(QParams { scale: 1.0, zero_point: 0 }); GROUP];
        for (g, group) in self.x.chunks(GROUP * k).enumerate() {
            let rows = group.len() / k;
            if whole.is_none() {
                let mut ranges = [(0.0, 0.0); GROUP];
                for (i, x) in group.chunks_exact(k).enumerate() {
                    let (min, max, finite) = min_max(isa, x);
                    if !finite {
                        return Err(Error::NonFinite { op: OP, row: self.first + g * GROUP + i });
                    }
                    ranges[i] = (min, max);
                }
                for ((min, max), params) in ranges.into_iter().zip(&mut params).take(rows) {
                    *params = QParams::dynamic(min, max, how.span());
                }
            }
            for (i, x) in group.chunks_exact(k).enumerate() {
                let bytes = &mut self.room.bytes[(g * GROUP + i) * k..][..k];
                let quantizer = params[i].quantizer(how.span(), how.engine.dynamic_rounding());
                quantize_u8(isa, x, quantizer, bytes);
                let sum = match affine {
                    true => bytes.iter().map(|&b| i32::from(b)).sum(),
                    false => 0,
                };
                self.room.rows.push(QuantizedRow { params: params[i], sum });
            }
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
        let quantized = self.quantized.rows[row];
        let first = panel * layer.weights.width();
        let columns = &layer.columns[first..][..sums.len()];
        let skip = first * LANES - self.window.columns().start;
        let out = &mut self.window.row(self.first + row)[skip..];
        let (whole, rest) = out.as_chunks_mut::<LANES>();
        let by = Reals { by: layer.scale_back(how.engine), relu: how.relu, quantized };
        // Nearly every panel is whole: arrays, so that its loop is unrolled and checks nothing.
        if let (Some(columns), Some(sums), Some(to)) = (
            columns.first_chunk::<PANEL_BLOCKS>(),
            sums.first_chunk::<PANEL_BLOCKS>(),
            whole.first_chunk_mut::<PANEL_BLOCKS>(),
        ) {
            for b in 0..PANEL_BLOCKS {
                isa.f_store(by.of(isa, &columns[b], &sums[b]), &mut to[b]);
            }
            return;
        }
        for (b, (columns, sums)) in columns.iter().zip(sums).enumerate() {
            let y = by.of(isa, columns, sums);
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

/// How the sums of a row become outputs.
#[derive(Clone, Copy)]
struct Reals {
    by: ScaleBack,
    relu: bool,
    quantized: QuantizedRow,
}

impl Reals {
    #[inline(always)]
    fn of<I: Isa>(self, isa: I, columns: &Columns, sums: &[i32; LANES]) -> I::F {
        let y = self.by.reals(isa, columns, self.quantized, sums);
        if self.relu { isa.f_max(y, isa.f_splat(0.0)) } else { y }
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
        let mut room = std::mem::take(&mut scratch::borrow().quantized);
        let mut done = Ok(());
        for Range { start: first, end } in
            blocks(window.rows(), I::ROWS, k + size_of::<usize>(), source.layer.weights.bytes())
        {
            let x = &source.x[first * k..end * k];
            done = Quantize { source, first, x, room: &mut room }.run(isa);
            if done.is_err() {
                break;
            }
            Multiply { source, quantized: &room, first, window: &mut window }.run(isa);
        }
        scratch::borrow().quantized = room;
        done
    }
}
