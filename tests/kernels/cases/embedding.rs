//! Rows of a table, singly and in bags.

use qrs::embedding::{Bags, Embedding, Index, Mode};
use qrs::isa::Level;
use qrs::parallel::set_num_threads;
use qrs::reference::embedding::{Row, bag};

use super::{Hash, Rng, same};

/// A table in the kernel's form, and row by row.
fn table(rng: &mut Rng, rows: usize, dim: usize, four_bits: bool) -> (Embedding, Vec<Row>) {
    let most = if four_bits { 15 } else { 255 };
    let plain: Vec<Row> = rng.vec(rows, |rng| Row {
        values: rng.vec(dim, |rng| rng.int(0, most) as u8),
        scale: rng.float(0.001, 0.1),
        zero_point: rng.float(0.0, most as f32),
        weight: 1.0,
    });
    let pack = |row: &Row| match four_bits {
        true => row.values.chunks(2).map(|v| v[0] | v.get(1).unwrap_or(&0) << 4).collect(),
        false => row.values.clone(),
    };
    let bytes: Vec<u8> = plain.iter().flat_map(pack).collect();
    let scales: Vec<f32> = plain.iter().map(|row| row.scale).collect();
    let points: Vec<f32> = plain.iter().map(|row| row.zero_point).collect();
    let packed = Embedding::new(&bytes, dim, &scales, &points, four_bits).expect("lengths agree");
    (packed, plain)
}

fn each<N: Index + From<i32>>(hash: &mut Hash, rng: &mut Rng, level: Level) {
    for dim in (1..70).chain([128, 200]) {
        for four_bits in [false, true] {
            let (packed, plain) = table(rng, 13, dim, four_bits);
            let numbers = rng.vec(20, |rng| rng.int(0, 12));
            let indices: Vec<N> = numbers.iter().map(|&i| N::from(i)).collect();
            let row = |i: i32| plain[i as usize].clone();
            let what = format!("13 x {dim}, four bits {four_bits}");

            let mut got = vec![0.0; 20 * dim];
            packed.lookup(level, &indices, &mut got).expect("lengths agree");
            let single = |&i: &i32| bag(&[row(i)], dim, Mode::Max);
            let wanted: Vec<f32> = numbers.iter().flat_map(single).collect();
            same(hash, "embedding", level, &what, &got, &wanted);

            let ends = [0, 5, 5, 6, 18];
            let starts: Vec<N> = [0, 0, 5, 5, 6].map(N::from).to_vec();
            let weights = rng.floats(20, -1.0, 2.0);
            for mode in [Mode::Sum, Mode::Mean, Mode::Max] {
                let weighted = mode == Mode::Sum && rng.int(0, 1) == 1;
                let padding = (rng.int(0, 1) == 1).then_some(numbers[1] as usize);
                let bags = Bags {
                    indices: &indices,
                    starts: &starts,
                    end: 18,
                    weights: weighted.then_some(&weights),
                    mode,
                    padding,
                };
                let mut got = vec![0.0; 5 * dim];
                packed.bags(level, bags, &mut got).expect("lengths agree");
                let wanted: Vec<f32> = [0, 0, 5, 5, 6]
                    .into_iter()
                    .zip(ends)
                    .flat_map(|(start, end): (usize, usize)| {
                        let rows: Vec<Row> = (start..end)
                            .filter(|&i| padding != Some(numbers[i] as usize))
                            .map(|i| Row {
                                weight: if weighted { weights[i] } else { 1.0 },
                                ..row(numbers[i])
                            })
                            .collect();
                        bag(&rows, dim, mode)
                    })
                    .collect();
                let what = format!("{what}, {mode:?}, weighted {weighted}, padding {padding:?}");
                same(hash, "embedding_bag", level, what, &got, &wanted);
            }
        }
    }
}

/// Lookups and bags of every kind.
pub fn all(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(71);
    each::<i32>(&mut hash, &mut rng, level);
    each::<i64>(&mut hash, &mut rng, level);
    hash.0
}

/// Results on 1, 2, 3 and 8 threads.
pub fn threads(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(72);
    let (packed, _) = table(&mut rng, 500, 64, false);
    let indices: Vec<i64> = rng.vec(4000, |rng| rng.int(0, 499).into());
    let starts: Vec<i64> = (0..1000).map(|i| 4 * i).collect();
    let bags = Bags {
        indices: &indices,
        starts: &starts,
        end: 4000,
        weights: None,
        mode: Mode::Mean,
        padding: None,
    };
    let run = || {
        let (mut rows, mut means) = (vec![0.0; 4000 * 64], vec![0.0; 1000 * 64]);
        packed.lookup(level, &indices, &mut rows).expect("lengths agree");
        packed.bags(level, bags, &mut means).expect("lengths agree");
        [rows, means].concat()
    };
    set_num_threads(1).expect("a valid number");
    let wanted = run();
    for n in [1, 2, 3, 8] {
        set_num_threads(n).expect("a valid number");
        same(&mut hash, "embedding", level, format!("{n} threads"), &run(), &wanted);
    }
    hash.0
}
