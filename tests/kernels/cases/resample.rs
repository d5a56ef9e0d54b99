//! Resizing, choosing and moving of bytes.

use qrs::byte::Byte;
use qrs::isa::Level;
use qrs::parallel::set_num_threads;
use qrs::reference::resample as reference;
use qrs::resample::{Axis, bilinear};
use qrs::shuffle::{OUTSIDE, permute, select};

use super::pointwise::bytes;
use super::{Bits, Hash, Rng, same};

fn resized<T: Byte + Bits>(hash: &mut Hash, rng: &mut Rng, level: Level) {
    let mut shapes = vec![
        (2, 3, [4, 5], [8, 10], None),
        (1, 20, [7, 3], [3, 9], None),
        (1, 2, [1, 1], [3, 2], None),
        (1, 4, [5, 6], [1, 1], None),
        (1, 5, [4, 6], [10, 15], Some(2.6)),
    ];
    shapes.extend((1..70).map(|c| (1, c, [2, 2], [3, 3], None)));
    for (batch, channels, [h, w], [oh, ow], scale) in shapes {
        for corners in [false, true] {
            let zero_point = rng.int(T::SPAN.min, T::SPAN.max);
            let x: Vec<T> = bytes(rng, batch * h * w * channels);
            let axis = |size, count| Axis::linear(size, count, scale, corners).expect("some input");
            let mut got = vec![T::default(); batch * oh * ow * channels];
            let axes = [axis(h, oh), axis(w, ow)];
            bilinear(level, &x, (batch, channels), &axes, zero_point, &mut got)
                .expect("lengths agree");
            let mut wanted = Vec::new();
            for i in 0..got.len() {
                let (c, at) = (i % channels, i / channels);
                let y = reference::place(at / ow % oh, h, oh, scale, corners);
                let z = reference::place(at % ow, w, ow, scale, corners);
                let (low, left) = ((y as usize).min(h - 1), (z as usize).min(w - 1));
                let corner = |dy: usize, dz: usize| {
                    let (y, z) = ((low + dy).min(h - 1), (left + dz).min(w - 1));
                    x[((at / (oh * ow) * h + y) * w + z) * channels + c].int()
                };
                let corners = [[corner(0, 0), corner(0, 1)], [corner(1, 0), corner(1, 1)]];
                let (y, z) = (y - low as f32, z - left as f32);
                let q = reference::bilinear(corners, y, z, zero_point, T::SPAN);
                wanted.push(T::from_int(q));
            }
            let what = format!("{batch} x {h} x {w} x {channels} to {oh} x {ow}, {corners}");
            same(hash, "bilinear", level, what, &got, &wanted);
        }
    }
}

/// Bilinear interpolation, up and down.
pub fn between(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(81);
    resized::<u8>(&mut hash, &mut rng, level);
    resized::<i8>(&mut hash, &mut rng, level);
    hash.0
}

/// Every index of a box, last axis fastest.
fn positions(shape: &[usize]) -> Vec<Vec<usize>> {
    (0..shape.iter().product())
        .map(|mut flat: usize| {
            let mut index = vec![0; shape.len()];
            for d in (0..shape.len()).rev() {
                index[d] = flat % shape[d];
                flat /= shape[d];
            }
            index
        })
        .collect()
}

fn flat(shape: &[usize], index: &[usize]) -> usize {
    shape.iter().zip(index).fold(0, |at, (n, i)| at * n + i)
}

