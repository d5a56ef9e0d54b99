//! Statically quantized convolutions and linear layers.

use qrs::conv::{Conv, ConvTranspose, Geometry};
use qrs::isa::Level;
use qrs::linear::Linear;
use qrs::parallel::set_num_threads;
use qrs::qparams::{Engine, QParams, Span};
use qrs::reference;
use qrs::requant::{Channels, Static};

use super::{Hash, Rng, same};

/// Kinds of layers: one weight scale, one per channel, weight zero points, and outputs so fine that sums
/// become reals beyond 32 bits.
const KINDS: usize = 4;

/// Random parameters of a layer with outputs spread over the whole byte range.
fn layer(rng: &mut Rng, n: usize, k: usize, kind: usize) -> (Channels, Static) {
    let spread = 30.0 * (k as f32).sqrt();
    let scales = rng.floats(if kind == 0 { 1 } else { n }, 0.002, 0.02);
    let channels = Channels {
        bias: rng.floats(n, -1.0, 1.0),
        zero_points: if kind == 2 { rng.vec(n, |rng| rng.int(-20, 20)) } else { Vec::new() },
        scales,
    };
    let engine = Engine::ALL[(rng.bits() % 3) as usize];
    let input = QParams { scale: rng.float(0.01, 0.05), zero_point: rng.int(0, 255) };
    let fine = if kind == 3 { 1e-9 } else { 1.0 };
    let scale = input.scale * 0.01 * spread * fine;
    let output = QParams { scale, zero_point: rng.int(0, 255) };
    let min = if rng.bits().is_multiple_of(2) { 0 } else { output.zero_point };
    let max = if rng.bits().is_multiple_of(4) { output.zero_point.max(170) } else { 255 };
    (channels, Static { engine, input, output, span: Span { min, max } })
}

/// Linear layers, every profile and kind of weights.
pub fn linear(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(5);
    let mut shapes =
        vec![(1, 1, 1), (1, 64, 16), (2, 65, 7), (5, 17, 33), (13, 130, 64), (7, 48, 5)];
    // Strips of every height.
    for n in [10, 32, 40, 64] {
        shapes.extend((1..=17).map(|m| (m, n, 11)));
    }
    for (m, n, k) in shapes {
        for kind in 0..KINDS {
            let (channels, how) = layer(&mut rng, n, k, kind);
            let w: Vec<i8> = rng.vec(n * k, |rng| rng.bits() as i8);
            let x = rng.bytes(m * k);
            let Channels { scales, zero_points, bias } = &channels;
            let points = (!zero_points.is_empty()).then_some(&zero_points[..]);
            let built = Linear::new(&w, (n, k), scales, points, Some(bias)).expect("shapes agree");
            let mut got = vec![0; m * n];
            built.quantized(level, how, m, &x, &mut got).expect("shapes agree");
            let wanted = reference::conv::linear(&w, k, &channels, how, &x);
            same(
                &mut hash,
                "linear",
                level,
                format!("{m}x{n}x{k} kind {kind} {how:?}"),
                &got,
                &wanted,
            );
        }
    }
    hash.0
}

/// A geometry with the same value in the dimensions that are not 1.
fn geometry(
    kernel: [usize; 3],
    stride: usize,
    padding: usize,
    dilation: usize,
    groups: usize,
) -> Geometry {
    let each = |v, one| kernel.map(|k| if k == 1 { one } else { v });
    Geometry {
        kernel,
        stride: each(stride, 1),
        padding: each(padding, 0),
        dilation: each(dilation, 1),
        groups,
    }
}

