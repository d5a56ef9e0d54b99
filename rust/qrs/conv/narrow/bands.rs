//! Depthwise layers, and groups of 4, 8 or 16 channels: bands of 64 outputs.
//!
//! A byte of a band meets only bytes of the same 128 bits of a register on its way from the input to the
//! output. A band of 64 channels is a register of one pixel; one of 32 or 16 channels is made of as many
//! *streams*, the parts of a row of the output one below the other, so that every register is full.

use std::ops::Range;

use super::part::Part;
use super::{Mode, Narrow, quads};
use crate::conv::Geometry;
use crate::isa::band::{BAND, place};
use crate::isa::to_bytes::ToBytes;
use crate::isa::{Block, Isa, LANES, Lines, Source, Strip, Sweep, WIDE};
use crate::requant::Plan;

/// What a layer of bands has.
#[derive(Clone, Debug)]
pub(super) struct Bands {
    all: Vec<Alike>,
    /// `[band][row of the output][kernel column][quads][4 channels of the group][vector]`.
    weights: Vec<Block>,
    /// Weights of a band.
    size: usize,
    /// Times four quads of a column.
    quads: usize,
    /// Rows whose bytes are in a quad: 4, or 1 that gives 4 channels.
    rows_of_quad: usize,
    /// Quads that the outputs of a group have of a row.
    spread: usize,
}

impl Bands {
    /// Those of `layer`, whose groups have `n` outputs, if its channels stay within their 128 bits.
    pub(super) fn new(layer: &Narrow, n: usize, weights: &[i8]) -> Option<Self> {
        let all = cut(layer.outputs, (layer.c, n))?;
        let (quads, rows_of_quad) = match layer.mode {
            Mode::Rows => (layer.lines.div_ceil(4), 4),
            _ => (layer.lines, 1),
        };
        let spread = layer.c.div_ceil(4);
        let size = layer.share * layer.geometry.kernel[2] * quads * spread * WIDE;
        let mut made = Self { all, weights: Vec::new(), size, quads, rows_of_quad, spread };
        made.pack(layer, weights);
        Some(made)
    }

    fn pack(&mut self, layer: &Narrow, weights: &[i8]) {
        let Narrow { geometry, c, share, .. } = *layer;
        let (width, depth) = (geometry.kernel[2], geometry.taps() * c);
        let count: usize = self.all.iter().map(|alike| alike.firsts.len()).sum();
        self.weights = vec![Block([0; 64]); count * self.size];
        let channels = self.all.iter().flat_map(Alike::channels);
        for (channels, own) in channels.zip(self.weights.chunks_exact_mut(self.size)) {
            for (lane, o) in channels.into_iter().enumerate() {
                for (at, &w) in weights[o * depth..][..depth].iter().enumerate() {
                    let (tap, i) = (at / c, at % c);
                    for r in 0..share {
                        let line = tap / width + r * geometry.stride[1];
                        let (quad, h, t) = match self.rows_of_quad {
                            4 => (line / 4, 0, line % 4),
                            _ => (line, i / 4, i % 4),
                        };
                        let step = (r * width + tap % width) * self.quads + quad;
                        let block = (step * self.spread + h) * WIDE + lane / LANES;
                        own[block].0[4 * (lane % LANES) + t] = w;
                    }
                }
            }
        }
    }

    /// `plan`, with the channels in the order of the bands.
    pub(super) fn arranged(&self, plan: &Plan) -> Plan {
        let channels: Vec<_> = self.all.iter().flat_map(Alike::channels).flatten().collect();
        plan.arranged(&channels)
    }
}

/// Bands that are made together: neighbouring output channels, as many of each row's parts as fill a register.
#[derive(Clone, Debug)]
struct Alike {
    /// First channel of each, of input and output. One where streams meet, whose edges differ.
    firsts: Vec<usize>,
    /// 1, 2 or 4.
    streams: usize,
}

impl Alike {
    /// The channel of each lane, vector after vector, of each band.
    fn channels(&self) -> impl Iterator<Item = [usize; BAND]> {
        let width = BAND / self.streams;
        let lanes =
            move |first| std::array::from_fn(|i| first + place(i / LANES, i % LANES) % width);
        self.firsts.iter().map(move |&first| lanes(first))
    }
}

