use qrs::error::Error;
use qrs::isa::level;
use qrs::qparams::Engine;
use qrs::rnn::{Int8, Int8Weights, Kind, Output, Rnn, Sequence, Shape, State, Steps, Weights};

use crate::cases;
use crate::on_every_level;

const SHAPE: Shape = Shape {
    kind: Kind::Lstm,
    input: 3,
    hidden: 2,
    projection: None,
    layers: 1,
    bidirectional: false,
};

fn weights(values: &[i8]) -> Int8Weights<'_> {
    Int8Weights { values, scales: &[0.01], zero_points: &[], bias: None }
}

fn network(shape: Shape, input: usize, hidden: usize) -> Result<Rnn<Int8>, Error> {
    let (ih, hh) = (vec![1; input], vec![1; hidden]);
    Rnn::new(shape, &[Weights { ih: weights(&ih), hh: weights(&hh), hr: None }])
}

fn run(
    network: &Rnn<Int8>,
    engine: Engine,
    x: &[f32],
    h: &[f32],
    steps: Steps<'_>,
) -> Result<Vec<f32>, Error> {
    let mut y = vec![0.0; x.len() / 3 * 2];
    let (mut h_out, mut c_out) = (vec![0.0; h.len()], vec![0.0; h.len()]);
    let mut out = Output { y: &mut y, h: &mut h_out, c: &mut c_out };
    let state = State { h: Some(h), c: None };
    let input = Sequence { x, steps, state };
    network.forward(level().expect("level"), engine, input, &mut out)?;
    Ok(y)
}

#[test]
fn integer_networks_equal_the_oracle() {
    on_every_level(cases::rnn::int8);
}

#[test]
fn float_networks_equal_the_oracle() {
    on_every_level(cases::rnn::float);
}

#[test]
fn layouts_of_a_sequence_agree() {
    on_every_level(cases::rnn::layouts);
}

#[test]
fn threads_do_not_change_results() {
    on_every_level(cases::rnn::threads);
}

#[test]
fn nan_and_infinity_are_refused_by_row() {
    let network = network(SHAPE, 24, 16).expect("shapes agree");
    let steps = Steps::TimeMajor { steps: 2, batch: 1 };
    for engine in Engine::ALL {
        let refused = run(&network, engine, &[0.0, 1.0, 2.0, 3.0, f32::NAN, 5.0], &[0.0; 2], steps);
        assert_eq!(refused, Err(Error::NonFinite { op: "LSTM", row: 1 }));
        let refused = run(&network, engine, &[0.0; 6], &[f32::INFINITY, 0.0], steps);
        assert_eq!(refused, Err(Error::NonFinite { op: "LSTM hidden state", row: 0 }));
    }
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    assert!(network(SHAPE, 23, 16).is_err());
    assert!(network(SHAPE, 24, 17).is_err());
    assert!(network(Shape { layers: 2, ..SHAPE }, 24, 16).is_err());
    assert!(network(Shape { projection: Some(1), ..SHAPE }, 24, 8).is_err());
    assert!(network(Shape { hidden: 0, ..SHAPE }, 0, 0).is_err());
    assert!(network(Shape { kind: Kind::Gru, projection: Some(1), ..SHAPE }, 18, 6).is_err());

    let network = network(SHAPE, 24, 16).expect("shapes agree");
    let one = Steps::TimeMajor { steps: 1, batch: 1 };
    assert!(run(&network, Engine::Qrs, &[0.0; 6], &[0.0; 2], one).is_err());
    assert!(run(&network, Engine::Qrs, &[0.0; 3], &[0.0; 4], one).is_err());
    assert!(run(&network, Engine::Qrs, &[0.0; 9], &[0.0; 4], Steps::Packed(&[1, 2])).is_err());
    assert!(
        run(&network, Engine::Qrs, &[], &[0.0; 2], Steps::TimeMajor { steps: 0, batch: 1 })
            .is_err()
    );
}

#[test]
fn no_samples_give_no_outputs() {
    let network = network(SHAPE, 24, 16).expect("shapes agree");
    let steps = Steps::TimeMajor { steps: 2, batch: 0 };
    assert_eq!(run(&network, Engine::Qrs, &[], &[], steps), Ok(vec![]));
}
