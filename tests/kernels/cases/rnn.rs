//! Recurrent networks.

use qrs::activation::Function;
use qrs::isa::Level;
use qrs::qparams::Engine;
use qrs::reference::linear::Layer;
use qrs::reference::rnn::{Direction, Network, Product, Rows};
use qrs::rnn::{
    Float, FloatWeights, Int8, Int8Weights, Kind, Matrix, Output, Rnn, Sequence, Shape, State,
    Steps, Weights,
};

use super::{Hash, Rng, same};

/// Float and integer weights of one product.
struct Plain {
    ints: Vec<i8>,
    floats: Vec<f32>,
    scales: Vec<f32>,
    zero_points: Vec<i32>,
    bias: Vec<f32>,
    k: usize,
}

impl Plain {
    fn new(rng: &mut Rng, n: usize, k: usize, affine: bool) -> Self {
        let size = 1.0 / (k as f32).sqrt();
        Self {
            ints: rng.vec(n * k, |rng| rng.bits() as i8),
            floats: rng.floats(n * k, -size, size),
            scales: rng.floats(n, 0.005 * size, 0.02 * size),
            zero_points: rng.vec(n, |rng| if affine { rng.int(-128, 127) } else { 0 }),
            bias: rng.floats(n, -0.5, 0.5),
            k,
        }
    }

    fn int8(&self) -> Int8Weights<'_> {
        let (scales, zero_points) = (&self.scales, &self.zero_points);
        Int8Weights { values: &self.ints, scales, zero_points, bias: Some(&self.bias) }
    }

    fn float(&self) -> FloatWeights<'_> {
        FloatWeights { values: &self.floats, bias: Some(&self.bias) }
    }

    fn oracle_int8(&self) -> Product<'_> {
        Product::Int8(Layer {
            weights: &self.ints,
            shape: (self.bias.len(), self.k),
            scales: &self.scales,
            zero_points: &self.zero_points,
            bias: &self.bias,
        })
    }

    fn oracle_float(&self) -> Product<'_> {
        Product::Float { weights: &self.floats, bias: &self.bias, k: self.k }
    }
}

/// The weights of a network: one set per layer and direction.
struct Sets(Vec<Weights<Plain>>);

impl Sets {
    fn new(rng: &mut Rng, shape: Shape, affine: bool) -> Self {
        let directions = 1 + usize::from(shape.bidirectional);
        let output = shape.projection.unwrap_or(shape.hidden);
        let n = shape.kind.gates() * shape.hidden;
        let one = |i| {
            let input = if i < directions { shape.input } else { directions * output };
            Weights {
                ih: Plain::new(rng, n, input, affine),
                hh: Plain::new(rng, n, output, affine),
                hr: shape.projection.map(|size| Plain::new(rng, size, shape.hidden, affine)),
            }
        };
        Self((0..shape.layers * directions).map(one).collect())
    }

    fn pack<'a, M: Matrix>(&'a self, shape: Shape, of: fn(&'a Plain) -> M::Plain<'a>) -> Rnn<M> {
        let sets: Vec<_> = self
            .0
            .iter()
            .map(|w| Weights { ih: of(&w.ih), hh: of(&w.hh), hr: w.hr.as_ref().map(of) })
            .collect();
        Rnn::new(shape, &sets).expect("shapes agree")
    }

    fn oracle<'a>(
        &'a self,
        shape: Shape,
        of: fn(&'a Plain) -> Product<'a>,
    ) -> Vec<Vec<Direction<'a>>> {
        let one = |w: &'a Weights<Plain>| Direction {
            ih: of(&w.ih),
            hh: of(&w.hh),
            hr: w.hr.as_ref().map(of),
        };
        let count = 1 + usize::from(shape.bidirectional);
        self.0.chunks(count).map(|sets| sets.iter().map(one).collect()).collect()
    }
}

/// A sequence and first states.
struct Data {
    sizes: Vec<usize>,
    x: Vec<f32>,
    h: Vec<f32>,
    c: Vec<f32>,
}

impl Data {
    fn new(rng: &mut Rng, shape: Shape, sizes: &[usize]) -> Self {
        let states = shape.layers * (1 + usize::from(shape.bidirectional)) * sizes[0];
        let lstm = usize::from(shape.kind == Kind::Lstm);
        Self {
            sizes: sizes.to_vec(),
            x: rng.floats(sizes.iter().sum::<usize>() * shape.input, -2.0, 3.0),
            h: rng.floats(states * shape.projection.unwrap_or(shape.hidden), -1.0, 1.0),
            c: rng.floats(lstm * states * shape.hidden, -1.0, 1.0),
        }
    }
}

