//! Loops of chosen instructions, which no compiler may rearrange: what kernels can be made of.

#![expect(unsafe_code, reason = "instruction sequences are written in assembly")]

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "aarch64")]
use aarch64 as machine;
#[cfg(target_arch = "x86_64")]
use x86_64 as machine;
#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
mod machine {
    pub fn sequences() -> Vec<super::Sequence> {
        Vec::new()
    }

    pub fn read(buffer: &[u8]) {
        std::hint::black_box(buffer.iter().fold(0_u8, |all, &byte| all | byte));
    }
}

/// Those that this CPU has.
pub fn sequences() -> Vec<Sequence> {
    machine::sequences()
}

/// Reads `buffer`, but for what does not fill a pass of the loop.
pub fn read(buffer: &[u8]) {
    machine::read(buffer);
}

/// A sequence of instructions without memory, repeated.
pub struct Sequence {
    /// The instructions.
    pub name: &'static str,
    /// The level whose products are made of it; empty for what is no product.
    pub level: &'static str,
    /// Whether its sums are exact for all bytes.
    pub exact: bool,
    /// Products of one repetition (for the clock: cycles).
    pub products: usize,
    /// Repeats it.
    pub run: fn(usize),
}
