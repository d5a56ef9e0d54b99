//! From 32-bit sums to stored bytes: what follows every product of a statically quantized layer.
//!
//! A [`Plan`] holds, per output channel, everything that depends on the parameters of the layer, its
//! input and its output. It is computed once per combination, not per call:
//!
//! ```text
//! acc = sum of q_x * q_w + start[j] - row_sum * z_w[j]
//! q   = clamp(z_y + rne((f32(acc) + bias[j]) * multiplier[j]))
//! start[j]      = -z_x * (sum of q_w - K * z_w[j])            plus the integer bias of qnnpack
//! bias[j]       = b / (s_x * s_w[j])                          profiles qrs and fbgemm
//! multiplier[j] = (s_x * s_w[j]) / s_y
//! ```
//!
//! Every operation on reals is one f32 operation, in PyTorch 1.8.1's order, so its integers are
//! reproduced.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result, same};
use crate::isa::to_bytes::{Affine, Lanes, Range, ToBytes};
use crate::isa::{Gathered, Isa, LANES, Outputs, Panel, Tile};
use crate::pack::by_blocks;
use crate::qparams::{Engine, QParams, Span};

/// Per-channel facts of a layer that its plans are made from.
#[derive(Clone, Debug)]
pub struct Channels {
    /// Weight scales: one, or one per channel.
    pub scales: Vec<f32>,
    /// Weight zero points, one per channel; none when all are zero.
    pub zero_points: Vec<i32>,
    /// Float bias, one per channel.
    pub bias: Vec<f32>,
}

/// What is known of the layer's input and output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Static {
    /// Numeric profile.
    pub engine: Engine,
    /// Parameters of the input.
    pub input: QParams,
    /// Parameters of the output.
    pub output: QParams,
    /// Stored range of the output: narrower than the type's for a fused clamp.
    pub span: Span,
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub struct Plan {
    blocks: Vec<Affine>,
    /// Weight zero points, where any is not zero: the caller must give row sums.
    zero_points: Option<Vec<[i32; LANES]>>,
    /// See [`ToBytes::outside`].
    outside: Vec<[i32; LANES]>,
    range: Range,
}

/// A value computed once for the latest [`Static`] and shared by later calls.
#[derive(Debug)]
pub struct Cached<T>(Mutex<Option<(Static, Arc<T>)>>);

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// A copy computes its own.
impl<T> Clone for Cached<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> Cached<T> {
    /// The value for `how`: the kept one, or what `make` gives.
    pub fn get(&self, how: Static, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, value)) = &*slot
            && *known == how
        {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(make()?);
        *slot = Some((how, Arc::clone(&value)));
        Ok(value)
    }
}

impl Channels {
    /// Checks the counts against `n` channels. Zero points that are all zero are dropped.
    pub fn new(
        op: &'static str,
        n: usize,
        scales: &[f32],
        zero_points: Option<&[i32]>,
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        if scales.len() != 1 {
            same(op, "number of weight scales", scales.len(), n)?;
        }
        same(op, "number of biases", bias.map_or(n, <[f32]>::len), n)?;
        let zero_points = zero_points.unwrap_or_default();
        if !zero_points.is_empty() {
            same(op, "number of weight zero points", zero_points.len(), n)?;
        }
        let affine = zero_points.iter().any(|&z| z != 0);
        Ok(Self {
            scales: scales.to_vec(),
            zero_points: if affine { zero_points.to_vec() } else { Vec::new() },
            bias: bias.map_or_else(|| vec![0.0; n], <[f32]>::to_vec),
        })
    }

    /// The facts of the channels `range`.
    #[must_use]
    pub fn part(&self, range: std::ops::Range<usize>) -> Self {
        let some = |all: &[i32]| all.get(range.clone()).map_or_else(Vec::new, <[i32]>::to_vec);
        Self {
            scales: match self.scales.len() {
                1 => self.scales.clone(),
                _ => self.scales[range.clone()].to_vec(),
            },
            zero_points: some(&self.zero_points),
            bias: self.bias[range].to_vec(),
        }
    }

    /// The scale of channel `j`.
    #[must_use]
    pub fn scale(&self, j: usize) -> f32 {
        if self.scales.len() == 1 { self.scales[0] } else { self.scales[j] }
    }

    /// The zero point of channel `j`.
    #[must_use]
    pub fn zero_point(&self, j: usize) -> i32 {
        self.zero_points.get(j).copied().unwrap_or(0)
    }
}

