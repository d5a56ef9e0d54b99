//! Statically quantized convolution of one to three dimensions, channels last.

mod geometry;
mod narrow;
mod patches;
mod row_taps;
mod transposed;

use std::mem;
use std::sync::Arc;

pub use geometry::Geometry;
pub use transposed::ConvTranspose;

use self::narrow::Narrow;
use self::patches::Patches;
use self::row_taps::Images;
use crate::error::{Error, Result, same};
use crate::gemm::{Dense, Rows};
use crate::gemm_bytes::{self, InOrder, Inputs, Planned};
use crate::isa::Level;
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
    /// A product whose taps are kernel rows.
    RowTaps(Group),
    /// Depthwise, or few channels a group, which need all channels at once.
    Narrow(Box<Narrow>, Channels),
}

#[derive(Clone, Debug)]
struct Group {
    weights: PackedWeights,
    channels: Channels,
}

/// `Ok` if a layer has as many weights as it should, and its sums fit 32 bits.
fn checked_weights(
    op: &'static str,
    weights: &[i8],
    (inputs, outputs): (usize, usize),
    geometry: Geometry,
    channels: &Channels,
) -> Result<()> {
    let k = geometry.taps() * (inputs / geometry.groups);
    same(op, "number of weights", weights.len(), outputs * k)?;
    if !channels.zero_points.is_empty() && k > MAX_DEPTH_AFFINE {
        return Err(Error::TooDeep { op, k, limit: MAX_DEPTH_AFFINE });
    }
    Ok(())
}

