//! Pooling and means of bytes.

use qrs::byte::Byte;
use qrs::isa::Level;
use qrs::parallel::set_num_threads;
use qrs::pool::{Average, Axis, Pool, Slide, mean};
use qrs::qparams::Rounding;
use qrs::reference::pool as reference;

use super::pointwise::bytes;
use super::{Bits, Hash, Rng, same};

const OP: &str = "pool";

/// An axis for the kernel and for the oracle.
type Both = (Axis, Vec<(reference::Positions, usize)>);

fn sliding(size: usize, kernel: usize, stride: usize, padding: usize, ceil: bool) -> Both {
    spaced(size, Slide { kernel, stride, padding, dilation: 1, ceil })
}

fn spaced(size: usize, slide: Slide) -> Both {
    (Axis::sliding(OP, size, slide).expect("a good window"), reference::sliding(size, slide))
}

fn adaptive(size: usize, count: usize) -> Both {
    (Axis::adaptive(OP, size, count).expect("some input"), reference::adaptive(size, count))
}

fn one() -> Both {
    sliding(1, 1, 1, 0, false)
}

/// Windows of all kinds: `(batch, channels, axes)`.
fn shapes() -> Vec<(usize, usize, [Both; 3])> {
    let dilated =
        |size| spaced(size, Slide { kernel: 3, stride: 2, padding: 1, dilation: 2, ceil: true });
    let mut all = vec![
        (1, 1, [one(), one(), sliding(1, 1, 1, 0, false)]),
        (2, 3, [one(), sliding(5, 2, 2, 0, false), sliding(6, 2, 2, 0, false)]),
        (1, 65, [one(), sliding(7, 3, 2, 1, false), sliding(8, 3, 2, 1, true)]),
        (1, 5, [one(), one(), sliding(11, 4, 3, 2, true)]),
        (
            2,
            16,
            [sliding(5, 2, 2, 0, true), sliding(4, 3, 1, 1, false), sliding(5, 2, 1, 1, false)],
        ),
        (1, 20, [one(), dilated(9), dilated(8)]),
        (
            1,
            4,
            [
                one(),
                spaced(1, Slide { kernel: 2, stride: 1, padding: 1, dilation: 2, ceil: false }),
                one(),
            ],
        ),
        (2, 33, [one(), adaptive(7, 1), adaptive(6, 1)]),
        (1, 18, [adaptive(3, 2), adaptive(7, 3), adaptive(5, 7)]),
    ];
    all.extend((1..70).map(|c| (1, c, [one(), one(), sliding(4, 2, 1, 0, false)])));
    all
}

fn pooled<T: Byte + Bits>(hash: &mut Hash, rng: &mut Rng, level: Level) {
    for (batch, channels, [d, h, w]) in shapes() {
        let (axes, windows) = ([d.0, h.0, w.0], [d.1, h.1, w.1]);
        let pool = Pool { op: OP, batch, axes: &axes, channels };
        let input = [0, 1, 2].map(|d| axes[d].size);
        let x: Vec<T> = bytes(rng, batch * input.iter().product::<usize>() * channels);
        let ints: Vec<i32> = x.iter().map(|q| q.int()).collect();
        let seen = reference::windows(&ints, (batch, input, channels), &windows);
        let what = format!("{batch} x {input:?} x {channels} to {:?}", pool.output());
        let mut got = vec![T::default(); seen.len()];
        pool.max(level, &x, &mut got).expect("lengths agree");
        let largest = |(v, _): &(Vec<i32>, usize)| v.iter().copied().max().unwrap_or(T::SPAN.min);
        let wanted: Vec<T> = seen.iter().map(largest).map(T::from_int).collect();
        same(hash, "max_pool", level, &what, &got, &wanted);
        if seen.iter().any(|(values, _)| values.is_empty()) {
            continue;
        }
        for rounding in [Rounding::ThenAdd, Rounding::AfterFma] {
            let how = Average {
                zero_point: rng.int(T::SPAN.min, T::SPAN.max),
                rounding,
                include_padding: rng.int(0, 1) == 1,
                divisor: (rng.int(0, 3) == 0).then(|| rng.int(1, 9)),
            };
            pool.average(level, how, &x, &mut got).expect("lengths agree");
            let wanted: Vec<T> = seen
                .iter()
                .map(|(values, padded)| reference::average(values, *padded, how, T::SPAN))
                .map(T::from_int)
                .collect();
            same(hash, "avg_pool", level, format!("{what} {how:?}"), &got, &wanted);
        }
    }
}

/// The largest and the mean of windows of all kinds.
pub fn windows(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(51);
    pooled::<u8>(&mut hash, &mut rng, level);
    pooled::<i8>(&mut hash, &mut rng, level);
    hash.0
}

fn averaged<T: Byte + Bits>(hash: &mut Hash, rng: &mut Rng, level: Level) {
    let mut sizes: Vec<[usize; 3]> = (1..70).map(|n| [2, n % 5 + 1, n]).collect();
    sizes.extend([[3, 49, 130], [1, 1000, 1], [70, 12, 1], [2, 3, 0], [0, 3, 4]]);
    for [outer, count, inner] in sizes {
        let zero_point = rng.int(T::SPAN.min, T::SPAN.max);
        let x: Vec<T> = bytes(rng, outer * count * inner);
        let mut got = vec![T::default(); outer * inner];
        mean(level, &x, [outer, count, inner], zero_point, &mut got).expect("lengths agree");
        let wanted: Vec<T> = (0..outer * inner)
            .map(|i| {
                let at = |j: usize| x[(i / inner * count + j) * inner + i % inner].int();
                let values: Vec<i32> = (0..count).map(at).collect();
                T::from_int(reference::mean(&values, zero_point))
            })
            .collect();
        same(hash, "mean", level, format!("{outer} {count} {inner}"), &got, &wanted);
    }
}

/// Means of whole axes.
pub fn means(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(52);
    averaged::<u8>(&mut hash, &mut rng, level);
    averaged::<i8>(&mut hash, &mut rng, level);
    hash.0
}

/// Results on 1, 2, 3 and 8 threads.
pub fn threads(level: Level) -> u64 {
    let mut hash = Hash::default();
    let axes = [one().0, sliding(40, 3, 2, 1, false).0, sliding(50, 3, 1, 1, false).0];
    let pool = Pool { op: OP, batch: 2, axes: &axes, channels: 96 };
    let x = Rng(53).bytes(2 * 40 * 50 * 96);
    let how = Average {
        zero_point: 101,
        rounding: Rounding::ThenAdd,
        include_padding: true,
        divisor: None,
    };
    let run = || {
        let [mut most, mut middle] = [(); 2].map(|()| vec![0; 2 * 20 * 50 * 96]);
        pool.max(level, &x, &mut most).expect("lengths agree");
        pool.average(level, how, &x, &mut middle).expect("lengths agree");
        let mut wide = vec![0; 96];
        mean(level, &x, [1, 4000, 96], 7, &mut wide).expect("lengths agree");
        let mut tall = vec![0; 4000];
        mean(level, &x, [4000, 96, 1], 7, &mut tall).expect("lengths agree");
        [most, middle, wide, tall].concat()
    };
    set_num_threads(1).expect("a valid number");
    let wanted = run();
    for n in [1, 2, 3, 8] {
        set_num_threads(n).expect("a valid number");
        same(&mut hash, OP, level, format!("{n} threads"), &run(), &wanted);
    }
    hash.0
}
