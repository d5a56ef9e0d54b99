use qrs::isa::level;
use qrs::matmul::{Sizes, matmul};
use qrs::pointwise::{Binary, Broadcast, Operation, Piece, cat, clamp};
use qrs::qparams::QParams;

use crate::cases;
use crate::on_every_level;

#[test]
fn sums_and_products_equal_the_oracle() {
    on_every_level(cases::pointwise::binary);
}

#[test]
fn bounds_hold_every_byte() {
    on_every_level(cases::pointwise::clamped);
}

#[test]
fn rows_are_joined_in_order() {
    on_every_level(cases::pointwise::joined);
}

#[test]
fn matrix_products_equal_the_oracle() {
    on_every_level(cases::pointwise::product);
}

#[test]
fn threads_change_nothing() {
    on_every_level(cases::pointwise::threads);
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    let level = level().expect("a level");
    let one = QParams { scale: 1.0, zero_point: 0 };
    let by = Binary { operation: Operation::Add, inputs: [one; 2], output: one, relu: false };
    let meeting = Broadcast::new("add", &[2, 3], &[3]).expect("shapes agree");
    for (a, b, out) in [(5, 3, 6), (6, 2, 6), (6, 3, 5)] {
        let (a, b) = (vec![0_u8; a], vec![0; b]);
        assert!(by.apply(level, &meeting, (&a, &b), &mut vec![0; out]).is_err());
    }
    assert!(clamp(level, &[0_u8; 3], (0, 1), &mut [0; 2]).is_err());
    let piece = Piece { bytes: &[0; 6], width: 3, table: None };
    assert!(cat(level, 2, &[piece], &mut [0; 5]).is_err());
    assert!(cat(level, 3, &[piece], &mut [0; 6]).is_err());
    let sizes = Sizes { batch: 1, m: 1, k: 2, n: 3 };
    for (a, b, out) in [(1, 6, 3), (2, 5, 3), (2, 6, 2)] {
        let (a, b) = (vec![0; a], vec![0; b]);
        assert!(matmul(level, sizes, (&a, &b), [one; 2], one, &mut vec![0; out]).is_err());
    }
}

#[test]
fn a_depth_that_could_overflow_is_refused() {
    let level = level().expect("a level");
    let params = QParams { scale: 1.0, zero_point: 0 };
    let k = 40_000;
    let sizes = Sizes { batch: 1, m: 1, k, n: 1 };
    let bytes = vec![0; k];
    let product = matmul(level, sizes, (&bytes, &bytes), [params; 2], params, &mut [0]);
    assert!(product.is_err());
}
