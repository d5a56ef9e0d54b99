//! NumPy arrays as slices. Inputs are borrowed for the time of one call, outputs are always fresh.

use std::ffi::c_int;
use std::ptr;

use numpy::npyffi::{
    _PyArray_GET_ITEM_DATA, NPY_ARRAY_ALIGNED, NPY_ARRAY_C_CONTIGUOUS, NPY_ORDER, NpyTypes,
    PY_ARRAY_API, PyArrayObject, get_type_object, npy_intp,
};
use numpy::{PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods, dtype};
use pyo3::prelude::*;

use crate::backend::chosen;
use crate::call::call;
use crate::error::DtypeError;
use crate::layout::{Layout, MAX_AXES, memory_order};

/// An element type of the kernels: plain numbers, for which every bit pattern is a value.
pub(crate) trait Element: numpy::Element + Copy + Send + Sync {}

impl Element for f32 {}
impl Element for f64 {}
impl Element for i8 {}
impl Element for u8 {}
impl Element for i32 {}
impl Element for i64 {}

/// An input: an aligned array of `T` in native byte order, whose memory is one piece.
pub(crate) struct Input<'py, T> {
    array: Bound<'py, PyUntypedArray>,
    start: *const T,
    len: usize,
}

impl<'py, T: Element> Input<'py, T> {
    /// As [`Input::laid_out`] with the axes in their order.
    #[inline]
    pub(crate) fn new(
        array: &Bound<'py, PyUntypedArray>,
        op: &str,
        argument: &str,
    ) -> PyResult<Self> {
        Self::laid_out(Layout::InOrder, array, op, argument)
    }

    /// `array` itself where it lies in memory as `layout` says, else a copy that does.
    ///
    /// # Errors
    /// `DtypeError` naming `op` and `argument` if the elements are not `T`.
    #[inline]
    pub(crate) fn laid_out(
        layout: Layout<'_>,
        array: &Bound<'py, PyUntypedArray>,
        op: &str,
        argument: &str,
    ) -> PyResult<Self> {
        // SAFETY: `array` is an ndarray by its type, so it has these fields; this thread is attached.
        let (descr, flags) = unsafe {
            let fields = _PyArray_GET_ITEM_DATA(array.as_ptr().cast::<PyArrayObject>());
            ((*fields).descr, (*fields).flags)
        };
        // Built-in types have one descriptor each, so this comparison settles nearly every call.
        let of_type = ptr::eq(descr.cast(), dtype::<T>(array.py()).as_ptr());
        let ready = of_type && flags & NPY_ARRAY_ALIGNED != 0;
        let in_order = flags & NPY_ARRAY_C_CONTIGUOUS != 0;
        let lies_so = match layout {
            Layout::InOrder => in_order,
            Layout::Own if in_order => true,
            _ => layout.fits(array.shape(), array.strides(), size_of::<T>()),
        };
        if ready && lies_so {
            return Ok(Self::over(array.clone()));
        }
        check_type::<T>(array, op, argument)?;
        let own = memory_order(array.strides());
        let is_piece = Layout::Axes(&own).fits(array.shape(), array.strides(), size_of::<T>());
        if ready && is_piece && size_of::<T>() == 1 {
            return Self::over(array.clone()).permuted(&own, layout);
        }
        copied::<T>(array, layout).map(Self::over)
    }

    /// An array of `T` that is aligned and in one piece.
    #[inline]
    fn over(array: Bound<'py, PyUntypedArray>) -> Self {
        // SAFETY: `array` is an ndarray by its type, so it has these fields; this thread is attached.
        let start = unsafe {
            (*_PyArray_GET_ITEM_DATA(array.as_ptr().cast::<PyArrayObject>())).data.cast::<T>()
        };
        let len = array.len();
        Self { array, start: start.cast_const(), len }
    }

    /// These bytes, whose axes lie in memory as `own` says, with their axes as `layout` says. `NumPy`
    /// takes as long to copy an image of three channels as a first layer to convolve it.
    fn permuted(&self, own: &[usize], layout: Layout<'_>) -> PyResult<Self> {
        let (py, shape) = (self.array.py(), self.shape());
        let in_order: Vec<usize> = (0..shape.len()).collect();
        let wanted = if let Layout::Axes(order) = layout { order } else { &in_order };
        let lens: Vec<usize> = own.iter().map(|&axis| shape[axis]).collect();
        let mut places = in_order.clone();
        for (place, &axis) in own.iter().enumerate() {
            places[axis] = place;
        }
        let order: Vec<usize> = wanted.iter().map(|&axis| places[axis]).collect();
        let mut out = Output::<T>::laid_out(py, shape, layout)?;
        let to = out.slice();
        // SAFETY: elements of one byte, as both slices of them hold, are bytes.
        let (from, to) = unsafe {
            (
                std::slice::from_raw_parts(self.slice().as_ptr().cast::<u8>(), self.len),
                std::slice::from_raw_parts_mut(to.as_mut_ptr().cast::<u8>(), to.len()),
            )
        };
        let level = chosen()?;
        call(py, self.len / 4, || qrs::shuffle::permute(level, from, &lens, &order, to))?;
        Ok(Self::over(out.into_array().cast_into::<PyUntypedArray>()?))
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

    /// The array that is read.
    #[inline]
    pub(crate) fn array(&self) -> &Bound<'py, PyUntypedArray> {
        &self.array
    }
}

