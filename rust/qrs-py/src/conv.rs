//! Convolutions.

use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use qrs::conv::{Conv, ConvTranspose, Geometry};
use qrs::error::Result;

use crate::array::Input;
use crate::backend::chosen;
use crate::call::call;
use crate::error::{ShapeError, raise};
use crate::fixed::{Bytes, Pair};
use crate::layout::channels_last;

/// Depth, height, width.
type Sizes = [usize; 3];

/// Weights of a convolution in the order in which the kernels read them. Immutable.
#[pyclass(frozen, module = "qrs._qrs")]
pub(crate) struct PackedConv(Conv);

/// Weights of a transposed convolution in the order in which the kernels read them. Immutable.
#[pyclass(frozen, module = "qrs._qrs")]
pub(crate) struct PackedConvTranspose(ConvTranspose);

/// Weight, scales, zero points and bias.
type Arrays<'a, 'py> = (
    &'a Bound<'py, PyUntypedArray>,
    &'a Bound<'py, PyUntypedArray>,
    Option<&'a Bound<'py, PyUntypedArray>>,
    Option<&'a Bound<'py, PyUntypedArray>>,
);

/// Packs a weight, `[outputs, depth, height, width, inputs / groups]`, by `make`.
fn pack<T: Send>(
    py: Python<'_>,
    op: &'static str,
    (weight, scales, zero_points, bias): Arrays<'_, '_>,
    (stride, padding, dilation, groups): (Sizes, Sizes, Sizes, usize),
    make: impl FnOnce(
        &[i8],
        (usize, usize),
        Geometry,
        &[f32],
        Option<&[i32]>,
        Option<&[f32]>,
    ) -> Result<T>
    + Send,
) -> PyResult<T> {
    let weight = Input::<i8>::new(weight, op, "weight")?;
    let scales = Input::<f32>::new(scales, op, "scales")?;
    let zero_points = zero_points.map(|z| Input::<i32>::new(z, op, "zero_points")).transpose()?;
    let bias = bias.map(|b| Input::<f32>::new(b, op, "bias")).transpose()?;
    let &[outputs, d, h, w, c] = weight.shape() else {
        let rank = weight.shape().len();
        return Err(ShapeError::new_err(format!(
            "{op}: weight has {rank} dimensions, expected 5: outputs, depth, height, width, inputs \
             of a group"
        )));
    };
    let geometry = Geometry { kernel: [d, h, w], stride, padding, dilation, groups };
    let (weights, scales) = (weight.slice(), scales.slice());
    let zero_points = zero_points.as_ref().map(Input::slice);
    let bias = bias.as_ref().map(Input::slice);
    let work = || make(weights, (c * groups, outputs), geometry, scales, zero_points, bias);
    call(py, weights.len(), work)
}

/// Images `[batch, channels, depth, height, width]`; depth, or depth and height, may be missing. Their
/// channels lie innermost in memory.
struct Images<'py> {
    bytes: Bytes<'py>,
    batch: usize,
    /// Sizes that are missing are 1.
    size: Sizes,
}

impl<'py> Images<'py> {
    /// `x`, if it has `inputs` channels.
    fn new(x: &Bound<'py, PyUntypedArray>, op: &str, inputs: usize) -> PyResult<Self> {
        let bytes = Bytes::new(channels_last(x.ndim()), x, op)?;
        let &[batch, c, ref sizes @ ..] = bytes.shape() else {
            return Err(wrong_rank(op, x.ndim()));
        };
        let mut size = [1; 3];
        match sizes.len() {
            n @ 1..=3 => size[3 - n..].copy_from_slice(sizes),
            _ => return Err(wrong_rank(op, x.ndim())),
        }
        if c != inputs {
            return Err(ShapeError::new_err(format!(
                "{op}: input has {c} channels, expected {inputs}"
            )));
        }
        Ok(Self { bytes, batch, size })
    }

    /// The shape of an output of size `made`, with as many dimensions as the input.
    fn output(&self, op: &str, made: Sizes, outputs: usize) -> PyResult<Vec<usize>> {
        let mut shape = self.bytes.shape().to_vec();
        let rank = shape.len();
        if made[..5 - rank].iter().any(|&n| n != 1) {
            return Err(ShapeError::new_err(format!(
                "{op}: input has {rank} dimensions, expected 5: this layer pads those that are missing"
            )));
        }
        shape[1] = outputs;
        shape[2..].copy_from_slice(&made[5 - rank..]);
        Ok(shape)
    }
}

fn wrong_rank(op: &str, rank: usize) -> PyErr {
    ShapeError::new_err(format!(
        "{op}: input has {rank} dimensions, expected batch, channels and one to three sizes"
    ))
}

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
        let arrays = (weight, scales, zero_points, bias);
        let settings = (stride, padding, dilation, groups);
        Ok(Self(pack(py, "PackedConv", arrays, settings, Conv::new)?))
    }

    /// The layer on bytes `[batch, inputs, depth, height, width]`, giving bytes in the same order with
    /// channels innermost in memory. Depth, or depth and height, may be missing.
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
        let (conv, op) = (&self.0, "conv");
        let (inputs, outputs) = conv.channels();
        let images = Images::new(x, op, inputs)?;
        let Images { batch, size, .. } = images;
        let made = conv.output(size).map_err(|error| raise(&error))?;
        let shape = images.output(op, made, outputs)?;
        let level = chosen()?;
        let nanoseconds = conv.nanoseconds(level, batch * made.iter().product::<usize>());
        let params = (input, output, span, engine);
        let to = (&shape[..], channels_last(shape.len()), nanoseconds);
        images.bytes.run(py, op, params, to, |how, x, out| {
            conv.quantized(level, how, (batch, size), x, out)
        })
    }
}

#[pymethods]
impl PackedConvTranspose {
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
        let arrays = (weight, scales, zero_points, bias);
        let settings = (stride, padding, dilation, groups);
        Ok(Self(pack(py, "PackedConvTranspose", arrays, settings, ConvTranspose::new)?))
    }

    /// The layer on bytes `[batch, inputs, depth, height, width]`, giving bytes in the same order with
    /// channels innermost in memory and `output_padding` more of them at the ends. Depth, or depth and
    /// height, may be missing.
    #[pyo3(signature = (x, output_padding, input, output, span, engine, /))]
    #[expect(clippy::too_many_arguments, reason = "Python's signature, positional for speed")]
    fn quantized<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyUntypedArray>,
        output_padding: Sizes,
        input: Pair,
        output: Pair,
        span: (i32, i32),
        engine: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (conv, op) = (&self.0, "conv_transpose");
        let (inputs, outputs) = conv.channels();
        let images = Images::new(x, op, inputs)?;
        let Images { batch, size, .. } = images;
        let made = conv.output(size, output_padding).map_err(|error| raise(&error))?;
        let shape = images.output(op, made, outputs)?;
        let level = chosen()?;
        let nanoseconds = conv.nanoseconds(level, (batch, made));
        let params = (input, output, span, engine);
        let to = (&shape[..], channels_last(shape.len()), nanoseconds);
        images.bytes.run(py, op, params, to, |how, x, out| {
            conv.quantized(level, how, (batch, size, output_padding), x, out)
        })
    }
}
