//! Bands: 64 bytes of a column of an image at once, as four vectors.
//!
//! Lane `j` of vector `q` stands for byte `16 * (j / 4) + 4 * q + j % 4`: the order in which registers are
//! interleaved and narrowed again without a byte leaving its 128 bits. Weights lie in it when a layer is
//! packed, so no instruction is spent on an order anywhere. A band of fewer channels takes several
//! columns, each a *piece*.

use super::to_bytes::{Lanes, ToBytes};
use super::{Isa, LANES, WIDE};

/// Bytes of a band.
pub const BAND: usize = LANES * WIDE;

/// Columns of which quads are made: the bytes from `from` on, `step` bytes from one column to the next.
/// Their quads are stored `apart` places from each other.
#[derive(Clone, Copy, Debug)]
pub struct Strip {
    /// Where the first column's bytes begin.
    pub from: usize,
    /// Bytes from one column to the next.
    pub step: usize,
    /// Number of columns.
    pub count: usize,
    /// Places from the quads of one column to those of the next.
    pub apart: usize,
}

#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only x86 needs it"))]
impl Strip {
    /// Panics if a column of `bytes` bytes reaches beyond a row of `len`, or its quads beyond `places`.
    ///
    /// A level that reads and writes through pointers calls it first.
    #[inline(always)]
    pub(super) fn check(self, bytes: usize, len: usize, places: usize) {
        let last = self.count.saturating_sub(1);
        let from = self.from.checked_add(bytes);
        let end = last.checked_mul(self.step).zip(from).and_then(|(at, from)| at.checked_add(from));
        assert!(end.is_some_and(|end| end <= len), "quads: {self:?} in a row of {len}");
        let room = last.checked_mul(self.apart).and_then(|place| place.checked_add(1));
        assert!(room.is_some_and(|room| room <= places), "quads: {self:?}, room for {places}");
    }

    /// [`Strip::check`] of every piece of a band, in rows of at least `len` bytes.
    #[inline(always)]
    pub(super) fn check_band(self, pieces: &[usize], len: usize, places: usize) {
        assert!(matches!(pieces.len(), 1 | 2 | 4), "band: {} pieces", pieces.len());
        for &piece in pieces.iter().filter(|_| self.count > 0) {
            let from = self.from.saturating_add(piece);
            Self { from, ..self }.check(BAND / pieces.len(), len, places);
        }
    }
}

/// Rows of an output that are made of the same quads.
#[derive(Clone, Copy, Debug)]
pub struct Lines {
    /// The first.
    pub first: usize,
    /// How many, 1 to 4.
    pub count: usize,
}

/// Columns inside the image that a band is made of.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The input rows under the kernels of the first lines, then those of the next.
    pub rows: &'a [&'a [u8]],
    /// Input rows from those of some lines to those of the next.
    pub tall: usize,
    /// Rows whose bytes are in a quad: 4, or 1 that gives 4 channels.
    pub rows_of_quad: usize,
    /// The columns; their quads are stored `apart` places from each other, so many has a column.
    pub strip: Strip,
    /// How far the pieces of a column begin from the first, and how many they are.
    pub pieces: [usize; 4],
    /// See there.
    pub streams: usize,
    /// Number of the first column.
    pub first: usize,
}

/// The outputs of some bands in some lines, made of the quads of the columns under their kernels. A *place*
/// is that of four quads, or of four vectors of weights.
#[derive(Clone, Copy, Debug)]
pub struct Sweep<'a> {
    /// Where in a pixel each band begins, of the input as of the output. They share the columns that are
    /// not of the source; weights and blocks are those of the first, then those of the next.
    pub bands: &'a [usize],
    /// At least one, each below the one before.
    pub lines: &'a [Lines],
    /// Outputs side by side, at least one.
    pub count: usize,
    /// Columns from one output to the next.
    pub step: usize,
    /// Columns under an output, with those between its taps.
    pub reach: usize,
    /// Places under a kernel that lie side by side, and how many runs of them there are.
    pub run: usize,
    /// See there.
    pub runs: usize,
    /// Places from one run to the next.
    pub apart: usize,
    /// Quads that the outputs of a group have of a place, 1, 2 or 4: those of vectors `q` to
    /// `q + spread` are quads `q` to `q + spread`, where `spread` divides `q`.
    pub spread: usize,
    /// Where the first output's pieces begin.
    pub pieces: [usize; 4],
    /// Bytes from one row of the output to the next.
    pub row: usize,
    /// Bytes from one output to the next.
    pub column: usize,
}

