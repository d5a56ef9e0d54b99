//! Products of quantized matrices, neither of which is known before the call.
//!
//! The second matrix is packed on the way, like the weights of a linear layer with one scale and zero
//! point: `q = clamp(z + rne(f32(sum of (q_a - z_a) (q_b - z_b)) * ((s_a * s_b) / s)))`.

use crate::error::{Result, same};
use crate::isa::Level;
use crate::linear::Linear;
use crate::parallel::{Split, split, threads_for};
use crate::qparams::{Engine, QParams, QUINT8};
use crate::requant::Static;
use crate::shuffle::permute;

/// Sizes of a batch of products `[m, k] x [k, n]`.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Products.
    pub batch: usize,
    /// Rows of the first matrix.
    pub m: usize,
    /// Columns of the first, rows of the second.
    pub k: usize,
    /// Columns of the second.
    pub n: usize,
}

/// `out[i] = a[i] x b[i]` for matrices of unsigned bytes.
///
/// # Errors
/// If a length does not fit, sums could overflow, or the scales do not fit each other.
pub fn matmul(
    level: Level,
    sizes: Sizes,
    (a, b): (&[u8], &[u8]),
    inputs: [QParams; 2],
    output: QParams,
    out: &mut [u8],
) -> Result<()> {
    const OP: &str = "matmul";
    let Sizes { batch, m, k, n } = sizes;
    same(OP, "length of the first operand", a.len(), batch * m * k)?;
    same(OP, "length of the second operand", b.len(), batch * k * n)?;
    same(OP, "output length", out.len(), batch * m * n)?;
    let how = Static { engine: Engine::Fbgemm, input: inputs[0], output, span: QUINT8 };
    let work = batch * n * k * (1 + m / level.products_per_nanosecond());
    let result = std::sync::Mutex::new(Ok(()));
    split(out, m * n, threads_for(work), Split::Rows(1), |mut window| {
        for i in window.rows() {
            let (a, b) = (&a[i * m * k..][..m * k], &b[i * k * n..][..k * n]);
            let product = one(level, (m, k, n), (a, b), inputs[1], how, window.row(i));
            if product.is_err() {
                *result.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = product;
            }
        }
    });
    result.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// One product. Its rows are shared out if the batch was not.
fn one(
    level: Level,
    (m, k, n): (usize, usize, usize),
    (a, b): (&[u8], &[u8]),
    second: QParams,
    how: Static,
    out: &mut [u8],
) -> Result<()> {
    let mut columns = vec![0; k * n];
    permute(level, b, &[k, n], &[1, 0], &mut columns)?;
    // Weights are signed: both the integers and their zero point less 128.
    let weights: Vec<i8> = columns.iter().map(|&q| (q ^ 0x80) as i8).collect();
    let zero_points = vec![second.zero_point - 128; n];
    let weights = Linear::new(&weights, (n, k), &[second.scale], Some(&zero_points), None)?;
    weights.quantized(level, how, m, a, out)
}
