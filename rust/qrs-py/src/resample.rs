//! Resizing of images, and moving of bytes.

use numpy::PyUntypedArray;
use pyo3::prelude::*;
use qrs::resample::Axis;
use qrs::shuffle::OUTSIDE;

use crate::array::{Input, Output};
use crate::backend::chosen;
use crate::bytes::{ByteInput, Stored, either};
use crate::call::call;
use crate::error::{ShapeError, raise};

/// Bilinear interpolation of an array `[batch, height, width, channels]`.
#[pyfunction]
#[pyo3(signature = (x, sizes, scales, corners, zero_point, /))]
pub(crate) fn bilinear<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    sizes: [usize; 2],
    scales: [Option<f64>; 2],
    corners: bool,
    zero_point: i32,
) -> PyResult<Bound<'py, PyAny>> {
    either!(ByteInput::new(x, "interpolate")?, between(py, _, sizes, scales, corners, zero_point))
}

fn between<'py, T: Stored>(
    py: Python<'py>,
    x: &Input<'py, T>,
    [height, width]: [usize; 2],
    scales: [Option<f64>; 2],
    corners: bool,
    zero_point: i32,
) -> PyResult<Bound<'py, PyAny>> {
    let &[batch, h, w, channels] = x.shape() else {
        let rank = x.shape().len();
        return Err(ShapeError::new_err(format!(
            "interpolate: input has {rank} dimensions, expected 4: batch, height, width, channels"
        )));
    };
    let axis = |size, count, scale| {
        Axis::linear(size, count, scale, corners).map_err(|error| raise(&error))
    };
    let axes = [axis(h, height, scales[0])?, axis(w, width, scales[1])?];
    let level = chosen()?;
    let mut out = Output::<T>::new(py, &[batch, height, width, channels])?;
    let (x, y) = (x.slice(), out.slice());
    call(py, y.len(), || {
        qrs::resample::bilinear(level, x, (batch, channels), &axes, zero_point, y)
    })?;
    Ok(out.into_array())
}

/// For each of `count` outputs of an axis, the nearest of `size` inputs.
#[pyfunction]
#[pyo3(signature = (size, count, scale, /))]
pub(crate) fn nearest(size: usize, count: usize, scale: Option<f64>) -> Vec<usize> {
    qrs::resample::nearest(size, count, scale)
}

/// `x[tables[0][i], tables[1][j], ...]`; an axis without table stays, a negative index gives `fill`.
#[pyfunction]
#[pyo3(signature = (x, tables, fill, /))]
pub(crate) fn select<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    tables: Vec<Option<Bound<'py, PyUntypedArray>>>,
    fill: u8,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "select";
    let x = Input::<u8>::new(x, OP, "input")?;
    if tables.len() != x.shape().len() {
        return Err(ShapeError::new_err(format!(
            "{OP}: {} tables came for {} axes, expected one for each",
            tables.len(),
            x.shape().len()
        )));
    }
    let table = |array: &Option<Bound<'py, PyUntypedArray>>| {
        let Some(array) = array else { return Ok(None) };
        let indices = Input::<i64>::new(array, OP, "table")?;
        let each = indices.slice().iter().map(|&i| usize::try_from(i).unwrap_or(OUTSIDE));
        Ok(Some(each.collect::<Vec<_>>()))
    };
    let tables: Vec<Option<Vec<usize>>> = tables.iter().map(table).collect::<PyResult<_>>()?;
    let tables: Vec<Option<&[usize]>> = tables.iter().map(Option::as_deref).collect();
    let len = |(table, &size): (&Option<&[usize]>, &usize)| table.map_or(size, <[usize]>::len);
    let shape: Vec<usize> = tables.iter().zip(x.shape()).map(len).collect();
    let mut out = Output::<u8>::new(py, &shape)?;
    let (from, shape, y) = (x.slice(), x.shape(), out.slice());
    call(py, y.len() / 4, || qrs::shuffle::select(from, shape, &tables, fill, y))?;
    Ok(out.into_array())
}

/// The axes of `x` in another order, copied.
#[pyfunction]
#[pyo3(signature = (x, order, /))]
pub(crate) fn permute<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    order: Vec<usize>,
) -> PyResult<Bound<'py, PyAny>> {
    let x = Input::<u8>::new(x, "permute", "input")?;
    let shape: Vec<usize> =
        order.iter().map(|&axis| x.shape().get(axis).copied().unwrap_or(0)).collect();
    let mut out = Output::<u8>::new(py, &shape)?;
    let level = chosen()?;
    let (from, shape, y) = (x.slice(), x.shape(), out.slice());
    call(py, y.len() / 4, || qrs::shuffle::permute(level, from, shape, &order, y))?;
    Ok(out.into_array())
}
