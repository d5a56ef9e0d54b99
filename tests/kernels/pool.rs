use qrs::error::Error;
use qrs::isa::level;
use qrs::pool::{Average, Axis, Pool, mean};
use qrs::qparams::Rounding;

use crate::cases;
use crate::on_every_level;

#[test]
fn windows_equal_the_oracle() {
    on_every_level(cases::pool::windows);
}

#[test]
fn means_equal_the_oracle() {
    on_every_level(cases::pool::means);
}

#[test]
fn threads_change_nothing() {
    on_every_level(cases::pool::threads);
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let level = level().expect("a level");
    let axis = |size| Axis::adaptive("pool", size, 1).expect("some input");
    let axes = [axis(1), axis(2), axis(3)];
    let pool = Pool { op: "pool", batch: 1, axes: &axes, channels: 2 };
    assert!(pool.max(level, &[0_u8; 12], &mut [0; 2]).is_ok());
    assert!(pool.max(level, &[0_u8; 11], &mut [0; 2]).is_err());
    assert!(pool.max(level, &[0_u8; 12], &mut [0; 3]).is_err());
    assert!(mean(level, &[0_u8; 6], [2, 3, 1], 0, &mut [0; 3]).is_err());
    assert!(mean(level, &[0_u8; 5], [2, 3, 1], 0, &mut [0; 2]).is_err());
    assert!(mean::<u8>(level, &[], [2, 0, 1], 0, &mut [0; 2]).is_err());
}

#[test]
fn a_window_whose_sum_could_overflow_is_refused() {
    let level = level().expect("a level");
    let side = 1 << 13;
    let axes = [1, side, side].map(|size| Axis::adaptive("pool", size, 1).expect("some input"));
    let pool = Pool { op: "pool", batch: 1, axes: &axes, channels: 1 };
    let how = Average {
        zero_point: 0,
        rounding: Rounding::ThenAdd,
        include_padding: false,
        divisor: None,
    };
    let refused = pool.average(level, how, &vec![0_u8; side * side], &mut [0]);
    assert!(matches!(refused, Err(Error::TooDeep { .. })), "{refused:?}");
}
