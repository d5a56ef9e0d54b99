//! Softmax and layer normalization: the portable level defines their bits.

use qrs::isa::Level;
use qrs::norm::{LayerNorm, softmax};
use qrs::parallel::set_num_threads;

use super::{Hash, Rng, same};

fn soft(level: Level, x: &[f32], n: usize, logarithm: bool) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    softmax(level, x, n, logarithm, &mut out).expect("lengths agree");
    out
}

fn normal(level: Level, by: LayerNorm<'_>, x: &[f32], n: usize) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    by.apply(level, x, n, &mut out).expect("lengths agree");
    out
}

/// Rows of all tails, of ordinary values and of any bit patterns.
pub fn rows(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(31);
    for n in (0..70).chain([1000]) {
        for ordinary in [true, false] {
            let x = if ordinary {
                rng.floats(3 * n, -20.0, 20.0)
            } else {
                rng.vec(3 * n, Rng::any_float)
            };
            let what = format!("3 x {n}, ordinary={ordinary}");
            for logarithm in [false, true] {
                let wanted = soft(Level::Scalar, &x, n, logarithm);
                same(&mut hash, "softmax", level, &what, &soft(level, &x, n, logarithm), &wanted);
            }
            let (weight, bias) = (rng.floats(n, -2.0, 2.0), rng.floats(n, -2.0, 2.0));
            for (weight, bias) in
                [(None, None), (Some(&weight[..]), Some(&bias[..])), (Some(&weight[..]), None)]
            {
                let by = LayerNorm { weight, bias, eps: 1e-5 };
                let wanted = normal(Level::Scalar, by, &x, n);
                same(&mut hash, "layer_norm", level, &what, &normal(level, by, &x, n), &wanted);
            }
        }
    }
    hash.0
}

/// Results on 1, 2, 3 and 8 threads.
pub fn threads(level: Level) -> u64 {
    let mut hash = Hash::default();
    let (m, n) = (200, 999);
    let x = Rng(32).floats(m * n, -5.0, 5.0);
    let by = LayerNorm { weight: None, bias: None, eps: 1e-5 };
    let wanted = (soft(Level::Scalar, &x, n, false), normal(Level::Scalar, by, &x, n));
    for count in [1, 2, 3, 8] {
        set_num_threads(count).expect("a valid number");
        let what = format!("{m} x {n}, {count} threads");
        same(&mut hash, "softmax", level, &what, &soft(level, &x, n, false), &wanted.0);
        same(&mut hash, "layer_norm", level, &what, &normal(level, by, &x, n), &wanted.1);
    }
    hash.0
}
