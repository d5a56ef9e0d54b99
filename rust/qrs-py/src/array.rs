//! NumPy arrays as slices. Inputs are borrowed for the time of one call, outputs are always fresh.

use std::ffi::c_int;
use std::ptr;

use numpy::npyffi::{
    _PyArray_GET_ITEM_DATA, NPY_ARRAY_CARRAY_RO, NPY_ARRAY_NOTSWAPPED, PY_ARRAY_API, PyArrayObject,
    npy_intp,
};
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods, dtype};
use pyo3::prelude::*;

use crate::error::DtypeError;

/// An element type of the kernels: plain numbers, for which every bit pattern is a value.
pub(crate) trait Element: numpy::Element + Copy + Send + Sync {}

impl Element for f32 {}
impl Element for f64 {}
impl Element for i8 {}
impl Element for u8 {}
impl Element for i32 {}
impl Element for i64 {}

/// An input: a C-contiguous, aligned array of `T` in native byte order.
pub(crate) struct Input<'py, T> {
    array: Bound<'py, PyUntypedArray>,
    start: *const T,
    len: usize,
}

impl<'py, T: Element> Input<'py, T> {
    /// `array` itself where its layout allows, else a copy in the right layout.
    ///
    /// # Errors
    /// `DtypeError` naming `op` and `argument` if the elements are not `T`.
    #[inline]
    pub(crate) fn new(
        array: &Bound<'py, PyUntypedArray>,
        op: &str,
        argument: &str,
    ) -> PyResult<Self> {
        let py = array.py();
        let wanted = dtype::<T>(py);
        // SAFETY: `array` is an ndarray by its type, so it has these fields; this thread is attached.
        let (descr, flags) = unsafe {
            let fields = _PyArray_GET_ITEM_DATA(array.as_ptr().cast::<PyArrayObject>());
            ((*fields).descr, (*fields).flags)
        };
        // Built-in types have one descriptor each, so this comparison settles nearly every call.
        let ready = ptr::eq(descr.cast(), wanted.as_ptr())
            && flags & NPY_ARRAY_CARRAY_RO == NPY_ARRAY_CARRAY_RO;
        let array = if ready { array.clone() } else { converted(array, wanted, op, argument)? };
        // SAFETY: as above, for the array that passed the test or was made to pass it.
        let start = unsafe {
            (*_PyArray_GET_ITEM_DATA(array.as_ptr().cast::<PyArrayObject>())).data.cast::<T>()
        };
        let len = array.len();
        Ok(Self { array, start: start.cast_const(), len })
    }

    /// The elements.
    #[inline]
    pub(crate) fn slice(&self) -> &[T] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: `new` checked that the memory holds `len` aligned elements of `T` in one piece, any
        // bit pattern is a `T`, and `self` keeps the array alive.
        // Not guaranteed: that nobody writes. While the GIL is released another thread may store into
        // the same array. Kernels read inputs as plain numbers and never as indices or lengths without
        // checking the value that they use, so such a race gives wrong numbers, not wrong addresses.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    /// The lengths of the axes.
    #[inline]
    pub(crate) fn shape(&self) -> &[usize] {
        self.array.shape()
    }
}

