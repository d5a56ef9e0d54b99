//! Integer weights of a recurrent layer: rows are quantized, multiplied exactly and scaled back.

use super::matrix::{Matrix, Measured, Sink, Staged};
use crate::columns::{Columns, ScaleBack};
use crate::error::{Error, Result, same};
use crate::gemm::{Dense, Epilogue, Sweep, gemm};
use crate::isa::{Isa, Kernel, LANES, Level, PANEL_BLOCKS};
use crate::pack::{MAX_DEPTH_AFFINE, PackedWeights};
use crate::qparams::{Engine, QParams, Span};
use crate::quantize::{min_max, quantize_u8};
use crate::scratch::{QuantizedRow, Scratch};

/// Quantized weights of one product, `[n][k]`.
#[derive(Clone, Copy, Debug)]
pub struct Int8Weights<'a> {
    /// Stored integers.
    pub values: &'a [i8],
    /// One scale, or one per output.
    pub scales: &'a [f32],
    /// None, one, or one per output; none stands for zero.
    pub zero_points: &'a [i32],
    /// One per output.
    pub bias: Option<&'a [f32]>,
}

/// [`Int8Weights`], packed.
#[derive(Clone, Debug)]
pub struct Int8 {
    weights: PackedWeights,
    columns: Vec<Columns>,
    /// Whether any weight zero point is not zero.
    affine: bool,
}

/// The range of the bytes that rows are quantized to: PyTorch's recurrent layers always reduce it.
fn span(engine: Engine) -> Span {
    engine.dynamic_span(true)
}

impl Matrix for Int8 {
    type Plain<'a> = Int8Weights<'a>;

    fn pack(
        op: &'static str,
        plain: Int8Weights<'_>,
        (n, k): (usize, usize),
        channels: &[Option<usize>],
        width: usize,
    ) -> Result<Self> {
        let Int8Weights { values, scales, zero_points, bias } = plain;
        same(op, "number of weights", values.len(), n * k)?;
        if scales.len() != 1 {
            same(op, "number of weight scales", scales.len(), n)?;
        }
        if zero_points.len() > 1 {
            same(op, "number of weight zero points", zero_points.len(), n)?;
        }
        same(op, "number of biases", bias.map_or(n, <[f32]>::len), n)?;
        let affine = zero_points.iter().any(|&z| z != 0);
        if affine && k > MAX_DEPTH_AFFINE {
            return Err(Error::TooDeep { op, k, limit: MAX_DEPTH_AFFINE });
        }
        let weights = PackedWeights::with_channels(values, n, channels, 1, k, width)?;
        let zero_points = if affine { zero_points } else { &[0] };
        let columns = weights
            .sums()
            .iter()
            .zip(channels.chunks(LANES))
            .map(|(&sums, channels)| Columns {
                sums,
                zero_points: of_channels(zero_points, channels),
                scales: of_channels(scales, channels),
                bias: of_channels(bias.unwrap_or(&[0.0]), channels),
            })
            .collect();
        Ok(Self { weights, columns, affine })
    }

    fn k(&self) -> usize {
        self.weights.c()
    }

    fn bytes(&self) -> usize {
        self.weights.bytes()
    }

    fn nanoseconds(&self, level: Level, rows: usize) -> usize {
        let products = self.weights.products(rows) / level.products_per_nanosecond();
        products.max(self.weights.bytes() / 60)
    }

    fn enter<K: Kernel>(level: Level, engine: Engine, kernel: K) -> K::Output {
        if span(engine).max <= 127 { level.run_seven_bit(kernel) } else { level.run(kernel) }
    }

    #[inline(always)]
    fn measure<I: Isa>(&self, isa: I, engine: Engine, x: &[f32]) -> Measured<Option<QParams>> {
        if engine.quantizes_rows() {
            return Ok(None);
        }
        let (min, max, finite) = min_max(isa, x);
        if finite {
            return Ok(Some(QParams::dynamic(min, max, span(engine))));
        }
        let at = x.iter().position(|v| !v.is_finite()).unwrap_or(0);
        Err(at / self.k().max(1))
    }

    #[inline(always)]
    fn stage<'x, I: Isa>(
        &self,
        isa: I,
        engine: Engine,
        whole: Option<QParams>,
        count: usize,
        row: impl Fn(usize) -> &'x [f32],
        to: &mut Staged,
    ) -> Measured<()> {
        let k = self.k();
        to.rows = count;
        let bytes = &mut to.quantized.bytes;
        if bytes.len() < count * k {
            bytes.resize(count * k, 0);
        }
        let mut whole = whole;
        if whole.is_none() && !engine.quantizes_rows() {
            let (mut low, mut high) = (f32::INFINITY, f32::NEG_INFINITY);
            for i in 0..count {
                let (min, max, finite) = min_max(isa, row(i));
                if !finite {
                    return Err(i);
                }
                (low, high) = (low.min(min), high.max(max));
            }
            whole = Some(QParams::dynamic(low, high, span(engine)));
        }
        to.quantized.rows.clear();
        for i in 0..count {
            let row = row(i);
            let params = if let Some(whole) = whole {
                whole
            } else {
                let (min, max, finite) = min_max(isa, row);
                if !finite {
                    return Err(i);
                }
                QParams::dynamic(min, max, span(engine))
            };
            let bytes = &mut bytes[i * k..][..k];
            quantize_u8(isa, row, params.quantizer(span(engine), engine.dynamic_rounding()), bytes);
            let sum = if self.affine { bytes.iter().map(|&b| i32::from(b)).sum() } else { 0 };
            to.quantized.rows.push(QuantizedRow { params, sum });
        }
        Ok(())
    }

    #[inline(always)]
    fn multiply<I: Isa, S: Sink>(
        &self,
        isa: I,
        engine: Engine,
        staged: &Staged,
        sweep: Sweep,
        scratch: &mut Scratch,
        sink: &mut S,
    ) {
        let data = Dense { data: &staged.quantized.bytes, k: self.k() };
        let by = ScaleBack { engine, affine: self.affine.then(|| self.k()) };
        let mut reals = Reals { matrix: self, by, rows: &staged.quantized.rows, sink };
        let staging = I::staging(scratch);
        gemm(isa, &data, 0..staged.rows, &self.weights, sweep, staging, &mut reals);
    }
}

/// `values`, one for all channels or one each, in the lanes of a block; padding is zero.
fn of_channels<T: Copy + Default>(values: &[T], channels: &[Option<usize>]) -> [T; LANES] {
    std::array::from_fn(|j| match channels.get(j).copied().flatten() {
        Some(channel) => values[if values.len() == 1 { 0 } else { channel }],
        None => T::default(),
    })
}

/// Turns sums into reals and passes them on.
struct Reals<'a, S> {
    matrix: &'a Int8,
    by: ScaleBack,
    rows: &'a [QuantizedRow],
    sink: &'a mut S,
}

impl<S: Sink> Epilogue for Reals<'_, S> {
    #[inline(always)]
    fn finish<I: Isa>(&mut self, isa: I, row: usize, panel: usize, sums: &[[i32; LANES]]) {
        let quantized = self.rows[row];
        let columns = &self.matrix.columns[panel * self.matrix.weights.width()..][..sums.len()];
        let mut products = [isa.f_splat(0.0); PANEL_BLOCKS];
        for b in 0..PANEL_BLOCKS.min(sums.len()) {
            products[b] = self.by.reals(isa, &columns[b], quantized, &sums[b]);
        }
        self.sink.take(isa, row, panel, products);
    }
}
