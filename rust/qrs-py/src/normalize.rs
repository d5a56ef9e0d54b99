//! Normalization of stored bytes.

use numpy::PyUntypedArray;
use pyo3::prelude::*;
use qrs::norm::{Affine, Groups};

use crate::array::{Input, Output};
use crate::backend::chosen;
use crate::bytes::{ByteInput, Stored, either, params};
use crate::call::call;
use crate::error::ShapeError;
use crate::fixed::Pair;

/// Values a nanosecond, about: decides on the GIL only.
const PER_NANOSECOND: usize = 2;

/// Optional arrays of floats, held while the kernel reads them.
struct Weights<'py> {
    weight: Option<Input<'py, f32>>,
    bias: Option<Input<'py, f32>>,
    eps: f64,
    input: Pair,
    output: Pair,
    relu: bool,
}

impl<'py> Weights<'py> {
    fn new(
        op: &str,
        weight: Option<&Bound<'py, PyUntypedArray>>,
        bias: Option<&Bound<'py, PyUntypedArray>>,
        (eps, input, output, relu): (f64, Pair, Pair, bool),
    ) -> PyResult<Self> {
        let floats = |array: Option<&Bound<'py, PyUntypedArray>>, name| {
            array.map(|array| Input::<f32>::new(array, op, name)).transpose()
        };
        let (weight, bias) = (floats(weight, "weight")?, floats(bias, "bias")?);
        Ok(Self { weight, bias, eps, input, output, relu })
    }

    fn affine<T: Stored>(&self, op: &'static str) -> PyResult<Affine<'_>> {
        Ok(Affine {
            weight: self.weight.as_ref().map(Input::slice),
            bias: self.bias.as_ref().map(Input::slice),
            eps: self.eps,
            input: params::<T>(op, self.input)?,
            output: params::<T>(op, self.output)?,
            relu: self.relu,
        })
    }
}

/// Sizes of `[batch, channels, positions]`, or of `[batch, positions, channels]`.
fn groups(op: &str, shape: &[usize], groups: usize, channels_last: bool) -> PyResult<Groups> {
    let &[batch, x, y] = shape else {
        let rank = shape.len();
        return Err(ShapeError::new_err(format!("{op}: input has {rank} dimensions, expected 3")));
    };
    let (channels, positions) = if channels_last { (y, x) } else { (x, y) };
    Ok(Groups { batch, channels, positions, groups, channels_last })
}

/// Batch normalization by given statistics.
#[pyfunction]
#[pyo3(signature = (x, mean, variance, weight, bias, eps, input, output, relu, channels_last, /))]
#[expect(clippy::too_many_arguments, reason = "Python's signature, positional for speed")]
pub(crate) fn batch_norm<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    mean: &Bound<'py, PyUntypedArray>,
    variance: &Bound<'py, PyUntypedArray>,
    weight: Option<&Bound<'py, PyUntypedArray>>,
    bias: Option<&Bound<'py, PyUntypedArray>>,
    eps: f64,
    input: Pair,
    output: Pair,
    relu: bool,
    channels_last: bool,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "batch_norm";
    let weights = Weights::new(OP, weight, bias, (eps, input, output, relu))?;
    let mean = Input::<f32>::new(mean, OP, "mean")?;
    let variance = Input::<f32>::new(variance, OP, "variance")?;
    let statistics = (mean.slice(), variance.slice());
    either!(ByteInput::new(x, OP)?, by_statistics(py, _, &weights, statistics, channels_last))
}

fn by_statistics<'py, T: Stored>(
    py: Python<'py>,
    x: &Input<'py, T>,
    weights: &Weights<'py>,
    statistics: (&[f32], &[f32]),
    channels_last: bool,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "batch_norm";
    let shape = groups(OP, x.shape(), 1, channels_last)?;
    let affine = weights.affine::<T>(OP)?;
    let level = chosen()?;
    let mut out = Output::<T>::new(py, x.shape())?;
    let (x, y) = (x.slice(), out.slice());
    call(py, x.len() / PER_NANOSECOND, || affine.batch(level, shape, statistics, x, y))?;
    Ok(out.into_array())
}

/// Layer normalization of rows of `n` bytes.
#[pyfunction]
#[pyo3(signature = (x, n, weight, bias, eps, input, output, /))]
#[expect(clippy::too_many_arguments, reason = "Python's signature, positional for speed")]
pub(crate) fn quantized_layer_norm<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    n: usize,
    weight: Option<&Bound<'py, PyUntypedArray>>,
    bias: Option<&Bound<'py, PyUntypedArray>>,
    eps: f64,
    input: Pair,
    output: Pair,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "layer_norm";
    let weights = Weights::new(OP, weight, bias, (eps, input, output, false))?;
    either!(ByteInput::new(x, OP)?, by_row(py, _, &weights, n))
}

fn by_row<'py, T: Stored>(
    py: Python<'py>,
    x: &Input<'py, T>,
    weights: &Weights<'py>,
    n: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let affine = weights.affine::<T>("layer_norm")?;
    let level = chosen()?;
    let mut out = Output::<T>::new(py, x.shape())?;
    let (x, y) = (x.slice(), out.slice());
    call(py, x.len() / PER_NANOSECOND, || affine.layer(level, x, n, y))?;
    Ok(out.into_array())
}

/// Normalization of groups of channels.
#[pyfunction]
#[pyo3(signature = (x, count, weight, bias, eps, input, output, channels_last, /))]
#[expect(clippy::too_many_arguments, reason = "Python's signature, positional for speed")]
pub(crate) fn group_norm<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    count: usize,
    weight: Option<&Bound<'py, PyUntypedArray>>,
    bias: Option<&Bound<'py, PyUntypedArray>>,
    eps: f64,
    input: Pair,
    output: Pair,
    channels_last: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let weights = Weights::new("group_norm", weight, bias, (eps, input, output, false))?;
    either!(ByteInput::new(x, "group_norm")?, by_group(py, _, &weights, count, channels_last))
}

fn by_group<'py, T: Stored>(
    py: Python<'py>,
    x: &Input<'py, T>,
    weights: &Weights<'py>,
    count: usize,
    channels_last: bool,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "group_norm";
    let shape = groups(OP, x.shape(), count, channels_last)?;
    let affine = weights.affine::<T>(OP)?;
    let level = chosen()?;
    let mut out = Output::<T>::new(py, x.shape())?;
    let (x, y) = (x.slice(), out.slice());
    call(py, x.len() / PER_NANOSECOND, || affine.group(level, shape, x, y))?;
    Ok(out.into_array())
}
