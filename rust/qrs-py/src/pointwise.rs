//! Element by element: sums, products, bounds, tables; joining and matrix products.

use numpy::{PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use qrs::byte::Byte;
use qrs::matmul::Sizes;
use qrs::pointwise::{Binary, Broadcast, Operation, Piece};
use qrs::table::Table;

use crate::array::{Input, Output};
use crate::backend::chosen;
use crate::bytes::{ByteInput, Stored, either, params};
use crate::call::call;
use crate::error::{DtypeError, ShapeError};
use crate::fixed::Pair;
use crate::layout::{Layout, memory_order};

/// Values a nanosecond, about: decides on the GIL only.
const PER_NANOSECOND: usize = 4;

/// Two arrays.
type Two<'a, 'py> = (&'a Bound<'py, PyUntypedArray>, &'a Bound<'py, PyUntypedArray>);

/// `add` or `mul` of two arrays of bytes of one type, whose shapes broadcast; negative results become 0
/// if `relu`.
#[pyfunction]
#[pyo3(signature = (operation, a, b, inputs, output, relu, /))]
pub(crate) fn binary<'py>(
    py: Python<'py>,
    operation: &str,
    a: &Bound<'py, PyUntypedArray>,
    b: &Bound<'py, PyUntypedArray>,
    inputs: (Pair, Pair),
    output: Pair,
    relu: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let operation = match operation {
        "add" => Operation::Add,
        "mul" => Operation::Mul,
        _ => {
            return Err(PyValueError::new_err(format!(
                "binary: operation `{operation}` came, expected add or mul"
            )));
        }
    };
    let op = operation.name();
    let how = (operation, inputs, output, relu);
    let (kind, other) = (a.dtype(), b.dtype());
    match ((kind.kind(), kind.itemsize()), (other.kind(), other.itemsize())) {
        ((b'u', 1), (b'u', 1)) => combined::<u8>(py, (a, b), how),
        ((b'i', 1), (b'i', 1)) => combined::<i8>(py, (a, b), how),
        _ => {
            ByteInput::new(a, op)?;
            ByteInput::new(b, op)?;
            Err(DtypeError::new_err(format!(
                "{op}: integers of two types came, expected two of uint8 or two of int8"
            )))
        }
    }
}

fn combined<'py, T: Stored>(
    py: Python<'py>,
    (a, b): Two<'_, 'py>,
    (operation, inputs, output, relu): (Operation, (Pair, Pair), Pair, bool),
) -> PyResult<Bound<'py, PyAny>> {
    let op = operation.name();
    let inputs = [params::<T>(op, inputs.0)?, params::<T>(op, inputs.1)?];
    let binary = Binary { operation, inputs, output: params::<T>(op, output)?, relu };
    let (a, b, meeting, mut out) = met::<T>(op, (a, b))?;
    let level = chosen()?;
    let (pair, y) = ((a.slice(), b.slice()), out.slice());
    call(py, y.len() / PER_NANOSECOND, || binary.apply(level, &meeting, pair, y))?;
    Ok(out.into_array())
}

/// The operands of [`binary`], how they meet, and room for the result.
type Met<'py, T> = (Input<'py, T>, Input<'py, T>, Broadcast, Output<'py, T>);

/// The result lies in memory as the larger of two arrays that broadcast does, the first of two alike.
fn met<'py, T: Stored>(op: &'static str, (a, b): Two<'_, 'py>) -> PyResult<Met<'py, T>> {
    let refused = |error: qrs::error::Error| ShapeError::new_err(error.to_string());
    if a.shape() == b.shape() && alike(a, b) {
        let layout = Layout::Own;
        let each = [a, b].map(|x| Input::<T>::laid_out(layout, x, op, "input"));
        let [a, b] = each;
        let (a, b) = (a?, b?);
        let meeting =
            Broadcast::new(op, &[a.slice().len()], &[b.slice().len()]).map_err(refused)?;
        let out = Output::like(a.array())?;
        return Ok((a, b, meeting, out));
    }
    let shape = Broadcast::new(op, a.shape(), b.shape()).map_err(refused)?.shape().to_vec();
    let larger = if a.len() >= b.len() { a } else { b };
    let (rank, missing) = (shape.len(), shape.len() - larger.ndim());
    let own = memory_order(larger.strides()).into_iter().map(|axis| axis + missing);
    let order: Vec<usize> = (0..missing).chain(own).collect();
    let moved = |x: &Bound<'py, PyUntypedArray>| {
        let missing = rank - x.ndim();
        let own: Vec<usize> =
            order.iter().filter(|&&axis| axis >= missing).map(|axis| axis - missing).collect();
        let len = |&axis: &usize| if axis < missing { 1 } else { x.shape()[axis - missing] };
        let lens: Vec<usize> = order.iter().map(len).collect();
        Ok::<_, PyErr>((Input::<T>::laid_out(Layout::Axes(&own), x, op, "input")?, lens))
    };
    let ((a, a_lens), (b, b_lens)) = (moved(a)?, moved(b)?);
    let meeting = Broadcast::new(op, &a_lens, &b_lens).map_err(refused)?;
    let out = Output::laid_out(a.array().py(), &shape, Layout::Axes(&order))?;
    Ok((a, b, meeting, out))
}

/// Whether two arrays of one shape have the same order of axes in memory.
fn alike(a: &Bound<'_, PyUntypedArray>, b: &Bound<'_, PyUntypedArray>) -> bool {
    let strides = a.strides().iter().zip(b.strides());
    strides.zip(a.shape()).all(|((a, b), &len)| a == b || len == 1)
}

