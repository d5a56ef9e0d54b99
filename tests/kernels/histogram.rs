use qrs::histogram::{Bins, Candidate, MAX_BINS, count, divergences, squared_errors};
use qrs::isa::level;
use qrs::qparams::{QUINT8, Span};

use crate::cases;
use crate::on_every_level;

#[test]
fn counts_equal_the_oracle() {
    on_every_level(cases::histogram::counts);
}

#[test]
fn ranges_and_losses_equal_the_oracle() {
    on_every_level(cases::histogram::ranges);
}

#[test]
fn threads_change_nothing() {
    on_every_level(cases::histogram::threads);
}

#[test]
fn counts_are_added() {
    let mut counts = [5, 0];
    let bins = Bins::Interval { lo: 0.0, hi: 1.0 };
    count(level().expect("a level"), &[0.0, 1.0, 0.5], bins, &mut counts).expect("some bins");
    assert_eq!(counts, [6, 2]);
}

#[test]
fn bins_that_lie_nowhere_are_refused() {
    let level = level().expect("a level");
    let refused = |bins, counts: &mut [i64]| count(level, &[0.0], bins, counts).is_err();
    let whole = Bins::Interval { lo: 0.0, hi: 1.0 };
    assert!(refused(whole, &mut []));
    assert!(refused(whole, &mut vec![0; MAX_BINS + 1]));
    for (lo, hi) in [(1.0, 1.0), (1.0, 0.0), (f32::NAN, 1.0), (0.0, f32::INFINITY)] {
        assert!(refused(Bins::Interval { lo, hi }, &mut [0]), "{lo}..{hi}");
    }
    for (first, exponent) in [(0, 131), (0, -201), (i32::MIN, 0)] {
        assert!(refused(Bins::Grid { first, exponent }, &mut [0]), "{first}, {exponent}");
    }
}

#[test]
fn losses_of_lengths_that_differ_are_refused() {
    let level = level().expect("a level");
    let by = [Candidate { lo: 0.0, hi: 1.0, scale: 0.1, zero_point: 0.0 }];
    for span in [QUINT8, Span { min: 0, max: 1 << 16 }, Span { min: 3, max: 3 }] {
        let fits = span == QUINT8;
        assert_eq!(squared_errors(level, &[1], &[0.5], &by, span).is_ok(), fits);
        assert_eq!(divergences(level, &[1], &[0.5], &by, span).is_ok(), fits);
    }
    assert!(squared_errors(level, &[1], &[0.5, 1.0], &by, QUINT8).is_err());
    assert!(divergences(level, &[1], &[], &by, QUINT8).is_err());
}
