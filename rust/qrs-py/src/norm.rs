//! Softmax and layer normalization.

use numpy::PyUntypedArray;
use pyo3::prelude::*;
use qrs::norm::LayerNorm;

use crate::array::{Input, Output};
use crate::backend::chosen;
use crate::call::call;
use crate::error::ShapeError;

/// Softmax along the last axis, or its logarithm.
#[pyfunction]
#[pyo3(signature = (x, logarithm, /))]
pub(crate) fn softmax<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    logarithm: bool,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "softmax";
    let x = Input::<f32>::new(x, OP, "input")?;
    let Some(&n) = x.shape().last() else {
        return Err(ShapeError::new_err(format!("{OP}: a scalar came, expected an array")));
    };
    let level = chosen()?;
    let mut out = Output::<f32>::new(py, x.shape())?;
    let (x, y) = (x.slice(), out.slice());
    if n > 0 {
        call(py, x.len(), || qrs::norm::softmax(level, x, n, logarithm, y))?;
    }
    Ok(out.into_array())
}

/// Normalizes the last axes of `x`, those of `n` values in all, to mean 0 and variance 1.
#[pyfunction]
#[pyo3(signature = (x, n, weight, bias, eps, /))]
#[expect(clippy::cast_possible_truncation, reason = "the formula uses the nearest f32")]
pub(crate) fn layer_norm<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    n: usize,
    weight: Option<&Bound<'py, PyUntypedArray>>,
    bias: Option<&Bound<'py, PyUntypedArray>>,
    eps: f64,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "layer_norm";
    let x = Input::<f32>::new(x, OP, "input")?;
    let weight = weight.map(|w| Input::<f32>::new(w, OP, "weight")).transpose()?;
    let bias = bias.map(|b| Input::<f32>::new(b, OP, "bias")).transpose()?;
    let level = chosen()?;
    let mut out = Output::<f32>::new(py, x.shape())?;
    let (values, y) = (x.slice(), out.slice());
    if n == 0 && !values.is_empty() {
        return Err(ShapeError::new_err(format!("{OP}: rows of no values came, expected some")));
    }
    let by = LayerNorm {
        weight: weight.as_ref().map(Input::slice),
        bias: bias.as_ref().map(Input::slice),
        eps: eps as f32,
    };
    if !values.is_empty() {
        call(py, values.len(), || by.apply(level, values, n, y))?;
    }
    Ok(out.into_array())
}
