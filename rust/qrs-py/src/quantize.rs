//! Between floats and stored integers.

use numpy::PyUntypedArray;
use pyo3::prelude::*;
use qrs::isa::{Isa, Kernel};
use qrs::qparams::{
    Dequantizer, Engine, QINT8, QINT32, QParams, QUINT8, Quantizer, RealQParams, Rounding, Span,
};
use qrs::quantize::{Axis, Stored};

use crate::array::{AnyInput, Element, Input, Output};
use crate::backend::chosen;
use crate::call::call;
use crate::error::{NonFiniteError, ShapeError, raise};
use crate::layout::Layout;

const QUANTIZE: &str = "quantize";
const DEQUANTIZE: &str = "dequantize";
const CHOOSE: &str = "choose_qparams";

/// Values a nanosecond, about: decides on the GIL only.
const PER_NANOSECOND: usize = 4;

const QUINT4: Span = Span { min: 0, max: 15 };

/// A stored type by its name in Python: its range, and what holds it.
fn stored_type(name: &str) -> PyResult<(Span, Storage)> {
    match name {
        "quint8" => Ok((QUINT8, Storage::U8)),
        "qint8" => Ok((QINT8, Storage::I8)),
        "qint32" => Ok((QINT32, Storage::I32)),
        "quint4x2" => Ok((QUINT4, Storage::U8)),
        _ => Err(pyo3::exceptions::PyValueError::new_err(format!(
            "{QUANTIZE}: type {name} came, expected quint8, qint8, qint32 or quint4x2"
        ))),
    }
}

enum Storage {
    U8,
    I8,
    I32,
}

/// Stored integers of floats under one scale; they lie in memory as the floats do.
#[pyfunction]
#[pyo3(signature = (x, scale, zero_point, kind, /))]
#[expect(clippy::cast_possible_truncation, reason = "the formulas use the nearest f32")]
pub(crate) fn quantize<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    scale: f64,
    zero_point: i32,
    kind: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let x = Input::<f32>::laid_out(Layout::Own, x, QUANTIZE, "input")?;
    let (span, storage) = stored_type(kind)?;
    let params = QParams { scale: scale as f32, zero_point }.checked(QUANTIZE, span);
    let by = params.map_err(|error| raise(&error))?.quantizer(span, Rounding::ThenAdd);
    stored(py, &x, Axis::none(x.slice().len()), &[by], &storage)
}

/// As `quantize` with a scale and an integer zero point for each index of `axis`.
#[pyfunction]
#[pyo3(signature = (x, scales, zero_points, axis, kind, /))]
pub(crate) fn quantize_per_channel<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    scales: &Bound<'py, PyUntypedArray>,
    zero_points: &Bound<'py, PyUntypedArray>,
    axis: usize,
    kind: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let x = Input::<f32>::new(x, QUANTIZE, "input")?;
    let (span, storage) = stored_type(kind)?;
    let place = axis_of(QUANTIZE, x.shape(), axis)?;
    let by = each_channel(QUANTIZE, place, scales, zero_points, |scale, zero_point: i32| {
        let params = QParams { scale, zero_point }.checked(QUANTIZE, span)?;
        Ok(params.quantizer(span, Rounding::ThenAdd))
    })?;
    stored(py, &x, place, &by, &storage)
}

/// As `quantize` with a scale and a float zero point for each index of `axis`.
#[pyfunction]
#[pyo3(signature = (x, scales, zero_points, axis, kind, /))]
pub(crate) fn quantize_float_qparams<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    scales: &Bound<'py, PyUntypedArray>,
    zero_points: &Bound<'py, PyUntypedArray>,
    axis: usize,
    kind: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let x = Input::<f32>::new(x, QUANTIZE, "input")?;
    let (span, storage) = stored_type(kind)?;
    let place = axis_of(QUANTIZE, x.shape(), axis)?;
    let by = each_channel(QUANTIZE, place, scales, zero_points, |scale, zero_point: f32| {
        Ok(RealQParams { scale, zero_point }.checked(QUANTIZE)?.quantizer(span))
    })?;
    stored(py, &x, place, &by, &storage)
}

