//! Stored bytes of either type, for kernels that know both.

use numpy::PyUntypedArray;
use pyo3::prelude::*;
use qrs::byte::Byte;
use qrs::qparams::QParams;

use crate::array::{AnyInput, Element, Input};
use crate::error::{DtypeError, raise};
use crate::fixed::Pair;
use crate::layout::Layout;

/// Bytes of a tensor.
pub(crate) enum ByteInput<'py> {
    U8(Input<'py, u8>),
    I8(Input<'py, i8>),
}

impl<'py> ByteInput<'py> {
    /// `array`, which is `uint8` or `int8`, with its axes in order.
    pub(crate) fn new(array: &Bound<'py, PyUntypedArray>, op: &str) -> PyResult<Self> {
        Self::laid_out(Layout::InOrder, array, op)
    }

    /// `array`, which is `uint8` or `int8`, as `layout` says.
    pub(crate) fn laid_out(
        layout: Layout<'_>,
        array: &Bound<'py, PyUntypedArray>,
        op: &str,
    ) -> PyResult<Self> {
        match AnyInput::laid_out(layout, array, op, "input")? {
            AnyInput::U8(input) => Ok(Self::U8(input)),
            AnyInput::I8(input) => Ok(Self::I8(input)),
            AnyInput::I32(_) => Err(DtypeError::new_err(format!(
                "{op}: input is int32, expected quint8 or qint8 integers"
            ))),
        }
    }
}

/// The type of some stored bytes.
pub(crate) trait Stored: Element + Byte {}
impl Stored for u8 {}
impl Stored for i8 {}

/// Calls `$function` with the input of either type and the rest of the arguments.
macro_rules! either {
    ($input:expr, $function:ident($py:expr, _ $(, $rest:expr)* $(,)?)) => {
        match $input {
            $crate::bytes::ByteInput::U8(input) => $function($py, &input $(, $rest)*),
            $crate::bytes::ByteInput::I8(input) => $function($py, &input $(, $rest)*),
        }
    };
}
pub(crate) use either;

/// Scale and zero point of bytes of type `T`, checked.
pub(crate) fn params<T: Byte>(op: &'static str, (scale, zero_point): Pair) -> PyResult<QParams> {
    QParams { scale, zero_point }.checked(op, T::SPAN).map_err(|error| raise(&error))
}
