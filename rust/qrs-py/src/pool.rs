//! Pooling, and means of whole axes.

use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use qrs::pool::{Average, Axis, Pool, Slide};
use qrs::qparams::Rounding;

use crate::array::{Input, Output};
use crate::backend::chosen;
use crate::bytes::{ByteInput, Stored, either};
use crate::call::call;
use crate::error::{ShapeError, raise};
use crate::layout::channels_last;

/// Numbers for the last axes of depth, height and width.
type Numbers = Vec<usize>;

/// A number for each of depth, height and width: `fill` for axes that are missing.
fn three(op: &str, numbers: &[usize], fill: usize) -> PyResult<[usize; 3]> {
    let Some(missing) = 3_usize.checked_sub(numbers.len()) else {
        return Err(ShapeError::new_err(format!(
            "{op}: {} numbers came, expected one to three, one for each axis",
            numbers.len()
        )));
    };
    let mut all = [fill; 3];
    all[missing..].copy_from_slice(numbers);
    Ok(all)
}

/// What a window gives: its largest value, or its mean, rounded before or after the zero point is
/// added.
type Kind = Option<Average>;

/// Whether the channels of `x`, `[batch, channels, sizes...]`, lie innermost in memory. That is asked of
/// one sample: no result may depend on how a batch was cut out of another.
fn is_last(x: &Bound<'_, PyUntypedArray>) -> bool {
    let (lens, strides) = (x.shape(), x.strides());
    lens.is_empty() || channels_last(lens.len()).fits(&[&[1], &lens[1..]].concat(), strides, 1)
}

/// As PyTorch 1.8.1 rounds means.
fn rounding(is_last: bool) -> Rounding {
    if is_last { Rounding::ThenAdd } else { Rounding::AfterFma }
}

/// The largest byte of each window of an array `[batch, channels, sizes...]`. Results lie in memory as
/// inputs do, with the channels innermost or in order.
#[pyfunction]
#[pyo3(signature = (x, kernel, stride, padding, dilation, ceil, /))]
pub(crate) fn max_pool<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    kernel: Numbers,
    stride: Numbers,
    padding: Numbers,
    dilation: Numbers,
    ceil: bool,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "max_pool";
    let (kernel, stride) = (three(OP, &kernel, 1)?, three(OP, &stride, 1)?);
    let (padding, dilation) = (three(OP, &padding, 0)?, three(OP, &dilation, 1)?);
    let slide = |d: usize| Slide {
        kernel: kernel[d],
        stride: stride[d],
        padding: padding[d],
        dilation: dilation[d],
        ceil,
    };
    let axis = |d: usize, size: usize| Axis::sliding(OP, size, slide(d));
    let layout = channels_last(x.ndim());
    either!(ByteInput::laid_out(layout, x, OP)?, pooled(py, _, (OP, is_last(x)), None, axis))
}

/// The mean of each window of an array `[batch, channels, sizes...]`; see [`max_pool`].
#[pyfunction]
#[pyo3(signature = (x, kernel, stride, padding, ceil, include, divisor, zero_point, /))]
#[expect(clippy::too_many_arguments, reason = "Python's signature, positional for speed")]
pub(crate) fn avg_pool<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    kernel: Numbers,
    stride: Numbers,
    padding: Numbers,
    ceil: bool,
    include: bool,
    divisor: Option<i32>,
    zero_point: i32,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "avg_pool";
    let (kernel, stride) = (three(OP, &kernel, 1)?, three(OP, &stride, 1)?);
    let padding = three(OP, &padding, 0)?;
    let is_last = is_last(x);
    // Of three dimensions all are rounded alike.
    let rounding = rounding(is_last || x.ndim() == 5);
    let how = Average { zero_point, rounding, include_padding: include, divisor };
    let axis = |d: usize, size: usize| {
        let (kernel, stride, padding) = (kernel[d], stride[d], padding[d]);
        Axis::sliding(OP, size, Slide { kernel, stride, padding, dilation: 1, ceil })
    };
    let layout = channels_last(x.ndim());
    either!(ByteInput::laid_out(layout, x, OP)?, pooled(py, _, (OP, is_last), Some(how), axis))
}

/// Pooling to sizes: the largest byte of each window, or its mean if there is a zero point; see
/// [`max_pool`].
#[pyfunction]
#[pyo3(signature = (x, sizes, zero_point, /))]
pub(crate) fn adaptive_pool<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    sizes: Numbers,
    zero_point: Option<i32>,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "adaptive_pool";
    let sizes = three(OP, &sizes, 1)?;
    let is_last = is_last(x);
    let how = zero_point.map(|zero_point| Average {
        zero_point,
        rounding: rounding(is_last),
        include_padding: false,
        divisor: None,
    });
    let axis = |d: usize, size: usize| Axis::adaptive(OP, size, sizes[d]);
    let layout = channels_last(x.ndim());
    either!(ByteInput::laid_out(layout, x, OP)?, pooled(py, _, (OP, is_last), how, axis))
}

fn pooled<'py, T: Stored>(
    py: Python<'py>,
    x: &Input<'py, T>,
    (op, is_last): (&'static str, bool),
    how: Kind,
    axis: impl Fn(usize, usize) -> qrs::error::Result<Axis>,
) -> PyResult<Bound<'py, PyAny>> {
    let rank = x.shape().len();
    let &[batch, channels, ref own @ ..] = x.shape() else {
        return Err(ShapeError::new_err(format!(
            "{op}: input has {rank} dimensions, expected batch, channels and one to three sizes"
        )));
    };
    let sizes = three(op, own, 1)?;
    let each = |d| axis(d, sizes[d]).map_err(|error| raise(&error));
    let axes = [each(0)?, each(1)?, each(2)?];
    let pool = Pool { op, batch, axes: &axes, channels };
    let level = chosen()?;
    let mut shape = x.shape().to_vec();
    shape[2..].copy_from_slice(&pool.output()[3 - own.len()..]);
    let mut out = Output::<T>::laid_out(py, &shape, channels_last(rank))?;
    let (x, y) = (x.slice(), out.slice());
    call(py, pool.visits() / 10, || match how {
        None => pool.max(level, x, y),
        Some(how) => pool.average(level, how, x, y),
    })?;
    if is_last { Ok(out.into_array()) } else { out.in_order(op) }
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
