//! The outputs of a transposed convolution that meet the same taps.

use std::sync::Arc;

use crate::conv::narrow::Narrow;
use crate::conv::patches::Patches;
use crate::conv::{Conv, Geometry, Packed, run_narrow};
use crate::error::Result;
use crate::gemm::Dense;
use crate::gemm_bytes::{Inputs, Part, Places};
use crate::isa::Level;
use crate::parallel::Window;
use crate::requant::{Cached, Channels, Plan, Static};

/// The outputs `first + stride * n` of each axis.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    first: [usize; 3],
    /// From the input to these outputs alone; its padding may be negative, and wraps around then.
    pub conv: Conv,
}

/// A phase of one axis.
pub(super) struct Axis {
    first: usize,
    /// Its taps, in the order of the inputs that they meet.
    taps: Vec<usize>,
    /// How far the first output's first input lies before the image.
    padding: usize,
    /// From one input to the next.
    dilation: usize,
}

/// A phase in one call.
pub(super) struct Job<'a> {
    conv: &'a Conv,
    plans: Arc<Vec<Plan>>,
    /// Which pixel of the output each of its pixels is.
    places: Vec<usize>,
    size: [usize; 3],
    /// Its pixels, if its groups are narrow: these kernels write whole images.
    made: Vec<u8>,
}

/// What all phases of a call read.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub x: &'a [u8],
    pub input: [usize; 3],
    /// A pixel of zero points.
    pub outside: &'a [u8],
}

impl Phase {
    pub(super) fn new(
        weights: &[i8],
        (inputs, outputs): (usize, usize),
        geometry: Geometry,
        axes: [&Axis; 3],
        channels: &Channels,
    ) -> Result<Self> {
        let c = inputs / geometry.groups;
        let [depth, height, width] = axes;
        let mut own = Vec::with_capacity(weights.len());
        for channel in weights.chunks_exact(geometry.taps() * c) {
            for kd in &depth.taps {
                for kh in &height.taps {
                    for kw in &width.taps {
                        let tap = (kd * geometry.kernel[1] + kh) * geometry.kernel[2] + kw;
                        own.extend_from_slice(&channel[tap * c..][..c]);
                    }
                }
            }
        }
        let geometry = Geometry {
            kernel: axes.map(|axis| axis.taps.len()),
            stride: [1; 3],
            padding: axes.map(|axis| axis.padding),
            dilation: axes.map(|axis| axis.dilation),
            groups: geometry.groups,
        };
        // The kernels of narrow groups read rows from their first pixel on.
        let from_first = isize::try_from(width.padding).is_ok();
        let narrow = match channels.zero_points.is_empty() && from_first {
            true => Narrow::new(&own, (inputs, outputs), geometry),
            false => None,
        };
        let packed = match narrow {
            Some(narrow) => Packed::Narrow(Box::new(narrow), channels.clone()),
            None => Packed::groups(&own, (inputs, outputs), geometry, channels)?,
        };
        let conv = Conv { geometry, inputs, outputs, packed, plans: Cached::default() };
        Ok(Self { first: axes.map(|axis| axis.first), conv })
    }

    /// How many of the phase's outputs there are in an output of size `output`.
    pub(super) fn size(&self, output: [usize; 3], stride: [usize; 3]) -> [usize; 3] {
        std::array::from_fn(|d| output[d].saturating_sub(self.first[d]).div_ceil(stride[d]))
    }

    /// Which pixels of `batch` outputs of size `output` are the phase's.
    fn places(&self, (batch, output): (usize, [usize; 3]), stride: [usize; 3]) -> Vec<usize> {
        let size = self.size(output, stride);
        let at = |d: usize, n: usize| self.first[d] + n * stride[d];
        let mut places = Vec::with_capacity(batch * size.iter().product::<usize>());
        for image in 0..batch {
            for d in 0..size[0] {
                for h in 0..size[1] {
                    let line = (image * output[0] + at(0, d)) * output[1] + at(1, h);
                    places.extend((0..size[2]).map(|w| line * output[2] + at(2, w)));
                }
            }
        }
        places
    }

    /// What a call has to do for the phase.
    pub(super) fn job(
        &self,
        (level, threads): (Level, usize),
        how: Static,
        source: Source<'_>,
        (batch, output): (usize, [usize; 3]),
        stride: [usize; 3],
    ) -> Result<Job<'_>> {
        let (conv, plans) = (&self.conv, self.conv.plans(how)?);
        let places = self.places((batch, output), stride);
        let size = self.size(output, stride);
        let mut made = Vec::new();
        if let Packed::Narrow(layer, _) = &conv.packed
            && !places.is_empty()
        {
            made.resize(places.len() * conv.outputs, 0);
            let images = (source.x, source.input, size, how.input.zero_point as u8);
            run_narrow(layer, (&plans[..], level, threads), images, &mut made);
        }
        Ok(Job { conv, plans, places, size, made })
    }
}

impl Axis {
    /// The phases of axis `d` that have taps.
    pub(super) fn of(geometry: Geometry, d: usize) -> Vec<Self> {
        let (stride, dilation) = (geometry.stride[d], geometry.dilation[d]);
        let mut phases = Vec::<Self>::new();
        // From the last tap, which meets the first input.
        for k in (0..geometry.kernel[d]).rev() {
            let place = k * dilation;
            let first = (place % stride + stride - geometry.padding[d] % stride) % stride;
            if let Some(phase) = phases.iter_mut().find(|phase| phase.first == first) {
                if phase.taps.len() == 1 {
                    phase.dilation = (phase.taps[0] - k) * dilation / stride;
                }
                phase.taps.push(k);
            } else {
                let padding = (place / stride).wrapping_sub((first + geometry.padding[d]) / stride);
                phases.push(Self { first, taps: vec![k], padding, dilation: 1 });
            }
        }
        phases
    }
}

impl Job<'_> {
    /// The outputs of the phase that lie in `window`.
    pub(super) fn run(&self, level: Level, source: Source<'_>, window: &mut Window<'_, u8>) {
        let Self { conv, plans, size, .. } = self;
        let (places, size) = (&self.places[..], *size);
        let (geometry, channels, groups) = (conv.geometry, conv.inputs, &conv.planned(plans)[..]);
        let Source { x, input, outside } = source;
        let inputs = Inputs::of(channels, geometry.groups);
        if let Packed::Narrow(..) = conv.packed {
            for row in places.within(window.rows()) {
                let pixel = &self.made[row * conv.outputs..][..conv.outputs];
                window.row(places[row]).copy_from_slice(pixel);
            }
        } else if geometry.is_pointwise() && size == input {
            let rows = Dense { data: x, k: channels };
            level.run(Part { rows, places, inputs, groups, window });
        } else {
            let rows = Patches { geometry, x, input, output: size, channels, outside };
            level.run(Part { rows, places, inputs, groups, window });
        }
    }
}
