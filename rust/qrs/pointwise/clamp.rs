//! Bounds of bytes.

use crate::byte::Byte;
use crate::error::{Result, same};
use crate::isa::{Isa, Kernel, Level};
use crate::parallel::{Split, split, threads_for};

/// `out[i] = min(max(x[i], low), high)`: the upper bound wins where they cross.
///
/// # Errors
/// If the lengths differ.
pub fn clamp<T: Byte>(level: Level, x: &[T], (low, high): (T, T), out: &mut [T]) -> Result<()> {
    same("clamp", "output length", out.len(), x.len())?;
    split(out, out.len(), threads_for(out.len() / 20), Split::Columns(64), |mut window| {
        let x = &x[window.columns()];
        level.run(Clamp { x, low, high, out: window.row(0) });
    });
    Ok(())
}

struct Clamp<'a, T> {
    x: &'a [T],
    low: T,
    high: T,
    out: &'a mut [T],
}

impl<T: Byte> Kernel for Clamp<'_, T> {
    type Output = ();

    /// Plain code: the compiler finds the vector instructions.
    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        for (to, &byte) in self.out.iter_mut().zip(self.x) {
            *to = byte.max(self.low).min(self.high);
        }
    }
}
