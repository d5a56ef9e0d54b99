use qrs::isa::level;
use qrs::resample::{Axis, bilinear};
use qrs::shuffle::{permute, select};

use crate::cases;
use crate::on_every_level;

#[test]
fn bilinear_interpolation_equals_the_oracle() {
    on_every_level(cases::resample::between);
}

#[test]
fn chosen_indices_arrive() {
    on_every_level(cases::resample::chosen);
}

#[test]
fn axes_move_to_their_places() {
    on_every_level(cases::resample::moved);
}

#[test]
fn threads_change_nothing() {
    on_every_level(cases::resample::threads);
}

#[test]
fn what_does_not_fit_is_refused() {
    let axis = Axis::linear(2, 3, None, false).expect("some input");
    let axes = [axis.clone(), axis];
    let level = level().expect("a level");
    assert!(bilinear(level, &[0_u8; 8], (1, 2), &axes, 0, &mut [0; 18]).is_ok());
    assert!(bilinear(level, &[0_u8; 7], (1, 2), &axes, 0, &mut [0; 18]).is_err());
    assert!(bilinear(level, &[0_u8; 8], (1, 2), &axes, 0, &mut [0; 17]).is_err());
    assert!(select(&[0; 6], &[2, 3], &[None, Some(&[3])], 0, &mut [0; 2]).is_err());
    assert!(select(&[0; 6], &[2, 3], &[None], 0, &mut [0; 6]).is_err());
    assert!(select(&[0; 6], &[2, 3], &[None, Some(&[2])], 0, &mut [0; 3]).is_err());
    assert!(permute(level, &[0; 6], &[2, 3], &[0, 0], &mut [0; 6]).is_err());
    assert!(permute(level, &[0; 6], &[2, 3], &[0, 2], &mut [0; 6]).is_err());
    assert!(permute(level, &[0; 6], &[2, 3], &[1, 0], &mut [0; 5]).is_err());
}
