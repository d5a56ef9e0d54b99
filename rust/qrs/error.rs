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
    /// Sizes that do not go together.
    Sizes {
        /// Operation.
        op: &'static str,
        /// A sentence: what came, what was expected, what to do.
        message: String,
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
    /// No room for what an operation keeps.
    Memory {
        /// Operation.
        op: &'static str,
        /// Bytes that were asked for.
        bytes: usize,
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
            Self::Sizes { op, message } | Self::Value { op, message } => {
                write!(f, "{op}: {message}")
            }
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
            Self::Memory { op, bytes } => write!(
                f,
                "{op}: {bytes} bytes were asked for and there is no room; free memory, or split the layer"
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

/// `count` times `value`.
///
/// # Errors
/// If there is no room.
pub(crate) fn filled<T: Clone>(op: &'static str, value: T, count: usize) -> Result<Vec<T>> {
    let mut values = Vec::new();
    let bytes = count.saturating_mul(size_of::<T>());
    values.try_reserve_exact(count).map_err(|_| Error::Memory { op, bytes })?;
    values.resize(count, value);
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_room_is_an_error() {
        let refused = filled("pack", [0_u8; 64], usize::MAX / 128).expect_err("no room");
        assert_eq!(refused, Error::Memory { op: "pack", bytes: usize::MAX / 128 * 64 });
        assert_eq!(filled("pack", 7, 3), Ok(vec![7; 3]));
    }
}
