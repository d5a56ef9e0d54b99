//! Speed of the kernels on one thread, for watching it over time: `cargo bench --bench kernels`.
//!
//! Throughput is in values for `quantize` and in multiply-adds for the rest, so that 1 Gelem/s is
//! 1 GMAC/s, the unit of `limits.rs` and `peers.py`. Contenders run one after the other here; a claim
//! that one is faster than another needs `peers.py`, which takes turns. `QRS_ISA` picks the level.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};

use qrs::conv::{Conv, Geometry};
use qrs::gemm::{Dense, Epilogue, gemm};
use qrs::isa::{Isa, Kernel, LANES, Level, level};
use qrs::linear::{Dynamic, Linear};
use qrs::pack::PackedWeights;
use qrs::parallel::set_num_threads;
use qrs::qparams::{Engine, QParams, QUINT8, Rounding, Span};
use qrs::quantize::{Axis, dequantize, extent, quantize};
use qrs::requant::Static;
use qrs::rnn::{
    Float, FloatWeights, Int8, Int8Weights, Kind, Matrix, Output, Rnn, Sequence, Shape, State,
    Steps, Weights,
};
use qrs::scratch;

#[path = "limits/mod.rs"]
#[expect(dead_code, reason = "`limits.rs` also reads memory")]
mod machine;

fn main() {
    set_num_threads(1).expect("one thread is always possible");
    let level = level().unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(2);
    });
    println!("level: {}", level.name());
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(50)
        .noise_threshold(0.03)
        .configure_from_args();
    quantizing(&mut criterion, level);
    products(&mut criterion, level);
    dynamic_linear(&mut criterion, level);
    recurrent(&mut criterion, level);
    convolutions(&mut criterion, level);
    criterion.final_summary();
    // What was not filtered away, or asked for by this name.
    if std::env::args().skip(1).all(|word| word.starts_with('-') || word == "shares") {
        shares(level);
    }
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    // As many calls in every sample: samples that grow would not fit the time of slow calls.
    group.sampling_mode(SamplingMode::Flat);
    group
}

/// Numbers that look random: a fixed seed, so that every run measures the same data.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| (self.next() % 4096) as f32 / 1024.0 - 2.0).collect()
    }

    fn weights(&mut self, n: usize) -> Vec<i8> {
        (0..n).map(|_| (self.next() % 255) as i8).map(|w| w.max(-127)).collect()
    }

    fn bytes(&mut self, n: usize, limit: u64) -> Vec<u8> {
        (0..n).map(|_| (self.next() % (limit + 1)) as u8).collect()
    }
}

/// Measuring, quantizing and dequantizing activations: what surrounds every dynamic product. A change
/// here shows up in linear layers with few outputs and in nothing else.
fn quantizing(criterion: &mut Criterion, level: Level) {
    let mut group = group(criterion, "quantize");
    let params = QParams { scale: 0.02, zero_point: 100 };
    for n in [4096, 1 << 20] {
        let x = Numbers(1).floats(n);
        let mut bytes = vec![0_u8; n];
        let mut back = vec![0.0; n];
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(format!("measure/{n}"), |bencher| {
            bencher.iter(|| extent(level, "bench", black_box(&x), n));
        });
        group.bench_function(format!("quantize/{n}"), |bencher| {
            let by = [params.quantizer(QUINT8, Rounding::ThenAdd)];
            bencher.iter(|| quantize(level, black_box(&x), Axis::none(n), &by, &mut bytes));
        });
        group.bench_function(format!("dequantize/{n}"), |bencher| {
            let by = [params.dequantizer()];
            bencher.iter(|| dequantize(level, black_box(&bytes), Axis::none(n), &by, &mut back));
        });
    }
    group.finish();
}

/// How near products with many rows come to the fastest sequence that their level is made of
/// (`limits.rs`): both in turns, since the clock and the neighbours change, and the best of each.
fn shares(level: Level) {
    const TURNS: usize = 300;
    let Some(peak) = machine::sequences()
        .into_iter()
        .filter(|sequence| sequence.level == level.name() && sequence.exact)
        .max_by_key(|sequence| sequence.products)
    else {
        return;
    };
    println!("\nof `{}`, the best of {TURNS} turns:", peak.name);
    for [m, k, n] in GEMMS {
        let weights = PackedWeights::new(&Numbers(2).weights(n * k), n, 1, k);
        let weights = weights.expect("the sizes agree");
        let x = Numbers(3).bytes(m * k, 255);
        let (mut product, mut limit) = (0.0_f64, 0.0_f64);
        for _ in 0..TURNS {
            let kernel = Product { x: black_box(&x), m, weights: &weights };
            product = product.max(rate(m * n * k, || level.run(kernel)));
            limit = limit.max(rate(4000 * peak.products, || (peak.run)(4000)));
        }
        let share = 100.0 * product / limit;
        println!("  {m}x{k}x{n}: {product:.0} of {limit:.0} GMAC/s, {share:.0} %");
    }
}