/// `(batch, input, channels in and out, geometry)` of every kind of convolution.
pub fn shapes() -> Vec<(usize, [usize; 3], (usize, usize), Geometry)> {
    vec![
        (1, [1, 1, 1], (1, 1), geometry([1, 1, 1], 1, 0, 1, 1)),
        (2, [1, 5, 7], (16, 64), geometry([1, 1, 1], 1, 0, 1, 1)),
        (1, [1, 7, 7], (3, 17), geometry([1, 3, 3], 2, 1, 1, 1)),
        (2, [1, 9, 8], (5, 70), geometry([1, 3, 3], 1, 1, 1, 1)),
        (1, [1, 10, 10], (8, 16), geometry([1, 3, 3], 1, 2, 2, 1)),
        (1, [1, 12, 11], (3, 8), geometry([1, 7, 7], 2, 3, 1, 1)),
        (3, [1, 1, 20], (6, 10), geometry([1, 1, 5], 1, 2, 1, 1)),
        (2, [4, 5, 6], (4, 9), geometry([3, 3, 3], 1, 1, 1, 1)),
        (1, [3, 6, 5], (2, 33), geometry([2, 3, 2], 2, 1, 1, 1)),
        (1, [1, 6, 6], (32, 48), geometry([1, 3, 3], 1, 1, 1, 2)),
        (2, [1, 8, 9], (16, 16), geometry([1, 3, 3], 1, 1, 1, 4)),
        (1, [1, 8, 8], (12, 24), geometry([1, 3, 3], 2, 1, 1, 12)),
        (1, [1, 9, 9], (35, 35), geometry([1, 3, 3], 1, 1, 1, 35)),
        (1, [1, 9, 9], (64, 64), geometry([1, 5, 5], 2, 2, 1, 64)),
        (2, [1, 1, 13], (20, 20), geometry([1, 1, 3], 1, 1, 1, 20)),
        (1, [4, 5, 6], (18, 18), geometry([3, 3, 3], 1, 1, 1, 18)),
        (1, [1, 11, 7], (16, 16), geometry([1, 3, 3], 1, 2, 2, 16)),
        (1, [1, 4, 9], (17, 17), geometry([1, 1, 1], 2, 0, 1, 17)),
        (1, [1, 7, 8], (10, 30), geometry([1, 3, 3], 1, 1, 1, 10)),
        (1, [1, 7, 8], (24, 24), geometry([1, 3, 3], 1, 1, 1, 12)),
        (1, [1, 7, 8], (24, 32), geometry([1, 3, 3], 2, 1, 1, 8)),
        (2, [1, 6, 5], (128, 128), geometry([1, 3, 3], 1, 1, 1, 32)),
        (1, [1, 6, 5], (48, 96), geometry([1, 3, 3], 1, 1, 1, 6)),
        (1, [1, 6, 5], (64, 16), geometry([1, 3, 3], 1, 1, 1, 8)),
        // Output rows that share quads, chunks of every width, rows made in segments.
        (2, [1, 9, 10], (120, 120), geometry([1, 5, 5], 1, 2, 1, 120)),
        (1, [1, 7, 13], (81, 81), geometry([1, 3, 3], 1, 1, 1, 81)),
        (1, [1, 9, 8], (33, 33), geometry([1, 4, 4], 1, 1, 1, 33)),
        (1, [1, 9, 9], (48, 48), geometry([1, 7, 7], 1, 3, 1, 48)),
        (1, [1, 4, 210], (64, 64), geometry([1, 3, 3], 1, 1, 1, 64)),
        (1, [1, 3, 70], (64, 64), geometry([1, 3, 3], 2, 1, 1, 8)),
        (1, [1, 6, 150], (20, 20), geometry([1, 5, 5], 1, 2, 1, 20)),
        (1, [1, 3, 120], (20, 20), geometry([1, 3, 3], 1, 1, 1, 5)),
        // Bands: of one, two and four streams, alone and at the end; rows with too few outputs for them;
        // padding wider than a stream; outputs below the last that share quads; segments.
        (2, [1, 7, 9], (16, 16), geometry([1, 3, 3], 1, 1, 1, 16)),
        (1, [1, 5, 30], (32, 32), geometry([1, 3, 3], 1, 1, 1, 32)),
        (1, [1, 5, 11], (80, 80), geometry([1, 3, 3], 2, 1, 1, 80)),
        (1, [1, 4, 13], (96, 96), geometry([1, 5, 5], 2, 2, 1, 96)),
        (1, [1, 6, 7], (112, 112), geometry([1, 3, 3], 1, 1, 2, 112)),
        (1, [1, 3, 3], (72, 72), geometry([1, 3, 3], 1, 1, 1, 72)),
        (2, [1, 3, 2], (32, 32), geometry([1, 1, 3], 1, 1, 1, 32)),
        (1, [1, 2, 3], (16, 16), geometry([1, 5, 5], 1, 4, 1, 16)),
        (1, [1, 2, 3], (32, 32), geometry([1, 3, 3], 3, 4, 2, 32)),
        (1, [3, 4, 5], (64, 64), geometry([2, 3, 3], 1, 1, 1, 64)),
        (1, [1, 5, 300], (16, 16), geometry([1, 3, 3], 1, 1, 1, 16)),
        (1, [1, 4, 140], (32, 32), geometry([1, 5, 5], 2, 2, 1, 32)),
        (1, [1, 7, 9], (64, 64), geometry([1, 3, 3], 1, 1, 1, 16)),
        (1, [1, 7, 9], (80, 80), geometry([1, 3, 3], 1, 1, 1, 10)),
        (1, [1, 6, 11], (32, 32), geometry([1, 3, 3], 2, 1, 1, 8)),
        (1, [1, 5, 9], (64, 64), geometry([1, 3, 3], 1, 2, 2, 4)),
        (1, [1, 5, 6], (112, 112), geometry([1, 1, 1], 1, 0, 1, 7)),
        (1, [1, 4, 50], (16, 16), geometry([1, 3, 3], 1, 1, 1, 2)),
        (1, [2, 4, 5], (48, 48), geometry([3, 3, 3], 1, 1, 1, 3)),
        (2, [1, 7, 7], (128, 128), geometry([1, 3, 3], 1, 1, 1, 128)),
        (3, [1, 5, 8], (64, 64), geometry([1, 3, 3], 2, 1, 1, 64)),
        (2, [1, 5, 4], (64, 64), geometry([1, 3, 3], 1, 1, 1, 16)),
        // Groups of one and two blocks, whose strips are whole lines, above and below which are taps.
        (2, [1, 7, 7], (96, 96), geometry([1, 3, 3], 1, 1, 1, 3)),
        (1, [1, 8, 8], (80, 80), geometry([1, 3, 3], 1, 1, 1, 5)),
        (1, [1, 14, 6], (40, 60), geometry([1, 3, 3], 1, 1, 1, 2)),
        // Rows shorter than the 16 bytes that are read at once.
        (1, [1, 3, 3], (4, 8), geometry([1, 1, 1], 1, 0, 1, 4)),
        (2, [1, 7, 2], (4, 4), geometry([1, 3, 3], 1, 1, 1, 4)),
        // Kernel rows as taps.
        (2, [1, 21, 19], (3, 64), geometry([1, 7, 7], 2, 3, 1, 1)),
        (1, [3, 8, 9], (3, 16), geometry([3, 3, 3], 2, 1, 1, 1)),
        (2, [1, 1, 40], (4, 20), geometry([1, 1, 9], 2, 4, 1, 1)),
        (1, [1, 9, 9], (15, 8), geometry([1, 2, 2], 1, 0, 1, 1)),
        // Kernel rows whose taps lie together, except at the edges or where each is padded.
        (2, [1, 9, 20], (20, 70), geometry([1, 3, 3], 1, 1, 1, 1)),
        (1, [1, 9, 20], (17, 20), geometry([1, 3, 3], 1, 1, 1, 1)),
        (1, [1, 19, 31], (32, 40), geometry([1, 5, 5], 2, 2, 1, 1)),
        (1, [4, 5, 17], (24, 16), geometry([3, 3, 3], 1, 1, 1, 1)),
        (1, [1, 7, 33], (16, 32), geometry([1, 3, 3], 1, 2, 2, 1)),
        // Weights that do not stay in L2.
        (1, [1, 5, 5], (200, 330), geometry([1, 3, 3], 1, 1, 1, 1)),
    ]
}