/// Bands of `channels` channels in groups of `c` inputs and `n` outputs, if these stay within their 128
/// bits. The last one begins where it ends with the last channel, and makes some once more.
fn cut(channels: usize, (c, n): (usize, usize)) -> Option<Vec<Alike>> {
    if !matches!((c, n), (1, 1) | (4, 4) | (8, 8)) || channels < LANES {
        return None;
    }
    let mut bands: Vec<Alike> = Vec::new();
    let mut first = 0;
    while first < channels {
        let rest = channels - first;
        let streams = match () {
            () if rest > 32 && channels >= 64 => 1,
            () if rest > 16 && channels >= 32 => 2,
            () => 4,
        };
        let width = BAND / streams;
        let begins = first.min(channels - width);
        match bands.last_mut() {
            Some(last) if streams == 1 => last.firsts.push(begins),
            _ => bands.push(Alike { firsts: vec![begins], streams }),
        }
        first += width;
    }
    Some(bands)
}

/// Where the outputs of bands lie in a row of the output.
struct Place<'a> {
    alike: &'a Alike,
    /// Where each stream begins, and how long it is.
    starts: [usize; 4],
    len: usize,
}

impl<'a> Place<'a> {
    /// In rows of `width` outputs.
    fn new(alike: &'a Alike, width: usize) -> Self {
        let len = width.div_ceil(alike.streams);
        let starts = [0, 1, 2, 3].map(|s| (s * len).min(width - len));
        Self { alike, starts, len }
    }
}

/// The quads of a row of columns.
struct Columns<'a, I: Isa> {
    bands: &'a Bands,
    /// `[column][quads]`.
    room: Vec<[I::Quad; WIDE]>,
    /// Those of zero points.
    empty: [I::Quad; WIDE],
    /// Outputs whose columns they are, at most.
    segment: usize,
}

