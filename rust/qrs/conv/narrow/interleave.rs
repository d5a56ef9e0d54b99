//! The quads of input columns.

use super::{Mode, Narrow};
use crate::isa::{Isa, LANES};

/// Where the bytes of quads come from.
pub(super) struct Source<'a, I: Isa> {
    layer: &'a Narrow,
    /// `[block][quad of a row]`, where quads are picked from channels.
    picks: Vec<I::Picks>,
}

impl<'a, I: Isa> Source<'a, I> {
    #[inline(always)]
    pub(super) fn new(isa: I, layer: &'a Narrow) -> Self {
        let mut picks = Vec::new();
        if layer.mode == Mode::Channels {
            for feed in &layer.feeds {
                for quad in feed.picks.chunks_exact(4) {
                    let mut by = [0; 64];
                    for (at, by) in by.iter_mut().enumerate() {
                        *by = quad[at % 4][at / 4];
                    }
                    picks.push(isa.picks(&by));
                }
            }
        }
        Self { layer, picks }
    }
}

/// `[column][quad][block]` of the chunk that is worked on.
pub(super) struct Columns<I: Isa> {
    quads: Vec<I::Quad>,
    /// Columns that outputs need, of which so many lie left of the image.
    used: usize,
    left: usize,
    /// Columns inside the image.
    inside: usize,
    /// A quad of zero points.
    empty: I::Quad,
    /// Blocks of the chunk for which the columns outside the image are in place.
    blocks: usize,
}

impl<I: Isa> Columns<I> {
    #[inline(always)]
    pub(super) fn new(
        isa: I,
        (used, padding, size): (usize, usize, usize),
        quads: usize,
        zero_point: u8,
    ) -> Self {
        let empty = isa.quad([[zero_point; LANES]; 4]);
        let left = padding.min(used);
        Self {
            quads: vec![empty; used * quads * super::CHUNKS[0]],
            used,
            left,
            inside: size.min(used - left),
            empty,
            blocks: 0,
        }
    }

    /// Makes the quads of `V` blocks from `first` on of every column that the outputs of one row need,
    /// `Q` to a column, or as many as the layer has.
    #[inline(always)]
    pub(super) fn fill<const Q: usize, const V: usize>(
        &mut self,
        isa: I,
        source: &Source<'_, I>,
        rows: &[&[u8]],
        first: usize,
    ) -> &[I::Quad] {
        let layer = source.layer;
        let width = if Q == 0 { layer.quads } else { Q } * V;
        if self.blocks != V {
            self.blocks = V;
            self.quads[..self.left * width].fill(self.empty);
            self.quads[(self.left + self.inside) * width..self.used * width].fill(self.empty);
        }
        let columns = &mut self.quads[self.left * width..][..self.inside * width];
        match layer.mode {
            Mode::Rows => from_rows::<I, Q, V>(isa, layer, rows, first, columns),
            Mode::Channels => from_channels::<I, Q, V>(isa, source, rows, first, columns),
            Mode::Elements => from_elements::<I, V>(isa, layer, rows, first, columns),
        }
        &self.quads[..self.used * width]
    }
}

/// Quads of 4 rows each: every output reads the byte of its own channel.
#[inline(always)]
fn from_rows<I: Isa, const Q: usize, const V: usize>(
    isa: I,
    layer: &Narrow,
    rows: &[&[u8]],
    first: usize,
    columns: &mut [I::Quad],
) {
    let quads = if Q == 0 { layer.quads } else { Q };
    let len = rows[0].len();
    for q in 0..quads {
        // Of one length, as the compiler sees now: one comparison for all four.
        let rows: [&[u8]; 4] = [
            &rows[4 * q][..len],
            &rows[4 * q + 1][..len],
            &rows[4 * q + 2][..len],
            &rows[4 * q + 3][..len],
        ];
        let mut from = first * LANES;
        for own in columns.chunks_exact_mut(quads * V) {
            for v in 0..V {
                let at = from + v * LANES;
                own[q * V + v] = isa.quad([
                    sixteen(rows[0], at),
                    sixteen(rows[1], at),
                    sixteen(rows[2], at),
                    sixteen(rows[3], at),
                ]);
            }
            from += layer.inputs;
        }
    }
}

/// Quads of 4 channels of one row each.
#[inline(always)]
fn from_channels<I: Isa, const Q: usize, const V: usize>(
    isa: I,
    source: &Source<'_, I>,
    rows: &[&[u8]],
    first: usize,
    columns: &mut [I::Quad],
) {
    let layer = source.layer;
    let quads = if Q == 0 { layer.quads } else { Q };
    let parts = layer.c / 4;
    for q in 0..quads {
        let row = rows[q / parts];
        let mut picks = [source.picks[first * parts + q % parts]; V];
        let mut from = [layer.feeds[first].first; V];
        for v in 1..V {
            picks[v] = source.picks[(first + v) * parts + q % parts];
            from[v] = layer.feeds[first + v].first;
        }
        for own in columns.chunks_exact_mut(quads * V) {
            for v in 0..V {
                own[q * V + v] = isa.quad_pick(&sixteen(row, from[v]), picks[v]);
                from[v] += layer.inputs;
            }
        }
    }
}

/// Quads of any 4 elements.
#[inline(always)]
fn from_elements<I: Isa, const V: usize>(
    isa: I,
    layer: &Narrow,
    rows: &[&[u8]],
    first: usize,
    columns: &mut [I::Quad],
) {
    for (at, own) in columns.chunks_exact_mut(layer.quads * V).enumerate() {
        for q in 0..layer.quads {
            for v in 0..V {
                let feed = &layer.feeds[first + v];
                let from = feed.first + at * layer.inputs;
                let mut elements = [[0; LANES]; 4];
                for (t, element) in elements.iter_mut().enumerate() {
                    let bytes = sixteen(rows[(4 * q + t) / layer.c], from);
                    *element = isa.b_shuffle(&bytes, &feed.picks[(4 * q + t) % layer.c]);
                }
                own[q * V + v] = isa.quad(elements);
            }
        }
    }
}

/// 16 bytes from `start`.
#[inline(always)]
fn sixteen(x: &[u8], start: usize) -> [u8; LANES] {
    let mut bytes = [0; LANES];
    bytes.copy_from_slice(&x[start..start + LANES]);
    bytes
}
