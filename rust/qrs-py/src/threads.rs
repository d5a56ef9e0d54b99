//! The number of threads of the kernels.

use pyo3::prelude::*;

use crate::error::raise;

/// Threads that an operator may use.
#[pyfunction]
pub(crate) fn get_num_threads() -> usize {
    qrs::parallel::num_threads()
}

/// Sets the threads that an operator may use.
#[pyfunction]
pub(crate) fn set_num_threads(n: usize) -> PyResult<()> {
    qrs::parallel::set_num_threads(n).map_err(|error| raise(&error))
}

/// Refuses a number of threads that the environment has and no pool can have.
pub(crate) fn check_environment() -> PyResult<()> {
    qrs::parallel::threads_of_environment().map(|_| ()).map_err(|error| raise(&error))
}
