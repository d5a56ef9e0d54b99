//! Joining of tensors along one axis, those with other parameters through a table.

use crate::error::{Result, same};
use crate::isa::{Isa, Kernel, Level};
use crate::parallel::{Split, Window, split, threads_for};
use crate::table::Table;

/// A tensor to join: rows of `width` bytes.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Bytes of a row.
    pub width: usize,
    /// What becomes of each byte; none if it stays.
    pub table: Option<&'a Table>,
}

/// Row `i` of `out` is the rows `i` of all pieces, one after the other.
///
/// # Errors
/// If a length does not fit.
pub fn cat(level: Level, rows: usize, pieces: &[Piece<'_>], out: &mut [u8]) -> Result<()> {
    const OP: &str = "cat";
    for piece in pieces {
        same(OP, "length of an item", piece.bytes.len(), rows * piece.width)?;
    }
    let width = pieces.iter().map(|piece| piece.width).sum();
    same(OP, "output length", out.len(), rows * width)?;
    split(out, width, threads_for(out.len() / 10), Split::Rows(1), |window| {
        level.run(Join { pieces, window });
    });
    Ok(())
}

struct Join<'a, 'w> {
    pieces: &'a [Piece<'a>],
    window: Window<'w, u8>,
}

/// Bytes looked up at a time, before they go to their rows: rows alone can be very short.
const BLOCK: usize = 4096;

impl Kernel for Join<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let rows = self.window.rows();
        let mut looked_up = Vec::new();
        let mut at = 0;
        for Piece { bytes, width, table } in self.pieces {
            let many = (BLOCK / width.max(&1)).max(1);
            for first in rows.clone().step_by(many) {
                let last = rows.end.min(first + many);
                let mut block = &bytes[first * width..last * width];
                if let Some(table) = table {
                    looked_up.resize(block.len(), 0);
                    isa.lookup(&table.0, block, &mut looked_up);
                    block = &looked_up;
                }
                for (i, r) in (first..last).enumerate() {
                    self.window.row(r)[at..at + width]
                        .copy_from_slice(&block[i * width..][..*width]);
                }
            }
            at += width;
        }
    }
}