impl Source<'_> {
    /// Makes the quads of all columns of a band in `rows`.
    #[inline(always)]
    pub(super) fn make<I: Isa>(
        &self,
        isa: I,
        (rows, band): (&[&[u8]], usize),
        quads: &mut [[I::Quad; WIDE]],
    ) {
        let strip = Strip { from: self.strip.from + band, ..self.strip };
        let pieces = &self.pieces[..self.streams];
        let quads = &mut quads[self.first * strip.apart..];
        if self.rows_of_quad == 4 {
            let (fours, _) = rows.as_chunks::<4>();
            for (unit, rows) in fours[..strip.apart].iter().enumerate() {
                isa.band_of_rows(*rows, pieces, strip, &mut quads[unit..]);
            }
        } else {
            for (unit, row) in rows[..strip.apart].iter().enumerate() {
                isa.band_of_channels(row, pieces, strip, &mut quads[unit..]);
            }
        }
    }
}

impl Sweep<'_> {
    /// Places of weights of a row.
    #[inline(always)]
    #[must_use]
    pub fn steps(&self) -> usize {
        self.runs * self.run * self.spread
    }
}

/// Panics if columns, places or outputs reach beyond their ends.
///
/// A level that reads and writes through pointers calls it first.
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only AVX-512 needs it"))]
pub(super) fn check(
    source: &Source<'_>,
    sweep: &Sweep<'_>,
    (quads, weights): (usize, usize),
    out: usize,
) {
    let within = |parts: [(usize, usize); 3], end: usize| {
        let add = |sum: usize, (n, each): (usize, usize)| sum.checked_add(n.checked_mul(each)?);
        parts.into_iter().try_fold(0, add).is_some_and(|sum| sum <= end)
    };
    let Source { rows, tall, rows_of_quad, strip, streams, first, .. } = *source;
    let Sweep { bands, lines, count, runs, run, .. } = *sweep;
    let some = !bands.is_empty() && !lines.is_empty() && count > 0 && runs > 0;
    assert!(some, "band: nothing in {sweep:?}");
    let furthest = bands.iter().copied().max().unwrap_or(0);
    let below = (lines.len() - 1, tall);
    let enough = within([below, (strip.apart, rows_of_quad), (0, 0)], rows.len());
    assert!(enough && (rows_of_quad == 4 || rows_of_quad == 1), "band: {} rows", rows.len());
    let len = rows.iter().map(|row| row.len()).min().unwrap_or(0);
    let strip = Strip { from: strip.from.saturating_add(furthest), ..strip };
    strip.check_band(&source.pieces[..streams], len, usize::MAX);
    let made = within([(first, strip.apart), (strip.count, strip.apart), (0, 0)], quads);
    let across = sweep.step.saturating_mul(strip.apart);
    let read = within([(runs - 1, sweep.apart), (count - 1, across), (run, 1)], quads);
    assert!(made && read, "band: {quads} places for {strip:?}, {sweep:?}");
    let steps = runs.saturating_mul(run).saturating_mul(sweep.spread);
    let mut next = lines[0].first;
    for &Lines { first, count } in lines {
        assert!(first == next && (1..=4).contains(&count), "band: lines in {sweep:?}");
        next = first.saturating_add(count);
        let enough = within([(count, steps), (0, 0), (0, 0)], weights / bands.len());
        assert!(enough, "band: {weights} weights for {sweep:?}");
    }
    for piece in &sweep.pieces[..streams] {
        let (row, column) = ((next - lines[0].first - 1, sweep.row), (count - 1, sweep.column));
        let last = piece.saturating_add(furthest).saturating_add(BAND / streams);
        assert!(within([row, column, (last, 1)], out), "band: {out} bytes for {sweep:?}");
    }
}

/// Where lane `j` of vector `q` stands in a band.
#[must_use]
pub const fn place(q: usize, j: usize) -> usize {
    LANES * (j / WIDE) + WIDE * q + j % WIDE
}

/// See [`Isa::band_of_rows`].
#[inline(always)]
pub(super) fn of_rows<I: Isa>(
    isa: I,
    rows: [&[u8]; 4],
    pieces: &[usize],
    strip: Strip,
    to: &mut [[I::Quad; WIDE]],
) {
    for i in 0..strip.count {
        let mut columns = [[0; BAND]; 4];
        for t in 0..4 {
            columns[t] = column(rows[t], pieces, strip.from + i * strip.step);
        }
        for q in 0..WIDE {
            let mut bytes = [[0; LANES]; 4];
            for t in 0..4 {
                for j in 0..LANES {
                    bytes[t][j] = columns[t][place(q, j)];
                }
            }
            to[i * strip.apart][q] = isa.quad(bytes);
        }
    }
}