/// Convolutions of every kind, with every kind of weights.
pub fn quantized(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(6);
    for shape in shapes() {
        for kind in 0..KINDS {
            equals_the_oracle(level, shape, kind, &mut rng, &mut hash);
        }
    }
    set_num_threads(1).expect("one thread");
    hash.0
}

/// Images too large to be copied at once: several in a piece, planes, lines, and lines that are pieces.
pub fn large_images(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(7);
    for shape in [
        (3, [1, 3, 40_000], (2, 1), geometry([1, 3, 3], 1, 1, 1, 1)),
        (2, [1, 7, 90_000], (2, 3), geometry([1, 3, 3], 2, 1, 1, 1)),
        (1, [5, 3, 30_000], (3, 2), geometry([3, 2, 2], 1, 1, 1, 1)),
        (2, [3, 2, 200_000], (3, 1), geometry([2, 3, 2], 2, 1, 1, 1)),
    ] {
        for kind in [0, 2] {
            equals_the_oracle(level, shape, kind, &mut rng, &mut hash);
        }
    }
    set_num_threads(1).expect("one thread");
    hash.0
}

/// A convolution with random integers, on every number of threads.
fn equals_the_oracle(
    level: Level,
    (batch, input, (inputs, outputs), geometry): (usize, [usize; 3], (usize, usize), Geometry),
    kind: usize,
    rng: &mut Rng,
    hash: &mut Hash,
) {
    let c = inputs / geometry.groups;
    let k = geometry.taps() * c;
    let (channels, how) = layer(rng, outputs, k, kind);
    let w: Vec<i8> = rng.vec(outputs * k, |rng| rng.bits() as i8);
    let x = rng.bytes(batch * input.iter().product::<usize>() * inputs);
    let Channels { scales, zero_points, bias } = &channels;
    let points = (!zero_points.is_empty()).then_some(&zero_points[..]);
    let built = Conv::new(&w, (inputs, outputs), geometry, scales, points, Some(bias));
    let built = built.expect("shapes agree");
    let output = built.output(input).expect("the kernel fits");
    let sizes = (inputs, outputs);
    let images = (batch, input, output);
    let wanted = reference::conv::conv(&w, sizes, geometry, &channels, how, images, &x);
    for threads in [1, 2, 3, 8] {
        set_num_threads(threads).expect("a small number");
        let mut got = vec![0; wanted.len()];
        built.quantized(level, how, (batch, input), &x, &mut got).expect("shapes agree");
        let what =
            format!("{input:?} x {inputs}->{outputs} {geometry:?} kind {kind}, {threads} threads");
        same(hash, "conv", level, what, &got, &wanted);
    }
}

