//! What the kernels must do, as plain functions without any dependency: the test binary runs each on
//! every level of this CPU, the cross binary runs them on emulated ones.
//!
//! A case panics at the first wrong value, naming the operation, level, shape, seed and index. It
//! returns a hash of all its outputs, which is the same on every level and machine.

use std::fmt::{Debug, Display};

use qrs::isa::Level;

pub mod activation;
pub mod conv;
pub mod embedding;
pub mod histogram;
pub mod linear;
pub mod norm;
pub mod normalize;
pub mod pointwise;
pub mod pool;
pub mod product;
pub mod quantize;
pub mod resample;
pub mod rnn;

/// A name and what it checks.
pub type Case = (&'static str, fn(Level) -> u64);

/// Every case.
#[allow(dead_code, reason = "the cross binary's table; the test binary names each case")]
pub const ALL: &[Case] = &[
    ("product, dense", product::dense),
    ("product, gathered", product::gathered),
    ("linear, dynamic", linear::dynamic),
    ("linear, threads", linear::threads),
    ("rnn, int8", rnn::int8),
    ("rnn, float", rnn::float),
    ("rnn, layouts", rnn::layouts),
    ("rnn, threads", rnn::threads),
    ("linear, quantized", conv::linear),
    ("conv, quantized", conv::quantized),
    ("conv, transposed", conv::transposed),
    ("conv, transposed extremes", conv::transposed_extremes),
    ("quantize, per tensor", quantize::per_tensor),
    ("quantize, per channel", quantize::per_channel),
    ("quantize, sums", quantize::requantize),
    ("quantize, bounds", quantize::bounds),
    ("quantize, all exponents", quantize::sampled),
    ("quantize, threads", quantize::threads),
    ("table", quantize::table),
    ("activation, bits", activation::bits),
    ("activation, threads", activation::threads),
    ("norm, rows", norm::rows),
    ("norm, threads", norm::threads),
    ("pointwise, pairs", pointwise::binary),
    ("pointwise, bounds", pointwise::clamped),
    ("pointwise, joined", pointwise::joined),
    ("pointwise, matmul", pointwise::product),
    ("pointwise, threads", pointwise::threads),
    ("pool, windows", pool::windows),
    ("pool, means", pool::means),
    ("pool, threads", pool::threads),
    ("normalize", normalize::all),
    ("normalize, long", normalize::long),
    ("normalize, threads", normalize::threads),
    ("embedding", embedding::all),
    ("embedding, threads", embedding::threads),
    ("histogram, counts", histogram::counts),
    ("histogram, ranges", histogram::ranges),
    ("histogram, threads", histogram::threads),
    ("resample, bilinear", resample::between),
    ("resample, select", resample::chosen),
    ("resample, permute", resample::moved),
    ("resample, threads", resample::threads),
];

/// A small generator (splitmix64): one seed, one sequence, everywhere.
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

#[allow(dead_code, reason = "each binary uses some")]
impl Rng {
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `low..=high`.
    pub fn int(&mut self, low: i32, high: i32) -> i32 {
        let count = i64::from(high) - i64::from(low) + 1;
        (i64::from(low) + (self.bits() >> 1) as i64 % count) as i32
    }

    /// Uniform in `low..high`, from 24 random bits.
    pub fn float(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.bits() >> 40) as f32 / (1 << 24) as f32;
        low + (high - low) * unit
    }

    /// Any bit pattern: NaN, infinities and subnormal numbers included.
    pub fn any_float(&mut self) -> f32 {
        f32::from_bits(self.bits() as u32)
    }

    /// `len` values of `f`.
    pub fn vec<T>(&mut self, len: usize, mut f: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..len).map(|_| f(self)).collect()
    }

    /// `len` random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        self.vec(len, |rng| rng.bits() as u8)
    }

    /// `len` floats in `low..high`.
    pub fn floats(&mut self, len: usize, low: f32, high: f32) -> Vec<f32> {
        self.vec(len, |rng| rng.float(low, high))
    }
}

/// A value that can be compared bit by bit and hashed. All NaN count as one.
pub trait Bits: Copy + Debug {
    /// The bits.
    fn bits(self) -> u64;
}

impl Bits for f32 {
    fn bits(self) -> u64 {
        if self.is_nan() { 0x7fc0_0000 } else { self.to_bits().into() }
    }
}

macro_rules! integer_bits {
    ($($t:ty),+) => { $(impl Bits for $t {
        fn bits(self) -> u64 {
            self as u64
        }
    })+ };
}
integer_bits!(u8, i8, i32, i64, u64);

/// Hash of everything that a case computed.
#[derive(Clone, Copy, Debug)]
pub struct Hash(pub u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    /// Takes in values.
    pub fn add<T: Bits>(&mut self, values: &[T]) {
        for v in values {
            self.0 = (self.0 ^ v.bits()).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(17);
        }
    }
}

/// Demands that `got` and `wanted` are the same bits, and takes them into `hash`. `what` names the
/// shape and seed.
#[track_caller]
pub fn same<T: Bits>(
    hash: &mut Hash,
    op: &str,
    level: Level,
    what: impl Display,
    got: &[T],
    wanted: &[T],
) {
    let level = level.name();
    assert!(
        got.len() == wanted.len(),
        "{op} on {level}, {what}: {} values, wanted {}",
        got.len(),
        wanted.len()
    );
    for (i, (g, w)) in got.iter().zip(wanted).enumerate() {
        assert!(g.bits() == w.bits(), "{op} on {level}, {what}: value {i} is {g:?}, wanted {w:?}");
    }
    hash.add(got);
}
