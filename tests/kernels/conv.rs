use qrs::conv::{Conv, Geometry};

use crate::cases;
use crate::on_every_level;

#[test]
fn linear_equals_the_oracle() {
    on_every_level(cases::conv::linear);
}

#[test]
fn conv_equals_the_oracle() {
    on_every_level(cases::conv::quantized);
}

#[test]
fn impossible_shapes_are_refused() {
    let shape = |groups, stride| Geometry {
        kernel: [1, 3, 3],
        stride: [1, stride, stride],
        padding: [0; 3],
        dilation: [1; 3],
        groups,
    };
    let build = |geometry| Conv::new(&[0; 36], (2, 2), geometry, &[1.0], None, None);
    assert!(build(shape(1, 1)).is_ok());
    assert!(build(shape(3, 1)).is_err(), "groups that divide nothing");
    assert!(build(shape(1, 0)).is_err(), "a stride of zero");
    let conv = build(shape(1, 1)).expect("a good shape");
    assert!(conv.output([1, 2, 9]).is_err(), "an image smaller than the kernel");
}
