//! Functions of one float.

use numpy::PyUntypedArray;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use qrs::activation::Function;

use crate::array::{Input, Output};
use crate::backend::chosen;
use crate::call::call;
use crate::layout::Layout;

/// Applies the function called `name` to every element; the result lies in memory as `x` does.
#[pyfunction]
#[pyo3(signature = (x, name, /))]
pub(crate) fn activation<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(&function) = Function::ALL.iter().find(|function| function.name() == name) else {
        let names: Vec<_> = Function::ALL.iter().map(|function| function.name()).collect();
        let names = names.join(", ");
        return Err(PyValueError::new_err(format!("activation: {name} came, expected {names}")));
    };
    let x = Input::<f32>::laid_out(Layout::Own, x, function.name(), "input")?;
    let level = chosen()?;
    let mut out = Output::<f32>::like(x.array())?;
    let (x, y) = (x.slice(), out.slice());
    call(py, x.len(), || function.apply(level, x, y))?;
    Ok(out.into_array())
}