fn one(function: Function, x: f32) -> f32 {
    let mut out = [x];
    function.apply_in_place(Level::Scalar, &mut out);
    out[0]
}

fn split(values: &[f32], batch: usize, size: usize) -> Vec<Rows> {
    let rows: Rows = values.chunks(size).map(<[f32]>::to_vec).collect();
    rows.chunks(batch).map(<[Vec<f32>]>::to_vec).collect()
}

/// y, h and c of the oracle.
fn oracle(
    shape: Shape,
    engine: Engine,
    layers: &[Vec<Direction<'_>>],
    data: &Data,
) -> [Vec<f32>; 3] {
    let network = Network {
        kind: shape.kind,
        engine,
        sigmoid: |x| one(Function::Sigmoid, x),
        tanh: |x| one(Function::Tanh, x),
    };
    let mut rows = data.x.chunks(shape.input).map(<[f32]>::to_vec);
    let x: Vec<Rows> = data.sizes.iter().map(|&b| rows.by_ref().take(b).collect()).collect();
    let batch = data.sizes[0];
    let mut h = split(&data.h, batch, shape.projection.unwrap_or(shape.hidden));
    let mut c = split(&data.c, batch, shape.hidden);
    c.resize(h.len(), vec![Vec::new(); batch]);
    let y = network.run(layers, &x, &mut h, &mut c);
    [y, h, c].map(|rows| rows.concat().concat())
}

/// y, h and c of the kernels.
fn kernels<M: Matrix>(
    network: &Rnn<M>,
    level: Level,
    engine: Engine,
    steps: Steps<'_>,
    data: &Data,
    threads: usize,
) -> [Vec<f32>; 3] {
    let shape = network.shape();
    let rows: usize = data.sizes.iter().sum();
    let mut y = vec![f32::NAN; rows * shape.directions() * shape.output()];
    let (mut h, mut c) = (vec![f32::NAN; data.h.len()], vec![f32::NAN; data.c.len()]);
    let state = State { h: Some(&data.h), c: (!data.c.is_empty()).then_some(&data.c) };
    let mut out = Output { y: &mut y, h: &mut h, c: &mut c };
    let input = Sequence { x: &data.x, steps, state };
    network.forward_on(threads, level, engine, input, &mut out).expect("shapes agree");
    [y, h, c]
}

fn check(hash: &mut Hash, level: Level, what: &str, got: &[Vec<f32>; 3], wanted: &[Vec<f32>; 3]) {
    for (name, (got, wanted)) in ["y", "h", "c"].into_iter().zip(got.iter().zip(wanted)) {
        same(hash, "rnn", level, format!("{what}, {name}"), got, wanted);
    }
}

fn shapes(kind: Kind) -> Vec<(Shape, Vec<usize>)> {
    let shape = |input, hidden| Shape {
        kind,
        input,
        hidden,
        projection: None,
        layers: 1,
        bidirectional: false,
    };
    let mut all = vec![
        (shape(1, 1), vec![1]),
        (shape(5, 16), vec![1; 7]),
        (shape(33, 65), vec![2; 3]),
        (Shape { layers: 2, bidirectional: true, ..shape(12, 17) }, vec![7; 4]),
        (Shape { bidirectional: true, ..shape(3, 130) }, vec![5, 4, 4, 2, 1]),
    ];
    if kind == Kind::Lstm {
        all.push((Shape { projection: Some(9), layers: 2, ..shape(8, 20) }, vec![3; 4]));
        let projection = Some(70);
        all.push((Shape { projection, bidirectional: true, ..shape(8, 80) }, vec![4, 2, 2]));
    }
    all
}

fn each_shape(
    level: Level,
    seed: u64,
    mut check: impl FnMut(&mut Hash, Shape, &Sets, &Data, &str),
) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(seed);
    for kind in Kind::ALL {
        for (i, (shape, sizes)) in shapes(kind).into_iter().enumerate() {
            let sets = Sets::new(&mut rng, shape, i % 2 == 1);
            let data = Data::new(&mut rng, shape, &sizes);
            check(
                &mut hash,
                shape,
                &sets,
                &data,
                &format!("{shape:?}, {sizes:?}, {}", level.name()),
            );
        }
    }
    hash.0
}