/// An input of stored integers, of whichever type.
pub(crate) enum AnyInput<'py> {
    U8(Input<'py, u8>),
    I8(Input<'py, i8>),
    I32(Input<'py, i32>),
}

impl<'py> AnyInput<'py> {
    /// As [`Input::laid_out`] for `uint8`, `int8` or `int32`.
    pub(crate) fn laid_out(
        layout: Layout<'_>,
        array: &Bound<'py, PyUntypedArray>,
        op: &str,
        argument: &str,
    ) -> PyResult<Self> {
        let came = array.dtype();
        match (came.kind(), came.itemsize()) {
            (b'u', 1) => Input::laid_out(layout, array, op, argument).map(Self::U8),
            (b'i', 1) => Input::laid_out(layout, array, op, argument).map(Self::I8),
            (b'i', 4) => Input::laid_out(layout, array, op, argument).map(Self::I32),
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

/// `Ok` if the elements of `array` are `T`, in whichever byte order.
#[cold]
fn check_type<T: Element>(
    array: &Bound<'_, PyUntypedArray>,
    op: &str,
    argument: &str,
) -> PyResult<()> {
    let (came, wanted) = (array.dtype(), dtype::<T>(array.py()));
    if came.kind() != wanted.kind() || came.itemsize() != wanted.itemsize() {
        return Err(DtypeError::new_err(format!(
            "{op}: {argument} is {came}, expected {wanted}; convert it first"
        )));
    }
    Ok(())
}

/// A copy of `array`, whose elements are `T` in whichever byte order, that lies as `layout` says.
#[cold]
fn copied<'py, T: Element>(
    array: &Bound<'py, PyUntypedArray>,
    layout: Layout<'_>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = array.py();
    let out = match layout {
        Layout::Own => Output::<T>::like(array)?,
        _ => Output::<T>::laid_out(py, array.shape(), layout)?,
    };
    // SAFETY: both are ndarrays of one shape; this thread is attached.
    let failed = unsafe {
        PY_ARRAY_API.PyArray_CopyInto(py, out.array.as_ptr().cast(), array.as_ptr().cast()) != 0
    };
    if failed { Err(PyErr::fetch(py)) } else { Ok(out.array.cast_into::<PyUntypedArray>()?) }
}

/// A fresh array whose memory is one piece, to be filled by the kernel through [`Output::slice`].
///
/// `NumPy` allocates it. A list of our own of what was given back last took 0.98 of the time of `MobileNetV2`
/// and 0.99 of that of ResNet-50, within the noise, for arrays that do not own their memory.
pub(crate) struct Output<'py, T> {
    array: Bound<'py, PyAny>,
    start: *mut T,
    len: usize,
}

impl<'py, T: Element> Output<'py, T> {
    /// An array with its axes in order, whose elements have no particular value: for kernels that write
    /// every one.
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

    /// As [`Output::new`] for an array that lies as `layout` says.
    ///
    /// # Errors
    /// `MemoryError` if there is no room.
    #[inline]
    pub(crate) fn laid_out(py: Python<'py>, shape: &[usize], layout: Layout<'_>) -> PyResult<Self> {
        let Layout::Axes(order) = layout else { return Self::new(py, shape) };
        let (mut dims, mut strides) = ([0; MAX_AXES], [0; MAX_AXES]);
        dims[..shape.len()].copy_from_slice(shape);
        let mut step = size_of::<T>();
        for &axis in order.iter().rev() {
            strides[axis] = step as npy_intp;
            // NumPy refuses what does not fit.
            step = step.wrapping_mul(shape[axis]);
        }
        // SAFETY: `dims` and `strides` hold as many numbers as there are axes, and a `usize` has the
        // layout of an `npy_intp`; the descriptor's reference goes to the call; without data NumPy
        // allocates the product of the lengths, which these strides reach all of and no more; the
        // result is null with an exception set, or a fresh array.
        let array = unsafe {
            let raw = PY_ARRAY_API.PyArray_NewFromDescr(
                py,
                get_type_object(py, NpyTypes::PyArray_Type),
                dtype::<T>(py).into_ptr().cast(),
                shape.len() as c_int,
                dims.as_mut_ptr().cast::<npy_intp>(),
                strides.as_mut_ptr(),
                ptr::null_mut(),
                0,
                ptr::null_mut(),
            );
            Bound::from_owned_ptr_or_err(py, raw)?
        };
        Ok(Self::over(array, shape.iter().product()))
    }

    /// As [`Output::new`] for an array of the shape of `array`, with its order of axes in memory.
    ///
    /// # Errors
    /// `MemoryError` if there is no room.
    #[inline]
    pub(crate) fn like(array: &Bound<'py, PyUntypedArray>) -> PyResult<Self> {
        let py = array.py();
        // SAFETY: `array` is an ndarray; the descriptor's reference goes to the call; the result is
        // null with an exception set, or a fresh array in one piece.
        let like = unsafe {
            let raw = PY_ARRAY_API.PyArray_NewLikeArray(
                py,
                array.as_ptr().cast(),
                NPY_ORDER::NPY_KEEPORDER,
                dtype::<T>(py).into_ptr().cast(),
                0,
            );
            Bound::from_owned_ptr_or_err(py, raw)?
        };
        Ok(Self::over(like, array.len()))
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
        Ok(Self::over(array, dims.iter().product()))
    }

    /// A fresh array of `len` elements.
    #[inline]
    fn over(array: Bound<'py, PyAny>, len: usize) -> Self {
        // SAFETY: it is an ndarray, which NumPy made.
        let start = unsafe {
            (*_PyArray_GET_ITEM_DATA(array.as_ptr().cast::<PyArrayObject>())).data.cast::<T>()
        };
        Self { array, start, len }
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

    /// The finished array with its axes in order in memory.
    pub(crate) fn in_order(self, op: &str) -> PyResult<Bound<'py, PyAny>> {
        let array = self.array.cast_into::<PyUntypedArray>()?;
        Ok(Input::<T>::new(&array, op, "output")?.array.into_any())
    }
}
