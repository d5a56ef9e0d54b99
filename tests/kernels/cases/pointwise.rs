//! Sums, products, bounds, joining and matrix products of bytes.

use qrs::byte::Byte;
use qrs::isa::Level;
use qrs::matmul::{Sizes, matmul};
use qrs::parallel::set_num_threads;
use qrs::pointwise::{Binary, Broadcast, Operation, Piece, cat, clamp};
use qrs::qparams::{QParams, QUINT8};
use qrs::reference;
use qrs::table::Table;

use super::{Bits, Hash, Rng, same};

/// Random bytes of either type.
pub fn bytes<T: Byte>(rng: &mut Rng, len: usize) -> Vec<T> {
    rng.vec(len, |rng| T::from_int(rng.int(T::SPAN.min, T::SPAN.max)))
}

/// Random parameters of bytes of either type, zero points at both ends included.
pub fn params<T: Byte>(rng: &mut Rng, low: f32, high: f32) -> QParams {
    let zero_point = match rng.int(0, 5) {
        0 => T::SPAN.min,
        1 => T::SPAN.max,
        _ => rng.int(T::SPAN.min, T::SPAN.max),
    };
    QParams { scale: rng.float(low, high), zero_point }
}

fn pairs<T: Byte + Bits>(hash: &mut Hash, rng: &mut Rng, level: Level) {
    let mut shapes: Vec<(Vec<usize>, Vec<usize>)> = (0..70).map(|n| (vec![n], vec![n])).collect();
    shapes.extend([
        (vec![], vec![]),
        (vec![3, 40], vec![40]),
        (vec![3, 40], vec![3, 1]),
        (vec![1, 6], vec![6, 1]),
        (vec![2, 1, 5, 17], vec![2, 3, 1, 17]),
        (vec![2, 1, 1, 33], vec![2, 4, 5, 33]),
        (vec![7], vec![1]),
        (vec![1], vec![2, 21]),
    ]);
    for (a_shape, b_shape) in shapes {
        for operation in [Operation::Add, Operation::Mul] {
            // Outputs whose scale is far too small: every sum leaves 32 bits.
            let tiny = rng.int(0, 9) == 0;
            let by = Binary {
                operation,
                inputs: [params::<T>(rng, 0.001, 0.1), params::<T>(rng, 0.001, 0.1)],
                output: match tiny {
                    true => params::<T>(rng, 1e-12, 1e-11),
                    false => params::<T>(rng, 0.001, 0.1),
                },
                relu: rng.int(0, 1) == 1,
            };
            let meeting = Broadcast::new("test", &a_shape, &b_shape).expect("shapes agree");
            let [m, n, len] = meeting.lens();
            let (a, b): (Vec<T>, Vec<T>) = (bytes(rng, m), bytes(rng, n));
            let mut got = vec![T::default(); len];
            by.apply(level, &meeting, (&a, &b), &mut got).expect("lengths agree");
            let wanted: Vec<T> = reference::pointwise::broadcast(&a_shape, &b_shape)
                .into_iter()
                .map(|(i, j)| reference::pointwise::binary(&by, a[i].int(), b[j].int(), T::SPAN))
                .map(T::from_int)
                .collect();
            let what = format!("{a_shape:?} {b_shape:?} {by:?}");
            same(hash, operation.name(), level, what, &got, &wanted);
        }
    }
}

/// Every pair of bytes, under parameters of all kinds.
fn all_pairs<T: Byte + Bits>(hash: &mut Hash, rng: &mut Rng, level: Level) {
    let all: Vec<T> = (T::SPAN.min..=T::SPAN.max).map(T::from_int).collect();
    let meeting = Broadcast::new("test", &[256, 1], &[256]).expect("shapes agree");
    for operation in [Operation::Add, Operation::Mul] {
        for relu in [false, true] {
            let by = Binary {
                operation,
                inputs: [params::<T>(rng, 0.01, 0.1), params::<T>(rng, 0.01, 0.1)],
                output: params::<T>(rng, 0.02, 0.2),
                relu,
            };
            let mut got = vec![T::default(); 65_536];
            by.apply(level, &meeting, (&all, &all), &mut got).expect("lengths agree");
            let wanted: Vec<T> = (0..65_536)
                .map(|i| (all[i / 256].int(), all[i % 256].int()))
                .map(|(a, b)| T::from_int(reference::pointwise::binary(&by, a, b, T::SPAN)))
                .collect();
            same(hash, operation.name(), level, format!("all pairs {by:?}"), &got, &wanted);
        }
    }
}

/// Sums and products, broadcast in every way.
pub fn binary(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(41);
    pairs::<u8>(&mut hash, &mut rng, level);
    pairs::<i8>(&mut hash, &mut rng, level);
    all_pairs::<u8>(&mut hash, &mut rng, level);
    all_pairs::<i8>(&mut hash, &mut rng, level);
    hash.0
}