/// Products a nanosecond of one run.
fn rate(products: usize, run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    products as f64 / start.elapsed().as_nanos().max(1) as f64
}

const GEMMS: [[usize; 3]; 6] = [
    [252, 64, 64],
    [128, 768, 768],
    [128, 768, 3072],
    [128, 3072, 768],
    [512, 512, 512],
    [1024, 1024, 1024],
];

/// The integer product alone, sums thrown away: GEMM with many rows (a roof of multiply-adds), GEMV
/// with one (a roof of weight bytes). `seven` is the product for activations of at most 127, which
/// some levels do faster. A change here reaches every quantized layer.
fn products(criterion: &mut Criterion, level: Level) {
    let gemvs: [[usize; 3]; 5] =
        [[1, 256, 1024], [1, 512, 512], [1, 768, 768], [1, 768, 3072], [1, 4096, 4096]];
    for (name, shapes) in [("gemm", &GEMMS[..]), ("gemv", &gemvs[..])] {
        let mut group = group(criterion, name);
        for &[m, k, n] in shapes {
            let weights = Numbers(2).weights(n * k);
            let weights = PackedWeights::new(&weights, n, 1, k).expect("the sizes agree");
            group.throughput(Throughput::Elements((m * n * k) as u64));
            for (range, limit) in [("full", 255), ("seven", 127)] {
                let x = Numbers(3).bytes(m * k, limit);
                group.bench_function(format!("{range}/{m}x{k}x{n}"), |bencher| {
                    bencher.iter(|| {
                        let kernel = Product { x: black_box(&x), m, weights: &weights };
                        if limit == 127 { level.run_seven_bit(kernel) } else { level.run(kernel) }
                    });
                });
            }
        }
        group.finish();
    }
}

struct Product<'a> {
    x: &'a [u8],
    m: usize,
    weights: &'a PackedWeights,
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { x, m, weights } = self;
        let rows = Dense { data: x, k: weights.c() };
        let mut scratch = scratch::borrow();
        let panels = 0..weights.panels();
        gemm(isa, &rows, 0..m, weights, panels, I::staging(&mut scratch), &mut Drop);
    }
}

/// Drops sums, all of which the compiler must believe to be used.
struct Drop;

impl Epilogue for Drop {
    #[inline(always)]
    fn finish<I: Isa>(&mut self, _: I, _: usize, _: usize, sums: &[[i32; LANES]]) {
        for block in sums {
            black_box(block);
        }
    }
}

/// The whole layer, floats to floats: measure, quantize, multiply, scale back. The distance from
/// `gemv` and `gemm` of the same shape is what a dynamic layer pays for its floats.
fn dynamic_linear(criterion: &mut Criterion, level: Level) {
    let mut group = group(criterion, "dynamic linear");
    let shapes: [[usize; 3]; 6] = [
        [1, 256, 1024],
        [1, 512, 512],
        [1, 768, 3072],
        [8, 768, 3072],
        [32, 768, 768],
        [128, 768, 768],
    ];
    for [m, k, n] in shapes {
        let mut numbers = Numbers(4);
        let weights = numbers.weights(n * k);
        let (scales, bias) = (vec![0.001; n], numbers.floats(n));
        let layer = Linear::new(&weights, (n, k), &scales, None, Some(&bias));
        let layer = layer.expect("the sizes agree");
        let x = numbers.floats(m * k);
        let mut y = vec![0.0; m * n];
        group.throughput(Throughput::Elements((m * n * k) as u64));
        for engine in [Engine::Qrs, Engine::Fbgemm] {
            let how = Dynamic { engine, reduce_range: true, relu: false };
            group.bench_function(format!("{}/{m}x{k}x{n}", engine.name()), |bencher| {
                bencher.iter(|| layer.dynamic(level, how, m, black_box(&x), &mut y));
            });
        }
    }
    group.finish();
}

