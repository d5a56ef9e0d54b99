//! Transposed convolution: one plain convolution for each *phase* of the output.
//!
//! Tap `k` of input `i` adds to output `o = i * stride + k * dilation - padding`. So the outputs `first`,
//! `first + stride`, ... of an axis, a phase, meet the same taps, those with `k * dilation = first +
//! padding` modulo the stride, each on the inputs in a row: a convolution of stride 1 with these taps alone.
//! Nothing is spread out, and no product has a factor that stands for nothing.
//!
//! Where each input has `stride` outputs of its own in a row, as in the up-convolutions of a U-Net, these are
//! channels of one wider pixel: one product for all of them.
//!
//! Where the taps leave out some phases, because the stride is wider than they reach or the dilation shares
//! a factor with it, these outputs are their bias.

mod phase;

use std::sync::Arc;

use self::phase::{Axis, Phase, Source};
use super::{Geometry, checked_weights};
use crate::error::{Result, same};
use crate::isa::{Isa, Kernel, LANES, Level};
use crate::parallel::{Split, Window, split, threads_for};
use crate::requant::{Cached, Channels, Plan, Static};

const OP: &str = "conv_transpose";

/// Weights of a transposed convolution, packed per phase, with what its output needs.
#[derive(Clone, Debug)]
pub struct ConvTranspose {
    geometry: Geometry,
    inputs: usize,
    outputs: usize,
    /// See [`wide_pixel`].
    wide: usize,
    /// Steps from one wide pixel of a phase to the next.
    stride: [usize; 3],
    /// Those of a wide pixel.
    channels: Channels,
    /// Those that have taps.
    phases: Vec<Phase>,
    /// A pixel that no tap reaches.
    bare: Cached<Vec<u8>>,
}

impl ConvTranspose {
    /// Packs `weights`, `[outputs][kernel d][kernel h][kernel w][inputs / groups]`; see [`super::Conv::new`].
    pub fn new(
        weights: &[i8],
        (inputs, outputs): (usize, usize),
        geometry: Geometry,
        scales: &[f32],
        zero_points: Option<&[i32]>,
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        let geometry = geometry.checked(OP, inputs, outputs)?;
        let channels = Channels::new(OP, outputs, scales, zero_points, bias)?;
        checked_weights(OP, weights, (inputs, outputs), geometry, &channels)?;
        let wide = wide_pixel(geometry);
        let (weights, inner, channels) = widen(weights, outputs, geometry, channels, wide);
        let sizes = (inputs, outputs * wide);
        let [depth, height, width] = [0, 1, 2].map(|d| Axis::of(inner, d));
        let mut phases = Vec::with_capacity(depth.len() * height.len() * width.len());
        for d in &depth {
            for h in &height {
                for w in &width {
                    phases.push(Phase::new(&weights, sizes, inner, [d, h, w], &channels)?);
                }
            }
        }
        let (stride, bare) = (inner.stride, Cached::default());
        Ok(Self { geometry, inputs, outputs, wide, stride, channels, phases, bare })
    }

    /// Input and output channels.
    #[must_use]
    pub fn channels(&self) -> (usize, usize) {
        (self.inputs, self.outputs)
    }

    /// Size of the output for an input of size `input`, with so many pixels more at its ends.
    pub fn output(&self, input: [usize; 3], output_padding: [usize; 3]) -> Result<[usize; 3]> {
        self.geometry.transposed_output(OP, input, output_padding)
    }

    /// About how long `batch` outputs of size `output` take on one thread.
    #[must_use]
    pub fn nanoseconds(&self, level: Level, (batch, output): (usize, [usize; 3])) -> usize {
        let output = self.wide_pixels(output);
        let time = |phase: &Phase| {
            let pixels: usize = phase.size(output, self.stride).iter().product();
            phase.conv.nanoseconds(level, batch * pixels)
        };
        self.phases.iter().map(time).sum()
    }

    /// The transposed convolution of `batch` images of size `input`, channels last, into `out`, channels
    /// last.
    ///
    /// # Errors
    /// If a length does not fit, or the scales do not fit each other.
    pub fn quantized(
        &self,
        level: Level,
        how: Static,
        (batch, input, output_padding): (usize, [usize; 3], [usize; 3]),
        x: &[u8],
        out: &mut [u8],
    ) -> Result<()> {
        let output = self.output(input, output_padding)?;
        let lines = batch * output[0] * output[1];
        same(OP, "input length", x.len(), batch * input.iter().product::<usize>() * self.inputs)?;
        same(OP, "output length", out.len(), lines * output[2] * self.outputs)?;
        let extra = output_padding[2];
        if self.wide == 1 || extra == 0 {
            return self.run(level, how, (batch, input, output), x, out);
        }
        // Lines that end in pixels which belong to no wide one.
        let whole = [output[0], output[1], output[2] - extra];
        let (line, row) = (whole[2] * self.outputs, output[2] * self.outputs);
        let mut made = vec![0; lines * line];
        self.run(level, how, (batch, input, whole), x, &mut made)?;
        let bare = &self.bare(level, how)?[..self.outputs];
        for (to, made) in out.chunks_exact_mut(row).zip(made.chunks_exact(line)) {
            let (to, ends) = to.split_at_mut(line);
            to.copy_from_slice(made);
            ends.chunks_exact_mut(bare.len()).for_each(|pixel| pixel.copy_from_slice(bare));
        }
        Ok(())
    }

