//! Dynamically quantized linear layers.

use qrs::isa::Level;
use qrs::linear::{Dynamic, Linear};
use qrs::parallel::set_num_threads;
use qrs::qparams::Engine;
use qrs::reference;

use super::{Hash, Rng, same};

/// Every profile, thread count and kind of weights, at the edges of tiles.
pub fn dynamic(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(3);
    let shapes =
        [(1, 1, 1), (1, 64, 16), (2, 65, 7), (5, 17, 33), (6, 130, 64), (7, 48, 5), (40, 10, 100)];
    for (m, n, k) in shapes {
        let w: Vec<i8> = rng.vec(n * k, |rng| rng.bits() as i8);
        let scales = rng.floats(n, 0.001, 0.02);
        let bias = rng.floats(n, -1.0, 1.0);
        let points: Vec<i32> = rng.vec(n, |rng| rng.int(-128, 127));
        let x = rng.floats(m * k, -3.0, 5.0);
        for engine in Engine::ALL {
            for (zero_points, relu) in [(&vec![0; n], false), (&points, true)] {
                let layer = Linear::new(&w, (n, k), &scales, Some(zero_points), Some(&bias));
                let layer = layer.expect("shapes agree");
                let mut wanted = reference::linear::dynamic(
                    reference::linear::Layer {
                        weights: &w,
                        shape: (n, k),
                        scales: &scales,
                        zero_points,
                        bias: &bias,
                    },
                    engine,
                    true,
                    &x,
                );
                if relu {
                    wanted.iter_mut().for_each(|v| *v = v.max(0.0));
                }
                let mut got = vec![0.0; m * n];
                let how = Dynamic { engine, reduce_range: true, relu };
                layer.dynamic(level, how, m, &x, &mut got).expect("shapes agree");
                let what = format!("{engine:?}, {m}x{n}x{k}, relu={relu}");
                same(&mut hash, "dynamic linear", level, what, &got, &wanted);
            }
        }
    }
    hash.0
}

/// Results on 1, 2, 3 and 8 threads, of shapes large enough to be shared out.
pub fn threads(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(4);
    for (m, n, k) in [(2, 1000, 1300), (100, 200, 300)] {
        let w: Vec<i8> = rng.vec(n * k, |rng| rng.bits() as i8);
        let scales = rng.floats(n, 0.001, 0.02);
        let x = rng.floats(m * k, -3.0, 5.0);
        let layer = Linear::new(&w, (n, k), &scales, None, None).expect("shapes agree");
        let how = Dynamic { engine: Engine::Qrs, reduce_range: true, relu: false };
        let mut alone = vec![0.0; m * n];
        for count in [1, 2, 3, 8] {
            set_num_threads(count).expect("a small number");
            let mut got = vec![0.0; m * n];
            layer.dynamic(level, how, m, &x, &mut got).expect("shapes agree");
            if count == 1 {
                alone.clone_from(&got);
            }
            same(&mut hash, "dynamic linear", level, format!("{count} threads"), &got, &alone);
        }
        set_num_threads(1).expect("one thread");
    }
    hash.0
}
