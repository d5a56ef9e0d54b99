//! Statically quantized linear layer: bytes in, bytes out.

use super::{Linear, OP};
use crate::error::{Result, same};
use crate::gemm::Dense;
use crate::gemm_bytes::{InOrder, Inputs, Part, Planned};
use crate::isa::Level;
use crate::parallel::{Split, split, threads_for};
use crate::requant::Static;

impl Linear {
    /// `out[i][j]` = stored byte of `sum over k of x[i][k] * w[j][k] + bias[j]`, for `x` of `m` rows of
    /// bytes that stand for `scale * (q - zero_point)`.
    ///
    /// # Errors
    /// If a length does not fit, or the scales do not fit each other.
    pub fn quantized(
        &self,
        level: Level,
        how: Static,
        m: usize,
        x: &[u8],
        out: &mut [u8],
    ) -> Result<()> {
        let (k, n) = (self.k(), self.n());
        same(OP, "input length", x.len(), m * k)?;
        same(OP, "output length", out.len(), m * n)?;
        let plan = self.plan(how)?;
        let work = self.weights.products(m) / level.products_per_nanosecond();
        let threads = threads_for(work + self.weights.bytes() / 100);
        let by = if m >= 6 * threads { Split::Rows(6) } else { Split::Columns(64) };
        let groups = &[Planned { weights: &self.weights, plan: &plan }];
        split(out, n, threads, by, |mut window| {
            let (rows, window) = (Dense { data: x, k }, &mut window);
            let inputs = Inputs::of(k, 1);
            level.run(Part { rows, places: InOrder, inputs, groups, window });
        });
        Ok(())
    }
}
