//! One thread's rows of a convolution of narrow groups, made by blocks of 16 outputs.

use std::ops::Range;

use super::columns::Columns;
use super::three::Chunk;
use super::{Feed, Mode, Narrow, quads};
use crate::conv::Geometry;
use crate::isa::to_bytes::Lanes;
use crate::isa::{Isa, Kernel, LANES, Lines};
use crate::parallel::Window;
use crate::requant::Plan;

/// Input rows that are worked on before the next block of channels, counted in the cache lines that a
/// block reads: they stay in L1 for the blocks that share those lines.
const ROW_BYTES: usize = 16 * 1024;

/// Output rows of one thread: the window holds whole rows of pixels.
pub(in crate::conv) struct Part<'a, 'w> {
    pub layer: &'a Narrow,
    /// For blocks, and for bands where the layer has them.
    pub plans: &'a [Plan],
    /// Channels-last input, with the sizes of input and output.
    pub x: &'a [u8],
    pub input: [usize; 3],
    pub output: [usize; 3],
    pub zero_point: u8,
    pub window: &'a mut Window<'w, u8>,
}

/// Where input rows are found, each with the bytes that are read beyond its end.
pub(super) struct Image<'a> {
    x: &'a [u8],
    /// From here on `x` is too short for a row and those bytes, and stands, with them, in `end`.
    last: usize,
    end: Vec<u8>,
    /// A row of zero points.
    outside: Vec<u8>,
}

/// What the outputs of a block of 16 channels need.
struct Block<'a, I: Isa> {
    feed: &'a Feed,
    /// `[kernel column][quad][row of the output]`.
    weights: &'a [I::QuadWeights],
    lanes: Lanes<I>,
}

impl Kernel for Part<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let layer = self.layer;
        if I::BANDS
            && let Some(bands) = &layer.bands
        {
            return self.bands(isa, bands);
        }
        let share = layer.share.min(self.output[1]);
        // The usual shapes have loops of fixed length.
        let steps = match layer.geometry.dilation[2] {
            1 => layer.geometry.kernel[2] * layer.quads,
            _ => 0,
        };
        let three = !I::BANDS && steps == 3 && layer.mode == Mode::Rows && layer.outputs >= LANES;
        match (share, steps) {
            (4.., _) if I::SUMS < 16 => self.rows::<I, 4, 1, 0>(isa),
            (4.., _) => self.rows::<I, 4, 4, 0>(isa),
            (2.., _) if three => self.rows::<I, 2, 1, 3>(isa),
            (2.., _) if I::SUMS < 16 => self.rows::<I, 2, 2, 0>(isa),
            (2.., _) => self.rows::<I, 2, 7, 0>(isa),
            (_, _) if three => self.rows::<I, 1, 1, 3>(isa),
            (_, _) if I::SUMS < 16 => self.rows::<I, 1, 4, 0>(isa),
            (_, 9) => self.rows::<I, 1, 7, 9>(isa),
            (_, 18) => self.rows::<I, 1, 7, 18>(isa),
            _ => self.rows::<I, 1, 7, 0>(isa),
        }
    }
}