impl Packed {
    /// A matrix product for each group of `weights`, `[outputs][taps][inputs / groups]`.
    fn groups(
        weights: &[i8],
        (inputs, outputs): (usize, usize),
        geometry: Geometry,
        all: &Channels,
    ) -> Result<Self> {
        let (c, n) = (inputs / geometry.groups, outputs / geometry.groups);
        let (taps, k) = (geometry.taps(), geometry.taps() * c);
        let group = |g: usize| {
            let own = n * g..n * (g + 1);
            let weights = &weights[own.start * k..own.end * k];
            let weights = PackedWeights::new(weights, n, taps, c)?;
            Ok(Group { weights, channels: all.part(own) })
        };
        Ok(Self::Groups((0..geometry.groups).map(group).collect::<Result<_>>()?))
    }
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
        checked_weights(OP, weights, (inputs, outputs), geometry, &all)?;
        // Row sums, which weight zero points need, are of whole groups: those stay matrix products.
        let narrow = match all.zero_points.is_empty() {
            true => Narrow::new(weights, (inputs, outputs), geometry),
            false => None,
        };
        let packed = match narrow {
            Some(narrow) => Packed::Narrow(Box::new(narrow), all),
            None if row_taps::fits(geometry) => {
                let run = row_taps::run(geometry, inputs);
                let weights = row_taps::weights(weights, geometry, inputs);
                let rows = geometry.taps() / geometry.kernel[2];
                let weights = PackedWeights::new(&weights, outputs, rows, run)?;
                Packed::RowTaps(Group { weights, channels: all })
            }
            None => Packed::groups(weights, (inputs, outputs), geometry, &all)?,
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
            _ => {
                self.groups().iter().map(|group| group.weights.products(pixels)).sum::<usize>()
                    / rate
            }
        }
    }

    /// The matrix products.
    fn groups(&self) -> &[Group] {
        match &self.packed {
            Packed::Groups(groups) => groups,
            Packed::RowTaps(group) => std::slice::from_ref(group),
            Packed::Narrow(..) => &[],
        }
    }

    /// The matrix products with their plans.
    fn planned<'a>(&'a self, plans: &'a [Plan]) -> Vec<Planned<'a>> {
        let each = self.groups().iter().zip(plans);
        each.map(|(group, plan)| Planned { weights: &group.weights, plan }).collect()
    }

    /// The plans of all groups for outputs as `how` says, computed at their first use.
    fn plans(&self, how: Static) -> Result<Arc<Vec<Plan>>> {
        let depth = self.geometry.taps() * self.inputs / self.geometry.groups;
        let padded = self.geometry.padding != [0; 3];
        let group = |Group { weights, channels }: &Group| {
            let sums = &weights.sums().as_flattened()[..weights.n()];
            let plan = Plan::new(OP, channels, sums, depth, how)?;
            Ok(match padded {
                true => plan.padded(how.input.zero_point, weights.tap_sums()),
                false => plan,
            })
        };
        self.plans.get(how, || match &self.packed {
            Packed::Narrow(narrow, channels) => {
                let plan = Plan::new(OP, channels, narrow.sums(), depth, how)?;
                Ok(narrow.plans(plan))
            }
            _ => self.groups().iter().map(group).collect(),
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
        let geometry = self.geometry;
        if let Packed::Narrow(layer, _) = &self.packed {
            let work = (&plans[..], level, threads);
            run_narrow(layer, work, (x, input, output, zero_point), out);
            return Ok(());
        }
        let channels = self.inputs;
        let inputs = Inputs::of(channels, geometry.groups);
        let work = (&plans[..], level, threads);
        if let Packed::RowTaps(_) = &self.packed {
            let images = Images { geometry, x, input, output, channels, zero_point };
            self.row_taps(work, images, out);
        } else if geometry.is_pointwise() {
            self.product(work, Dense { data: x, k: channels }, inputs, out);
        } else {
            let outside = &vec![zero_point; channels][..];
            let patches = Patches { geometry, x, input, output, channels, outside };
            self.product(work, patches, inputs, out);
        }
        Ok(())
    }

    /// The product with copied lines of `images`.
    fn row_taps(
        &self,
        (plans, level, threads): (&[Plan], Level, usize),
        images: Images<'_>,
        out: &mut [u8],
    ) {
        let groups = &self.planned(plans)[..];
        let unused = row_taps::unused(self.geometry, self.inputs);
        self.split(threads, out, |mut window| {
            let mut room = mem::take(&mut scratch::borrow().padded);
            for piece in images.pieces(window.rows()) {
                let rows = images.taps(piece.clone(), &mut room);
                let (places, inputs) = (InOrder, Inputs::AllBut(unused));
                let window = &mut window.part(piece);
                level.run(gemm_bytes::Part { rows, places, inputs, groups, window });
            }
            scratch::borrow().padded = room;
        });
    }

    /// The products of all groups with `pixels`.
    fn product<P: Rows + Copy>(
        &self,
        (plans, level, threads): (&[Plan], Level, usize),
        pixels: P,
        inputs: Inputs,
        out: &mut [u8],
    ) {
        let groups = &self.planned(plans)[..];
        self.split(threads, out, |mut window| {
            let window = &mut window;
            let (rows, places) = (pixels, InOrder);
            level.run(gemm_bytes::Part { rows, places, inputs, groups, window });
        });
    }

    /// Divides the output between threads, by pixels if there are enough.
    fn split(&self, threads: usize, out: &mut [u8], part: impl Fn(Window<'_, u8>) + Sync) {
        let few = self.geometry.groups == 1 && out.len() < 6 * threads * self.outputs;
        let by = if few { Split::Columns(64) } else { Split::Rows(6) };
        split(out, self.outputs, threads, by, part);
    }
}

/// A layer of narrow groups on the images `x`, sizes and zero point beside them, into `out`.
fn run_narrow(
    layer: &Narrow,
    (plans, level, threads): (&[Plan], Level, usize),
    (x, input, output, zero_point): (&[u8], [usize; 3], [usize; 3], u8),
    out: &mut [u8],
) {
    let rows = Split::Rows(layer.share() * output[2]);
    split(out, layer.outputs(), threads, rows, |mut window| {
        let window = &mut window;
        level.run(narrow::Part { layer, plans, x, input, output, zero_point, window });
    });
}
