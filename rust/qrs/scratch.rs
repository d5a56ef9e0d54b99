//! Working memory of a thread: grown to the high-water mark, reused by every call.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

use crate::qparams::QParams;

/// Buffers of one thread. An operator takes them with [`borrow`].
#[derive(Default, Debug)]
pub struct Scratch {
    /// Quantized activations.
    pub quantized: QuantizedRows,
    /// Activations widened to 16 bits, for levels whose tile wants that.
    pub words: Vec<i16>,
    /// Staging room of levels that read bytes in place; stays empty.
    pub unused: Vec<u8>,
    /// Images with zero points around them.
    pub padded: Vec<u8>,
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
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// A thread's scratch memory, given back when dropped.
#[derive(Debug)]
pub struct Borrowed(Option<Box<Scratch>>);

/// This thread's scratch memory, or fresh memory if it is already in use.
///
/// A guard and not a closure: a closure would be compiled without the CPU features of the kernel
/// that it stands in, and every verb in it would become a call (measured: twice the time).
#[must_use]
pub fn borrow() -> Borrowed {
    Borrowed(Some(SCRATCH.take().unwrap_or_default()))
}

impl Deref for Borrowed {
    type Target = Scratch;

    fn deref(&self) -> &Scratch {
        self.0.as_ref().expect("held until dropped")
    }
}

impl DerefMut for Borrowed {
    fn deref_mut(&mut self) -> &mut Scratch {
        self.0.as_mut().expect("held until dropped")
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // A thread that is ending has no place left to keep it.
        let _ = SCRATCH.try_with(|slot| slot.set(self.0.take()));
    }
}
