//! How every kernel is called: without the GIL if it takes long, and never letting a panic through.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::prelude::*;
use qrs::isa::environment::DefaultFloats;

use crate::error::{InternalError, raise};

/// Work shorter than this keeps the GIL: giving it up and taking it back costs about 0.1 us when no
/// other thread wants it, and up to the interpreter's switch interval (5 ms) when one does.
const DETACH_NANOSECONDS: usize = 20_000;

/// Runs `work`, which takes about `nanoseconds`.
pub(crate) fn call<R: Send>(
    py: Python<'_>,
    nanoseconds: usize,
    work: impl FnOnce() -> qrs::error::Result<R> + Send,
) -> PyResult<R> {
    // After a panic nothing that `work` touched is used again: kernels write only into the fresh
    // output and into scratch memory whose contents mean nothing between calls.
    let guarded = || {
        let _floats = DefaultFloats::enter();
        catch_unwind(AssertUnwindSafe(work))
    };
    let result = if nanoseconds < DETACH_NANOSECONDS { guarded() } else { py.detach(guarded) };
    match result {
        Ok(result) => result.map_err(|error| raise(&error)),
        Err(panic) => Err(internal(panic.as_ref())),
    }
}

#[cold]
fn internal(panic: &(dyn Any + Send)) -> PyErr {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    InternalError::new_err(format!("kernel: {message}; this is a defect of qrs, please report it"))
}
