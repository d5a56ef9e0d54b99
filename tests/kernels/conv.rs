use qrs::conv::{Conv, ConvTranspose, Geometry};

use crate::cases;
use crate::on_every_level;

#[test]
fn linear_equals_the_oracle() {
    on_every_level(cases::conv::linear);
}

#[test]
fn conv_equals_the_oracle() {
    on_every_level(cases::conv::quantized);
    on_every_level(cases::conv::large_images);
}

#[test]
fn conv_transpose_equals_the_oracle() {
    on_every_level(cases::conv::transposed);
    on_every_level(cases::conv::transposed_extremes);
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

#[test]
fn impossible_transposed_shapes_are_refused() {
    let shape = |stride, padding| Geometry {
        kernel: [1, 2, 2],
        stride: [1, stride, stride],
        padding: [0, padding, padding],
        dilation: [1; 3],
        groups: 1,
    };
    let build = |geometry| ConvTranspose::new(&[0; 16], (2, 2), geometry, &[1.0], None, None);
    assert!(build(shape(0, 0)).is_err(), "a stride of zero");
    let conv = build(shape(2, 1)).expect("a good shape");
    assert_eq!(conv.output([1, 3, 4], [0, 1, 0]), Ok([1, 5, 6]));
    assert!(conv.output([1, 1, 4], [0; 3]).is_err(), "padding that leaves nothing");
    assert!(conv.output([1, 0, 4], [0, 9, 0]).is_err(), "an empty image");
    // Sizes that no memory holds are refused where they are asked for, and do not wrap around here.
    let size = conv.output([1, usize::MAX, 4], [0; 3]).expect("a size");
    assert!(size[1] > usize::MAX / 2);
}
