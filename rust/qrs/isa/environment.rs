//! The floating-point environment: rounding to nearest, subnormal numbers kept.
//!
//! Some libraries switch a thread to flushing subnormal numbers to zero and leave it so. Results must
//! not depend on that, and compiled Rust may assume that nobody does it; so whoever calls the kernels
//! from a foreign program holds a [`DefaultFloats`]. Threads inherit the environment of the one that
//! starts them, which makes the pool's workers safe too.

/// The default floating-point environment, until dropped.
#[derive(Debug)]
pub struct DefaultFloats {
    /// The control register as it was, if it was another.
    found: Option<Control>,
}

impl DefaultFloats {
    /// Sets the default where something else is set: two cheap instructions where nothing is.
    #[must_use]
    pub fn enter() -> Self {
        let control = read();
        let found = (control & MODES != DEFAULT).then(|| {
            write(DEFAULT);
            control
        });
        Self { found }
    }
}

impl Drop for DefaultFloats {
    fn drop(&mut self) {
        if let Some(control) = self.found {
            write(control);
        }
    }
}

#[cfg(target_arch = "x86_64")]
use x86_64::{Control, DEFAULT, MODES, read, write};

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::asm;

    /// MXCSR.
    pub(super) type Control = u32;
    /// Rounding, masks, flush to zero, denormals are zero; the bits below say what has happened.
    pub(super) const MODES: Control = 0xffc0;
    /// Every exception masked, rounding to nearest.
    pub(super) const DEFAULT: Control = 0x1f80;

    pub(super) fn read() -> Control {
        let mut control: Control = 0;
        // SAFETY: SSE is part of x86-64; the instruction writes the four bytes of `control`.
        unsafe {
            asm!("stmxcsr [{}]", in(reg) &raw mut control, options(nostack, preserves_flags));
        }
        control
    }

    pub(super) fn write(control: Control) {
        // SAFETY: SSE is part of x86-64; the instruction reads the four bytes of `control`, which are
        // the default or what `read` gave, so no reserved bit is set.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const control, options(nostack, readonly));
        }
    }
}

#[cfg(target_arch = "aarch64")]
use aarch64::{Control, DEFAULT, MODES, read, write};

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use std::arch::asm;

    /// FPCR.
    pub(super) type Control = u64;
    /// Every bit is a mode: what has happened stands in another register.
    pub(super) const MODES: Control = u64::MAX;
    /// Every exception masked, rounding to nearest.
    pub(super) const DEFAULT: Control = 0;

    pub(super) fn read() -> Control {
        let control: Control;
        // SAFETY: the register is readable at every privilege; no memory is touched.
        unsafe { asm!("mrs {}, fpcr", out(reg) control, options(nomem, nostack, preserves_flags)) };
        control
    }

    pub(super) fn write(control: Control) {
        // SAFETY: the register is writable at every privilege; no memory is touched; the value is the
        // default or what `read` gave.
        unsafe { asm!("msr fpcr, {}", in(reg) control, options(nostack)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use other::{Control, DEFAULT, MODES, read, write};

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod other {
    /// Not known here: taken for the default.
    pub(super) type Control = u8;
    pub(super) const MODES: Control = 0;
    pub(super) const DEFAULT: Control = 0;

    pub(super) fn read() -> Control {
        DEFAULT
    }

    pub(super) fn write(_: Control) {}
}
