//! Depthwise convolutions, and groups of few channels: too narrow for a matrix product.
//!
//! ```text
//! for each row of the output
//!   for each block of 16 output channels
//!     for each column of the input: interleave the bytes that its products need     once per column
//!     for each output of the row: dot products over the columns under its kernel    then requantize
//! ```
//!
//! A *quad* holds, for each of 16 output channels, 4 input bytes: 4 kernel rows of one channel
//! (depthwise), 2 rows of 2, or 1 row of 4 channels of the output's group. Interleaving is the
//! expensive part, so a column is interleaved once and used by every output whose kernel covers it.

use super::Geometry;
use crate::isa::{Block, Isa, Kernel, LANES};
use crate::parallel::Window;
use crate::requant::Plan;

/// Weights of a convolution of narrow groups.
#[derive(Clone, Debug)]
pub(super) struct Narrow {
    /// `[block of 16 outputs][kernel column][quad]`.
    weights: Vec<Block>,
    blocks: Vec<Feed>,
    sums: Vec<i32>,
    geometry: Geometry,
    inputs: usize,
    outputs: usize,
    /// Input channels of a group.
    c: usize,
}

/// Which input bytes a block of 16 outputs reads.
#[derive(Clone, Debug)]
struct Feed {
    /// First input channel.
    first: usize,
    /// For input `i` of a group: which byte after `first` each of the 16 outputs takes.
    picks: Vec<[u8; LANES]>,
}

/// Where an element of a quad comes from.
#[derive(Clone, Copy, Debug, Default)]
struct Source {
    /// First byte of its kernel row in the input; none outside the image.
    start: Option<usize>,
    /// Its place in [`Feed::picks`].
    pick: usize,
}

impl Narrow {
    /// Packs `weights`, `[outputs][taps][c]`, if groups are narrow enough: at most 8 inputs, and any 16
    /// outputs in a row read at most 16 neighbouring bytes.
    pub(super) fn new(
        weights: &[i8],
        (inputs, outputs): (usize, usize),
        geometry: Geometry,
    ) -> Option<Self> {
        let (c, n) = (inputs / geometry.groups, outputs / geometry.groups);
        if geometry.groups < 2 || c > 8 {
            return None;
        }
        let blocks: Vec<Feed> = (0..outputs)
            .step_by(LANES)
            .map(|from| {
                let group = |j: usize| (from + j).min(outputs - 1) / n;
                let first = group(0) * c;
                let wide = group(LANES - 1) * c + c - first;
                let pick = |i| std::array::from_fn(|j| (group(j) * c + i - first) as u8);
                (wide <= LANES).then(|| Feed { first, picks: (0..c).map(pick).collect() })
            })
            .collect::<Option<_>>()?;
        let [depth, height, width] = geometry.kernel;
        let (rows, taps) = (depth * height, geometry.taps());
        let quads = (rows * c).div_ceil(4);
        let mut packed = vec![Block([0; 64]); blocks.len() * width * quads];
        for (o, weights) in weights.chunks_exact(taps * c).enumerate() {
            for (at, &w) in weights.iter().enumerate() {
                let (tap, i) = (at / c, at % c);
                let (row, column) = (tap / width, tap % width);
                let element = row * c + i;
                let quad = (o / LANES * width + column) * quads + element / 4;
                packed[quad].0[4 * (o % LANES) + element % 4] = w;
            }
        }
        let sum = |w: &[i8]| w.iter().map(|&w| i32::from(w)).sum();
        let sums = weights.chunks_exact(taps * c).map(sum).collect();
        Some(Self { weights: packed, blocks, sums, geometry, inputs, outputs, c })
    }

    /// Sum of each output channel's weights.
    pub(super) fn sums(&self) -> &[i32] {
        &self.sums
    }

    /// About how long `pixels` output pixels take on one thread: products here run at a fifth of the
    /// matrix rate.
    pub(super) fn nanoseconds(&self, products_per_nanosecond: usize, pixels: usize) -> usize {
        5 * pixels * self.outputs * self.geometry.taps() * self.c / products_per_nanosecond
    }

    /// Finds the source of every element of the quads, for output row `row`.
    fn locate(&self, sources: &mut [Source], input: [usize; 3], output: [usize; 3], row: usize) {
        let Geometry { kernel, stride, padding, dilation, .. } = self.geometry;
        let image = row / (output[0] * output[1]);
        let corner = [row / output[1] % output[0] * stride[0], row % output[1] * stride[1]];
        for (element, source) in sources.iter_mut().enumerate() {
            let line = element / self.c;
            let d = (corner[0] + line / kernel[1] * dilation[0]).wrapping_sub(padding[0]);
            let h = (corner[1] + line % kernel[1] * dilation[1]).wrapping_sub(padding[1]);
            // The elements that fill the last quad meet zero weights: any source will do.
            let inside = line < kernel[0] * kernel[1] && d < input[0] && h < input[1];
            let start = || ((image * input[0] + d) * input[1] + h) * input[2] * self.inputs;
            *source = Source { start: inside.then(start), pick: element % self.c };
        }
    }