fn stored<'py>(
    py: Python<'py>,
    x: &Input<'py, f32>,
    axis: Axis,
    by: &[Quantizer],
    storage: &Storage,
) -> PyResult<Bound<'py, PyAny>> {
    match storage {
        Storage::U8 => stored_as::<u8>(py, x, axis, by),
        Storage::I8 => stored_as::<i8>(py, x, axis, by),
        Storage::I32 => stored_as::<i32>(py, x, axis, by),
    }
}

fn stored_as<'py, T: Element + Stored>(
    py: Python<'py>,
    x: &Input<'py, f32>,
    axis: Axis,
    by: &[Quantizer],
) -> PyResult<Bound<'py, PyAny>> {
    let level = chosen()?;
    let mut out = Output::<T>::like(x.array())?;
    let (x, q) = (x.slice(), out.slice());
    call(py, x.len() / PER_NANOSECOND, || qrs::quantize::quantize(level, x, axis, by, q))?;
    Ok(out.into_array())
}

/// Floats that integers stand for under one scale; they lie in memory as the integers do.
#[pyfunction]
#[pyo3(signature = (q, scale, zero_point, /))]
#[expect(clippy::cast_possible_truncation, reason = "the formulas use the nearest f32")]
pub(crate) fn dequantize<'py>(
    py: Python<'py>,
    q: &Bound<'py, PyUntypedArray>,
    scale: f64,
    zero_point: i32,
) -> PyResult<Bound<'py, PyAny>> {
    let q = AnyInput::laid_out(Layout::Own, q, DEQUANTIZE, "input")?;
    let by = QParams { scale: scale as f32, zero_point }.dequantizer();
    real(py, &q, Axis::none(q.shape().iter().product()), &[by])
}

/// As `dequantize` with a scale and an integer zero point for each index of `axis`.
#[pyfunction]
#[pyo3(signature = (q, scales, zero_points, axis, /))]
pub(crate) fn dequantize_per_channel<'py>(
    py: Python<'py>,
    q: &Bound<'py, PyUntypedArray>,
    scales: &Bound<'py, PyUntypedArray>,
    zero_points: &Bound<'py, PyUntypedArray>,
    axis: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let q = AnyInput::laid_out(Layout::InOrder, q, DEQUANTIZE, "input")?;
    let place = axis_of(DEQUANTIZE, q.shape(), axis)?;
    let by = each_channel(DEQUANTIZE, place, scales, zero_points, |scale, zero_point: i32| {
        Ok(QParams { scale, zero_point }.dequantizer())
    })?;
    real(py, &q, place, &by)
}

/// As `dequantize` with a scale and a float zero point for each index of `axis`.
#[pyfunction]
#[pyo3(signature = (q, scales, zero_points, axis, /))]
pub(crate) fn dequantize_float_qparams<'py>(
    py: Python<'py>,
    q: &Bound<'py, PyUntypedArray>,
    scales: &Bound<'py, PyUntypedArray>,
    zero_points: &Bound<'py, PyUntypedArray>,
    axis: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let q = AnyInput::laid_out(Layout::InOrder, q, DEQUANTIZE, "input")?;
    let place = axis_of(DEQUANTIZE, q.shape(), axis)?;
    let by = each_channel(DEQUANTIZE, place, scales, zero_points, |scale, zero_point: f32| {
        Ok(RealQParams { scale, zero_point }.dequantizer())
    })?;
    real(py, &q, place, &by)
}

fn real<'py>(
    py: Python<'py>,
    q: &AnyInput<'py>,
    axis: Axis,
    by: &[Dequantizer],
) -> PyResult<Bound<'py, PyAny>> {
    match q {
        AnyInput::U8(q) => real_from(py, q, axis, by),
        AnyInput::I8(q) => real_from(py, q, axis, by),
        AnyInput::I32(q) => real_from(py, q, axis, by),
    }
}

