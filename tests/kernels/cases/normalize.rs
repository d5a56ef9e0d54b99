//! Batch, layer, group and instance normalization of bytes.

use qrs::byte::Byte;
use qrs::isa::Level;
use qrs::norm::{Affine, Groups};
use qrs::parallel::set_num_threads;
use qrs::reference::normalize as reference;

use super::pointwise::{bytes, params};
use super::{Bits, Hash, Rng, same};

/// Index of the channel of element `i`.
fn channel(shape: Groups, i: usize) -> usize {
    match shape.channels_last {
        true => i % shape.channels,
        false => i / shape.positions % shape.channels,
    }
}

/// Index of the group of element `i`, over all images.
fn group(shape: Groups, i: usize) -> usize {
    let image = i / (shape.channels * shape.positions);
    image * shape.groups + channel(shape, i) / (shape.channels / shape.groups)
}

fn each<T: Byte + Bits>(hash: &mut Hash, rng: &mut Rng, level: Level) {
    let mut shapes =
        vec![(2, 6, 20, 3), (1, 32, 9, 4), (3, 35, 7, 35), (2, 48, 1, 2), (1, 18, 30, 1)];
    shapes.extend((1..70).map(|n| (1, n, 3, 1)));
    shapes.extend((1..70).map(|n| (2, 2, n, 2)));
    for (batch, channels, positions, groups) in shapes {
        for channels_last in [false, true] {
            let shape = Groups { batch, channels, positions, groups, channels_last };
            let len = batch * channels * positions;
            let x: Vec<T> = bytes(rng, len);
            let ints: Vec<i32> = x.iter().map(|q| q.int()).collect();
            let (weight, bias) = (rng.floats(len, -2.0, 2.0), rng.floats(len, -1.0, 1.0));
            let has = rng.int(0, 3);
            let by = |n: usize, relu, rng: &mut Rng| Affine {
                weight: (has & 1 == 0).then_some(&weight[..n]),
                bias: (has & 2 == 0).then_some(&bias[..n]),
                eps: 1e-5,
                input: params::<T>(rng, 0.01, 0.05),
                output: params::<T>(rng, 0.02, 0.05),
                relu,
            };
            let mut got = vec![T::default(); len];

            let relu = rng.int(0, 1) == 1;
            let affine = by(channels, relu, rng);
            let mean = rng.floats(channels, -1.0, 1.0);
            let variance = rng.floats(channels, 0.1, 2.0);
            affine.batch(level, shape, (&mean, &variance), &x, &mut got).expect("lengths agree");
            let wanted: Vec<T> = (0..len)
                .map(|i| (channel(shape, i), ints[i]))
                .map(|(j, q)| reference::batch(&affine, q, j, mean[j], variance[j], T::SPAN))
                .map(T::from_int)
                .collect();
            same(hash, "batch_norm", level, format!("{shape:?} {affine:?}"), &got, &wanted);

            let affine = by(channels, false, rng);
            affine.group(level, shape, &x, &mut got).expect("lengths agree");
            let mut wanted = vec![T::default(); len];
            for g in 0..batch * groups {
                let own: Vec<usize> = (0..len).filter(|&i| group(shape, i) == g).collect();
                let values: Vec<i32> = own.iter().map(|&i| ints[i]).collect();
                let places: Vec<usize> = own.iter().map(|&i| channel(shape, i)).collect();
                let done = reference::own(&affine, &values, &places, false, T::SPAN);
                own.iter().zip(done).for_each(|(&i, q)| wanted[i] = T::from_int(q));
            }
            same(hash, "group_norm", level, format!("{shape:?} {affine:?}"), &got, &wanted);

            let n = channels * positions;
            let affine = by(n, false, rng);
            affine.layer(level, &x, n, &mut got).expect("lengths agree");
            let places: Vec<usize> = (0..n).collect();
            let wanted: Vec<T> = ints
                .chunks(n)
                .flat_map(|row| reference::own(&affine, row, &places, true, T::SPAN))
                .map(T::from_int)
                .collect();
            same(hash, "layer_norm", level, format!("{batch} x {n} {affine:?}"), &got, &wanted);
        }
    }
}

/// Every kind of normalization.
pub fn all(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(61);
    each::<u8>(&mut hash, &mut rng, level);
    each::<i8>(&mut hash, &mut rng, level);
    hash.0
}

/// Sums that 32 bits do not hold.
pub fn long(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(62);
    let n = 700_000;
    let x: Vec<u8> = rng.vec(n, |rng| rng.int(200, 255) as u8);
    let ints: Vec<i32> = x.iter().map(|&q| q.into()).collect();
    let affine = Affine {
        weight: None,
        bias: None,
        eps: 1e-5,
        input: params::<u8>(&mut rng, 0.01, 0.05),
        output: params::<u8>(&mut rng, 0.02, 0.05),
        relu: false,
    };
    let wanted: Vec<u8> = reference::own(&affine, &ints, &vec![0; n], true, qrs::qparams::QUINT8)
        .into_iter()
        .map(|q| q as u8)
        .collect();
    let mut got = vec![0; n];
    affine.layer(level, &x, n, &mut got).expect("lengths agree");
    same(&mut hash, "layer_norm", level, "a long row", &got, &wanted);
    let shape = Groups { batch: 1, channels: 1, positions: n, groups: 1, channels_last: true };
    affine.group(level, shape, &x, &mut got).expect("lengths agree");
    same(&mut hash, "group_norm", level, "many positions", &got, &wanted);
    hash.0
}

/// Results on 1, 2, 3 and 8 threads.
pub fn threads(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(63);
    let (batch, channels, positions) = (2, 96, 700);
    let x = rng.bytes(batch * channels * positions);
    let (weight, bias) = (rng.floats(channels, -2.0, 2.0), rng.floats(channels, -1.0, 1.0));
    let variance = rng.floats(channels, 0.1, 2.0);
    let affine = Affine {
        weight: Some(&weight),
        bias: Some(&bias),
        eps: 1e-5,
        input: params::<u8>(&mut rng, 0.01, 0.05),
        output: params::<u8>(&mut rng, 0.02, 0.05),
        relu: true,
    };
    let run = || {
        let mut all = Vec::new();
        for channels_last in [false, true] {
            let shape = Groups { batch, channels, positions, groups: 8, channels_last };
            let mut out = vec![0; x.len()];
            affine.batch(level, shape, (&bias, &variance), &x, &mut out).expect("lengths agree");
            all.extend_from_slice(&out);
            affine.group(level, shape, &x, &mut out).expect("lengths agree");
            all.extend_from_slice(&out);
        }
        let mut out = vec![0; x.len()];
        affine.layer(level, &x, channels, &mut out).expect("lengths agree");
        all.extend_from_slice(&out);
        all
    };
    set_num_threads(1).expect("a valid number");
    let wanted = run();
    for n in [1, 2, 3, 8] {
        set_num_threads(n).expect("a valid number");
        same(&mut hash, "normalize", level, format!("{n} threads"), &run(), &wanted);
    }
    hash.0
}
