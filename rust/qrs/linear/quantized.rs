//! Statically quantized linear layer: bytes in, bytes out.

use super::{Linear, OP};
use crate::error::{Result, same};
use crate::gemm::{Dense, Epilogue, gemm};
use crate::isa::{Isa, Kernel, LANES, Level};
use crate::parallel::{Split, Window, split, threads_for};
use crate::requant::{Plan, Static};
use crate::scratch;

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
        split(out, n, threads, by, |window| {
            level.run(Part { layer: self, plan: &plan, x, window });
        });
        Ok(())
    }
}

struct Part<'a, 'w> {
    layer: &'a Linear,
    plan: &'a Plan,
    x: &'a [u8],
    window: Window<'w, u8>,
}

impl Kernel for Part<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let weights = &self.layer.weights;
        let data = Dense { data: self.x, k: weights.c() };
        let panels = weights.panels_of(self.window.columns());
        let mut scratch = scratch::borrow();
        let staging = I::staging(&mut scratch);
        gemm(isa, &data, self.window.rows(), weights, panels, staging, &mut self);
    }
}

impl Epilogue for Part<'_, '_> {
    #[inline(always)]
    fn finish<I: Isa>(&mut self, isa: I, row: usize, panel: usize, sums: &[[i32; LANES]]) {
        let k = self.layer.k();
        let row_sum = match self.plan.needs_row_sums() {
            true => self.x[row * k..][..k].iter().map(|&b| i32::from(b)).sum(),
            false => 0,
        };
        let first = panel * self.layer.weights.width();
        let skip = first * LANES - self.window.columns().start;
        self.plan.store(isa, first, sums, row_sum, &mut self.window.row(row)[skip..]);
    }
}