/// Indices chosen along any axes, some of them outside.
pub fn chosen(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(82);
    for shape in [vec![5], vec![3, 4], vec![2, 3, 4, 5], vec![2, 1, 6], vec![4, 7, 16]] {
        for mask in 0..1 << shape.len() {
            let x = rng.bytes(shape.iter().product());
            let tables: Vec<Option<Vec<usize>>> = (0..shape.len())
                .map(|axis| {
                    let pick = |rng: &mut Rng| match rng.int(-1, shape[axis] as i32 - 1) {
                        -1 => OUTSIDE,
                        i => i as usize,
                    };
                    let count = rng.int(0, 6) as usize;
                    (mask >> axis & 1 == 1).then(|| rng.vec(count, pick))
                })
                .collect();
            let tables: Vec<Option<&[usize]>> = tables.iter().map(Option::as_deref).collect();
            let len = |d: usize| tables[d].map_or(shape[d], <[usize]>::len);
            let size: Vec<usize> = (0..shape.len()).map(len).collect();
            let wanted: Vec<u8> = positions(&size)
                .into_iter()
                .map(|mut index| {
                    for (d, i) in index.iter_mut().enumerate() {
                        *i = tables[d].map_or(*i, |table| table[*i]);
                    }
                    if index.contains(&OUTSIDE) { 77 } else { x[flat(&shape, &index)] }
                })
                .collect();
            let mut got = vec![0; wanted.len()];
            select(&x, &shape, &tables, 77, &mut got).expect("lengths agree");
            same(&mut hash, "select", level, format!("{shape:?} {tables:?}"), &got, &wanted);
        }
    }
    hash.0
}

/// Axes in every order.
pub fn moved(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(83);
    let mut cases = vec![(vec![], vec![]), (vec![9], vec![0])];
    for shape in [vec![19, 33], vec![16, 8], vec![2, 31], vec![3, 50], vec![4, 9], vec![1, 7]] {
        cases.extend([(shape.clone(), vec![0, 1]), (shape, vec![1, 0])]);
    }
    for shape in [[2, 9, 17], [3, 8, 16], [1, 5, 4], [4, 0, 2]] {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            cases.push((shape.to_vec(), order.to_vec()));
        }
    }
    for order in [[0, 2, 3, 1], [0, 3, 1, 2], [3, 1, 2, 0], [1, 3, 0, 2], [2, 3, 0, 1]] {
        cases.push((vec![2, 10, 5, 9], order.to_vec()));
    }
    cases.push((vec![2, 3, 4, 2, 2, 5], vec![0, 3, 1, 4, 2, 5]));
    cases.push((vec![2, 3, 20, 7], vec![0, 2, 3, 1]));
    for (shape, order) in cases {
        let x = rng.bytes(shape.iter().product());
        let size: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
        let wanted: Vec<u8> = positions(&size)
            .into_iter()
            .map(|index| {
                let mut from = vec![0; shape.len()];
                order.iter().zip(&index).for_each(|(&axis, &i)| from[axis] = i);
                x[flat(&shape, &from)]
            })
            .collect();
        let mut got = vec![0; wanted.len()];
        permute(level, &x, &shape, &order, &mut got).expect("lengths agree");
        same(&mut hash, "permute", level, format!("{shape:?} {order:?}"), &got, &wanted);
    }
    hash.0
}

/// Results on 1, 2, 3 and 8 threads.
pub fn threads(level: Level) -> u64 {
    let mut hash = Hash::default();
    let x = Rng(84).bytes(2 * 40 * 50 * 24);
    let axis = |size, count| Axis::linear(size, count, None, false).expect("some input");
    let axes = [axis(40, 60), axis(50, 33)];
    let columns: Vec<usize> = (0..100).map(|i| i / 2).collect();
    let run = || {
        let mut larger = vec![0; 2 * 60 * 33 * 24];
        bilinear(level, &x, (2, 24), &axes, 9, &mut larger).expect("lengths agree");
        let mut wide = vec![0; 2 * x.len()];
        let tables = [None, None, Some(&columns[..]), None];
        select(&x, &[2, 40, 50, 24], &tables, 0, &mut wide).expect("lengths agree");
        let mut first = vec![0; x.len()];
        permute(level, &x, &[2, 2000, 24], &[0, 2, 1], &mut first).expect("lengths agree");
        let mut turned = vec![0; x.len()];
        permute(level, &x, &[2, 2000, 24], &[2, 1, 0], &mut turned).expect("lengths agree");
        [larger, wide, first, turned].concat()
    };
    set_num_threads(1).expect("a valid number");
    let wanted = run();
    for n in [1, 2, 3, 8] {
        set_num_threads(n).expect("a valid number");
        same(&mut hash, "resample", level, format!("{n} threads"), &run(), &wanted);
    }
    hash.0
}
