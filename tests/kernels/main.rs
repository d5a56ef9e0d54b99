//! Every operation on every instruction set of this CPU, against plain code.

mod activation;
mod cases;
mod conv;
mod embedding;
mod histogram;
mod linear;
mod norm;
mod normalize;
mod pointwise;
mod pool;
mod quantize;
mod resample;
mod rnn;

use qrs::isa::Level;

/// Runs a case on every level; all must compute the same bits.
#[track_caller]
fn on_every_level(case: fn(Level) -> u64) {
    let hashes: Vec<_> =
        Level::available().into_iter().map(|level| (level.name(), case(level))).collect();
    assert!(hashes.iter().all(|(_, hash)| *hash == hashes[0].1), "levels differ: {hashes:x?}");
}
