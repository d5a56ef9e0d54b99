//! The oracle: every operation as plain, obvious scalar code in i64 and f64, one file per family.
//!
//! It shares the formula types of [`crate::qparams`] with what it judges, and nothing else.

pub mod conv;
pub mod linear;
pub mod rnn;
