use qrs::error::Error;
use qrs::isa::level;
use qrs::linear::{Dynamic, Linear};
use qrs::qparams::Engine;

use crate::cases;
use crate::on_every_level;

const HOW: Dynamic = Dynamic { engine: Engine::Qrs, reduce_range: true, relu: false };

#[test]
fn products_equal_the_oracle() {
    on_every_level(cases::product::dense);
    on_every_level(cases::product::gathered);
}

#[test]
fn dynamic_equals_the_oracle() {
    on_every_level(cases::linear::dynamic);
}

#[test]
fn threads_do_not_change_results() {
    on_every_level(cases::linear::threads);
}

#[test]
fn nan_and_infinity_are_refused_by_row() {
    let layer = Linear::new(&[1, 2, 3, 4], (2, 2), &[1.0, 1.0], None, None).expect("shapes agree");
    for (value, engine) in [(f32::NAN, Engine::Qrs), (f32::INFINITY, Engine::Fbgemm)] {
        let mut out = [0.0; 4];
        let how = Dynamic { engine, ..HOW };
        let refused =
            layer.dynamic(level().expect("level"), how, 2, &[1.0, 2.0, 3.0, value], &mut out);
        assert_eq!(refused, Err(Error::NonFinite { op: "dynamic linear", row: 1 }));
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    assert!(Linear::new(&[1, 2, 3], (2, 2), &[1.0, 1.0], None, None).is_err());
    assert!(Linear::new(&[1; 4], (2, 2), &[1.0; 3], None, None).is_err());
    assert!(Linear::new(&[1; 4], (2, 2), &[1.0; 2], None, Some(&[0.0])).is_err());
    let layer = Linear::new(&[1; 4], (2, 2), &[1.0; 2], None, None).expect("shapes agree");
    let level = level().expect("level");
    assert!(layer.dynamic(level, HOW, 1, &[1.0; 3], &mut [0.0; 2]).is_err());
    assert!(layer.dynamic(level, HOW, 1, &[1.0; 2], &mut [0.0; 3]).is_err());
    assert_eq!(layer.dynamic(level, HOW, 0, &[], &mut []), Ok(()));
}
