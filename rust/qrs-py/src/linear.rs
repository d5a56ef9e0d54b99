//! Linear layers.

use numpy::PyUntypedArray;
use pyo3::prelude::*;
use qrs::linear::{Dynamic, Linear};
use qrs::qparams::Engine;

use crate::array::{Input, Output};
use crate::backend::chosen;
use crate::call::call;
use crate::error::{ShapeError, raise};

const PACK: &str = "PackedLinear";
const DYNAMIC: &str = "dynamic linear";

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
        let Some((&features, rows)) = x.shape().split_last() else {
            return Err(ShapeError::new_err(format!(
                "{DYNAMIC}: a scalar came, expected an array whose last dimension is {k}"
            )));
        };
        if features != k {
            return Err(ShapeError::new_err(format!(
                "{DYNAMIC}: input has {features} features in its last dimension, expected {k}"
            )));
        }
        let engine = Engine::from_name(engine).map_err(|error| raise(&error))?;
        let how = Dynamic { engine, reduce_range, relu };
        let m = rows.iter().product();
        let mut out = Output::<f32>::replacing_last(py, x.shape(), n)?;
        let level = chosen()?;
        let (x, y) = (x.slice(), out.slice());
        call(py, m * n * k / PRODUCTS_PER_NANOSECOND, || linear.dynamic(level, how, m, x, y))?;
        Ok(out.into_array())
    }
}
