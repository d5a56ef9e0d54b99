//! Exact int8 kernels.

pub mod activation;
pub mod byte;
pub mod columns;
pub mod conv;
pub mod embedding;
pub mod error;
pub mod gemm;
mod gemm_bytes;
pub mod histogram;
#[expect(unsafe_code, reason = "the one place of CPU instructions; see isa/mod.rs")]
pub mod isa;
pub mod linear;
pub mod matmul;
pub mod norm;
pub mod pack;
pub mod parallel;
pub mod pointwise;
pub mod pool;
pub mod qparams;
pub mod quantize;
#[doc(hidden)]
pub mod reference;
pub mod requant;
pub mod resample;
pub mod rnn;
pub mod scratch;
mod setting;
pub mod shuffle;
pub mod table;