/// An input of stored integers, of whichever type.
pub(crate) enum AnyInput<'py> {
    U8(Input<'py, u8>),
    I8(Input<'py, i8>),
    I32(Input<'py, i32>),
}

impl<'py> AnyInput<'py> {
    /// As [`Input::new`] for `uint8`, `int8` or `int32`.
    pub(crate) fn new(
        array: &Bound<'py, PyUntypedArray>,
        op: &str,
        argument: &str,
    ) -> PyResult<Self> {
        let came = array.dtype();
        match (came.kind(), came.itemsize()) {
            (b'u', 1) => Input::new(array, op, argument).map(Self::U8),
            (b'i', 1) => Input::new(array, op, argument).map(Self::I8),
            (b'i', 4) => Input::new(array, op, argument).map(Self::I32),
            _ => Err(DtypeError::new_err(format!(
                "{op}: {argument} is {came}, expected uint8, int8 or int32; convert it first"
            ))),
        }
    }

    /// The lengths of the axes.
    pub(crate) fn shape(&self) -> &[usize] {
        match self {
            Self::U8(input) => input.shape(),
            Self::I8(input) => input.shape(),
            Self::I32(input) => input.shape(),
        }
    }
}

/// `array` in the layout of the kernels, if its elements are those that `wanted` describes.
#[cold]
fn converted<'py>(
    array: &Bound<'py, PyUntypedArray>,
    wanted: Bound<'py, PyArrayDescr>,
    op: &str,
    argument: &str,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = array.py();
    let came = array.dtype();
    if came.kind() != wanted.kind() || came.itemsize() != wanted.itemsize() {
        return Err(DtypeError::new_err(format!(
            "{op}: {argument} is {came}, expected {wanted}; convert it first"
        )));
    }
    let flags = NPY_ARRAY_CARRAY_RO | NPY_ARRAY_NOTSWAPPED;
    // SAFETY: `array` is an ndarray, `wanted` a descriptor whose reference the call takes; the result
    // is null with an exception set, or an array of that descriptor with these flags.
    let raw = unsafe {
        PY_ARRAY_API.PyArray_FromArray(py, array.as_ptr().cast(), wanted.into_ptr().cast(), flags)
    };
    // SAFETY: `raw` is owned by us and null only with an exception set.
    let object = unsafe { Bound::from_owned_ptr_or_err(py, raw)? };
    Ok(object.cast_into::<PyUntypedArray>()?)
}

/// A fresh C-contiguous array of `shape`, to be filled by the kernel through [`Output::slice`].
pub(crate) struct Output<'py, T> {
    array: Bound<'py, PyAny>,
    start: *mut T,
    len: usize,
}

impl<'py, T: Element> Output<'py, T> {
    /// An array whose elements have no particular value: for kernels that write every one.
    ///
    /// # Errors
    /// `MemoryError` if there is no room.
    #[inline]
    pub(crate) fn new(py: Python<'py>, shape: &[usize]) -> PyResult<Self> {
        let mut dims = [0; MAX_AXES];
        let dims = &mut dims[..shape.len()];
        dims.copy_from_slice(shape);
        Self::of(py, dims)
    }

    /// As [`Output::new`] for `shape` with `last` as its last length.
    #[inline]
    pub(crate) fn replacing_last(py: Python<'py>, shape: &[usize], last: usize) -> PyResult<Self> {
        let mut dims = [0; MAX_AXES];
        let dims = &mut dims[..shape.len()];
        dims.copy_from_slice(shape);
        dims[shape.len() - 1] = last;
        Self::of(py, dims)
    }

    fn of(py: Python<'py>, dims: &mut [usize]) -> PyResult<Self> {
        // SAFETY: the pointer and count are those of `dims`, and a `usize` has the layout of an
        // `npy_intp`; the descriptor's reference goes to the call; the result is null with an
        // exception set, or a fresh C-contiguous array.
        let array = unsafe {
            let raw = PY_ARRAY_API.PyArray_Empty(
                py,
                dims.len() as c_int,
                dims.as_mut_ptr().cast::<npy_intp>(),
                dtype::<T>(py).into_ptr().cast(),
                0,
            );
            Bound::from_owned_ptr_or_err(py, raw)?
        };
        // SAFETY: it is an ndarray, made above.
        let start = unsafe {
            (*_PyArray_GET_ITEM_DATA(array.as_ptr().cast::<PyArrayObject>())).data.cast::<T>()
        };
        Ok(Self { array, start, len: dims.iter().product() })
    }

    /// The elements.
    #[inline]
    pub(crate) fn slice(&mut self) -> &mut [T] {
        // SAFETY: NumPy allocated `len` elements, aligned for `T`; nobody else has seen the array yet;
        // the bytes came from a foreign allocator, so they have some value, and any is a `T`.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }

    /// The finished array.
    #[inline]
    pub(crate) fn into_array(self) -> Bound<'py, PyAny> {
        self.array
    }
}

/// The most axes that NumPy supports.
const MAX_AXES: usize = 64;