impl<'a> Part<'a, '_> {
    /// All rows of a layer of blocks, `R` at once.
    #[inline(always)]
    fn rows<I: Isa, const R: usize, const P: usize, const N: usize>(&mut self, isa: I) {
        let Self { layer, plans, input, zero_point, .. } = *self;
        let Geometry { stride, .. } = layer.geometry;
        let image = self.image(LANES.saturating_sub(layer.inputs));
        let segment = self.segment::<I>(P);
        let room = (segment - 1) * stride[2] + layer.reach();
        let mut columns = Columns::new(isa, layer, room, input[2], zero_point);
        let mut weights = Vec::with_capacity(layer.blocks());
        let (mut sets, mut rows) = (Vec::new(), Vec::new());
        let (all, fit) = self.lines_at_once(R);
        for start in all.clone().step_by(fit) {
            self.locate(start..all.end.min(start + fit), R, &image, &mut sets, &mut rows);
            if N == 3 {
                self.threes::<I, R>(isa, &mut columns, &sets, &rows);
                continue;
            }
            let blocks = layer.weights.chunks_exact(layer.blocks());
            for (feed, own) in layer.feeds.iter().zip(blocks) {
                weights.clear();
                for rows in own.chunks_exact(layer.share) {
                    for block in &rows[..R] {
                        weights.push(isa.quad_weights(block));
                    }
                }
                columns.turn_to(isa, layer, feed);
                let lanes = plans[0].lanes_from(isa, feed.output);
                let block = Block { feed, weights: &weights, lanes };
                for (lines, rows) in sets.iter().zip(rows.chunks_exact(layer.tall())) {
                    self.lines::<I, R, P, N>(isa, &block, &mut columns, lines, rows, segment);
                }
            }
        }
    }

    /// The output rows of this part, and how many, in multiples of `share`, are worked on at once.
    pub(super) fn lines_at_once(&self, share: usize) -> (Range<usize>, usize) {
        let Self { layer, input, output, .. } = self;
        let all = self.window.rows();
        let read = input[2] * layer.inputs.min(64) * layer.geometry.stride[1] * share;
        (all.start / output[2]..all.end / output[2], (ROW_BYTES / read).max(1) * share)
    }

    /// The input, where `beyond` bytes may be read after each row.
    pub(super) fn image(&self, beyond: usize) -> Image<'a> {
        let Self { layer, x, .. } = *self;
        let len = self.input[2] * layer.inputs + beyond;
        let last = (x.len() + 1).saturating_sub(len);
        let mut end = Vec::new();
        if beyond > 0 {
            end.extend_from_slice(&x[last..]);
            end.resize(end.len() + beyond, 0);
        }
        Image { x, last, end, outside: vec![self.zero_point; len] }
    }

    /// Outputs side by side whose columns have room, a multiple of `p`.
    fn segment<I: Isa>(&self, p: usize) -> usize {
        let Geometry { stride, .. } = self.layer.geometry;
        let columns = quads::<I>() / self.layer.quads;
        let most = columns.saturating_sub(self.layer.reach()) / stride[2] + 1;
        let most = (most / p * p).max(p);
        most.min(self.output[2].next_multiple_of(p))
    }

    /// Groups output rows that share quads, at most `share`, and finds the input rows under their kernels.
    pub(super) fn locate<'s>(
        &self,
        lines: Range<usize>,
        share: usize,
        image: &'s Image<'_>,
        sets: &mut Vec<Lines>,
        rows: &mut Vec<&'s [u8]>,
    ) {
        let height = self.output[1];
        sets.clear();
        rows.clear();
        let mut first = lines.start;
        while first < lines.end {
            let count = share.min(height - first % height).min(lines.end - first);
            sets.push(Lines { first, count });
            self.input_rows(first, image, rows);
            first += count;
        }
    }

    /// The input rows under the kernel of output row `line` and those that share its quads.
    fn input_rows<'s>(&self, line: usize, image: &'s Image<'_>, rows: &mut Vec<&'s [u8]>) {
        let Self { layer, input, output, .. } = *self;
        let Geometry { kernel, stride, padding, dilation, .. } = layer.geometry;
        let number = line / (output[0] * output[1]);
        let corner = [line / output[1] % output[0] * stride[0], line % output[1] * stride[1]];
        let height = layer.lines / kernel[0];
        let len = image.outside.len();
        for at in 0..layer.tall() {
            // A coordinate above the image wraps around and fails like one below it.
            let d = (corner[0] + at / height * dilation[0]).wrapping_sub(padding[0]);
            let h = (corner[1] + at % height * dilation[1]).wrapping_sub(padding[1]);
            let inside = at < layer.lines && d < input[0] && h < input[1];
            let start = || ((number * input[0] + d) * input[1] + h) * input[2] * layer.inputs;
            rows.push(match inside {
                true if start() < image.last => &image.x[start()..][..len],
                true => &image.end[start() - image.last..][..len],
                false => &image.outside,
            });
        }
    }

    /// All blocks of `sets`, of a layer that `three.rs` is for.
    #[inline(always)]
    fn threes<I: Isa, const R: usize>(
        &mut self,
        isa: I,
        columns: &mut Columns<I>,
        sets: &[Lines],
        rows: &[&[u8]],
    ) {
        let width = self.output[2];
        for block in 0..self.layer.feeds.len() {
            let chunk = Chunk::<I, R>::new(isa, self.layer, &self.plans[0], block);
            for (lines, rows) in sets.iter().zip(rows.chunks_exact(4)) {
                let pixels = lines.first * width..(lines.first + lines.count) * width;
                let out = self.window.whole_rows(pixels);
                chunk.rows(isa, columns, lines, rows, (out, width));
            }
        }
    }

    /// The outputs of a block of channels in `lines`.
    #[inline(always)]
    fn lines<I: Isa, const R: usize, const P: usize, const N: usize>(
        &mut self,
        isa: I,
        block: &Block<'_, I>,
        columns: &mut Columns<I>,
        lines: &Lines,
        rows: &[&[u8]],
        segment: usize,
    ) {
        let Self { layer, output, .. } = *self;
        let outputs = layer.outputs;
        let (width, step) = (output[2], layer.geometry.stride[2]);
        let across = step * layer.quads;
        let out = self.window.whole_rows(lines.first * width..(lines.first + lines.count) * width);
        for start in (0..width).step_by(segment) {
            // The last outputs of a row are made with some before them, once more.
            let start = start.min(width.saturating_sub(P));
            let end = width.min(start + segment);
            let count = P.min(width);
            let last = (end - start).max(P) - 1;
            let under = start * step..(start + last) * step + layer.reach();
            let made = columns.fill(isa, layer, block.feed, rows, under);
            let mut ow = start;
            loop {
                let own = &made[(ow - start) * across..];
                let sums = match N {
                    0 => sums::<I, R, P>(isa, layer, block, own),
                    _ => fixed_sums::<I, R, P, N>(isa, block, own, across),
                };
                let from = ow * outputs + block.feed.output;
                for r in 0..R {
                    // Rows below the image have no place.
                    if r < lines.count {
                        let out = &mut out[r * width * outputs + from..];
                        store::<I, P>(isa, &block.lanes, sums[r], (out, count), outputs);
                    }
                }
                if ow + P >= end {
                    break;
                }
                ow = (ow + P).min(end - P);
            }
        }
    }
}

