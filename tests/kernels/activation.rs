use qrs::activation::Function;
use qrs::isa::level;
use qrs::reference;

use crate::cases::activation as cases;
use crate::on_every_level;

#[test]
fn every_level_gives_the_bits_of_the_portable_one() {
    on_every_level(cases::bits);
}

#[test]
fn threads_do_not_change_results() {
    on_every_level(cases::threads);
}

/// What the documentation of `activation` promises.
#[derive(Clone, Copy)]
enum Promise {
    /// Units in the last place, plus an absolute error where results below the normal numbers vanish.
    Ulp(f64, f64),
    /// Multiples of `2^-24 |x|`.
    OfArgument(f64),
}

fn promise(function: Function) -> Promise {
    match function {
        Function::Exp => Promise::Ulp(0.93, 0.0),
        Function::Sigmoid => Promise::Ulp(2.5, 5e-39),
        Function::Tanh => Promise::Ulp(2.6, 0.0),
        Function::Erf => Promise::Ulp(2.8, 0.0),
        Function::Gelu => Promise::OfArgument(2.0),
        Function::GeluTanh => Promise::OfArgument(2.7),
        Function::Silu => Promise::Ulp(2.6, 4e-37),
    }
}

/// The error that `promise` allows at `x`, where the function's value is `exact`.
fn allowed(promise: Promise, x: f64, exact: f64) -> f64 {
    match promise {
        Promise::Ulp(count, vanished) => {
            let size = exact.abs().max(f32::MIN_POSITIVE.into());
            let ulp = f64::from_bits(size.to_bits() & (0x7ff << 52)) / f64::from(1 << 23);
            count * ulp + vanished
        }
        // Below the normal numbers each of two roundings may lose half the smallest number.
        Promise::OfArgument(count) => count * x.abs() / f64::from(1 << 24) + 1.5e-45,
    }
}

/// Checks `function` on every `step`-th bit pattern.
fn check(function: Function, step: usize) {
    let level = level().expect("level");
    let mut patterns = (0..=u32::MAX).step_by(step).map(f32::from_bits);
    loop {
        let x: Vec<_> = patterns.by_ref().take(4096).collect();
        if x.is_empty() {
            return;
        }
        let mut got = vec![0.0; x.len()];
        function.apply(level, &x, &mut got).expect("lengths agree");
        for (&x, &got) in x.iter().zip(&got) {
            if x.is_nan() {
                assert!(got.is_nan(), "{function:?} of NaN is {got}");
            }
            if !x.is_finite() {
                continue;
            }
            let exact = reference::activation::value(function, x.into());
            let rounded = exact as f32;
            if rounded.is_infinite() {
                assert!(
                    got.to_bits() == rounded.to_bits(),
                    "{function:?} of {x:e} is {got:e}, wanted {rounded:e}"
                );
                continue;
            }
            let error = (f64::from(got) - exact).abs();
            let allowed = allowed(promise(function), x.into(), exact);
            assert!(
                error <= allowed,
                "{function:?} of {x:e} is {got:e}, exact {exact:e}: error {error:e}, allowed {allowed:e}"
            );
        }
    }
}

/// With `QRS_EXHAUSTIVE` set, every float; otherwise 2^24 of them.
fn step() -> usize {
    if std::env::var_os("QRS_EXHAUSTIVE").is_some() { 1 } else { 255 }
}

#[test]
fn errors_of_exp_and_sigmoid_stay_within_their_bounds() {
    check(Function::Exp, step());
    check(Function::Sigmoid, step());
}

#[test]
fn errors_of_tanh_and_silu_stay_within_their_bounds() {
    check(Function::Tanh, step());
    check(Function::Silu, step());
}

#[test]
fn errors_of_erf_stay_within_their_bounds() {
    check(Function::Erf, step());
}

#[test]
fn errors_of_gelu_stay_within_their_bounds() {
    check(Function::Gelu, step());
    check(Function::GeluTanh, step());
}

#[test]
fn limits_are_exact() {
    let inf = f32::INFINITY;
    let limits = [
        (Function::Exp, [(0.0, 1.0), (inf, inf), (-inf, 0.0)]),
        (Function::Sigmoid, [(0.0, 0.5), (inf, 1.0), (-inf, 0.0)]),
        (Function::Tanh, [(3e-39, 3e-39), (inf, 1.0), (-inf, -1.0)]),
        (Function::Erf, [(4.5, 1.0), (inf, 1.0), (-inf, -1.0)]),
        (Function::Gelu, [(0.0, 0.0), (inf, inf), (20.0, 20.0)]),
        (Function::GeluTanh, [(0.0, 0.0), (inf, inf), (20.0, 20.0)]),
        (Function::Silu, [(0.0, 0.0), (inf, inf), (100.0, 100.0)]),
    ];
    for (function, cases) in limits {
        for (x, wanted) in cases {
            let got = of(function, x);
            assert!(got.to_bits() == wanted.to_bits(), "{function:?} of {x} is {got}");
        }
    }
}

#[test]
fn odd_functions_keep_the_sign_of_the_smallest_numbers() {
    for function in [Function::Tanh, Function::Erf] {
        for tiny in [0.0, -0.0, 1e-45, -1e-45] {
            let got = of(function, tiny);
            assert!(got.is_sign_negative() == tiny.is_sign_negative(), "{function:?} of {tiny:e}");
        }
    }
}

fn of(function: Function, x: f32) -> f32 {
    let mut v = [x];
    function.apply_in_place(level().expect("level"), &mut v);
    v[0]
}

#[test]
fn a_room_of_another_length_is_refused() {
    let level = level().expect("level");
    let refused =
        Function::Tanh.apply(level, &[0.0; 3], &mut [0.0; 2]).expect_err("lengths differ");
    assert_eq!(refused.to_string(), "tanh: output length is 2, expected 3");
}
