//! Histograms of floats, and the search for a range.

use numpy::PyUntypedArray;
use pyo3::prelude::*;
use qrs::histogram::{Bins, Candidate, MAX_BINS};
use qrs::isa::Level;
use qrs::qparams::Span;

use crate::array::{Input, Output};
use crate::backend::chosen;
use crate::call::call;
use crate::error::ShapeError;

const OP: &str = "histogram";

/// Counts of the values of `x` in `bins` equal bins on `[lo, hi]`.
#[pyfunction]
#[pyo3(signature = (x, lo, hi, bins, /))]
pub(crate) fn histogram<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    lo: f32,
    hi: f32,
    bins: usize,
) -> PyResult<Bound<'py, PyAny>> {
    counted(py, x, Bins::Interval { lo, hi }, bins)
}

/// Counts of the values of `x` in `bins` bins between multiples of `2^exponent`.
#[pyfunction]
#[pyo3(signature = (x, first, exponent, bins, /))]
pub(crate) fn histogram_on_grid<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    first: i32,
    exponent: i32,
    bins: usize,
) -> PyResult<Bound<'py, PyAny>> {
    counted(py, x, Bins::Grid { first, exponent }, bins)
}

fn counted<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    place: Bins,
    bins: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let x = Input::<f32>::new(x, OP, "input")?;
    let level = chosen()?;
    // One more than fits is refused by the kernel, before memory for many more is asked for.
    let mut out = Output::<i64>::new(py, &[bins.min(MAX_BINS + 1)])?;
    let (x, counts) = (x.slice(), out.slice());
    counts.fill(0);
    call(py, x.len(), || qrs::histogram::count(level, x, place, counts))?;
    Ok(out.into_array())
}

/// The first and last bin of the range with the least squared error.
#[pyfunction]
#[pyo3(signature = (counts, width, levels, /))]
pub(crate) fn least_error_range(
    py: Python<'_>,
    counts: &Bound<'_, PyUntypedArray>,
    width: f64,
    levels: usize,
) -> PyResult<(usize, usize)> {
    let counts = Input::<f32>::new(counts, "least_error_range", "counts")?;
    let (counts, level) = (counts.slice(), chosen()?);
    let work = || Ok(qrs::histogram::least_error_range(level, counts, width, levels));
    call(py, 100 * counts.len(), work)
}

type Losses = fn(Level, &[i64], &[f64], &[Candidate], Span) -> qrs::error::Result<Vec<f64>>;

/// Counts, the centres of their bins, and candidates: rows of `lo, hi, scale, zero_point`.
type Arrays<'a, 'py> = [&'a Bound<'py, PyUntypedArray>; 3];

/// The squared quantization error under each candidate.
#[pyfunction]
#[pyo3(signature = (counts, centres, candidates, qmin, qmax, /))]
pub(crate) fn squared_errors<'py>(
    py: Python<'py>,
    counts: &Bound<'py, PyUntypedArray>,
    centres: &Bound<'py, PyUntypedArray>,
    candidates: &Bound<'py, PyUntypedArray>,
    qmin: i32,
    qmax: i32,
) -> PyResult<Bound<'py, PyAny>> {
    let arrays = [counts, centres, candidates];
    losses(py, ("squared_errors", qrs::histogram::squared_errors), arrays, [qmin, qmax])
}

/// The Kullback-Leibler divergence under each candidate.
#[pyfunction]
#[pyo3(signature = (counts, centres, candidates, qmin, qmax, /))]
pub(crate) fn divergences<'py>(
    py: Python<'py>,
    counts: &Bound<'py, PyUntypedArray>,
    centres: &Bound<'py, PyUntypedArray>,
    candidates: &Bound<'py, PyUntypedArray>,
    qmin: i32,
    qmax: i32,
) -> PyResult<Bound<'py, PyAny>> {
    let arrays = [counts, centres, candidates];
    losses(py, ("divergences", qrs::histogram::divergences), arrays, [qmin, qmax])
}

fn losses<'py>(
    py: Python<'py>,
    (op, of): (&'static str, Losses),
    [counts, centres, candidates]: Arrays<'_, 'py>,
    [min, max]: [i32; 2],
) -> PyResult<Bound<'py, PyAny>> {
    let counts = Input::<i64>::new(counts, op, "counts")?;
    let centres = Input::<f64>::new(centres, op, "centres")?;
    let candidates = Input::<f64>::new(candidates, op, "candidates")?;
    let (rows, rest) = candidates.slice().as_chunks::<4>();
    if !rest.is_empty() {
        return Err(ShapeError::new_err(format!(
            "{op}: candidates of {} numbers in all came, expected four for each",
            candidates.slice().len()
        )));
    }
    let each = |&[lo, hi, scale, zero_point]: &[f64; 4]| Candidate { lo, hi, scale, zero_point };
    let by: Vec<Candidate> = rows.iter().map(each).collect();
    let (counts, centres, level) = (counts.slice(), centres.slice(), chosen()?);
    let work = || of(level, counts, centres, &by, Span { min, max });
    let found = call(py, by.len() * counts.len(), work)?;
    let mut out = Output::<f64>::new(py, &[found.len()])?;
    out.slice().copy_from_slice(&found);
    Ok(out.into_array())
}
