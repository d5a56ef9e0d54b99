//! The product of bytes, at and around every edge of tiles, panels and steps.

use std::ops::Range;

use qrs::gemm::{Dense, Epilogue, Rows, gemm};
use qrs::isa::{Gathered as Slices, Isa, Kernel, LANES, Level};
use qrs::pack::PackedWeights;
use qrs::scratch;

use super::{Hash, Rng, same};

struct Store<'a> {
    out: &'a mut [i32],
    n: usize,
    width: usize,
}

impl Epilogue for Store<'_> {
    #[inline(always)]
    fn finish<I: Isa>(&mut self, _: I, row: usize, panel: usize, sums: &[[i32; LANES]]) {
        let from = LANES * self.width * panel;
        let to = self.n.min(from + LANES * sums.len());
        self.out[row * self.n + from..row * self.n + to]
            .copy_from_slice(&sums.as_flattened()[..to - from]);
    }
}

struct Product<'a, R> {
    rows: &'a R,
    m: usize,
    weights: &'a PackedWeights,
    out: &'a mut [i32],
}

impl<R: Rows> Kernel for Product<'_, R> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { rows, m, weights, out } = self;
        let mut store = Store { out, n: weights.n(), width: weights.width() };
        let mut scratch = scratch::borrow();
        let staging = I::staging(&mut scratch);
        gemm(isa, rows, 0..m, weights, 0..weights.panels(), staging, &mut store);
    }
}

/// Row `r`, tap `t` of a small image, as a convolution gathers them.
struct Gathered<'a> {
    data: &'a [u8],
    taps: usize,
    c: usize,
}

impl Gathered<'_> {
    fn row(&self, row: usize, tap: usize) -> &[u8] {
        &self.data[(row + 2 * tap) * self.c..][..self.c]
    }
}

impl Rows for Gathered<'_> {
    fn gather<'a>(&'a self, rows: Range<usize>, to: &mut Slices<'a, u8>) {
        to.begin(rows.clone(), self.taps, self.c);
        for tap in 0..self.taps {
            rows.clone().for_each(|row| to.push_same(self.row(row, tap), 1));
        }
    }

    fn fresh(&self) -> usize {
        self.c
    }
}

/// All-random bytes, or the ends of their ranges, whose pairs reach the ends of 16 bits.
fn fill(rng: &mut Rng, extreme: bool, activations: &mut [u8], weights: &mut [i8]) {
    for a in &mut *activations {
        *a = if extreme { [0, 255, 255, 255][(rng.bits() % 4) as usize] } else { rng.bits() as u8 };
    }
    for w in &mut *weights {
        *w = if extreme { [-128, 127][(rng.bits() % 2) as usize] } else { rng.bits() as i8 };
    }
}

/// Dense products.
pub fn dense(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(1);
    let edges = [1, 2, 3, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129, 200];
    let mut shapes: Vec<_> = (1..=13).map(|m| (m, 70, 9)).collect();
    shapes.extend(edges.iter().map(|&n| (7, n, 5)));
    shapes.extend((1..=20).map(|k| (6, 65, k)));
    shapes.extend((1..=20).map(|k| (1, 100, k)));
    shapes.extend([(1, 1, 1), (1, 64, 1000), (49, 64, 576), (3, 16, 4096), (60, 10, 9000)]);
    for (i, &(m, n, k)) in shapes.iter().enumerate() {
        for extreme in [false, true] {
            let (mut a, mut w) = (vec![0; m * k], vec![0; n * k]);
            fill(&mut rng, extreme, &mut a, &mut w);
            let mut got = vec![0; m * n];
            let narrow = i % 2 == 0;
            if narrow {
                a.iter_mut().for_each(|v| *v &= 127);
            }
            let weights = PackedWeights::new(&w, n, 1, k).expect("shapes agree");
            let rows = Dense { data: &a, k };
            let product = Product { rows: &rows, m, weights: &weights, out: &mut got };
            if narrow {
                level.run_seven_bit(product);
            } else {
                level.run(product);
            }
            let wanted: Vec<i32> = (0..m * n)
                .map(|i| {
                    let (row, col) = (&a[i / n * k..][..k], &w[i % n * k..][..k]);
                    row.iter().zip(col).map(|(&a, &w)| i32::from(a) * i32::from(w)).sum()
                })
                .collect();
            same(
                &mut hash,
                "product",
                level,
                format!("{m}x{n}x{k} extreme={extreme}"),
                &got,
                &wanted,
            );
        }
    }
    hash.0
}

/// Products whose rows are gathered from several places, and narrow panels.
pub fn gathered(level: Level) -> u64 {
    let mut hash = Hash::default();
    let mut rng = Rng(2);
    for (m, n, taps, c, width) in
        [(1, 16, 1, 3, 1), (6, 40, 3, 5, 4), (7, 96, 9, 8, 3), (13, 33, 2, 1, 2), (5, 64, 4, 17, 4)]
    {
        let data = rng.bytes((m + 2 * taps) * c);
        let w: Vec<i8> = rng.vec(n * taps * c, |rng| rng.bits() as i8);
        let channels: Vec<_> = (0..n).map(|j| (j % 5 != 4).then_some(n - 1 - j)).collect();
        let weights =
            PackedWeights::with_channels(&w, n, &channels, taps, c, width).expect("shapes agree");
        let rows = Gathered { data: &data, taps, c };
        let mut got = vec![0; m * n];
        level.run(Product { rows: &rows, m, weights: &weights, out: &mut got });
        let mut wanted = vec![0; m * n];
        for (i, sum) in wanted.iter_mut().enumerate() {
            let Some(channel) = channels[i % n] else { continue };
            for t in 0..taps {
                let row = rows.row(i / n, t);
                let column = &w[(channel * taps + t) * c..][..c];
                *sum +=
                    row.iter().zip(column).map(|(&a, &w)| i32::from(a) * i32::from(w)).sum::<i32>();
            }
        }
        let what = format!("{m}x{n}, {taps} taps of {c}, panels of {width}");
        same(&mut hash, "product", level, what, &got, &wanted);
    }
    hash.0
}
