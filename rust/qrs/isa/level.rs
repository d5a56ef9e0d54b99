//! Which levels this CPU has, which one is used, and how a kernel enters it.

use std::sync::OnceLock;

use super::Kernel;
use super::scalar::Scalar;
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx2::Avx2Seven, avx512vnni::Avx512Vnni};
#[cfg(target_arch = "aarch64")]
use super::{neon::Neon, neon_dot::NeonDot};
use crate::error::{Error, Result};
use crate::setting::setting;

/// An instruction set that the kernels can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Portable code: the definition of every operation.
    Scalar,
    /// x86-64 AVX2 and FMA; exact 16-bit products.
    Avx2,
    /// x86-64 AVX-512 with VNNI.
    Avx512Vnni,
    /// NEON of every `ARMv8` CPU.
    Neon,
    /// NEON of `ARMv8.2` with the dot-product instructions.
    NeonDot,
}

impl Level {
    /// Every level, slowest first.
    pub const ALL: [Self; 5] =
        [Self::Scalar, Self::Avx2, Self::Avx512Vnni, Self::Neon, Self::NeonDot];

    /// The name that `QRS_ISA` takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512Vnni => "avx512vnni",
            Self::Neon => "neon",
            Self::NeonDot => "neondot",
        }
    }

    /// Byte products a nanosecond of one core, roughly: decides how many threads a call deserves.
    #[must_use]
    pub fn products_per_nanosecond(self) -> usize {
        match self {
            Self::Scalar => 2,
            Self::Neon => 30,
            Self::Avx2 => 60,
            Self::NeonDot => 100,
            Self::Avx512Vnni => 200,
        }
    }

    /// Whether this CPU has it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => Avx512Vnni::new().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Neon::new().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => NeonDot::new().is_some(),
            #[allow(unreachable_patterns, reason = "depends on the architecture")]
            _ => false,
        }
    }

    /// The levels of this CPU, slowest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|level| level.is_available()).collect()
    }

    /// The level called `name`, in letters of any case, if this CPU has it.
    pub fn from_name(name: &str) -> Result<Self> {
        let is_it = |level: &Self| level.name().eq_ignore_ascii_case(name);
        Self::available().into_iter().find(is_it).ok_or_else(|| Error::UnknownLevel {
            name: name.to_owned(),
            available: Self::available().iter().map(|level| level.name()).collect(),
        })
    }

    /// Runs `kernel` compiled for this level.
    ///
    /// # Panics
    /// If this CPU lacks the level, which [`Level::from_name`] and [`level`] never return.
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            Self::Scalar => kernel.run(Scalar),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::new().expect("level avx2 is available").enter(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => {
                Avx512Vnni::new().expect("level avx512vnni is available").enter(kernel)
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Neon::new().expect("level neon is available").enter(kernel),
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot => NeonDot::new().expect("level neondot is available").enter(kernel),
            #[allow(unreachable_patterns, reason = "depends on the architecture")]
            _ => panic!("level {} is not of this architecture", self.name()),
        }
    }

    /// As [`Level::run`] for a kernel whose activations are all at most 127: levels with a faster
    /// product for that range use it. The results are the same bits.
    pub fn run_seven_bit<K: Kernel>(self, kernel: K) -> K::Output {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2Seven::new().expect("level avx2 is available").enter(kernel),
            _ => self.run(kernel),
        }
    }
}

/// The level in use: the best of this CPU, or the one that `QRS_ISA` names. Chosen once.
pub fn level() -> Result<Level> {
    static CHOSEN: OnceLock<Result<Level>> = OnceLock::new();
    CHOSEN
        .get_or_init(|| match setting("QRS_ISA") {
            Some(name) => Level::from_name(&name),
            None => Ok(*Level::available().last().expect("scalar is always available")),
        })
        .clone()
}
