//! Pooling, and means of whole axes.

use numpy::PyUntypedArray;
use pyo3::prelude::*;
use qrs::pool::{Average, Axis, Pool, Slide};
use qrs::qparams::Rounding;

use crate::array::{Input, Output};
use crate::backend::chosen;
use crate::bytes::{ByteInput, Stored, either};
use crate::call::call;
use crate::error::ShapeError;

/// Depth, height, width.
type Sizes = [usize; 3];

/// What a window gives: its largest value, or its mean, rounded before or after the zero point is
/// added.
type Kind = Option<Average>;

fn rounding(last: bool) -> Rounding {
    if last { Rounding::AfterFma } else { Rounding::ThenAdd }
}

/// The largest byte of each window of an array `[batch, depth, height, width, channels]`.
#[pyfunction]
#[pyo3(signature = (x, kernel, stride, padding, dilation, ceil, /))]
pub(crate) fn max_pool<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    ceil: bool,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "max_pool";
    let slide = |d: usize| Slide {
        kernel: kernel[d],
        stride: stride[d],
        padding: padding[d],
        dilation: dilation[d],
        ceil,
    };
    let axis = |d: usize, size: usize| Axis::sliding(OP, size, slide(d));
    either!(ByteInput::new(x, OP)?, pooled(py, _, OP, None, axis))
}

/// The mean of each window of an array `[batch, depth, height, width, channels]`.
#[pyfunction]
#[pyo3(signature = (x, kernel, stride, padding, ceil, include, divisor, zero_point, round_last, /))]
#[expect(clippy::too_many_arguments, reason = "Python's signature, positional for speed")]
pub(crate) fn avg_pool<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    kernel: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil: bool,
    include: bool,
    divisor: Option<i32>,
    zero_point: i32,
    round_last: bool,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "avg_pool";
    let how =
        Average { zero_point, rounding: rounding(round_last), include_padding: include, divisor };
    let axis = |d: usize, size: usize| {
        let (kernel, stride, padding) = (kernel[d], stride[d], padding[d]);
        Axis::sliding(OP, size, Slide { kernel, stride, padding, dilation: 1, ceil })
    };
    either!(ByteInput::new(x, OP)?, pooled(py, _, OP, Some(how), axis))
}

/// Pooling to sizes: the largest byte of each window, or its mean if there is a zero point.
#[pyfunction]
#[pyo3(signature = (x, sizes, zero_point, round_last, /))]
pub(crate) fn adaptive_pool<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    sizes: Sizes,
    zero_point: Option<i32>,
    round_last: bool,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "adaptive_pool";
    let how = zero_point.map(|zero_point| Average {
        zero_point,
        rounding: rounding(round_last),
        include_padding: false,
        divisor: None,
    });
    let axis = |d: usize, size: usize| Axis::adaptive(OP, size, sizes[d]);
    either!(ByteInput::new(x, OP)?, pooled(py, _, OP, how, axis))
}

fn pooled<'py, T: Stored>(
    py: Python<'py>,
    x: &Input<'py, T>,
    op: &'static str,
    how: Kind,
    axis: impl Fn(usize, usize) -> qrs::error::Result<Axis>,
) -> PyResult<Bound<'py, PyAny>> {
    let &[batch, d, h, w, channels] = x.shape() else {
        let rank = x.shape().len();
        return Err(ShapeError::new_err(format!(
            "{op}: input has {rank} dimensions, expected 5: batch, depth, height, width, channels"
        )));
    };
    let each = |d, size| axis(d, size).map_err(|error| ShapeError::new_err(error.to_string()));
    let axes = [each(0, d)?, each(1, h)?, each(2, w)?];
    let pool = Pool { op, batch, axes: &axes, channels };
    let [od, oh, ow] = pool.output();
    let level = chosen()?;
    let mut out = Output::<T>::new(py, &[batch, od, oh, ow, channels])?;
    let (x, y) = (x.slice(), out.slice());
    call(py, pool.visits() / 10, || match how {
        None => pool.max(level, x, y),
        Some(how) => pool.average(level, how, x, y),
    })?;
    Ok(out.into_array())
}

/// The mean over the middle axis of an array `[outer, count, inner]`.
#[pyfunction]
#[pyo3(signature = (x, zero_point, /))]
pub(crate) fn mean<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    zero_point: i32,
) -> PyResult<Bound<'py, PyAny>> {
    either!(ByteInput::new(x, "mean")?, averaged(py, _, zero_point))
}

fn averaged<'py, T: Stored>(
    py: Python<'py>,
    x: &Input<'py, T>,
    zero_point: i32,
) -> PyResult<Bound<'py, PyAny>> {
    let &[outer, count, inner] = x.shape() else {
        let rank = x.shape().len();
        return Err(ShapeError::new_err(format!("mean: input has {rank} dimensions, expected 3")));
    };
    let level = chosen()?;
    let mut out = Output::<T>::new(py, &[outer, inner])?;
    let (x, y) = (x.slice(), out.slice());
    let sizes = [outer, count, inner];
    call(py, x.len() / 10, || qrs::pool::mean(level, x, sizes, zero_point, y))?;
    Ok(out.into_array())
}