impl Plan {
    /// A plan for channels whose weights sum to `sums` over `k` products.
    ///
    /// # Errors
    /// If a multiplier is not a positive finite number: the scales do not fit each other.
    pub fn new(
        op: &'static str,
        channels: &Channels,
        sums: &[i32],
        k: usize,
        how: Static,
    ) -> Result<Self> {
        let n = sums.len();
        let Static { engine, input, output, span } = how;
        let (mut start, mut bias, mut multiplier) = (vec![0; n], vec![0.0; n], vec![0.0; n]);
        for j in 0..n {
            let weight_scale = channels.scale(j);
            let product = input.scale * weight_scale;
            let b = channels.bias[j];
            let real_sum = sums[j].wrapping_sub((k as i32).wrapping_mul(channels.zero_point(j)));
            start[j] = input.zero_point.wrapping_mul(real_sum).wrapping_neg();
            if engine == Engine::Qnnpack {
                start[j] = start[j].wrapping_add((b * (1.0 / product)).round_ties_even() as i32);
                multiplier[j] = (weight_scale * input.scale) * (1.0 / output.scale);
            } else {
                bias[j] =
                    if channels.scales.len() == 1 { b * (1.0 / product) } else { b / product };
                multiplier[j] = product / output.scale;
            }
            if !(multiplier[j] > 0.0 && multiplier[j].is_finite() && bias[j].is_finite()) {
                let message = format!(
                    "channel {j} has input scale {}, weight scale {weight_scale}, bias {b} and output \
                     scale {}: their ratio does not fit a float; calibrate again",
                    input.scale, output.scale
                );
                return Err(Error::Value { op, message });
            }
        }
        let zero_points =
            (!channels.zero_points.is_empty()).then(|| by_blocks(&channels.zero_points, 0));
        // The largest real that a sum can become, all activations and weights at their ends: weights less
        // their zero points are within 255.
        let largest = |j: usize| {
            let sum = k as f64 * (255.0 * 255.0) + f64::from(start[j]).abs();
            (sum + f64::from(bias[j]).abs()) * f64::from(multiplier[j])
        };
        let range = Range {
            zero_point: output.zero_point as i16,
            low: span.min as u8,
            high: span.max as u8,
            bounded: (0..n).all(|j| largest(j) < 2_f64.powi(30)),
        };
        let (start, bias) = (by_blocks(&start, 0), by_blocks(&bias, 0.0));
        let blocks = by_blocks(&multiplier, 0.0)
            .into_iter()
            .zip(start.into_iter().zip(bias))
            .map(|(multiplier, (start, bias))| Affine { start, bias, multiplier })
            .collect();
        Ok(Self { blocks, zero_points, outside: Vec::new(), range })
    }

    /// For products some of whose taps lie in the padding, which holds the input's `zero_point`; `sums` are
    /// those of the weights, `[block][tap]`.
    #[must_use]
    pub fn padded(self, zero_point: i32, mut sums: Vec<[i32; LANES]>) -> Self {
        sums.as_flattened_mut().iter_mut().for_each(|sum| *sum *= zero_point);
        Self { outside: sums, ..self }
    }

    /// The plan whose channels, a multiple of 16, are those of this plan that `channels` names. Weights
    /// have no zero points.
    #[must_use]
    pub fn arranged(&self, channels: &[usize]) -> Self {
        let own = |j: usize| (&self.blocks[j / LANES], j % LANES);
        let block = |channels: &[usize; LANES]| Affine {
            start: channels.map(|j| own(j).0.start[own(j).1]),
            bias: channels.map(|j| own(j).0.bias[own(j).1]),
            multiplier: channels.map(|j| own(j).0.multiplier[own(j).1]),
        };
        let blocks = channels.as_chunks().0.iter().map(block).collect();
        Self { blocks, zero_points: None, outside: Vec::new(), range: self.range }
    }

    /// Whether [`Plan::store`] needs the sum of each row's bytes.
    #[must_use]
    #[inline(always)]
    pub fn needs_row_sums(&self) -> bool {
        self.zero_points.is_some()
    }

    /// What the channels of `B` blocks from `first` on need, in registers.
    #[inline(always)]
    pub fn lanes<I: Isa, const B: usize>(&self, isa: I, first: usize) -> [Lanes<I>; B] {
        Lanes::all(isa, self.blocks[first..].first_chunk().expect("as many blocks"), self.range)
    }