/// Name, size of a square image, channels in and out, kernel, stride and groups of a convolution.
type Layer = (&'static str, usize, usize, usize, usize, usize, usize);

const CONVS: [Layer; 14] = [
    ("stem 7x7/2", 224, 3, 64, 7, 2, 1),
    ("stem 3x3/2", 224, 3, 32, 3, 2, 1),
    ("1x1", 56, 64, 64, 1, 1, 1),
    ("1x1", 14, 1024, 256, 1, 1, 1),
    ("3x3", 56, 64, 64, 3, 1, 1),
    ("3x3", 14, 256, 256, 3, 1, 1),
    ("depthwise 3x3", 112, 32, 32, 3, 1, 32),
    ("depthwise 3x3/2", 112, 96, 96, 3, 2, 96),
    ("depthwise 3x3", 14, 384, 384, 3, 1, 384),
    ("depthwise 3x3", 7, 960, 960, 3, 1, 960),
    ("depthwise 5x5", 14, 240, 240, 5, 1, 240),
    ("grouped 3x3", 56, 128, 128, 3, 1, 32),
    ("grouped 3x3/2", 56, 256, 256, 3, 2, 32),
    ("grouped 3x3", 7, 1024, 1024, 3, 1, 32),
];

/// Static convolutions, bytes to bytes, without Python's call: what `peers.py` measures, less that.
fn convolutions(criterion: &mut Criterion, level: Level) {
    let mut group = group(criterion, "conv");
    for (name, size, inputs, outputs, kernel, stride, groups) in CONVS {
        let geometry = Geometry {
            kernel: [1, kernel, kernel],
            stride: [1, stride, stride],
            padding: [0, kernel / 2, kernel / 2],
            dilation: [1; 3],
            groups,
        };
        let mut numbers = Numbers(6);
        let products = outputs * kernel * kernel * inputs / groups;
        let (weights, bias) = (numbers.weights(products), numbers.floats(outputs));
        let scales = vec![0.001; outputs];
        let layer = Conv::new(&weights, (inputs, outputs), geometry, &scales, None, Some(&bias));
        let layer = layer.expect("the sizes agree");
        let input = [1, size, size];
        let pixels = layer.output(input).expect("the kernel fits").iter().product::<usize>();
        let x = numbers.bytes(size * size * inputs, 255);
        let mut y = vec![0; pixels * outputs];
        let params = |scale, zero_point| QParams { scale, zero_point };
        let how = Static {
            engine: Engine::Qrs,
            input: params(0.02, 117),
            output: params(0.05, 0),
            span: Span { min: 0, max: 255 },
        };
        group.throughput(Throughput::Elements((pixels * products) as u64));
        group.bench_function(format!("{name} {inputs}->{outputs} @{size}"), |bencher| {
            bencher.iter(|| layer.quantized(level, how, (1, input), black_box(&x), &mut y));
        });
    }
    group.finish();
}

/// A layer of 20 steps, as many inputs as hidden units. With one sample a step is a matrix times a
/// vector and its nonlinearities, so a change is one of weight bandwidth or of `cells.rs`; with eight
/// it is one of the product. `float` is the same layer with float weights: what int8 has to beat.
fn recurrent(criterion: &mut Criterion, level: Level) {
    const STEPS: usize = 20;
    let mut group = group(criterion, "lstm");
    for (batch, size) in [(1, 256), (1, 512), (1, 1024), (8, 512)] {
        let shape = Shape {
            kind: Kind::Lstm,
            input: size,
            hidden: size,
            projection: None,
            layers: 1,
            bidirectional: false,
        };
        let n = 4 * size;
        let mut numbers = Numbers(5);
        let (ints, bias) = (numbers.weights(n * size), numbers.floats(n));
        let scales = vec![0.001; n];
        let floats: Vec<_> = ints.iter().map(|&w| f32::from(w) * 0.001).collect();
        let int8 =
            Int8Weights { values: &ints, scales: &scales, zero_points: &[], bias: Some(&bias) };
        let float = FloatWeights { values: &floats, bias: Some(&bias) };
        let int8 = Rnn::<Int8>::new(shape, &[Weights { ih: int8, hh: int8, hr: None }]);
        let float = Rnn::<Float>::new(shape, &[Weights { ih: float, hh: float, hr: None }]);
        let (int8, float) = (int8.expect("the sizes agree"), float.expect("the sizes agree"));
        let x = numbers.floats(STEPS * batch * size);
        let mut run = Run::new(level, STEPS, batch, size);
        let products = 2 * n * size * batch * STEPS;
        group.throughput(Throughput::Elements(products as u64));
        for engine in [Engine::Qrs, Engine::Fbgemm] {
            group.bench_function(format!("{}/{batch}x{size}", engine.name()), |bencher| {
                bencher.iter(|| run.forward(&int8, engine, black_box(&x)));
            });
        }
        group.bench_function(format!("float/{batch}x{size}"), |bencher| {
            bencher.iter(|| run.forward(&float, Engine::Qrs, black_box(&x)));
        });
    }
    group.finish();
}

/// Room for the results of a layer.
struct Run {
    level: Level,
    steps: usize,
    batch: usize,
    y: Vec<f32>,
    h: Vec<f32>,
    c: Vec<f32>,
}

impl Run {
    fn new(level: Level, steps: usize, batch: usize, size: usize) -> Self {
        let state = vec![0.0; batch * size];
        Self { level, steps, batch, y: vec![0.0; steps * batch * size], h: state.clone(), c: state }
    }

    fn forward<M: Matrix>(&mut self, layer: &Rnn<M>, engine: Engine, x: &[f32]) {
        let steps = Steps::TimeMajor { steps: self.steps, batch: self.batch };
        let mut out = Output { y: &mut self.y, h: &mut self.h, c: &mut self.c };
        let input = Sequence { x, steps, state: State::default() };
        layer.forward(self.level, engine, input, &mut out).expect("finite input");
    }
}
