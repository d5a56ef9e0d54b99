//! Moving bytes without changing them: chosen indices of each axis (padding, nearest neighbours), and
//! axes in another order (channels last and first, channel and pixel shuffle).

use crate::error::{Error, Result, same};
use crate::isa::{Isa, Kernel, Level};
use crate::parallel::{Split, split, threads_for};

/// The index that stands for the fill value.
pub const OUTSIDE: usize = usize::MAX;

/// `out[i, j, ...] = x[tables[0][i], tables[1][j], ...]` for a dense `x` of `shape`; an axis without
/// table stays as it is, and where a table says [`OUTSIDE`] stands `fill`.
///
/// # Errors
/// If a length does not fit or a table leaves its axis.
pub fn select(
    x: &[u8],
    shape: &[usize],
    tables: &[Option<&[usize]>],
    fill: u8,
    out: &mut [u8],
) -> Result<()> {
    const OP: &str = "select";
    same(OP, "number of tables", tables.len(), shape.len())?;
    same(OP, "input length", x.len(), shape.iter().product())?;
    for (table, &size) in tables.iter().zip(shape) {
        let outside = |&&i: &&usize| i != OUTSIDE && i >= size;
        if let Some(i) = table.unwrap_or_default().iter().find(outside) {
            let message = format!("index {i} came for an axis of length {size}");
            return Err(Error::Value { op: OP, message });
        }
    }
    let len = |axis: usize| tables[axis].map_or(shape[axis], <[usize]>::len);
    same(OP, "output length", out.len(), (0..shape.len()).map(len).product())?;
    // The last axis with a table: what follows it is copied in blocks.
    let Some(last) = (0..shape.len()).rev().find(|&axis| tables[axis].is_some()) else {
        out.copy_from_slice(x);
        return Ok(());
    };
    let block: usize = shape[last + 1..].iter().product();
    let columns = tables[last].unwrap_or_default();
    split(out, columns.len() * block, threads_for(out.len() / 4), Split::Rows(1), |mut window| {
        for r in window.rows() {
            let (mut rest, mut from, mut stride) = (r, 0, shape[last] * block);
            for axis in (0..last).rev() {
                let i = rest % len(axis);
                rest /= len(axis);
                let i = tables[axis].map_or(i, |table| table[i]);
                from = if i == OUTSIDE || from == OUTSIDE { OUTSIDE } else { from + i * stride };
                stride *= shape[axis];
            }
            let row = window.row(r);
            if from == OUTSIDE {
                row.fill(fill);
                continue;
            }
            let line = &x[from..][..shape[last] * block];
            if block == 1 {
                for (to, &i) in row.iter_mut().zip(columns) {
                    *to = if i == OUTSIDE { fill } else { line[i] };
                }
                continue;
            }
            for (to, &i) in row.chunks_exact_mut(block).zip(columns) {
                match i {
                    OUTSIDE => to.fill(fill),
                    _ => to.copy_from_slice(&line[i * block..][..block]),
                }
            }
        }
    });
    Ok(())
}

/// An axis of the output: its length, and bytes of the input from one index to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    len: usize,
    step: usize,
}

/// Axis `i` of the dense `out` is axis `order[i]` of the dense `x` of `shape`.
///
/// # Errors
/// If a length does not fit or `order` does not name every axis once.
pub fn permute(
    level: Level,
    x: &[u8],
    shape: &[usize],
    order: &[usize],
    out: &mut [u8],
) -> Result<()> {
    const OP: &str = "permute";
    same(OP, "number of axes", order.len(), shape.len())?;
    let mut seen = order.to_vec();
    seen.sort_unstable();
    if seen.iter().enumerate().any(|(i, &axis)| i != axis) {
        let message = format!("order {order:?} came, expected each axis once");
        return Err(Error::Value { op: OP, message });
    }
    same(OP, "input length", x.len(), shape.iter().product())?;
    same(OP, "output length", out.len(), x.len())?;
    let step = |axis: usize| shape[axis + 1..].iter().product();
    // Axes that follow each other in both become one.
    let mut axes: Vec<Axis> = Vec::new();
    for axis in order.iter().map(|&axis| Axis { len: shape[axis], step: step(axis) }) {
        match axes.last_mut() {
            _ if axis.len == 1 => {}
            Some(last) if last.step == axis.len * axis.step => {
                *last = Axis { len: last.len * axis.len, step: axis.step };
            }
            _ => axes.push(axis),
        }
    }
    let Some((&first, inner)) = axes.split_first() else {
        out.copy_from_slice(x);
        return Ok(());
    };
    // Pieces of the first axis are pieces of the output, unless it is one side of the squares.
    let (pieces, inner) =
        if first.step == 1 { (Axis { len: 1, step: 0 }, &axes[..]) } else { (first, inner) };
    let width = inner.iter().map(|axis| axis.len).product();
    split(out, width, threads_for(pieces.len * width), Split::Rows(1), |mut window| {
        for r in window.rows() {
            walk(level, x, r * pieces.step, inner, window.row(r));
        }
    });
    Ok(())
}

