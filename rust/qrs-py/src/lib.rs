//! The Python module `qrs._qrs`: checks arguments, releases the GIL, calls the kernels, wraps results.
//!
//! `python/qrs/_kernels.py` is its only user; the documentation of users is there.

mod activation;
#[expect(unsafe_code, reason = "the one place where NumPy memory becomes slices")]
mod array;
mod backend;
mod bytes;
mod call;
mod conv;
mod embedding;
mod error;
mod fixed;
mod histogram;
mod layout;
mod linear;
mod norm;
mod normalize;
mod pointwise;
mod pool;
mod quantize;
mod resample;
mod rnn;
mod threads;

/// Kernels of qrs. Private: use the functions of `qrs`.
#[pyo3::pymodule]
mod _qrs {
    #[pymodule_export]
    #[allow(non_upper_case_globals, reason = "Python's name")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_export]
    use super::activation::activation;
    #[pymodule_export]
    use super::backend::{available_levels, level};
    #[pymodule_export]
    use super::conv::{PackedConv, PackedConvTranspose};
    #[pymodule_export]
    use super::embedding::PackedEmbedding;
    #[pymodule_export]
    use super::histogram::{
        divergences, histogram, histogram_on_grid, least_error_range, squared_errors,
    };
    #[pymodule_export]
    use super::linear::PackedLinear;
    #[pymodule_export]
    use super::norm::{layer_norm, softmax};
    #[pymodule_export]
    use super::normalize::{batch_norm, group_norm, quantized_layer_norm};
    #[pymodule_export]
    use super::pointwise::{binary, cat, clamp, lookup, matmul};
    #[pymodule_export]
    use super::pool::{adaptive_pool, avg_pool, max_pool, mean};
    #[pymodule_export]
    use super::quantize::{
        choose_qparams, dequantize, dequantize_float_qparams, dequantize_per_channel, min_max,
        quantize, quantize_float_qparams, quantize_per_channel,
    };
    #[pymodule_export]
    use super::resample::{bilinear, nearest, permute, select};
    #[pymodule_export]
    use super::rnn::PackedRnn;
    #[pymodule_export]
    use super::threads::{get_num_threads, set_num_threads};

    #[pymodule_init]
    fn init(_module: &pyo3::Bound<'_, pyo3::types::PyModule>) -> pyo3::PyResult<()> {
        super::threads::check_environment()
    }
}
