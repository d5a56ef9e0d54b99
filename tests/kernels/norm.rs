use qrs::isa::{Level, level};
use qrs::norm::{LayerNorm, softmax};
use qrs::reference;

use crate::cases::Rng;
use crate::cases::norm as cases;
use crate::on_every_level;

fn best() -> Level {
    level().expect("level")
}

fn bits<const N: usize>(values: [f32; N]) -> [u32; N] {
    values.map(f32::to_bits)
}

#[test]
fn every_level_gives_the_bits_of_the_portable_one() {
    on_every_level(cases::rows);
}

#[test]
fn threads_do_not_change_results() {
    on_every_level(cases::threads);
}

#[test]
fn softmax_is_as_exact_as_its_sum() {
    let mut rng = Rng(33);
    for n in [1, 2, 10, 100, 1000, 50_000] {
        // The argument of the exponential is itself rounded, up to 35 / 2^24; the sum adds the rest.
        let allowed = 2e-6 + 1e-10 * n as f64;
        let x = rng.floats(n, -30.0, 5.0);
        let mut got = vec![0.0; n];
        softmax(best(), &x, n, false, &mut got).expect("lengths agree");
        for (i, (&got, wanted)) in got.iter().zip(reference::norm::softmax(&x, false)).enumerate() {
            let error = (f64::from(got) - wanted).abs();
            assert!(error <= allowed * wanted, "{n} values, {i}: {got}, wanted {wanted}");
        }
        let sum: f64 = got.iter().copied().map(f64::from).sum();
        assert!((sum - 1.0).abs() < allowed, "{n} values sum to {sum}");
        softmax(best(), &x, n, true, &mut got).expect("lengths agree");
        for (&got, wanted) in got.iter().zip(reference::norm::softmax(&x, true)) {
            assert!((f64::from(got) - wanted).abs() <= 1e-5, "{n} values: {got}, wanted {wanted}");
        }
    }
}

#[test]
fn softmax_handles_the_ends_of_the_range() {
    let of = |x: [f32; 2], logarithm| {
        let mut out = [0.0; 2];
        softmax(best(), &x, 2, logarithm, &mut out).expect("lengths agree");
        out
    };
    assert_eq!(bits(of([1000.0, 0.0], false)), bits([1.0, 0.0]));
    assert_eq!(bits(of([f32::NEG_INFINITY, -3.0], false)), bits([0.0, 1.0]));
    assert_eq!(bits(of([f32::NEG_INFINITY, -3.0], true)), bits([f32::NEG_INFINITY, 0.0]));
    assert_eq!(bits(of([f32::MIN, f32::MAX], false)), bits([0.0, 1.0]));
    for nothing in [[f32::NAN, 0.0], [f32::INFINITY, 0.0], [f32::NEG_INFINITY; 2]] {
        assert!(of(nothing, false).iter().all(|v| v.is_nan()), "{nothing:?}");
        assert!(of(nothing, true).iter().all(|v| v.is_nan()), "{nothing:?}");
    }
}

#[test]
fn layer_norm_stays_close_to_the_exact_value() {
    let mut rng = Rng(34);
    for n in [1, 2, 10, 100, 1000, 50_000] {
        // A mean far from zero costs digits of the distances: 100 / 2^24 here.
        let x = rng.floats(n, 90.0, 110.0);
        let (weight, bias) = (rng.floats(n, -2.0, 2.0), rng.floats(n, -2.0, 2.0));
        let by = LayerNorm { weight: Some(&weight), bias: Some(&bias), eps: 1e-5 };
        let mut got = vec![0.0; n];
        by.apply(best(), &x, n, &mut got).expect("lengths agree");
        for (i, (&got, wanted)) in got.iter().zip(reference::norm::layer_norm(by, &x)).enumerate() {
            let error = (f64::from(got) - wanted).abs();
            assert!(error <= 2e-5, "{n} values, {i}: {got}, wanted {wanted}");
        }
    }
}

#[test]
fn a_constant_row_normalizes_to_its_bias() {
    let by = LayerNorm { weight: Some(&[3.0; 5]), bias: Some(&[0.25; 5]), eps: 1e-5 };
    let mut out = [0.0; 5];
    by.apply(best(), &[7.0; 5], 5, &mut out).expect("lengths agree");
    assert_eq!(bits(out), bits([0.25; 5]));
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let mut out = [0.0; 6];
    assert!(softmax(best(), &[0.0; 6], 4, false, &mut out).is_err());
    assert!(softmax(best(), &[0.0; 6], 0, false, &mut out).is_err());
    assert!(softmax(best(), &[0.0; 5], 3, false, &mut out).is_err());
    assert_eq!(softmax(best(), &[], 0, false, &mut []), Ok(()));
    let by = LayerNorm { weight: Some(&[1.0; 2]), bias: None, eps: 1e-5 };
    let refused = by.apply(best(), &[0.0; 6], 3, &mut out).expect_err("weights differ").to_string();
    assert_eq!(refused, "layer_norm: number of weights is 2, expected 3");
    assert!(
        LayerNorm { weight: None, bias: Some(&[1.0; 4]), eps: 0.0 }
            .apply(best(), &[0.0; 6], 3, &mut out)
            .is_err()
    );
}