    /// What the channels of `blocks` need.
    #[inline(always)]
    #[must_use]
    pub fn to_bytes(&self, blocks: std::ops::Range<usize>) -> ToBytes<'_> {
        ToBytes { blocks: &self.blocks[blocks], outside: &[], range: self.range }
    }

    /// What 16 channels from `channel` on need, in registers.
    #[inline(always)]
    pub fn lanes_from<I: Isa>(&self, isa: I, channel: usize) -> Lanes<I> {
        let (block, skip) = (channel / LANES, channel % LANES);
        let mut affine = self.blocks[block];
        if skip > 0 {
            let next = &self.blocks[block + 1];
            affine.start = across(&affine.start, &next.start, skip);
            affine.bias = across(&affine.bias, &next.bias, skip);
            affine.multiplier = across(&affine.multiplier, &next.multiplier, skip);
        }
        Lanes::new(isa, &affine, self.range)
    }

    /// Takes off `sums` of blocks from `first` on what the zero points of their weights add.
    #[inline(always)]
    fn less_row_sum<I: Isa, const B: usize>(
        &self,
        isa: I,
        first: usize,
        row_sum: i32,
        sums: &mut [I::I; B],
    ) {
        if let Some(zero_points) = &self.zero_points {
            for b in 0..B {
                let by_row = isa.i_mul(isa.i_splat(row_sum), isa.i_load(&zero_points[first + b]));
                sums[b] = isa.i_sub(sums[b], by_row);
            }
        }
    }

    /// `rows` times a panel that begins with block `first`: bytes in columns `columns` of `out`.
    /// `row_sum` gives the sum of all activations of a row; it is asked if they are needed.
    #[inline(always)]
    pub fn panel<I: Isa>(
        &self,
        isa: I,
        rows: &Gathered<'_, I::Act>,
        (first, panel): (usize, &Panel<'_>),
        (out, columns): (&mut Outputs<'_>, std::ops::Range<usize>),
        acc: &mut Tile,
        row_sum: impl Fn(usize) -> i32,
    ) {
        if !self.needs_row_sums() {
            let (blocks, range) = (&self.blocks[first..][..panel.width], self.range);
            let taps = self.outside.len() / self.blocks.len();
            let outside = &self.outside[first * taps..][..panel.width * taps];
            let by = ToBytes { blocks, outside, range };
            return isa.tile_bytes(rows, panel, &by, (out, columns), acc);
        }
        let start = rows.rows().start;
        for taps in rows.strips(I::ROWS) {
            isa.tile(&taps, panel, acc);
            for (m, row) in taps.rows().enumerate() {
                let out = &mut out.row(row - start)[columns.clone()];
                self.store(isa, first, &acc[m][..panel.width], row_sum(row), out);
            }
        }
    }

    /// Stored bytes of up to four blocks from `first` on, from their sums, written to `out`.
    #[inline(always)]
    pub fn store<I: Isa>(
        &self,
        isa: I,
        first: usize,
        sums: &[[i32; LANES]],
        row_sum: i32,
        out: &mut [u8],
    ) {
        match sums {
            [] => {}
            &[a] => self.store_blocks(isa, first, [a], row_sum, out),
            &[a, b] => self.store_blocks(isa, first, [a, b], row_sum, out),
            &[a, b, c] => self.store_blocks(isa, first, [a, b, c], row_sum, out),
            &[a, b, c, d, ..] => self.store_blocks(isa, first, [a, b, c, d], row_sum, out),
        }
    }

    /// Blocks together: four fill a register with bytes, and one by one take half as long again.
    #[inline(always)]
    fn store_blocks<I: Isa, const B: usize>(
        &self,
        isa: I,
        first: usize,
        sums: [[i32; LANES]; B],
        row_sum: i32,
        out: &mut [u8],
    ) {
        let lanes = self.lanes::<I, B>(isa, first);
        let mut totals = [isa.i_splat(0); B];
        for b in 0..B {
            totals[b] = isa.i_add(isa.i_load(&sums[b]), lanes[b].start);
        }
        self.less_row_sum(isa, first, row_sum, &mut totals);
        Lanes::put(isa, &lanes, totals, out);
    }
}

/// The channels of two neighbouring blocks, without the first `skip` and what is more than a block.
fn across<T: Copy>(a: &[T; LANES], b: &[T; LANES], skip: usize) -> [T; LANES] {
    std::array::from_fn(|j| if j + skip < LANES { a[j + skip] } else { b[j + skip - LANES] })
}