fn bounded<T: Byte + Bits>(hash: &mut Hash, rng: &mut Rng, level: Level) {
    for len in (0..140).step_by(3) {
        let x: Vec<T> = bytes(rng, len);
        let bounds: Vec<T> = bytes(rng, 2);
        let mut got = vec![T::default(); len];
        clamp(level, &x, (bounds[0], bounds[1]), &mut got).expect("lengths agree");
        let wanted: Vec<T> = x.iter().map(|&q| bounds[1].min(bounds[0].max(q))).collect();
        same(hash, "clamp", level, format!("{len} {bounds:?}"), &got, &wanted);
    }
}

/// Bounds, crossed ones too.
pub fn clamped(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(42);
    bounded::<u8>(&mut hash, &mut rng, level);
    bounded::<i8>(&mut hash, &mut rng, level);
    hash.0
}

/// Joined rows, short and long, with tables and without.
pub fn joined(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(43);
    for (rows, widths) in [
        (1, vec![5]),
        (3, vec![1, 2]),
        (40, vec![16, 0, 33]),
        (7, vec![700, 3]),
        (2, vec![9000, 64]),
    ] {
        let items: Vec<(Vec<u8>, Option<Table>)> = widths
            .iter()
            .map(|width| {
                let table = Table(std::array::from_fn(|_| rng.bits() as u8));
                (rng.bytes(rows * width), (rng.int(0, 1) == 1).then_some(table))
            })
            .collect();
        let pieces: Vec<Piece<'_>> = items
            .iter()
            .zip(&widths)
            .map(|((bytes, table), &width)| Piece { bytes, width, table: table.as_ref() })
            .collect();
        let mut wanted = Vec::new();
        for r in 0..rows {
            for piece in &pieces {
                for &q in &piece.bytes[r * piece.width..][..piece.width] {
                    wanted.push(piece.table.map_or(q, |table| table.0[usize::from(q)]));
                }
            }
        }
        let mut got = vec![0; wanted.len()];
        cat(level, rows, &pieces, &mut got).expect("lengths agree");
        same(&mut hash, "cat", level, format!("{rows} x {widths:?}"), &got, &wanted);
    }
    hash.0
}

/// Products of matrices of bytes.
pub fn product(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(44);
    for (batch, m, k, n) in [(1, 1, 1, 1), (2, 3, 5, 7), (1, 17, 64, 33), (3, 6, 40, 65)] {
        let inputs = [params::<u8>(&mut rng, 0.01, 0.05), params::<u8>(&mut rng, 0.01, 0.05)];
        let mut output = params::<u8>(&mut rng, 0.1, 0.5);
        output.scale *= inputs[0].scale * (k as f32).sqrt();
        let (a, b) = (rng.bytes(batch * m * k), rng.bytes(batch * k * n));
        let mut got = vec![0; batch * m * n];
        let sizes = Sizes { batch, m, k, n };
        matmul(level, sizes, (&a, &b), inputs, output, &mut got).expect("shapes agree");
        let factor = (inputs[0].scale * inputs[1].scale) / output.scale;
        let mut wanted = Vec::new();
        for i in 0..batch * m {
            for j in 0..n {
                let term = |l: usize| {
                    let x = i32::from(a[i * k + l]) - inputs[0].zero_point;
                    let y = i32::from(b[(i / m * k + l) * n + j]) - inputs[1].zero_point;
                    x * y
                };
                let sum = (0..k).map(term).sum();
                let zero_point = output.zero_point;
                wanted.push(reference::quantize::requantize(sum, factor, zero_point, QUINT8) as u8);
            }
        }
        same(&mut hash, "matmul", level, format!("{batch} x {m} {k} {n}"), &got, &wanted);
    }
    hash.0
}

/// Results on 1, 2, 3 and 8 threads, of tensors large enough to be shared out.
pub fn threads(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(45);
    let by = Binary {
        operation: Operation::Add,
        inputs: [params::<u8>(&mut rng, 0.01, 0.1), params::<u8>(&mut rng, 0.01, 0.1)],
        output: params::<u8>(&mut rng, 0.02, 0.2),
        relu: false,
    };
    let (a, b) = (rng.bytes(600_001), rng.bytes(600_001));
    let whole = Broadcast::new("test", &[600_001], &[600_001]).expect("shapes agree");
    let rows = Broadcast::new("test", &[6000, 100], &[100]).expect("shapes agree");
    let table = Table(std::array::from_fn(|i| (i * 7) as u8));
    let run = || {
        let mut out = [(); 4].map(|()| vec![0; 600_000]);
        by.apply(level, &rows, (&a[..600_000], &b[..100]), &mut out[0]).expect("lengths agree");
        clamp(level, &a[..600_000], (20, 200), &mut out[1]).expect("lengths agree");
        let halves = [&a[..300_000], &b[..300_000]].map(|bytes| Piece {
            bytes,
            width: 100,
            table: Some(&table),
        });
        cat(level, 3000, &halves, &mut out[2]).expect("lengths agree");
        let mut sum = vec![0; 600_001];
        by.apply(level, &whole, (&a, &b), &mut sum).expect("lengths agree");
        out[3] = sum;
        out.concat()
    };
    set_num_threads(1).expect("a valid number");
    let wanted = run();
    for n in [1, 2, 3, 8] {
        set_num_threads(n).expect("a valid number");
        same(&mut hash, "pointwise", level, format!("{n} threads"), &run(), &wanted);
    }
    hash.0
}