    /// As [`ConvTranspose::quantized`], where lines are of whole wide pixels.
    fn run(
        &self,
        level: Level,
        how: Static,
        (batch, input, output): (usize, [usize; 3], [usize; 3]),
        x: &[u8],
        out: &mut [u8],
    ) -> Result<()> {
        let threads = threads_for(self.nanoseconds(level, (batch, output)));
        let output = self.wide_pixels(output);
        let outside = &vec![how.input.zero_point as u8; self.inputs][..];
        let source = Source { x, input, outside };
        let mut jobs = Vec::with_capacity(self.phases.len());
        for phase in &self.phases {
            jobs.push(phase.job((level, threads), how, source, (batch, output), self.stride)?);
        }
        let bare = if self.reaches_all() { None } else { Some(self.bare(level, how)?) };
        let columns = self.outputs * self.wide;
        let few = out.len() < 6 * threads * self.phases.len() * columns;
        let by = if self.geometry.groups == 1 && few { Split::Columns(64) } else { Split::Rows(6) };
        split(out, columns, threads, by, |mut window| {
            if let Some(bare) = &bare {
                fill(bare, &mut window);
            }
            for job in &jobs {
                job.run(level, source, &mut window);
            }
        });
        Ok(())
    }

    /// The size in wide pixels of an output of size `output`.
    fn wide_pixels(&self, output: [usize; 3]) -> [usize; 3] {
        [output[0], output[1], output[2] / self.wide]
    }

    /// Whether every output has taps.
    fn reaches_all(&self) -> bool {
        self.phases.len() == self.stride.iter().product::<usize>()
    }

    /// The wide pixel that no tap reaches.
    fn bare(&self, level: Level, how: Static) -> Result<Arc<Vec<u8>>> {
        self.bare.get(how, || {
            let mut pixel = vec![0; self.outputs * self.wide];
            let plan = &Plan::new(OP, &self.channels, &vec![0; pixel.len()], 0, how)?;
            level.run(Bare { plan, pixel: &mut pixel });
            Ok(pixel)
        })
    }
}

/// How many outputs in a line have one input of their own together: one wide pixel of so many times the channels.
fn wide_pixel(geometry: Geometry) -> usize {
    let Geometry { kernel, stride, padding, dilation, groups } = geometry;
    let alone = kernel[2] == stride[2] && padding[2] == 0 && dilation[2] == 1;
    if alone && groups == 1 { stride[2] } else { 1 }
}

/// Weights, geometry and channels of a layer whose pixels are `wide` of those of the given one.
fn widen(
    weights: &[i8],
    outputs: usize,
    geometry: Geometry,
    channels: Channels,
    wide: usize,
) -> (Vec<i8>, Geometry, Channels) {
    if wide == 1 {
        return (weights.to_vec(), geometry, channels);
    }
    // From `[output][line of the kernel][column][input]` to `[column][output][line][input]`.
    let c = weights.len() / (outputs * geometry.taps());
    let mut moved = Vec::with_capacity(weights.len());
    for column in 0..wide {
        for line in weights.chunks_exact(wide * c) {
            moved.extend_from_slice(&line[column * c..][..c]);
        }
    }
    let [kernel, stride] = [geometry.kernel, geometry.stride].map(|[d, h, _]| [d, h, 1]);
    let Channels { scales, zero_points, bias } = channels;
    let channels = Channels {
        scales: if scales.len() == 1 { scales } else { scales.repeat(wide) },
        zero_points: zero_points.repeat(wide),
        bias: bias.repeat(wide),
    };
    (moved, Geometry { kernel, stride, ..geometry }, channels)
}

/// Fills `window` with the pixel `bare`.
fn fill(bare: &[u8], window: &mut Window<'_, u8>) {
    let columns = window.columns();
    for row in window.rows() {
        window.row(row).copy_from_slice(&bare[columns.clone()]);
    }
}

/// A pixel whose sums are zero.
struct Bare<'a> {
    plan: &'a Plan,
    pixel: &'a mut [u8],
}

impl Kernel for Bare<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        for (block, out) in self.pixel.chunks_mut(LANES).enumerate() {
            self.plan.store(isa, block, &[[0; LANES]], 0, out);
        }
    }
}