/// Integer weights: every cell and profile, packed sequences, stacks and projections.
pub fn int8(level: Level) -> u64 {
    each_shape(level, 21, |hash, shape, sets, data, what| {
        let network = sets.pack::<Int8>(shape, Plain::int8);
        let layers = sets.oracle(shape, Plain::oracle_int8);
        for engine in Engine::ALL {
            let wanted = oracle(shape, engine, &layers, data);
            let got = kernels(&network, level, engine, Steps::Packed(&data.sizes), data, 1);
            check(hash, level, &format!("int8 {engine:?}, {what}"), &got, &wanted);
        }
    })
}

/// Float weights.
pub fn float(level: Level) -> u64 {
    each_shape(level, 22, |hash, shape, sets, data, what| {
        let network = sets.pack::<Float>(shape, Plain::float);
        let wanted = oracle(shape, Engine::Qrs, &sets.oracle(shape, Plain::oracle_float), data);
        let got = kernels(&network, level, Engine::Qrs, Steps::Packed(&data.sizes), data, 1);
        check(hash, level, &format!("float, {what}"), &got, &wanted);
    })
}

/// Time-major and batch-major sequences are the same sequences, and no state is zeros.
pub fn layouts(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(23);
    let (steps, batch) = (5, 3);
    let shape = Shape {
        kind: Kind::Lstm,
        input: 7,
        hidden: 20,
        projection: None,
        layers: 2,
        bidirectional: true,
    };
    let sets = Sets::new(&mut rng, shape, false);
    let network = sets.pack::<Int8>(shape, Plain::int8);
    let mut data = Data::new(&mut rng, shape, &[batch; 5]);
    let packed = kernels(&network, level, Engine::Qrs, Steps::Packed(&data.sizes), &data, 1);
    let major = kernels(&network, level, Engine::Qrs, Steps::TimeMajor { steps, batch }, &data, 1);
    check(&mut hash, level, "time-major", &major, &packed);

    let transpose = |values: &[f32]| -> Vec<f32> {
        let size = values.len() / (steps * batch);
        let row = |b, t| &values[(t * batch + b) * size..][..size];
        (0..batch).flat_map(|b| (0..steps).flat_map(move |t| row(b, t).to_vec())).collect()
    };
    data.h.fill(0.0);
    data.c.fill(0.0);
    let zeros = kernels(&network, level, Engine::Qrs, Steps::Packed(&data.sizes), &data, 1);
    let [mut y, mut h, mut c] = zeros.clone().map(|values| vec![f32::NAN; values.len()]);
    let mut out = Output { y: &mut y, h: &mut h, c: &mut c };
    let steps_major = Steps::TimeMajor { steps, batch };
    let input = Sequence { x: &data.x, steps: steps_major, state: State::default() };
    network.forward(level, Engine::Qrs, input, &mut out).expect("shapes agree");
    check(&mut hash, level, "no state", &[y, h, c], &zeros);

    data.x = transpose(&data.x);
    let wanted = [transpose(&zeros[0]), zeros[1].clone(), zeros[2].clone()];
    let major = kernels(&network, level, Engine::Qrs, Steps::BatchMajor { steps, batch }, &data, 1);
    check(&mut hash, level, "batch-major", &major, &wanted);
    hash.0
}

/// Results on 1, 2, 3 and 8 threads.
pub fn threads(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(24);
    for (kind, bidirectional, projection) in
        [(Kind::Lstm, false, None), (Kind::Lstm, true, Some(100)), (Kind::Gru, true, None)]
    {
        let (input, hidden) = (10, 150);
        let shape = Shape { kind, input, hidden, projection, layers: 2, bidirectional };
        let sets = Sets::new(&mut rng, shape, false);
        let data = Data::new(&mut rng, shape, &[7, 7, 6, 2]);
        let (int8, float) = (sets.pack::<Int8>(shape, Plain::int8), sets.pack(shape, Plain::float));
        for engine in [Engine::Qrs, Engine::Fbgemm] {
            let steps = Steps::Packed(&data.sizes);
            let run = |threads| {
                let float = kernels::<Float>(&float, level, engine, steps, &data, threads);
                [kernels(&int8, level, engine, steps, &data, threads), float]
            };
            let alone = run(1);
            for threads in [2, 3, 8] {
                for (got, wanted) in run(threads).iter().zip(&alone) {
                    check(&mut hash, level, &format!("{shape:?}, {threads} threads"), got, wanted);
                }
            }
        }
    }
    hash.0
}
