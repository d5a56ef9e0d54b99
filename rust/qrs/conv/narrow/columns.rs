//! The quads of input columns.

use std::ops::Range;

use super::{Feed, Mode, Narrow, quads};
use crate::isa::{Isa, LANES, Strip, sixteen};

/// `[column][quad]` of the columns under the kernels of a row's outputs.
pub(super) struct Columns<I: Isa> {
    quads: Vec<I::Quad>,
    /// The columns inside the image, counted in the padded one.
    inside: Range<usize>,
    /// A quad of zero points.
    empty: I::Quad,
    /// Which bytes the quads of a row take, where they are picked from channels.
    picks: Vec<I::Picks>,
}

impl<I: Isa> Columns<I> {
    /// Room for `columns` columns of the quads of `layer`, of images `size` columns wide.
    #[inline(always)]
    pub(super) fn new(isa: I, layer: &Narrow, columns: usize, size: usize, zero_point: u8) -> Self {
        let empty = isa.quad([[zero_point; LANES]; 4]);
        let left = layer.geometry.padding[2];
        Self {
            quads: vec![empty; quads::<I>().max(columns * layer.quads)],
            inside: left..left + size,
            empty,
            picks: Vec::with_capacity(2),
        }
    }

    /// Columns from here on are made for `feed`.
    #[inline(always)]
    pub(super) fn turn_to(&mut self, isa: I, layer: &Narrow, feed: &Feed) {
        self.picks.clear();
        if layer.mode == Mode::Channels {
            for quad in feed.picks.chunks_exact(4) {
                let mut by = [0; 4 * LANES];
                for (at, by) in by.iter_mut().enumerate() {
                    *by = quad[at % 4][at / 4];
                }
                self.picks.push(isa.picks(&by));
            }
        }
    }

    /// Makes the quads of `columns`, counted in the padded image, for `feed`: `[column][quad]`.
    #[inline(always)]
    pub(super) fn fill(
        &mut self,
        isa: I,
        layer: &Narrow,
        feed: &Feed,
        rows: &[&[u8]],
        columns: Range<usize>,
    ) -> &[I::Quad] {
        let Range { start, end } = columns;
        let inside = self.inside.start.clamp(start, end)..self.inside.end.clamp(start, end);
        let tall = layer.quads;
        let quads = &mut self.quads[..(end - start) * tall];
        let (left, rest) = quads.split_at_mut((inside.start - start) * tall);
        let (new, right) = rest.split_at_mut(inside.len() * tall);
        left.fill(self.empty);
        right.fill(self.empty);
        if !new.is_empty() {
            let strip = Strip {
                from: (inside.start - self.inside.start) * layer.inputs + feed.input,
                step: layer.inputs,
                count: inside.len(),
                apart: tall,
            };
            match layer.mode {
                Mode::Rows => from_rows(isa, rows, strip, new),
                Mode::Channels => from_channels::<I>(isa, layer, &self.picks, rows, strip, new),
                Mode::Elements => from_elements(isa, layer, feed, rows, strip.from, new),
            }
        }
        quads
    }
}

/// Quads of 4 rows each: every output reads the byte of its own channel.
#[inline(always)]
fn from_rows<I: Isa>(isa: I, rows: &[&[u8]], strip: Strip, columns: &mut [I::Quad]) {
    for (q, rows) in rows.as_chunks::<4>().0.iter().enumerate() {
        isa.quads(*rows, strip, &mut columns[q..]);
    }
}

/// Quads of 4 channels of one row each.
#[inline(always)]
fn from_channels<I: Isa>(
    isa: I,
    layer: &Narrow,
    picks: &[I::Picks],
    rows: &[&[u8]],
    strip: Strip,
    columns: &mut [I::Quad],
) {
    let mut q = 0;
    for &row in &rows[..layer.lines] {
        for &by in picks {
            isa.quads_picked(row, by, strip, &mut columns[q..]);
            q += 1;
        }
    }
}

/// Quads of any 4 elements.
#[inline(always)]
fn from_elements<I: Isa>(
    isa: I,
    layer: &Narrow,
    feed: &Feed,
    rows: &[&[u8]],
    at: usize,
    columns: &mut [I::Quad],
) {
    let mut at = at;
    for own in columns.chunks_exact_mut(layer.quads) {
        for (q, quad) in own.iter_mut().enumerate() {
            let mut elements = [[0; LANES]; 4];
            for (t, element) in elements.iter_mut().enumerate() {
                let bytes = sixteen(rows[(4 * q + t) / layer.c], at);
                *element = isa.b_shuffle(&bytes, &feed.picks[(4 * q + t) % layer.c]);
            }
            *quad = isa.quad(elements);
        }
        at += layer.inputs;
    }
}