/// Sums of `P` outputs side by side in each of `R` rows, of `N` quads each; `quads` begin with the
/// first one's.
#[inline(always)]
fn fixed_sums<I: Isa, const R: usize, const P: usize, const N: usize>(
    isa: I,
    block: &Block<'_, I>,
    quads: &[I::Quad],
    across: usize,
) -> [[I::I; P]; R] {
    let weights = block.weights.as_chunks::<R>().0.first_chunk::<N>().expect("as many as quads");
    let mut columns = [quads.first_chunk::<N>().expect("all are made"); P];
    for p in 1..P {
        columns[p] = quads[p * across..].first_chunk::<N>().expect("all are made");
    }
    let mut sums = [[block.lanes.start; P]; R];
    for q in 0..N {
        for p in 0..P {
            for r in 0..R {
                sums[r][p] = isa.quad_dot(sums[r][p], columns[p][q], weights[q][r]);
            }
        }
    }
    sums
}

/// As [`fixed_sums`], of any kernel.
#[inline(always)]
fn sums<I: Isa, const R: usize, const P: usize>(
    isa: I,
    layer: &Narrow,
    block: &Block<'_, I>,
    quads: &[I::Quad],
) -> [[I::I; P]; R] {
    let (across, apart) = (layer.geometry.stride[2] * layer.quads, layer.geometry.dilation[2]);
    let weights = block.weights.as_chunks::<R>().0;
    // Columns side by side are one run of quads.
    let run = if apart == 1 { weights.len() } else { layer.quads };
    let mut sums = [[block.lanes.start; P]; R];
    let (mut from, mut at) = (0, 0);
    while at < weights.len() {
        let own = &weights[at..][..run];
        let mut columns = [&quads[..0]; P];
        for p in 0..P {
            columns[p] = &quads[from + p * across..][..run];
        }
        for q in 0..run {
            for p in 0..P {
                for r in 0..R {
                    sums[r][p] = isa.quad_dot(sums[r][p], columns[p][q], own[q][r]);
                }
            }
        }
        from += apart * layer.quads;
        at += run;
    }
    sums
}

/// Stores the first `count` of `P` outputs, `apart` bytes from each other.
#[inline(always)]
fn store<I: Isa, const P: usize>(
    isa: I,
    lanes: &Lanes<I>,
    sums: [I::I; P],
    (out, count): (&mut [u8], usize),
    apart: usize,
) {
    if count == P && apart >= LANES {
        let (fours, rest) = sums.as_chunks::<4>();
        for (i, sums) in fours.iter().enumerate() {
            lanes.store_apart(isa, *sums, &mut out[4 * i * apart..], apart);
        }
        let from = 4 * fours.len() * apart;
        match *rest {
            [a, b, c] => lanes.store_apart(isa, [a, b, c], &mut out[from..], apart),
            [a, b] => lanes.store_apart(isa, [a, b], &mut out[from..], apart),
            [a] => lanes.store_apart(isa, [a], &mut out[from..], apart),
            _ => {}
        }
    } else {
        let mut bytes = [[0; LANES]; P];
        for (i, to) in bytes.iter_mut().enumerate() {
            Lanes::store(isa, &[*lanes], [sums[i]], std::array::from_mut(to));
        }
        let wide = apart.min(LANES);
        for (i, bytes) in bytes[..count].iter().enumerate() {
            out[i * apart..][..wide].copy_from_slice(&bytes[..wide]);
        }
    }
}
