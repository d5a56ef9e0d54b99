use qrs::embedding::{Bags, Embedding, Mode};
use qrs::error::Error;
use qrs::isa::level;

use crate::cases;
use crate::on_every_level;

#[test]
fn rows_and_bags_equal_the_oracle() {
    on_every_level(cases::embedding::all);
}

#[test]
fn threads_change_nothing() {
    on_every_level(cases::embedding::threads);
}

fn table() -> Embedding {
    Embedding::new(&[0; 6], 2, &[1.0; 3], &[0.0; 3], false).expect("lengths agree")
}

#[test]
fn an_index_outside_the_table_is_refused() {
    let level = level().expect("a level");
    for index in [-1_i64, 3, i64::MIN, i64::MAX] {
        let refused = table().lookup(level, &[0, index], &mut [0.0; 4]);
        assert_eq!(refused, Err(Error::Index { op: "embedding", index, rows: 3 }));
    }
}

#[test]
fn bags_that_do_not_follow_each_other_are_refused() {
    let level = level().expect("a level");
    let bags = |starts: &[i32], end, weights, mode| {
        let bags = Bags { indices: &[0, 1, 2], starts, end, weights, mode, padding: None };
        table().bags(level, bags, &mut vec![0.0; 2 * starts.len()])
    };
    assert!(bags(&[0, 2], 3, None, Mode::Sum).is_ok());
    assert!(bags(&[1, 2], 3, None, Mode::Sum).is_err(), "not from the start");
    assert!(bags(&[0, 2, 1], 3, None, Mode::Sum).is_err(), "falling");
    assert!(bags(&[0, 4], 3, None, Mode::Sum).is_err(), "past the end");
    assert!(bags(&[0], 4, None, Mode::Sum).is_err(), "an end past the end");
    assert!(bags(&[0, -1], 3, None, Mode::Sum).is_err(), "negative");
    assert!(bags(&[0], 3, Some(&[1.0; 2]), Mode::Sum).is_err(), "too few weights");
    assert!(bags(&[0], 3, Some(&[1.0; 3]), Mode::Mean).is_err(), "a weighted mean");
}

#[test]
fn rows_of_the_wrong_length_are_refused() {
    assert!(Embedding::new(&[0; 5], 2, &[1.0; 3], &[0.0; 3], false).is_err());
    assert!(Embedding::new(&[0; 6], 2, &[1.0; 3], &[0.0; 2], false).is_err());
    assert!(Embedding::new(&[0; 6], 3, &[1.0; 3], &[0.0; 3], true).is_ok());
}