    fn quads(&self) -> usize {
        (self.geometry.kernel[0] * self.geometry.kernel[1] * self.c).div_ceil(4)
    }
}

/// One thread's rows of outputs: the window holds whole rows of pixels.
pub(super) struct Part<'a, 'w> {
    pub layer: &'a Narrow,
    pub plan: &'a Plan,
    /// Channels-last input, with the sizes of input and output.
    pub x: &'a [u8],
    pub input: [usize; 3],
    pub output: [usize; 3],
    pub zero_point: u8,
    pub window: &'a mut Window<'w, u8>,
}

impl Kernel for Part<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        // The usual shapes have loops of fixed length: 1.5 to 2 times as fast as the general one.
        match (self.layer.geometry.kernel[2], self.layer.quads()) {
            (3, 1) => self.rows::<I, 3, 1>(isa),
            (3, 3) => self.rows::<I, 3, 3>(isa),
            (5, 2) => self.rows::<I, 5, 2>(isa),
            _ => self.rows::<I, 0, 0>(isa),
        }
    }
}

impl Part<'_, '_> {
    /// All rows, for kernels of `W` columns and `Q` quads a column; zeros mean any.
    #[inline(always)]
    fn rows<I: Isa, const W: usize, const Q: usize>(&mut self, isa: I) {
        let Self { layer, plan, input, output, zero_point, .. } = *self;
        let Geometry { kernel, stride, dilation, .. } = layer.geometry;
        let (width, quads) = if W == 0 { (kernel[2], layer.quads()) } else { (W, Q) };
        let mut weights = Vec::with_capacity(layer.weights.len());
        for block in &layer.weights {
            weights.push(isa.quad_weights(block));
        }
        let columns = (output[2] - 1) * stride[2] + (width - 1) * dilation[2] + 1;
        let empty = isa.quad([[zero_point; LANES]; 4]);
        let mut line = vec![empty; columns * quads];
        let mut sources = vec![Source::default(); 4 * quads];
        for first in self.window.rows().step_by(output[2]) {
            layer.locate(&mut sources, input, output, first / output[2]);
            for (b, feed) in layer.blocks.iter().enumerate() {
                self.interleave(isa, feed, &sources, empty, (&mut line, quads));
                let weights = &weights[b * width * quads..][..width * quads];
                let lanes = plan.lanes(isa, b);
                let out = self.window.whole_rows(first..first + output[2]);
                let from = b * LANES;
                let to = layer.outputs.min(from + LANES);
                for ow in 0..output[2] {
                    let mut acc = isa.i_splat(0);
                    for kw in 0..width {
                        let at = (ow * stride[2] + kw * dilation[2]) * quads;
                        let column = &line[at..at + quads];
                        for q in 0..quads {
                            acc = isa.quad_dot(acc, column[q], weights[kw * quads + q]);
                        }
                    }
                    let bytes = lanes.finish(isa, acc);
                    let out = &mut out[ow * layer.outputs + from..ow * layer.outputs + to];
                    match <&mut [u8; LANES]>::try_from(&mut *out) {
                        Ok(out) => *out = bytes,
                        Err(_) => out.copy_from_slice(&bytes[..to - from]),
                    }
                }
            }
        }
    }

    /// Fills `line` with the quads of every input column that the outputs of one row need.
    #[inline(always)]
    fn interleave<I: Isa>(
        &self,
        isa: I,
        feed: &Feed,
        sources: &[Source],
        empty: I::Quad,
        (line, quads): (&mut [I::Quad], usize),
    ) {
        let layer = self.layer;
        // Depthwise: every output reads the byte of its own channel.
        let plain = layer.c == 1 && layer.inputs == layer.outputs;
        let (sources, _) = sources.as_chunks::<4>();
        for (column, own) in line.chunks_exact_mut(quads).enumerate() {
            // A column left of the image wraps around and fails like one right of it.
            let at = column.wrapping_sub(layer.geometry.padding[2]);
            if at >= self.input[2] {
                own.fill(empty);
                continue;
            }
            let place = at * layer.inputs + feed.first;
            for (quad, sources) in own.iter_mut().zip(sources) {
                let mut rows = [[self.zero_point; LANES]; 4];
                for (row, source) in rows.iter_mut().zip(sources) {
                    if let Some(start) = source.start {
                        *row = sixteen(self.x, start + place);
                    }
                    if !plain {
                        *row = isa.b_shuffle(row, &feed.picks[source.pick]);
                    }
                }
                *quad = isa.quad(rows);
            }
        }
    }
}

/// 16 bytes from `start`. Past the end of the input the bytes meet zero weights.
#[inline(always)]
fn sixteen(x: &[u8], start: usize) -> [u8; LANES] {
    x[start..].first_chunk().copied().unwrap_or_else(|| {
        let mut bytes = [0; LANES];
        let rest = &x[start..];
        bytes[..rest.len()].copy_from_slice(rest);
        bytes
    })
}
