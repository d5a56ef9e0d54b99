//! Tables of quantized rows.

use numpy::{PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use qrs::embedding::{Bags, Embedding, Index, Mode};

use crate::array::{Element, Input, Output};
use crate::backend::chosen;
use crate::call::call;
use crate::error::ShapeError;

const PACK: &str = "PackedEmbedding";
const LOOKUP: &str = "embedding";
const BAGS: &str = "embedding_bag";

/// Rows of 8 or 4 bits with their scales and zero points. Immutable.
#[pyclass(frozen, module = "qrs._qrs")]
pub(crate) struct PackedEmbedding(Embedding);

#[pymethods]
impl PackedEmbedding {
    /// `rows` is `[rows, dim]` bytes, or with `dim` `[rows, (dim + 1) // 2]` of two values each.
    #[new]
    #[pyo3(signature = (rows, scales, zero_points, dim, /))]
    fn new(
        py: Python<'_>,
        rows: &Bound<'_, PyUntypedArray>,
        scales: &Bound<'_, PyUntypedArray>,
        zero_points: &Bound<'_, PyUntypedArray>,
        dim: Option<usize>,
    ) -> PyResult<Self> {
        let rows = Input::<u8>::new(rows, PACK, "rows")?;
        let scales = Input::<f32>::new(scales, PACK, "scales")?;
        let zero_points = Input::<f32>::new(zero_points, PACK, "zero points")?;
        let &[_, width] = rows.shape() else {
            let rank = rows.shape().len();
            return Err(ShapeError::new_err(format!(
                "{PACK}: rows have {rank} dimensions, expected 2"
            )));
        };
        let (bytes, scales, points) = (rows.slice(), scales.slice(), zero_points.slice());
        let dims = dim.unwrap_or(width);
        let work = || Embedding::new(bytes, dims, scales, points, dim.is_some());
        Ok(Self(call(py, bytes.len() / 10, work)?))
    }

    /// Rows by number, for `int32` or `int64` indices of any shape.
    #[pyo3(signature = (indices, /))]
    fn lookup<'py>(
        &self,
        py: Python<'py>,
        indices: &Bound<'py, PyUntypedArray>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if indices.dtype().itemsize() == 4 {
            self.rows(py, &Input::<i32>::new(indices, LOOKUP, "indices")?)
        } else {
            self.rows(py, &Input::<i64>::new(indices, LOOKUP, "indices")?)
        }
    }

    /// Bags of rows: `indices` and where bags start (one type), where the last ends, factors, "sum",
    /// "mean" or "max", and a row that counts for nothing.
    #[pyo3(signature = (indices, starts, end, weights, mode, padding, /))]
    #[expect(clippy::too_many_arguments, reason = "Python's signature, positional for speed")]
    fn bags<'py>(
        &self,
        py: Python<'py>,
        indices: &Bound<'py, PyUntypedArray>,
        starts: &Bound<'py, PyUntypedArray>,
        end: usize,
        weights: Option<&Bound<'py, PyUntypedArray>>,
        mode: &str,
        padding: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mode = match mode {
            "sum" => Mode::Sum,
            "mean" => Mode::Mean,
            "max" => Mode::Max,
            _ => {
                return Err(PyValueError::new_err(format!(
                    "{BAGS}: mode `{mode}` came, expected sum, mean or max"
                )));
            }
        };
        let weights = weights.map(|w| Input::<f32>::new(w, BAGS, "weights")).transpose()?;
        let weights = weights.as_ref().map(Input::slice);
        if indices.dtype().itemsize() == 4 {
            let indices = Input::<i32>::new(indices, BAGS, "indices")?;
            let starts = Input::<i32>::new(starts, BAGS, "offsets")?;
            let (indices, starts) = (indices.slice(), starts.slice());
            self.poured(py, Bags { indices, starts, end, weights, mode, padding })
        } else {
            let indices = Input::<i64>::new(indices, BAGS, "indices")?;
            let starts = Input::<i64>::new(starts, BAGS, "offsets")?;
            let (indices, starts) = (indices.slice(), starts.slice());
            self.poured(py, Bags { indices, starts, end, weights, mode, padding })
        }
    }
}

impl PackedEmbedding {
    fn rows<'py, N: Index + Element>(
        &self,
        py: Python<'py>,
        indices: &Input<'py, N>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = &self.0;
        let mut shape = indices.shape().to_vec();
        shape.push(table.dim());
        let level = chosen()?;
        let mut out = Output::<f32>::new(py, &shape)?;
        let (indices, y) = (indices.slice(), out.slice());
        call(py, y.len() / 2, || table.lookup(level, indices, y))?;
        Ok(out.into_array())
    }

    fn poured<'py, N: Index>(
        &self,
        py: Python<'py>,
        bags: Bags<'_, N>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let table = &self.0;
        let level = chosen()?;
        let mut out = Output::<f32>::new(py, &[bags.starts.len(), table.dim()])?;
        let y = out.slice();
        let values = bags.indices.len() * table.dim();
        call(py, values / 2, || table.bags(level, bags, y))?;
        Ok(out.into_array())
    }
}