/// Bytes held between two others; the result lies in memory as `x` does.
#[pyfunction]
#[pyo3(signature = (x, low, high, /))]
pub(crate) fn clamp<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    low: i32,
    high: i32,
) -> PyResult<Bound<'py, PyAny>> {
    either!(ByteInput::laid_out(Layout::Own, x, "clamp")?, clamped(py, _, low, high))
}

fn clamped<'py, T: Stored>(
    py: Python<'py>,
    x: &Input<'py, T>,
    low: i32,
    high: i32,
) -> PyResult<Bound<'py, PyAny>> {
    let byte = |v: i32| <T as Byte>::from_int(v.clamp(T::SPAN.min, T::SPAN.max));
    let (level, bounds) = (chosen()?, (byte(low), byte(high)));
    let mut out = Output::<T>::like(x.array())?;
    let (x, y) = (x.slice(), out.slice());
    call(py, y.len() / 20, || qrs::pointwise::clamp(level, x, bounds, y))?;
    Ok(out.into_array())
}

fn table(array: &Bound<'_, PyUntypedArray>, op: &str) -> PyResult<Table> {
    let array = Input::<u8>::new(array, op, "table")?;
    match array.slice().try_into() {
        Ok(bytes) => Ok(Table(bytes)),
        Err(_) => Err(ShapeError::new_err(format!(
            "{op}: a table of {} bytes came, expected 256",
            array.slice().len()
        ))),
    }
}

/// `table[x]`, which lies in memory as `x` does.
#[pyfunction]
#[pyo3(signature = (x, table, /))]
pub(crate) fn lookup<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyUntypedArray>,
    table: &Bound<'py, PyUntypedArray>,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "lookup";
    let table = self::table(table, OP)?;
    let x = Input::<u8>::laid_out(Layout::Own, x, OP, "input")?;
    let level = chosen()?;
    let mut out = Output::<u8>::like(x.array())?;
    let (x, y) = (x.slice(), out.slice());
    call(py, y.len() / PER_NANOSECOND, || table.apply(level, x, y))?;
    Ok(out.into_array())
}

/// Arrays joined along `axis`, those with a table looked up in it.
#[pyfunction]
#[pyo3(signature = (arrays, tables, axis, /))]
pub(crate) fn cat<'py>(
    py: Python<'py>,
    arrays: Vec<Bound<'py, PyUntypedArray>>,
    tables: Vec<Option<Bound<'py, PyUntypedArray>>>,
    axis: usize,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "cat";
    let inputs: Vec<Input<'py, u8>> =
        arrays.iter().map(|array| Input::new(array, OP, "item")).collect::<PyResult<_>>()?;
    let tables: Vec<Option<Table>> = tables
        .iter()
        .map(|table| table.as_ref().map(|t| self::table(t, OP)).transpose())
        .collect::<PyResult<_>>()?;
    let first = inputs.first().map_or(&[][..], Input::shape);
    let rest = |shape: &[usize]| [&shape[..axis], &shape[axis + 1..]].concat();
    let fit = |input: &Input<'py, u8>| {
        input.shape().len() == first.len() && rest(input.shape()) == rest(first)
    };
    if axis >= first.len() || tables.len() != inputs.len() || !inputs.iter().all(fit) {
        let shapes: Vec<_> = inputs.iter().map(Input::shape).collect();
        return Err(ShapeError::new_err(format!(
            "{OP}: items of the shapes {shapes:?} and {} tables came for axis {axis}, expected a \
             table for each item and equal lengths in every other axis",
            tables.len()
        )));
    }
    let rows = first[..axis].iter().product();
    let pieces: Vec<Piece<'_>> = inputs
        .iter()
        .zip(&tables)
        .map(|(input, table)| Piece {
            bytes: input.slice(),
            width: input.shape()[axis..].iter().product(),
            table: table.as_ref(),
        })
        .collect();
    let mut shape = first.to_vec();
    shape[axis] = inputs.iter().map(|input| input.shape()[axis]).sum();
    let level = chosen()?;
    let mut out = Output::<u8>::new(py, &shape)?;
    let y = out.slice();
    call(py, y.len() / PER_NANOSECOND, || qrs::pointwise::cat(level, rows, &pieces, y))?;
    Ok(out.into_array())
}

/// Products of matrices of unsigned bytes, `[batch, m, k]` by `[batch, k, n]`.
#[pyfunction]
#[pyo3(signature = (a, b, inputs, output, /))]
pub(crate) fn matmul<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyUntypedArray>,
    b: &Bound<'py, PyUntypedArray>,
    inputs: (Pair, Pair),
    output: Pair,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "matmul";
    let (a, b) = (Input::<u8>::new(a, OP, "input")?, Input::<u8>::new(b, OP, "other")?);
    let sizes = match (a.shape(), b.shape()) {
        (&[batch, m, k], &[other, depth, n]) if batch == other && k == depth => {
            Sizes { batch, m, k, n }
        }
        (a, b) => {
            return Err(ShapeError::new_err(format!(
                "{OP}: shapes {a:?} and {b:?} came, expected [batch, m, k] and [batch, k, n]"
            )));
        }
    };
    let inputs = [params::<u8>(OP, inputs.0)?, params::<u8>(OP, inputs.1)?];
    let output = params::<u8>(OP, output)?;
    let level = chosen()?;
    let mut out = Output::<u8>::new(py, &[sizes.batch, sizes.m, sizes.n])?;
    let (pair, y) = ((a.slice(), b.slice()), out.slice());
    let nanoseconds = y.len() * sizes.k / 50;
    call(py, nanoseconds, || qrs::matmul::matmul(level, sizes, pair, inputs, output, y))?;
    Ok(out.into_array())
}
