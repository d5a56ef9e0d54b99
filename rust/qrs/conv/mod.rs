//! Statically quantized convolution of one to three dimensions, channels last.

mod geometry;
mod patches;

use std::sync::Arc;

pub use geometry::Geometry;

use self::patches::Patches;
use crate::error::{Error, Result, same};
use crate::gemm::{Epilogue, gemm};
use crate::isa::{Isa, Kernel, LANES, Level};
use crate::pack::{MAX_DEPTH_AFFINE, PackedWeights};
use crate::parallel::{Split, Window, split, threads_for};
use crate::requant::{Cached, Channels, Plan, Static};
use crate::scratch;

const OP: &str = "conv";

/// Weights of a convolution, packed per group, with what its output needs.
#[derive(Clone, Debug)]
pub struct Conv {
    geometry: Geometry,
    inputs: usize,
    outputs: usize,
    groups: Vec<Group>,
    plans: Cached<Vec<Plan>>,
}

#[derive(Clone, Debug)]
struct Group {
    weights: PackedWeights,
    channels: Channels,
}

impl Conv {
    /// Packs `weights`, `[outputs][kernel d][kernel h][kernel w][inputs / groups]`, with one scale in
    /// all or one per output channel, and one zero point and bias per output channel.
    pub fn new(
        weights: &[i8],
        (inputs, outputs): (usize, usize),
        geometry: Geometry,
        scales: &[f32],
        zero_points: Option<&[i32]>,
        bias: Option<&[f32]>,
    ) -> Result<Self> {
        let geometry = geometry.checked(OP, inputs, outputs)?;
        let all = Channels::new(OP, outputs, scales, zero_points, bias)?;
        let (c, n) = (inputs / geometry.groups, outputs / geometry.groups);
        let (taps, k) = (geometry.taps(), geometry.taps() * c);
        same(OP, "number of weights", weights.len(), outputs * k)?;
        if !all.zero_points.is_empty() && k > MAX_DEPTH_AFFINE {
            return Err(Error::TooDeep { op: OP, k, limit: MAX_DEPTH_AFFINE });
        }
        let groups = (0..geometry.groups)
            .map(|g| {
                let own = n * g..n * (g + 1);
                Ok(Group {
                    weights: PackedWeights::new(&weights[own.start * k..own.end * k], n, taps, c)?,
                    channels: all.part(own),
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { geometry, inputs, outputs, groups, plans: Cached::default() })
    }

    /// Input and output channels.
    #[must_use]
    pub fn channels(&self) -> (usize, usize) {
        (self.inputs, self.outputs)
    }

    /// Size of the output for an input of size `input`.
    pub fn output(&self, input: [usize; 3]) -> Result<[usize; 3]> {
        self.geometry.output(OP, input)
    }

    /// About how long `pixels` output pixels take on one thread.
    #[must_use]
    pub fn nanoseconds(&self, level: Level, pixels: usize) -> usize {
        let products = self.groups.iter().map(|group| group.weights.products(pixels));
        products.sum::<usize>() / level.products_per_nanosecond()
    }

    /// The plans of all groups for outputs as `how` says, computed at their first use.
    fn plans(&self, how: Static) -> Result<Arc<Vec<Plan>>> {
        self.plans.get(how, || {
            let plan = |group: &Group| {
                let weights = &group.weights;
                let sums = &weights.sums().as_flattened()[..weights.n()];
                Plan::new(OP, &group.channels, sums, weights.taps() * weights.c(), how)
            };
            self.groups.iter().map(plan).collect()
        })
    }

    /// Convolves `batch` images of size `input`, channels last, into `out`, channels last.
    ///
    /// # Errors
    /// If a length does not fit, or the scales do not fit each other.
    pub fn quantized(
        &self,
        level: Level,
        how: Static,
        (batch, input): (usize, [usize; 3]),
        x: &[u8],
        out: &mut [u8],
    ) -> Result<()> {
        let output = self.output(input)?;
        let pixels = batch * output.iter().product::<usize>();
        same(OP, "input length", x.len(), batch * input.iter().product::<usize>() * self.inputs)?;
        same(OP, "output length", out.len(), pixels * self.outputs)?;
        let plans = self.plans(how)?;
        let outside = vec![how.input.zero_point as u8; self.inputs / self.geometry.groups];
        let products =
            self.groups.iter().map(|group| group.weights.products(pixels)).sum::<usize>();
        let threads = threads_for(products / level.products_per_nanosecond());
        let few = self.groups.len() == 1 && pixels < 6 * threads;
        let by = if few { Split::Columns(64) } else { Split::Rows(6) };
        split(out, self.outputs, threads, by, |mut window| {
            for (g, (group, plan)) in self.groups.iter().zip(plans.iter()).enumerate() {
                let c = group.weights.c();
                let patches = Patches {
                    geometry: self.geometry,
                    x,
                    input,
                    output,
                    channels: self.inputs,
                    first: g * c,
                    c,
                    outside: &outside,
                };
                level.run(Part {
                    patches,
                    group,
                    plan,
                    first: g * group.weights.n(),
                    window: &mut window,
                });
            }
        });
        Ok(())
    }
}

/// One group's outputs in one thread's window.
struct Part<'a, 'w> {
    patches: Patches<'a>,
    group: &'a Group,
    plan: &'a Plan,
    /// First output channel of the group.
    first: usize,
    window: &'a mut Window<'w, u8>,
}

impl Kernel for Part<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let weights = &self.group.weights;
        let columns = self.window.columns();
        let own = columns.start.max(self.first)..columns.end.min(self.first + weights.n());
        let panels = weights.panels_of(own.start - self.first..own.end - self.first);
        let patches = self.patches;
        let mut scratch = scratch::borrow();
        let staging = I::staging(&mut scratch);
        gemm(isa, &patches, self.window.rows(), weights, panels, staging, &mut self);
    }
}

impl Epilogue for Part<'_, '_> {
    #[inline(always)]
    fn finish<I: Isa>(&mut self, isa: I, row: usize, panel: usize, sums: &[[i32; LANES]]) {
        let row_sum = if self.plan.needs_row_sums() { self.patches.sum(row) } else { 0 };
        let weights = &self.group.weights;
        let block = panel * weights.width();
        let columns = self.window.columns();
        let from = self.first + block * LANES;
        let to = columns.end.min(self.first + weights.n()).min(from + sums.len() * LANES);
        let out = &mut self.window.row(row)[from - columns.start..to - columns.start];
        self.plan.store(isa, block, sums, row_sum, out);
    }
}
