//! Linear layers: packed weights and what their outputs need. `dynamic` takes and gives floats,
//! `quantized` bytes.

mod dynamic;
mod quantized;

pub use dynamic::Dynamic;

use std::sync::Arc;

use crate::columns::Columns;
use crate::error::{Error, Result};
use crate::pack::{MAX_DEPTH_AFFINE, PackedWeights, by_blocks};
use crate::requant::{Cached, Channels, Plan, Static};

const OP: &str = "linear";

/// Weights of a linear layer, packed, with what its output needs.
#[derive(Clone, Debug)]
pub struct Linear {
    weights: PackedWeights,
    /// For float outputs.
    columns: Vec<Columns>,
    channels: Channels,
    plan: Cached<Plan>,
}

impl Linear {
    /// Packs `weights`, `[n][k]`, with one scale in all or one per output channel, and one zero point
    /// and bias per output channel.
    pub fn new(
        weights: &[i8],
        (n, k): (usize, usize),
        scales: &[f32],
        zero_points: Option<&[i32]>,
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        let channels = Channels::new(OP, n, scales, zero_points, bias)?;
        if !channels.zero_points.is_empty() && k > MAX_DEPTH_AFFINE {
            return Err(Error::TooDeep { op: OP, k, limit: MAX_DEPTH_AFFINE });
        }
        let weights = PackedWeights::new(weights, n, 1, k)?;
        let each: Vec<f32> = (0..n).map(|j| channels.scale(j)).collect();
        let zero_points: Vec<i32> = (0..n).map(|j| channels.zero_point(j)).collect();
        let (scales, bias) = (by_blocks(&each, 0.0), by_blocks(&channels.bias, 0.0));
        let columns = by_blocks(&zero_points, 0)
            .into_iter()
            .enumerate()
            .map(|(b, zero_points)| Columns {
                sums: weights.sums()[b],
                zero_points,
                scales: scales[b],
                bias: bias[b],
            })
            .collect();
        Ok(Self { weights, columns, channels, plan: Cached::default() })
    }

    /// The plan for outputs as `how` says, computed at its first use.
    pub fn plan(&self, how: Static) -> Result<Arc<Plan>> {
        self.plan.get(how, || {
            let sums = &self.weights.sums().as_flattened()[..self.n()];
            Plan::new(OP, &self.channels, sums, self.k(), how)
        })
    }

    /// Inputs per row.
    #[must_use]
    pub fn k(&self) -> usize {
        self.weights.c()
    }

    /// Outputs per row.
    #[must_use]
    pub fn n(&self) -> usize {
        self.weights.n()
    }
}