fn real_from<'py, T: Element + Stored>(
    py: Python<'py>,
    q: &Input<'py, T>,
    axis: Axis,
    by: &[Dequantizer],
) -> PyResult<Bound<'py, PyAny>> {
    let level = chosen()?;
    let mut out = Output::<f32>::like(q.array())?;
    let (q, x) = (q.slice(), out.slice());
    call(py, q.len() / PER_NANOSECOND, || qrs::quantize::dequantize(level, q, axis, by, x))?;
    Ok(out.into_array())
}

/// The channels of an array of `shape` along `axis`.
fn axis_of(op: &str, shape: &[usize], axis: usize) -> PyResult<Axis> {
    let Some(&channels) = shape.get(axis) else {
        let rank = shape.len();
        return Err(ShapeError::new_err(format!(
            "{op}: axis {axis} came for an array of {rank} dimensions, expected one of them"
        )));
    };
    let (outer, inner) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
    Ok(Axis { outer, channels, inner })
}

/// What `make` gives for the scale and zero point of each channel.
fn each_channel<Z: Element, R>(
    op: &str,
    axis: Axis,
    scales: &Bound<'_, PyUntypedArray>,
    zero_points: &Bound<'_, PyUntypedArray>,
    make: impl Fn(f32, Z) -> qrs::error::Result<R>,
) -> PyResult<Vec<R>> {
    let scales = Input::<f32>::new(scales, op, "scales")?;
    let zero_points = Input::<Z>::new(zero_points, op, "zero points")?;
    let (scales, zero_points) = (scales.slice(), zero_points.slice());
    let channels = axis.channels;
    if scales.len() != channels || zero_points.len() != channels {
        return Err(ShapeError::new_err(format!(
            "{op}: {} scales and {} zero points came, expected {channels} of each",
            scales.len(),
            zero_points.len(),
        )));
    }
    let pairs = scales.iter().zip(zero_points);
    pairs.map(|(&scale, &z)| make(scale, z).map_err(|error| raise(&error))).collect()
}

/// The smallest and largest value, and whether all are finite.
#[pyfunction]
#[pyo3(signature = (x, /))]
pub(crate) fn min_max(py: Python<'_>, x: &Bound<'_, PyUntypedArray>) -> PyResult<(f32, f32, bool)> {
    let x = Input::<f32>::new(x, "min_max", "input")?;
    let (x, level) = (x.slice(), chosen()?);
    call(py, x.len() / PER_NANOSECOND, || Ok(level.run(Measure(x))))
}

/// Scale and zero point of one dynamically quantized input.
#[pyfunction]
#[pyo3(signature = (x, reduce_range, /))]
pub(crate) fn choose_qparams(
    py: Python<'_>,
    x: &Bound<'_, PyUntypedArray>,
    reduce_range: bool,
) -> PyResult<(f32, i32)> {
    let x = Input::<f32>::new(x, CHOOSE, "input")?;
    let (x, level) = (x.slice(), chosen()?);
    let work = || Ok(level.run(Measure(x)));
    let (min, max, finite) = call(py, x.len() / PER_NANOSECOND, work)?;
    if !finite {
        return Err(NonFiniteError::new_err(format!(
            "{CHOOSE}: the input holds NaN or infinity, expected finite values"
        )));
    }
    let params = QParams::dynamic(min, max, Engine::Fbgemm.dynamic_span(reduce_range));
    Ok((params.scale, params.zero_point))
}

struct Measure<'a>(&'a [f32]);

impl Kernel for Measure<'_> {
    type Output = (f32, f32, bool);

    fn run<I: Isa>(self, isa: I) -> Self::Output {
        qrs::quantize::min_max(isa, self.0)
    }
}
