//! Convolutions.

use numpy::PyUntypedArray;
use pyo3::prelude::*;
use qrs::conv::{Conv, Geometry};

use crate::array::Input;
use crate::backend::chosen;
use crate::call::call;
use crate::error::{ShapeError, raise};
use crate::fixed::{Bytes, Pair};

const PACK: &str = "PackedConv";
const RUN: &str = "conv";

/// Depth, height, width.
type Sizes = [usize; 3];

/// Weights of a convolution in the order in which the kernels read them. Immutable.
#[pyclass(frozen, module = "qrs._qrs")]
pub(crate) struct PackedConv(Conv);

#[pymethods]
impl PackedConv {
    /// `weight` is `[outputs, depth, height, width, inputs / groups]`.
    #[new]
    #[pyo3(signature = (weight, scales, zero_points, bias, stride, padding, dilation, groups, /))]
    #[expect(clippy::too_many_arguments, reason = "Python's signature, positional for speed")]
    fn new(
        py: Python<'_>,
        weight: &Bound<'_, PyUntypedArray>,
        scales: &Bound<'_, PyUntypedArray>,
        zero_points: Option<&Bound<'_, PyUntypedArray>>,
        bias: Option<&Bound<'_, PyUntypedArray>>,
        stride: Sizes,
        padding: Sizes,
        dilation: Sizes,
        groups: usize,
    ) -> PyResult<Self> {
        let weight = Input::<i8>::new(weight, PACK, "weight")?;
        let scales = Input::<f32>::new(scales, PACK, "scales")?;
        let zero_points =
            zero_points.map(|z| Input::<i32>::new(z, PACK, "zero_points")).transpose()?;
        let bias = bias.map(|b| Input::<f32>::new(b, PACK, "bias")).transpose()?;
        let &[outputs, d, h, w, c] = weight.shape() else {
            let rank = weight.shape().len();
            return Err(ShapeError::new_err(format!(
                "{PACK}: weight has {rank} dimensions, expected 5: outputs, depth, height, width, \
                 inputs of a group"
            )));
        };
        let geometry = Geometry { kernel: [d, h, w], stride, padding, dilation, groups };
        let (weights, scales) = (weight.slice(), scales.slice());
        let zero_points = zero_points.as_ref().map(Input::slice);
        let bias = bias.as_ref().map(Input::slice);
        let work =
            || Conv::new(weights, (c * groups, outputs), geometry, scales, zero_points, bias);
        Ok(Self(call(py, weights.len(), work)?))
    }

    /// The layer on bytes `[batch, depth, height, width, inputs]`, giving bytes in the same order.
    /// Depth, or depth and height, may be missing.
    #[pyo3(signature = (x, input, output, span, engine, /))]
    fn quantized<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyUntypedArray>,
        input: Pair,
        output: Pair,
        span: (i32, i32),
        engine: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let conv = &self.0;
        let x = Bytes::new(x, RUN)?;
        let (inputs, outputs) = conv.channels();
        let shape = x.shape();
        let rank = shape.len();
        if !(3..=5).contains(&rank) {
            return Err(ShapeError::new_err(format!(
                "{RUN}: input has {rank} dimensions, expected batch, one to three sizes and channels"
            )));
        }
        let (batch, c) = (shape[0], shape[rank - 1]);
        // Sizes that are missing are 1.
        let mut size = [1; 3];
        size[5 - rank..].copy_from_slice(&shape[1..rank - 1]);
        if c != inputs {
            return Err(ShapeError::new_err(format!(
                "{RUN}: input has {c} channels, expected {inputs}"
            )));
        }
        let made = conv.output(size).map_err(|error| raise(&error))?;
        if made[..5 - rank].iter().any(|&n| n != 1) {
            return Err(ShapeError::new_err(format!(
                "{RUN}: input has {rank} dimensions, expected 5: this layer pads those that are missing"
            )));
        }
        let level = chosen()?;
        let mut shape = shape.to_vec();
        shape[1..rank - 1].copy_from_slice(&made[5 - rank..]);
        shape[rank - 1] = outputs;
        let pixels = batch * made.iter().product::<usize>();
        let work = (&shape[..], conv.nanoseconds(level, pixels));
        x.run(py, RUN, (input, output, span, engine), work, |how, x, out| {
            conv.quantized(level, how, (batch, size), x, out)
        })
    }
}