/// See [`Isa::band_of_channels`].
#[inline(always)]
pub(super) fn of_channels<I: Isa>(
    isa: I,
    row: &[u8],
    pieces: &[usize],
    strip: Strip,
    to: &mut [[I::Quad; WIDE]],
) {
    for i in 0..strip.count {
        let column = column(row, pieces, strip.from + i * strip.step);
        for k in 0..WIDE {
            let mut bytes = [[0; LANES]; 4];
            for t in 0..4 {
                for j in 0..LANES {
                    bytes[t][j] = column[place(k, j / WIDE * WIDE + t)];
                }
            }
            to[i * strip.apart][k] = isa.quad(bytes);
        }
    }
}

/// The bytes of a column that begins at `from`.
#[inline(always)]
pub(super) fn column(row: &[u8], pieces: &[usize], from: usize) -> [u8; BAND] {
    let mut bytes = [0; BAND];
    if let [piece] = *pieces {
        bytes.copy_from_slice(&row[from + piece..][..BAND]);
        return bytes;
    }
    let width = BAND / pieces.len();
    for (piece, to) in pieces.iter().zip(bytes.chunks_exact_mut(width)) {
        to.copy_from_slice(&row[from + piece..][..width]);
    }
    bytes
}

/// See [`Isa::band`].
#[inline(always)]
pub(super) fn outputs<I: Isa>(
    isa: I,
    source: &Source<'_>,
    sweep: &Sweep<'_>,
    (quads, weights): (&mut [[I::Quad; WIDE]], &[[I::QuadWeights; WIDE]]),
    by: &ToBytes<'_>,
    out: &mut [u8],
) {
    let own = weights.chunks_exact(weights.len() / sweep.bands.len());
    for ((b, &band), weights) in sweep.bands.iter().enumerate().zip(own) {
        let by = by.four(b);
        let lanes = Lanes::all(isa, by.blocks.first_chunk().expect("four blocks"), by.range);
        for (i, lines) in sweep.lines.iter().enumerate() {
            source.make(isa, (&source.rows[i * source.tall..], band), quads);
            for first in (0..lines.count).step_by(2) {
                let weights = &weights[first * sweep.steps()..];
                let row = lines.first - sweep.lines[0].first + first;
                for at in 0..sweep.count {
                    let quads = &quads[at * sweep.step * source.strip.apart..];
                    let on = band + at * sweep.column + row * sweep.row;
                    let mut places = sweep.pieces.map(|piece| piece + on);
                    let places = &mut places[..source.streams];
                    if first + 1 < lines.count {
                        some::<I, 2>(isa, sweep, (quads, weights), (&lanes, places), out);
                    } else {
                        some::<I, 1>(isa, sweep, (quads, weights), (&lanes, places), out);
                    }
                }
            }
        }
    }
}

/// The outputs at `places` in `R` rows. A vector at a time: two rows of its sums stay in registers on every
/// level.
#[inline(always)]
fn some<I: Isa, const R: usize>(
    isa: I,
    sweep: &Sweep<'_>,
    (quads, weights): (&[[I::Quad; WIDE]], &[[I::QuadWeights; WIDE]]),
    (lanes, places): (&[Lanes<I>; WIDE], &mut [usize]),
    out: &mut [u8],
) {
    let Sweep { run, runs, apart, spread, .. } = *sweep;
    let mut all = [[lanes[0].start; WIDE]; R];
    for q in 0..WIDE {
        let mut sums = [lanes[q].start; R];
        for n in 0..runs {
            let quads = &quads[n * apart..][..run];
            let mut own = [&weights[..0]; R];
            for r in 0..R {
                own[r] = &weights[r * sweep.steps() + n * run * spread..][..run * spread];
            }
            for i in 0..run {
                for h in 0..spread {
                    let quad = quads[i][(q / spread * spread + h) % WIDE];
                    for r in 0..R {
                        sums[r] = isa.quad_dot(sums[r], quad, own[r][i * spread + h][q]);
                    }
                }
            }
        }
        for r in 0..R {
            all[r][q] = sums[r];
        }
    }
    for sums in all {
        Lanes::store_band(isa, lanes, sums, out, places);
        for place in &mut *places {
            *place += sweep.row;
        }
    }
}

/// Writes the bytes of four vectors to their pieces.
#[inline(always)]
pub(super) fn put(bytes: &[[u8; LANES]; WIDE], to: &mut [u8], at: &[usize]) {
    let mut band = [0; BAND];
    for (q, bytes) in bytes.iter().enumerate() {
        for (j, &byte) in bytes.iter().enumerate() {
            band[place(q, j)] = byte;
        }
    }
    scatter(&band, to, at);
}

/// Copies the pieces of a band to where they begin.
#[inline(always)]
pub(super) fn scatter(band: &[u8; BAND], to: &mut [u8], at: &[usize]) {
    if let [at] = *at {
        to[at..][..BAND].copy_from_slice(band);
        return;
    }
    let width = BAND / at.len();
    for (&at, piece) in at.iter().zip(band.chunks_exact(width)) {
        to[at..][..width].copy_from_slice(piece);
    }
}
