//! Functions of one byte by table: any function of quantized values, exact, at one speed.

use crate::error::{Result, same};
use crate::isa::{Isa, Kernel, Level};
use crate::parallel::{Split, split, threads_for};
use crate::qparams::{Dequantizer, Quantizer};

/// The output byte of each input byte. Signed bytes are meant by their bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table(pub [u8; 256]);

/// The real number that each byte stands for; as signed bytes if `signed`.
#[must_use]
pub fn reals(input: Dequantizer, signed: bool) -> [f32; 256] {
    std::array::from_fn(|i| {
        input.dequantize(if signed { i32::from(i as u8 as i8) } else { i as i32 })
    })
}

impl Table {
    /// Quantizes what a function gave for [`reals`]. Whether the output is signed follows from its span.
    #[must_use]
    pub fn new(values: &[f32; 256], output: Quantizer) -> Self {
        Self(std::array::from_fn(|i| output.quantize(values[i]) as u8))
    }

    /// `out[i] = table[x[i]]`.
    ///
    /// # Errors
    /// If the lengths differ.
    pub fn apply(&self, level: Level, x: &[u8], out: &mut [u8]) -> Result<()> {
        same("table", "output length", out.len(), x.len())?;
        // The slowest lookup does 3 values a nanosecond.
        split(out, out.len(), threads_for(out.len() / 3), Split::Columns(64), |mut window| {
            let x = &x[window.columns()];
            level.run(Lookup { table: &self.0, x, out: window.row(0) });
        });
        Ok(())
    }
}

struct Lookup<'a> {
    table: &'a [u8; 256],
    x: &'a [u8],
    out: &'a mut [u8],
}

impl Kernel for Lookup<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        isa.lookup(self.table, self.x, self.out);
    }
}
