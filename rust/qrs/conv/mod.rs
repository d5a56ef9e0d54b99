//! Statically quantized convolution of one to three dimensions, channels last.

mod geometry;
mod narrow;
mod patches;

use std::sync::Arc;

pub use geometry::Geometry;

use self::narrow::Narrow;
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
    packed: Packed,
    plans: Cached<Vec<Plan>>,
}

/// Weights in the form that suits their shape.
#[derive(Clone, Debug)]
enum Packed {
    /// One matrix product per group.
    Groups(Vec<Group>),
    /// Depthwise, or few channels a group, which need all channels at once.
    Narrow(Box<Narrow>, Channels),
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
        // Row sums, which weight zero points need, are of whole groups: those stay matrix products.
        let narrow = match all.zero_points.is_empty() {
            true => Narrow::new(weights, (inputs, outputs), geometry),
            false => None,
        };
        let packed = match narrow {
            Some(narrow) => Packed::Narrow(Box::new(narrow), all),
            None => {
                let group = |g: usize| {
                    let own = n * g..n * (g + 1);
                    let weights = &weights[own.start * k..own.end * k];
                    let weights = PackedWeights::new(weights, n, taps, c)?;
                    Ok(Group { weights, channels: all.part(own) })
                };
                Packed::Groups((0..geometry.groups).map(group).collect::<Result<_>>()?)
            }
        };
        Ok(Self { geometry, inputs, outputs, packed, plans: Cached::default() })
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
        let rate = level.products_per_nanosecond();
        match &self.packed {
            Packed::Narrow(narrow, _) => narrow.nanoseconds(rate, pixels),
            Packed::Groups(groups) => {
                groups.iter().map(|group| group.weights.products(pixels)).sum::<usize>() / rate
            }
        }
    }

    /// The plans of all groups for outputs as `how` says, computed at their first use.
    fn plans(&self, how: Static) -> Result<Arc<Vec<Plan>>> {
        self.plans.get(how, || match &self.packed {
            Packed::Narrow(narrow, channels) => {
                let depth = self.geometry.taps() * self.inputs / self.geometry.groups;
                Ok(vec![Plan::new(OP, channels, narrow.sums(), depth, how)?])
            }
            Packed::Groups(groups) => groups
                .iter()
                .map(|Group { weights, channels }| {
                    let sums = &weights.sums().as_flattened()[..weights.n()];
                    Plan::new(OP, channels, sums, weights.taps() * weights.c(), how)
                })
                .collect(),
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
        let threads = threads_for(self.nanoseconds(level, pixels));
        let zero_point = how.input.zero_point as u8;
        let groups = match &self.packed {
            Packed::Groups(groups) => groups,
            Packed::Narrow(layer, _) => {
                let (plan, rows) = (&plans[0], Split::Rows(layer.share() * output[2]));
                split(out, self.outputs, threads, rows, |mut window| {
                    let window = &mut window;
                    level.run(narrow::Part { layer, plan, x, input, output, zero_point, window });
                });
                return Ok(());
            }
        };
        let outside = vec![zero_point; self.inputs / self.geometry.groups];
        let few = groups.len() == 1 && pixels < 6 * threads;
        let by = if few { Split::Columns(64) } else { Split::Rows(6) };
        split(out, self.outputs, threads, by, |mut window| {
            for (g, (group, plan)) in groups.iter().zip(plans.iter()).enumerate() {
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
                let (first, window) = (g * group.weights.n(), &mut window);
                level.run(Part { patches, group, plan, first, window });
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
