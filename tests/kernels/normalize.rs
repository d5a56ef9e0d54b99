use qrs::isa::level;
use qrs::norm::{Affine, Groups};
use qrs::qparams::QParams;

use crate::cases;
use crate::on_every_level;

#[test]
fn normalization_equals_the_oracle() {
    on_every_level(cases::normalize::all);
}

#[test]
fn sums_beyond_32_bits_are_exact() {
    on_every_level(cases::normalize::long);
}

#[test]
fn threads_change_nothing() {
    on_every_level(cases::normalize::threads);
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let level = level().expect("a level");
    let params = QParams { scale: 1.0, zero_point: 0 };
    let by = |weight| Affine {
        weight,
        bias: None,
        eps: 1e-5,
        input: params,
        output: params,
        relu: false,
    };
    let shape =
        |groups| Groups { batch: 1, channels: 4, positions: 3, groups, channels_last: true };
    let (x, mut out) = ([0_u8; 12], [0; 12]);
    assert!(by(None).group(level, shape(2), &x, &mut out).is_ok());
    assert!(by(None).group(level, shape(3), &x, &mut out).is_err(), "groups that divide nothing");
    assert!(by(None).group(level, shape(2), &x[1..], &mut out).is_err());
    assert!(by(Some(&[1.0; 3])).group(level, shape(2), &x, &mut out).is_err());
    assert!(by(None).layer(level, &x, 5, &mut out).is_err());
    assert!(by(Some(&[1.0; 3])).layer(level, &x, 4, &mut out).is_err());
    let statistics = (&[0.0; 3][..], &[1.0; 4][..]);
    assert!(by(None).batch(level, shape(1), statistics, &x, &mut out).is_err());
}
