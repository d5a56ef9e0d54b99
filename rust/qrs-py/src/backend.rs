//! Instruction sets of this CPU.

use pyo3::prelude::*;
use qrs::isa::Level;

use crate::error::raise;

/// The level that the kernels use.
#[pyfunction]
pub(crate) fn level() -> PyResult<&'static str> {
    chosen().map(Level::name)
}

/// The level that the kernels use, or the Python exception that says why there is none.
pub(crate) fn chosen() -> PyResult<Level> {
    qrs::isa::level().map_err(|error| raise(&error))
}

/// The levels of this CPU, slowest first.
#[pyfunction]
pub(crate) fn available_levels() -> Vec<&'static str> {
    Level::available().into_iter().map(Level::name).collect()
}