impl<'a> Part<'a, '_> {
    /// All rows of a layer of bands.
    #[inline(always)]
    pub(super) fn bands<I: Isa>(&mut self, isa: I, bands: &'a Bands) {
        let (layer, plan, width) = (self.layer, &self.plans[1], self.output[2]);
        let share = layer.share.min(self.output[1]);
        let image = self.image(0);
        let mut columns = self.columns(isa, bands);
        let (all, fit) = self.lines_at_once(share);
        let most = fit.min(all.len());
        let (mut sets, mut room) = (Vec::with_capacity(most), Vec::new());
        let mut rows = Vec::with_capacity(most * layer.tall());
        for start in all.clone().step_by(fit) {
            self.locate(start..all.end.min(start + fit), share, &image, &mut sets, &mut rows);
            let mut done = 0;
            for alike in &bands.all {
                let own = done..done + alike.firsts.len();
                done = own.end;
                let by = plan.to_bytes(WIDE * own.start..WIDE * own.end);
                let own = &bands.weights[own.start * bands.size..own.end * bands.size];
                let weights = isa.all_weights(own, &mut room).as_chunks().0;
                let place = Place::new(alike, width);
                // All lines of all bands in one call, unless their edges, where streams meet, are made of
                // their rows: with a call for each, 7 x 7 pixels of 960 channels took 9.6 us instead of 7.4.
                let at_once = if alike.streams == 1 { sets.len() } else { 1 };
                let rows = rows.chunks_exact(at_once * layer.tall());
                for (lines, rows) in sets.chunks(at_once).zip(rows) {
                    self.band(isa, &place, (lines, rows), (weights, &by), &mut columns);
                }
            }
        }
    }

    /// Room for columns that stay in L1.
    #[inline(always)]
    fn columns<I: Isa>(&self, isa: I, bands: &'a Bands) -> Columns<'a, I> {
        let (layer, stride) = (self.layer, self.layer.geometry.stride[2]);
        let columns = quads::<I>() / WIDE / bands.quads;
        let segment = columns.saturating_sub(layer.reach()) / stride + 1;
        let segment = segment.min(self.output[2]);
        let empty = [isa.quad([[self.zero_point; LANES]; 4]); WIDE];
        let most = (segment - 1) * stride + layer.reach();
        Columns { room: vec![empty; most * bands.quads], empty, segment, bands }
    }

    /// The outputs of some bands in `lines`; `rows` are the input rows under their kernels.
    #[inline(always)]
    fn band<I: Isa>(
        &mut self,
        isa: I,
        place: &Place<'_>,
        (lines, rows): (&[Lines], &[&[u8]]),
        (weights, by): (&[[I::QuadWeights; WIDE]], &ToBytes<'_>),
        columns: &mut Columns<'_, I>,
    ) {
        let (layer, width) = (self.layer, self.output[2]);
        let Geometry { kernel, stride, dilation, .. } = layer.geometry;
        let Bands { quads, spread, .. } = *columns.bands;
        let run = if dilation[2] == 1 { kernel[2] * quads } else { quads };
        let (first, last) = (lines[0], lines[lines.len() - 1]);
        let pixels = first.first * width..(last.first + last.count) * width;
        let mut sweep = Sweep {
            bands: &place.alike.firsts,
            lines,
            count: 0,
            step: stride[2],
            reach: layer.reach(),
            run,
            runs: kernel[2] * quads / run,
            apart: dilation[2] * quads,
            spread,
            pieces: [0; 4],
            row: width * layer.outputs,
            column: layer.outputs,
        };
        let mut start = 0;
        while start < place.len {
            let end = place.len.min(start + columns.segment);
            let source = self.source(isa, place, rows, start..end, columns);
            let out = self.window.whole_rows(pixels.clone());
            sweep.count = end - start;
            sweep.pieces = place.starts.map(|at| (at + start) * layer.outputs);
            isa.band(&source, &sweep, (&mut columns.room, weights), by, out);
            start = end;
        }
    }

    /// The columns under the kernels of outputs `outputs` of each stream. The quads of those outside the
    /// image, in one stream at least, are made here.
    #[inline(always)]
    fn source<'r, I: Isa>(
        &self,
        isa: I,
        place: &Place<'_>,
        rows: &'r [&'r [u8]],
        outputs: Range<usize>,
        columns: &mut Columns<'_, I>,
    ) -> Source<'r> {
        let (layer, streams) = (self.layer, place.alike.streams);
        let Bands { quads, rows_of_quad, .. } = *columns.bands;
        let Geometry { stride, padding, .. } = layer.geometry;
        let (step, left, inputs) = (stride[2], padding[2], layer.inputs);
        // Columns of the padded image, as the first stream counts them.
        let under = outputs.start * step..(outputs.end - 1) * step + layer.reach();
        let ahead = place.starts.map(|start| start * step);
        let first = left.clamp(under.start, under.end);
        let last = (left + self.input[2]).saturating_sub(ahead[streams - 1]);
        let last = last.clamp(first, under.end.max(first));
        for column in (under.start..first).chain(last..under.end) {
            let room = &mut columns.room[(column - under.start) * quads..][..quads];
            if streams == 1 {
                room.fill(columns.empty);
            } else {
                let places = ahead.map(|ahead| (ahead + column).wrapping_sub(left));
                let quad_rows = rows.chunks(rows_of_quad);
                self.edge(isa, quad_rows, &places[..streams], place.alike.firsts[0], room);
            }
        }
        let strip = Strip {
            from: if first < last { (first - left) * inputs } else { 0 },
            step: inputs,
            count: last - first,
            apart: quads,
        };
        let pieces = ahead.map(|ahead| ahead * inputs);
        let tall = layer.tall();
        Source { rows, tall, rows_of_quad, strip, pieces, streams, first: first - under.start }
    }

    /// Makes the quads of a column whose pieces lie in the columns `places` of the image, or outside.
    #[inline(always)]
    fn edge<I: Isa>(
        &self,
        isa: I,
        quad_rows: std::slice::Chunks<'_, &[u8]>,
        places: &[usize],
        channel: usize,
        room: &mut [[I::Quad; WIDE]],
    ) {
        let (layer, width) = (self.layer, BAND / places.len());
        let strip = Strip { from: 0, step: 0, count: 1, apart: 1 };
        for (rows, room) in quad_rows.zip(room.chunks_exact_mut(1)) {
            let mut bytes = [[self.zero_point; BAND]; 4];
            for (row, bytes) in rows.iter().zip(&mut bytes) {
                for (&column, piece) in places.iter().zip(bytes.chunks_exact_mut(width)) {
                    if column < self.input[2] {
                        piece.copy_from_slice(&row[column * layer.inputs + channel..][..width]);
                    }
                }
            }
            let [a, b, c, d] = &bytes;
            match rows.len() {
                4 => isa.band_of_rows([a, b, c, d], &[0], strip, room),
                _ => isa.band_of_channels(a, &[0], strip, room),
            }
        }
    }
}