/// `(batch, input, output padding, channels in and out, geometry)` of every kind of transposed
/// convolution.
pub fn transposed_shapes() -> Vec<(usize, [usize; 3], [usize; 3], (usize, usize), Geometry)> {
    vec![
        (1, [1, 1, 1], [0; 3], (1, 1), geometry([1, 1, 1], 1, 0, 1, 1)),
        // Phases of one tap, which read the input as it stands; with more at the end, not quite.
        (2, [1, 5, 7], [0; 3], (16, 64), geometry([1, 2, 2], 2, 0, 1, 1)),
        (1, [1, 5, 7], [0, 1, 1], (16, 70), geometry([1, 2, 2], 2, 0, 1, 1)),
        (1, [2, 3, 4], [0; 3], (5, 9), geometry([2, 2, 2], 2, 0, 1, 1)),
        (1, [1, 1, 9], [0, 0, 5], (8, 20), geometry([1, 1, 4], 4, 0, 1, 1)),
        (1, [1, 5, 4], [0, 1, 1], (8, 20), geometry([1, 2, 2], 2, 0, 3, 1)),
        (2, [1, 6, 7], [0; 3], (20, 33), geometry([1, 4, 4], 2, 1, 1, 1)),
        (1, [1, 7, 5], [0, 1, 1], (8, 17), geometry([1, 3, 3], 2, 1, 1, 1)),
        (3, [1, 1, 9], [0, 0, 2], (6, 10), geometry([1, 1, 5], 3, 2, 1, 1)),
        (1, [1, 1, 40], [0; 3], (32, 16), geometry([1, 1, 16], 8, 4, 1, 1)),
        (2, [2, 3, 4], [1, 1, 1], (4, 9), geometry([3, 3, 3], 2, 1, 1, 1)),
        (1, [1, 6, 5], [0; 3], (7, 18), geometry([1, 3, 3], 1, 1, 1, 1)),
        // Dilation: with a factor of the stride, and without; phases that no tap reaches.
        (1, [1, 5, 6], [0; 3], (8, 16), geometry([1, 3, 3], 2, 1, 2, 1)),
        (1, [1, 5, 6], [0, 1, 1], (8, 16), geometry([1, 3, 3], 2, 2, 3, 1)),
        (1, [1, 4, 5], [0, 3, 3], (9, 12), geometry([1, 4, 4], 6, 0, 4, 1)),
        (2, [1, 3, 4], [0; 3], (9, 65), geometry([1, 2, 2], 5, 0, 1, 1)),
        (1, [1, 3, 4], [0, 2, 2], (12, 12), geometry([1, 1, 1], 3, 0, 1, 1)),
        // Padding wider than the kernel reaches, and outputs before the first phase is full.
        (1, [1, 6, 6], [0; 3], (8, 16), geometry([1, 2, 2], 1, 2, 1, 1)),
        (1, [1, 5, 6], [0, 1, 1], (8, 16), geometry([1, 2, 2], 2, 3, 1, 1)),
        (1, [1, 1, 2], [0; 3], (4, 4), geometry([1, 1, 2], 7, 3, 1, 1)),
        // Groups: products, and narrow ones, whose kernels do not take a negative padding.
        (1, [1, 5, 6], [0, 1, 1], (32, 48), geometry([1, 3, 3], 2, 1, 1, 2)),
        (2, [1, 5, 6], [0; 3], (35, 35), geometry([1, 4, 4], 2, 1, 1, 35)),
        (1, [1, 9, 4], [0, 1, 1], (64, 64), geometry([1, 3, 3], 2, 1, 1, 64)),
        (1, [1, 4, 9], [0; 3], (18, 18), geometry([1, 2, 2], 2, 1, 1, 18)),
        (1, [1, 5, 6], [0; 3], (24, 32), geometry([1, 4, 4], 2, 1, 1, 8)),
        (1, [2, 3, 4], [0; 3], (18, 18), geometry([3, 3, 3], 2, 0, 1, 18)),
        (1, [1, 1, 2], [0; 3], (16, 16), geometry([1, 1, 2], 9, 3, 1, 16)),
        // Weights that do not stay in L2.
        (1, [1, 5, 5], [0; 3], (400, 330), geometry([1, 4, 4], 2, 1, 1, 1)),
    ]
}

