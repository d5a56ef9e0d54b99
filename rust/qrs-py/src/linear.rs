//! Linear layers.

use numpy::PyUntypedArray;
use pyo3::prelude::*;
use qrs::linear::{Dynamic, Linear};
use qrs::qparams::Engine;

use crate::array::{Input, Output};
use crate::backend::chosen;
use crate::call::call;
use crate::error::{ShapeError, raise};
use crate::fixed::{Bytes, Pair};
use crate::layout::Layout;

const PACK: &str = "PackedLinear";
const DYNAMIC: &str = "dynamic linear";
const QUANTIZED: &str = "linear";

/// Products a nanosecond of the slowest level that anyone would use: decides on the GIL only.
const PRODUCTS_PER_NANOSECOND: usize = 50;

/// Weights of a linear layer in the order in which the kernels read them. Immutable.
#[pyclass(frozen, module = "qrs._qrs")]
pub(crate) struct PackedLinear(Linear);

#[pymethods]
impl PackedLinear {
    #[new]
    #[pyo3(signature = (weight, scales, zero_points=None, bias=None, /))]
    fn new(
        py: Python<'_>,
        weight: &Bound<'_, PyUntypedArray>,
        scales: &Bound<'_, PyUntypedArray>,
        zero_points: Option<&Bound<'_, PyUntypedArray>>,
        bias: Option<&Bound<'_, PyUntypedArray>>,
    ) -> PyResult<Self> {
        let weight = Input::<i8>::new(weight, PACK, "weight")?;
        let scales = Input::<f32>::new(scales, PACK, "scales")?;
        let zero_points =
            zero_points.map(|z| Input::<i32>::new(z, PACK, "zero_points")).transpose()?;
        let bias = bias.map(|b| Input::<f32>::new(b, PACK, "bias")).transpose()?;
        let &[n, k] = weight.shape() else {
            let rank = weight.shape().len();
            return Err(ShapeError::new_err(format!(
                "{PACK}: weight has {rank} dimensions, expected 2: outputs and inputs"
            )));
        };
        let (weights, scales) = (weight.slice(), scales.slice());
        let zero_points = zero_points.as_ref().map(Input::slice);
        let bias = bias.as_ref().map(Input::slice);
        let work = || Linear::new(weights, (n, k), scales, zero_points, bias);
        Ok(Self(call(py, n * k, work)?))
    }

    /// Outputs per row.
    #[getter]
    fn n(&self) -> usize {
        self.0.n()
    }

    /// Inputs per row.
    #[getter]
    fn k(&self) -> usize {
        self.0.k()
    }

    /// The layer on floats `[..., k]`, which it quantizes on the way.
    #[pyo3(signature = (x, engine, reduce_range=true, relu=false, /))]
    fn dynamic<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyUntypedArray>,
        engine: &str,
        reduce_range: bool,
        relu: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let linear = &self.0;
        let (n, k) = (linear.n(), linear.k());
        let x = Input::<f32>::new(x, DYNAMIC, "input")?;
        let m = rows(DYNAMIC, x.shape(), k)?;
        let engine = Engine::from_name(engine).map_err(|error| raise(&error))?;
        let how = Dynamic { engine, reduce_range, relu };
        let mut out = Output::<f32>::replacing_last(py, x.shape(), n)?;
        let level = chosen()?;
        let (x, y) = (x.slice(), out.slice());
        call(py, m * n * k / PRODUCTS_PER_NANOSECOND, || linear.dynamic(level, how, m, x, y))?;
        Ok(out.into_array())
    }

    /// The layer on bytes `[..., k]`.
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
        let linear = &self.0;
        let (n, k) = (linear.n(), linear.k());
        let x = Bytes::new(Layout::InOrder, x, QUANTIZED)?;
        let m = rows(QUANTIZED, x.shape(), k)?;
        let mut shape = x.shape().to_vec();
        shape.pop();
        shape.push(n);
        let level = chosen()?;
        let work = (&shape[..], Layout::InOrder, m * n * k / PRODUCTS_PER_NANOSECOND);
        x.run(py, QUANTIZED, (input, output, span, engine), work, |how, x, out| {
            linear.quantized(level, how, m, x, out)
        })
    }
}

/// The number of rows of an array of `shape`, whose last axis must hold `k` values.
fn rows(op: &str, shape: &[usize], k: usize) -> PyResult<usize> {
    let Some((&features, rows)) = shape.split_last() else {
        return Err(ShapeError::new_err(format!(
            "{op}: a scalar came, expected an array whose last dimension is {k}"
        )));
    };
    if features != k {
        return Err(ShapeError::new_err(format!(
            "{op}: input has {features} features in its last dimension, expected {k}"
        )));
    }
    Ok(rows.iter().product())
}
