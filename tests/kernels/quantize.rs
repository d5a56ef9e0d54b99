use qrs::error::Error;
use qrs::isa::level;
use qrs::qparams::{Engine, QINT8, QParams, QUINT7, QUINT8, RealQParams, Rounding};
use qrs::quantize::{Axis, dequantize, extent, quantize};

use crate::cases::quantize as cases;
use crate::on_every_level;

#[test]
fn one_scale_equals_the_oracle() {
    on_every_level(cases::per_tensor);
}

#[test]
fn a_scale_per_channel_equals_the_oracle() {
    on_every_level(cases::per_channel);
}

#[test]
fn requantizing_equals_the_oracle() {
    on_every_level(cases::requantize);
}

#[test]
fn bounds_are_exact_and_find_every_value_that_is_not_finite() {
    on_every_level(cases::bounds);
}

#[test]
fn all_exponents_equal_the_oracle() {
    on_every_level(cases::sampled);
}

#[test]
fn threads_do_not_change_results() {
    on_every_level(cases::threads);
}

#[test]
fn tables_equal_the_function() {
    on_every_level(cases::table);
}

/// Measured from PyTorch 1.8.1: `_choose_qparams_per_tensor` of `[-1, 2]`.
#[test]
fn dynamic_parameters_are_those_of_pytorch() {
    let full = QParams::dynamic(-1.0, 2.0, QUINT8);
    assert_eq!(full, QParams { scale: (3.0_f64 / 255.0) as f32, zero_point: 85 });
    let reduced = QParams::dynamic(-1.0, 2.0, QUINT7);
    assert_eq!(reduced, QParams { scale: (3.0_f64 / 127.0) as f32, zero_point: 42 });
}

#[test]
fn a_range_without_width_gets_a_usable_scale() {
    for value in [0.0, f32::from_bits(1)] {
        let params = QParams::dynamic(value, value, QUINT8);
        assert_eq!(params, QParams { scale: 0.1, zero_point: 0 });
    }
}

#[test]
fn zero_survives_dynamic_quantization_exactly() {
    let ranges = [(-3.0, -1.0), (1.0, 3.0), (-0.1, 50.0), (f32::MIN, f32::MAX), (-1e-38, 1e-38)];
    for (min, max) in ranges {
        for engine in Engine::ALL {
            let span = engine.dynamic_span(true);
            let params = QParams::dynamic(min, max, span);
            let q = params.quantizer(span, engine.dynamic_rounding()).quantize(0.0);
            assert_eq!(q, params.zero_point, "{engine:?} {min} {max}");
            assert_eq!(params.dequantizer().dequantize(q).to_bits(), 0, "{engine:?} {min} {max}");
        }
    }
}

#[test]
fn engines_are_found_by_their_names() {
    for engine in Engine::ALL {
        assert_eq!(Engine::from_name(engine.name()), Ok(engine));
    }
    let refused = Engine::from_name("onednn").expect_err("unknown").to_string();
    assert_eq!(refused, "engine: `onednn` is unknown, expected one of qrs, fbgemm, qnnpack");
}

#[test]
fn scales_and_zero_points_that_cannot_work_are_refused() {
    let params = |scale, zero_point| QParams { scale, zero_point };
    for bad in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-39] {
        assert!(params(bad, 0).checked("test", QUINT8).is_err(), "{bad}");
        assert!(RealQParams { scale: bad, zero_point: 0.0 }.checked("test").is_err(), "{bad}");
    }
    assert!(RealQParams { scale: 1.0, zero_point: f32::NAN }.checked("test").is_err());
    let refused = params(1.0, 256).checked("test", QUINT8).expect_err("outside").to_string();
    assert_eq!(refused, "test: zero point is 256, expected 0 to 255");
    assert!(params(1.0, -1).checked("test", QUINT8).is_err());
    assert_eq!(params(1e-38, -128).checked("test", QINT8), Ok(params(1e-38, -128)));
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let level = level().expect("level");
    let by = QParams { scale: 1.0, zero_point: 0 }.quantizer(QUINT8, Rounding::ThenAdd);
    let axis = Axis { outer: 1, channels: 2, inner: 2 };
    let mut bytes = [0_u8; 4];
    assert!(quantize(level, &[0.0; 3], axis, &[by; 2], &mut bytes).is_err());
    assert!(quantize(level, &[0.0; 4], axis, &[by; 1], &mut bytes).is_err());
    assert!(quantize(level, &[0.0; 4], axis, &[by; 2], &mut bytes[..3]).is_err());
    let back = QParams { scale: 1.0, zero_point: 0 }.dequantizer();
    assert!(dequantize(level, &bytes, axis, &[back; 3], &mut [0.0; 4]).is_err());
    let refused = quantize(level, &[0.0; 4], axis, &[by; 2], &mut [0_i8; 4]).expect_err("too wide");
    assert_eq!(
        refused.to_string(),
        "quantize: stored range is 0 to 255, expected one within -128 to 127"
    );
}

#[test]
fn the_extent_of_a_tensor_names_the_row_that_is_not_finite() {
    let level = level().expect("level");
    assert_eq!(extent(level, "test", &[3.0, -1.0, 2.0], 3), Ok((-1.0, 3.0)));
    assert_eq!(extent(level, "test", &[], 3), Ok((0.0, 0.0)));
    let refused = extent(level, "test", &[0.0, 1.0, 2.0, f32::NAN], 2);
    assert_eq!(refused, Err(Error::NonFinite { op: "test", row: 1 }));
}
