//! Activations: the portable level defines their bits; what they may be wrong by is checked once.

use qrs::activation::Function;
use qrs::isa::Level;
use qrs::parallel::set_num_threads;

use super::{Hash, Rng, same};

fn applied(function: Function, level: Level, x: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    function.apply(level, x, &mut out).expect("lengths agree");
    out
}

/// Every 65521st bit pattern, a dense range, and all tails.
pub fn bits(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(21);
    let all: Vec<_> = (0..=u32::MAX).step_by(65_521).map(f32::from_bits).collect();
    let dense: Vec<_> = (-40_000..=40_000).map(|i| i as f32 / 2000.0).collect();
    for &function in Function::ALL {
        let name = function.name();
        for x in [&all, &dense] {
            let wanted = applied(function, Level::Scalar, x);
            same(&mut hash, name, level, "a sweep", &applied(function, level, x), &wanted);
        }
        for len in 0..70 {
            let mut x = rng.floats(len, -10.0, 10.0);
            let wanted = applied(function, Level::Scalar, &x);
            same(&mut hash, name, level, len, &applied(function, level, &x), &wanted);
            function.apply_in_place(level, &mut x);
            same(&mut hash, name, level, format!("{len} in place"), &x, &wanted);
        }
    }
    hash.0
}

/// Results on 1, 2, 3 and 8 threads.
pub fn threads(level: Level) -> u64 {
    let mut hash = Hash::default();
    let x = Rng(22).floats(100_003, -10.0, 10.0);
    for &function in Function::ALL {
        let wanted = applied(function, Level::Scalar, &x);
        for n in [1, 2, 3, 8] {
            set_num_threads(n).expect("a valid number");
            let what = format!("{n} threads");
            same(&mut hash, function.name(), level, what, &applied(function, level, &x), &wanted);
        }
    }
    hash.0
}
