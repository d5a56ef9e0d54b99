//! The one mapping from errors of the kernels to Python exceptions.

use pyo3::PyErr;
use pyo3::exceptions::{PyMemoryError, PyRuntimeError, PyValueError};
use qrs::error::Error;

pyo3::import_exception!(qrs.errors, DtypeError);
pyo3::import_exception!(qrs.errors, InternalError);
pyo3::import_exception!(qrs.errors, NonFiniteError);
pyo3::import_exception!(qrs.errors, ShapeError);

/// `error` as the class of `qrs.errors` (or the built-in one) that its kind stands for.
#[cold]
pub(crate) fn raise(error: &Error) -> PyErr {
    let message = error.to_string();
    match error {
        Error::Shape { .. } | Error::Sizes { .. } | Error::TooDeep { .. } | Error::Index { .. } => {
            ShapeError::new_err(message)
        }
        Error::NonFinite { .. } => NonFiniteError::new_err(message),
        Error::Value { .. } => PyValueError::new_err(message),
        Error::Memory { .. } => PyMemoryError::new_err(message),
        Error::UnknownLevel { .. } => PyRuntimeError::new_err(message),
    }
}
