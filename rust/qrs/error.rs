//! One error type; every variant carries the numbers that its sentence needs.

use std::fmt;

/// What can go wrong in a call of this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// A buffer or dimension does not fit the others.
    Shape {
        /// Operation, such as `linear`.
        op: &'static str,
        /// What was measured, such as `input features`.
        what: &'static str,
        /// What came.
        got: usize,
        /// What was expected.
        expected: usize,
    },
    /// A value lies outside what the operation takes.
    Value {
        /// Operation.
        op: &'static str,
        /// A sentence: what came, what was expected, what to do.
        message: String,
    },
    /// Sums of this many products could leave 32 bits.
    TooDeep {
        /// Operation.
        op: &'static str,
        /// Products per output.
        k: usize,
        /// The most that is safe.
        limit: usize,
    },
    /// NaN or infinity where a range had to be measured.
    NonFinite {
        /// Operation.
        op: &'static str,
        /// Index of the row that holds it.
        row: usize,
    },
    /// An index that is no row of a table.
    Index {
        /// Operation.
        op: &'static str,
        /// The index.
        index: i64,
        /// Rows of the table.
        rows: usize,
    },
    /// `QRS_ISA` or a caller named a level that this CPU lacks.
    UnknownLevel {
        /// The name.
        name: String,
        /// What this CPU has.
        available: Vec<&'static str>,
    },
}

/// `Result` with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { op, what, got, expected } => {
                write!(f, "{op}: {what} is {got}, expected {expected}")
            }
            Self::Value { op, message } => write!(f, "{op}: {message}"),
            Self::TooDeep { op, k, limit } => write!(
                f,
                "{op}: {k} products per output could overflow 32 bits, at most {limit} are exact; \
                 split the layer"
            ),
            Self::NonFinite { op, row } => write!(
                f,
                "{op}: row {row} of the input holds NaN or infinity, expected finite values; \
                 check what comes before this layer"
            ),
            Self::Index { op, index, rows } => write!(
                f,
                "{op}: index {index} came for a table of {rows} rows, expected at least 0 and less than \
                 {rows}"
            ),
            Self::UnknownLevel { name, available } => write!(
                f,
                "QRS_ISA: level `{name}` is unknown or missing on this CPU, expected one of {}",
                available.join(", ")
            ),
        }
    }
}

impl std::error::Error for Error {}

/// `Ok` if `got == expected`, else the [`Error::Shape`] that says so.
pub(crate) fn same(
    op: &'static str,
    what: &'static str,
    got: usize,
    expected: usize,
) -> Result<()> {
    if got == expected { Ok(()) } else { Err(Error::Shape { op, what, got, expected }) }
}
