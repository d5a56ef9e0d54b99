//! From 32-bit sums to reals: what follows every product of a dynamically quantized layer, equations
//! (9), (11) and (12).

use crate::isa::{Isa, LANES};
use crate::qparams::Engine;
use crate::scratch::QuantizedRow;

/// What belongs to 16 output channels.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns {
    /// Sum of each channel's weights.
    pub sums: [i32; LANES],
    /// Weight zero points.
    pub zero_points: [i32; LANES],
    /// Weight scales.
    pub scales: [f32; LANES],
    /// Float bias.
    pub bias: [f32; LANES],
}

/// How the sums of a layer become reals.
#[derive(Clone, Copy, Debug)]
pub struct ScaleBack {
    /// Numeric profile.
    pub engine: Engine,
    /// The depth of the product, where any weight zero point is not zero.
    pub affine: Option<usize>,
}

impl ScaleBack {
    /// The reals of 16 channels, from the sums of a row.
    #[inline(always)]
    pub fn reals<I: Isa>(
        self,
        isa: I,
        columns: &Columns,
        QuantizedRow { params, sum }: QuantizedRow,
        sums: &[i32; LANES],
    ) -> I::F {
        let correction = isa.i_mul(isa.i_splat(params.zero_point), isa.i_load(&columns.sums));
        let mut acc = isa.i_sub(isa.i_load(sums), correction);
        if let Some(k) = self.affine {
            let a = sum.wrapping_sub((k as i32).wrapping_mul(params.zero_point));
            let by_row = isa.i_mul(isa.i_splat(a), isa.i_load(&columns.zero_points));
            acc = isa.i_sub(acc, by_row);
        }
        let multiplier = isa.f_mul(isa.f_splat(params.scale), isa.f_load(&columns.scales));
        let bias = isa.f_load(&columns.bias);
        let acc = isa.f_from_i(acc);
        match self.engine.fuses_bias() {
            true => isa.f_fma(acc, multiplier, bias),
            false => isa.f_add(isa.f_mul(acc, multiplier), bias),
        }
    }
}
