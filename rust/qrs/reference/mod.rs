//! The oracle: every operation as plain, obvious scalar code in i64 and f64, one file per family.
//!
//! It shares the formula types of [`crate::qparams`] with what it judges, and nothing else.

pub mod activation;
pub mod conv;
pub mod embedding;
pub mod histogram;
pub mod linear;
pub mod norm;
pub mod normalize;
pub mod pointwise;
pub mod pool;
pub mod quantize;
pub mod resample;
pub mod rnn;
