//! What statically quantized layers share: parameters of input and output, and signed bytes.
//!
//! Kernels know unsigned bytes only. A `qint8` tensor is the same tensor with 128 added to every
//! integer and to the zero point, so signed bytes are shifted on the way in and out.

use numpy::PyUntypedArray;
use pyo3::prelude::*;
use qrs::qparams::{Engine, QINT8, QParams, QUINT8, Span};
use qrs::requant::Static;

use crate::array::{AnyInput, Input, Output};
use crate::call::call;
use crate::error::{DtypeError, raise};
use crate::layout::Layout;

const SHIFT: i32 = 128;

/// Scale and zero point, as Python gives them.
pub(crate) type Pair = (f32, i32);

/// Stored bytes of an input.
pub(crate) enum Bytes<'py> {
    Unsigned(Input<'py, u8>),
    Signed { shape: Vec<usize>, shifted: Vec<u8> },
}

impl<'py> Bytes<'py> {
    /// `array`, which is `uint8` or `int8`, in memory as `layout` says.
    pub(crate) fn new(
        layout: Layout<'_>,
        array: &Bound<'py, PyUntypedArray>,
        op: &str,
    ) -> PyResult<Self> {
        match AnyInput::laid_out(layout, array, op, "input")? {
            AnyInput::U8(input) => Ok(Self::Unsigned(input)),
            AnyInput::I8(input) => Ok(Self::Signed {
                shape: input.shape().to_vec(),
                shifted: input.slice().iter().map(|&v| v as u8 ^ 0x80).collect(),
            }),
            AnyInput::I32(_) => Err(DtypeError::new_err(format!(
                "{op}: input is int32, expected quint8 or qint8 integers"
            ))),
        }
    }

    /// The lengths of the axes.
    pub(crate) fn shape(&self) -> &[usize] {
        match self {
            Self::Unsigned(input) => input.shape(),
            Self::Signed { shape, .. } => shape,
        }
    }

    fn is_signed(&self) -> bool {
        matches!(self, Self::Signed { .. })
    }

    fn slice(&self) -> &[u8] {
        match self {
            Self::Unsigned(input) => input.slice(),
            Self::Signed { shifted, .. } => shifted,
        }
    }

    /// Runs `kernel(how, x, out)` into a fresh array of `shape`, laid out as `layout` says, and of the
    /// input's type.
    /// `span` is the stored range of the output in that type.
    pub(crate) fn run<F>(
        &self,
        py: Python<'py>,
        op: &'static str,
        (input, output, span, engine): (Pair, Pair, (i32, i32), &str),
        (shape, layout, nanoseconds): (&[usize], Layout<'_>, usize),
        kernel: F,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        F: Fn(Static, &[u8], &mut [u8]) -> qrs::error::Result<()> + Send + Sync,
    {
        let (add, whole) = if self.is_signed() { (SHIFT, QINT8) } else { (0, QUINT8) };
        let params = |(scale, zero_point): Pair| {
            let checked = QParams { scale, zero_point }.checked(op, whole);
            let QParams { scale, zero_point } = checked.map_err(|error| raise(&error))?;
            Ok::<_, PyErr>(QParams { scale, zero_point: zero_point + add })
        };
        let (min, max) = (span.0.max(whole.min), span.1.min(whole.max));
        let how = Static {
            engine: Engine::from_name(engine).map_err(|error| raise(&error))?,
            input: params(input)?,
            output: params(output)?,
            span: Span { min: min + add, max: max + add },
        };
        let x = self.slice();
        if self.is_signed() {
            let mut out = Output::<i8>::laid_out(py, shape, layout)?;
            let signed = out.slice();
            call(py, nanoseconds, || {
                let mut bytes = vec![0; signed.len()];
                kernel(how, x, &mut bytes)?;
                for (to, from) in signed.iter_mut().zip(bytes) {
                    *to = (from ^ 0x80) as i8;
                }
                Ok(())
            })?;
            return Ok(out.into_array());
        }
        let mut out = Output::<u8>::laid_out(py, shape, layout)?;
        let bytes = out.slice();
        call(py, nanoseconds, || kernel(how, x, bytes))?;
        Ok(out.into_array())
    }
}
