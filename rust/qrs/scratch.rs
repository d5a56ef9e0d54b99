//! Working memory of a thread: grown to the high-water mark, reused by every call.

use std::cell::RefCell;

use crate::qparams::QParams;

/// Buffers of one thread. An operator takes what it needs with [`with`].
#[derive(Default, Debug)]
pub struct Scratch {
    /// Quantized activations.
    pub quantized: QuantizedRows,
    /// Activations widened to 16 bits, for levels whose tile wants that.
    pub words: Vec<i16>,
    /// Staging room of levels that read bytes in place; stays empty.
    pub unused: Vec<u8>,
    /// Float working rows.
    pub floats: Vec<f32>,
}

/// Rows of activations, quantized.
#[derive(Default, Debug)]
pub struct QuantizedRows {
    /// Row after row.
    pub bytes: Vec<u8>,
    /// One entry per row.
    pub rows: Vec<QuantizedRow>,
}

/// What the epilogue must know of a quantized row.
#[derive(Clone, Copy, Debug)]
pub struct QuantizedRow {
    /// How it was quantized.
    pub params: QParams,
    /// Sum of its bytes, where the weights have zero points.
    pub sum: i32,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Calls `f` with this thread's scratch memory, or with fresh memory if it is already in use.
pub fn with<R>(f: impl FnOnce(&mut Scratch) -> R) -> R {
    SCRATCH.with(|cell| match cell.try_borrow_mut() {
        Ok(mut scratch) => f(&mut scratch),
        Err(_) => f(&mut Scratch::default()),
    })
}