/// Transposed convolutions of every kind, with every kind of weights.
pub fn transposed(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(8);
    for (batch, input, extra, (inputs, outputs), geometry) in transposed_shapes() {
        for kind in 0..KINDS {
            let k = geometry.taps() * inputs / geometry.groups;
            let depth = k / geometry.stride.iter().product::<usize>();
            let (channels, how) = layer(&mut rng, outputs, depth.max(1), kind);
            let w: Vec<i8> = rng.vec(outputs * k, |rng| rng.bits() as i8);
            let x = rng.bytes(batch * input.iter().product::<usize>() * inputs);
            let Channels { scales, zero_points, bias } = &channels;
            let points = (!zero_points.is_empty()).then_some(&zero_points[..]);
            let sizes = (inputs, outputs);
            let built = ConvTranspose::new(&w, sizes, geometry, scales, points, Some(bias));
            let built = built.expect("shapes agree");
            let output = built.output(input, extra).expect("some output is left");
            let places = (batch, input, output);
            let wanted =
                reference::conv::conv_transpose(&w, sizes, geometry, &channels, how, places, &x);
            for threads in [1, 2, 3, 8] {
                set_num_threads(threads).expect("a small number");
                let mut got = vec![0; wanted.len()];
                let sizes = (batch, input, extra);
                built.quantized(level, how, sizes, &x, &mut got).expect("shapes agree");
                let what = format!(
                    "{input:?} x {inputs}->{outputs} + {extra:?} {geometry:?} kind {kind}, {threads} \
                     threads"
                );
                same(&mut hash, "conv_transpose", level, what, &got, &wanted);
            }
        }
    }
    set_num_threads(1).expect("one thread");
    hash.0
}

/// Sums of the largest bytes and weights, each sign: exact on every level.
pub fn transposed_extremes(level: Level) -> u64 {
    let mut hash = Hash::default();
    let (inputs, outputs) = (64, 16);
    let geometry = geometry([1, 4, 4], 2, 1, 1, 1);
    let k = geometry.taps() * inputs;
    for (weight, byte, zero_point) in
        [(-128, 255, 0), (127, 255, 0), (-128, 0, 255), (127, 0, 255), (-128, 255, 128)]
    {
        for point in [0, -128, 127] {
            let channels = Channels {
                scales: vec![0.01],
                zero_points: if point == 0 { Vec::new() } else { vec![point; outputs] },
                bias: vec![0.5; outputs],
            };
            let input = QParams { scale: 0.02, zero_point };
            let output = QParams { scale: 30.0, zero_point: 128 };
            let span = Span { min: 0, max: 255 };
            let how = Static { engine: Engine::Qrs, input, output, span };
            let (w, x) = (vec![weight; outputs * k], vec![byte; 9 * inputs]);
            let points = (point != 0).then_some(&channels.zero_points[..]);
            let sizes = (inputs, outputs);
            let bias = Some(&channels.bias[..]);
            let built = ConvTranspose::new(&w, sizes, geometry, &[0.01], points, bias);
            let built = built.expect("shapes agree");
            let places = (1, [1, 3, 3], [1, 6, 6]);
            let wanted =
                reference::conv::conv_transpose(&w, sizes, geometry, &channels, how, places, &x);
            let mut got = vec![0; wanted.len()];
            built.quantized(level, how, (1, [1, 3, 3], [0; 3]), &x, &mut got).expect("fits");
            let what = format!("weights {weight} less {point}, bytes {byte} less {zero_point}");
            same(&mut hash, "conv_transpose", level, what, &got, &wanted);
        }
    }
    hash.0
}
