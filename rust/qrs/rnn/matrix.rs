//! What a recurrent layer asks of its weights, whatever they are made of.

use std::fmt::Debug;

use crate::error::Result;
use crate::gemm::Sweep;
use crate::isa::{Isa, Kernel, Level, PANEL_BLOCKS};
use crate::qparams::{Engine, QParams};
use crate::scratch::{QuantizedRows, Scratch};

/// Takes finished products.
pub trait Sink {
    /// The products of staged row `row` with the blocks of panel `panel`, bias included; blocks that
    /// the panel lacks are zero.
    fn take<I: Isa>(&mut self, isa: I, row: usize, panel: usize, gates: [I::F; PANEL_BLOCKS]);
}

/// Rows made ready for a product.
#[derive(Default, Debug)]
pub struct Staged {
    /// For integer weights.
    pub quantized: QuantizedRows,
    /// For float weights: strips of rows, each `[input][row]`.
    pub floats: Vec<f32>,
    /// Number of rows.
    pub rows: usize,
}

/// Packed weights: `n` outputs of `k` inputs.
pub trait Matrix: Sized + Send + Sync + Debug {
    /// The plain weights and what belongs to them.
    type Plain<'a>: Copy;

    /// Packs the rows `channels` of `plain`, which is `size.0` by `size.1`, in panels of `width`
    /// blocks.
    fn pack(
        op: &'static str,
        plain: Self::Plain<'_>,
        size: (usize, usize),
        channels: &[Option<usize>],
        width: usize,
    ) -> Result<Self>;

    /// Inputs of a row.
    fn k(&self) -> usize;

    /// Bytes held.
    fn bytes(&self) -> usize;

    /// Nanoseconds, about, that `rows` rows take on one thread.
    fn nanoseconds(&self, level: Level, rows: usize) -> usize;

    /// Runs `kernel` on the level's fastest product for these weights.
    fn enter<K: Kernel>(level: Level, engine: Engine, kernel: K) -> K::Output;

    /// Parameters of all rows of `x` together, where these weights and the profile want that.
    ///
    /// # Errors
    /// The number of a row that holds NaN or infinity.
    fn measure<I: Isa>(&self, isa: I, engine: Engine, x: &[f32]) -> Measured<Option<QParams>>;

    /// Makes `count` rows ready, with the parameters `whole` or else with those measured here.
    ///
    /// # Errors
    /// The number of a row that holds NaN or infinity.
    fn stage<'x, I: Isa>(
        &self,
        isa: I,
        engine: Engine,
        whole: Option<QParams>,
        count: usize,
        row: impl Fn(usize) -> &'x [f32],
        to: &mut Staged,
    ) -> Measured<()>;

    /// Multiplies staged rows by panels, in the order of `sweep`.
    fn multiply<I: Isa, S: Sink>(
        &self,
        isa: I,
        engine: Engine,
        staged: &Staged,
        sweep: Sweep,
        scratch: &mut Scratch,
        sink: &mut S,
    );
}

/// A value, or the number of the row that cannot be quantized.
pub type Measured<T> = std::result::Result<T, usize>;