/// Fills `out` with the axes `axes` of `x` from `from` on.
fn walk(level: Level, x: &[u8], from: usize, axes: &[Axis], out: &mut [u8]) {
    match *axes {
        [] => out[0] = x[from],
        [Axis { step: 1, .. }] => out.copy_from_slice(&x[from..][..out.len()]),
        [Axis { step, .. }] => {
            for (to, byte) in out.iter_mut().zip(x[from..].iter().step_by(step)) {
                *to = *byte;
            }
        }
        [Axis { len, step: 1 }, ref middle @ .., last] => {
            let width = out.len() / len;
            turn_each(level, x, from, len, (middle, last), out, width);
        }
        [Axis { len, step }, ref inner @ ..] => {
            let width = out.len() / len;
            for (i, out) in out.chunks_exact_mut(width).enumerate() {
                walk(level, x, from + i * step, inner, out);
            }
        }
    }
}

/// Calls [`turn`] for each index of the axes between `rows`, whose bytes are neighbours in `x`, and
/// `last`, whose bytes are neighbours in `out`. Rows of `out` are `width` apart.
fn turn_each(
    level: Level,
    x: &[u8],
    from: usize,
    rows: usize,
    (middle, last): (&[Axis], Axis),
    out: &mut [u8],
    width: usize,
) {
    let Some((axis, rest)) = middle.split_first() else {
        return turn(level, x, from, rows, last, out, width);
    };
    let room = last.len * rest.iter().map(|axis| axis.len).product::<usize>();
    for i in 0..axis.len {
        turn_each(level, x, from + i * axis.step, rows, (rest, last), &mut out[i * room..], width);
    }
}

/// `out[i * width + j] = x[from + i + j * step]` for `i` below `rows` and `j` below `len`.
fn turn(
    level: Level,
    x: &[u8],
    from: usize,
    rows: usize,
    Axis { len, step }: Axis,
    out: &mut [u8],
    width: usize,
) {
    let side = |j: usize| &x[from + j * step..][..rows];
    match len {
        // Images of few channels, which would not fill a square.
        2 if width == len => return level.run(Interleave([0, 1].map(side), out)),
        3 if width == len => return level.run(Interleave([0, 1, 2].map(side), out)),
        4 if width == len => return level.run(Interleave([0, 1, 2, 3].map(side), out)),
        _ => {}
    }
    let (whole_rows, whole_len) = (rows / 8 * 8, len / 8 * 8);
    for i in (0..whole_rows).step_by(8) {
        for j in (0..whole_len).step_by(8) {
            let mut square = [0; 8];
            for (t, row) in square.iter_mut().enumerate() {
                let bytes = x[from + i + (j + t) * step..].first_chunk().expect("8 of the row");
                *row = u64::from_le_bytes(*bytes);
            }
            for (t, row) in turned(square).iter().enumerate() {
                out[(i + t) * width + j..][..8].copy_from_slice(&row.to_le_bytes());
            }
        }
    }
    for i in 0..rows {
        let done = if i < whole_rows { whole_len } else { 0 };
        for j in done..len {
            out[i * width + j] = x[from + i + j * step];
        }
    }
}

/// The bytes of some rows in turns.
struct Interleave<'a, const L: usize>([&'a [u8]; L], &'a mut [u8]);

impl<const L: usize> Kernel for Interleave<'_, L> {
    type Output = ();

    /// Plain code: the compiler finds the vector instructions.
    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let Self(rows, out) = self;
        let n = rows[0].len();
        let rows = rows.map(|row| &row[..n]);
        let out = &mut out.as_chunks_mut::<L>().0[..n];
        for i in 0..n {
            for l in 0..L {
                out[i][l] = rows[l][i];
            }
        }
    }
}

/// The transpose of 8 rows of 8 bytes: swaps the corners of squares of 2, 4 and 8.
fn turned(mut rows: [u64; 8]) -> [u64; 8] {
    for (half, mask) in
        [(1, 0x00ff_00ff_00ff_00ff), (2, 0x0000_ffff_0000_ffff), (4, 0x0000_0000_ffff_ffff)]
    {
        for i in (0..8).filter(|i| i & half == 0) {
            let swapped = ((rows[i] >> (8 * half)) ^ rows[i + half]) & mask;
            rows[i + half] ^= swapped;
            rows[i] ^= swapped << (8 * half);
        }
    }
    rows
}
