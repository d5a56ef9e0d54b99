//! Float weights of a recurrent layer: `y[j] = bias[j] + w[j][0]*x[0] + w[j][1]*x[1] + ...`, each term
//! added by one fused multiply-add, in this order, so that every level computes the same bits.

use std::ops::Range;

use super::matrix::{Matrix, Measured, Sink, Staged};
use crate::error::{Result, filled, same};
use crate::gemm::Sweep;
use crate::isa::{Isa, Kernel, LANES, Level, PANEL_BLOCKS, TILE_ROWS, strips};
use crate::qparams::{Engine, QParams};
use crate::scratch::Scratch;

/// Float weights of one product, `[n][k]`.
#[derive(Clone, Copy, Debug)]
pub struct FloatWeights<'a> {
    /// Row after row.
    pub values: &'a [f32],
    /// One per output.
    pub bias: Option<&'a [f32]>,
}

/// [`FloatWeights`], packed: panels of `width` blocks of 16 outputs, inside a panel one block row
/// per input.
#[derive(Clone, Debug)]
pub struct Float {
    blocks: Vec<[f32; LANES]>,
    bias: Vec<[f32; LANES]>,
    k: usize,
    width: usize,
}

/// Sums of one tile, `[row][block][lane]`.
type Tile = [[[f32; LANES]; PANEL_BLOCKS]; TILE_ROWS];

impl Matrix for Float {
    type Plain<'a> = FloatWeights<'a>;

    fn pack(
        op: &'static str,
        plain: FloatWeights<'_>,
        (n, k): (usize, usize),
        channels: &[Option<usize>],
        width: usize,
    ) -> Result<Self> {
        let FloatWeights { values, bias } = plain;
        same(op, "number of weights", values.len(), n * k)?;
        same(op, "number of biases", bias.map_or(n, <[f32]>::len), n)?;
        let count = channels.len() / LANES;
        let mut packed = Self {
            blocks: filled(op, [0.0; LANES], count * k)?,
            bias: filled(op, [0.0; LANES], count)?,
            k,
            width,
        };
        for (to, from) in channels.iter().enumerate() {
            let Some(from) = from else { continue };
            let (block, lane) = (to / LANES, to % LANES);
            let range = packed.panel(block / width);
            let wide = packed.wide(block / width);
            for i in 0..k {
                packed.blocks[range.start + i * wide + block % width][lane] = values[from * k + i];
            }
            packed.bias[block][lane] = bias.map_or(0.0, |bias| bias[*from]);
        }
        Ok(packed)
    }

    fn k(&self) -> usize {
        self.k
    }

    fn bytes(&self) -> usize {
        4 * LANES * (self.blocks.len() + self.bias.len())
    }

    fn nanoseconds(&self, level: Level, rows: usize) -> usize {
        // A quarter of the integer rate, and four bytes a weight.
        let products = 4 * rows * self.blocks.len() * LANES / level.products_per_nanosecond();
        products.max(self.bytes() / 60)
    }

    fn enter<K: Kernel>(level: Level, _: Engine, kernel: K) -> K::Output {
        level.run(kernel)
    }

    #[inline(always)]
    fn measure<I: Isa>(&self, _: I, _: Engine, _: &[f32]) -> Measured<Option<QParams>> {
        Ok(None)
    }

    #[inline(always)]
    fn stage<'x, I: Isa>(
        &self,
        _: I,
        _: Engine,
        _: Option<QParams>,
        count: usize,
        row: impl Fn(usize) -> &'x [f32],
        to: &mut Staged,
    ) -> Measured<()> {
        to.rows = count;
        if to.floats.len() < count * self.k {
            to.floats.resize(count * self.k, 0.0);
        }
        for strip in strips(0..count, TILE_ROWS) {
            let room = &mut to.floats[strip.start * self.k..strip.end * self.k];
            if strip.len() == 1 {
                room.copy_from_slice(row(strip.start));
                continue;
            }
            for (m, i) in strip.clone().enumerate() {
                for (to, v) in room[m..].iter_mut().step_by(strip.len()).zip(row(i)) {
                    *to = *v;
                }
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn multiply<I: Isa, S: Sink>(
        &self,
        isa: I,
        _: Engine,
        staged: &Staged,
        sweep: Sweep,
        _: &mut Scratch,
        sink: &mut S,
    ) {
        let mut acc: Tile = [[[0.0; LANES]; PANEL_BLOCKS]; TILE_ROWS];
        let mut done = 0;
        while let Some(p) = sweep.panel(done) {
            done += 1;
            let (blocks, wide) = (&self.blocks[self.panel(p)], self.wide(p));
            let bias = &self.bias[p * self.width..][..wide];
            for strip in strips(0..staged.rows, TILE_ROWS) {
                let rows = &staged.floats[strip.start * self.k..strip.end * self.k];
                product(isa, strip.len(), rows, blocks, bias, &mut acc);
                for (m, row) in strip.enumerate() {
                    let mut gates = [isa.f_splat(0.0); PANEL_BLOCKS];
                    for b in 0..wide {
                        gates[b] = isa.f_load(&acc[m][b]);
                    }
                    sink.take(isa, row, p, gates);
                }
            }
        }
    }
}

impl Float {
    /// Blocks side by side in panel `p`.
    fn wide(&self, p: usize) -> usize {
        self.width.min(self.bias.len() - p * self.width)
    }

    /// Where panel `p` lies.
    fn panel(&self, p: usize) -> Range<usize> {
        let first = p * self.width;
        first * self.k..(first + self.wide(p)) * self.k
    }
}

/// All products of a strip of `m_rows` rows and a panel.
#[inline(always)]
fn product<I: Isa>(
    isa: I,
    m_rows: usize,
    rows: &[f32],
    blocks: &[[f32; LANES]],
    bias: &[[f32; LANES]],
    acc: &mut Tile,
) {
    if matches!(I::LEVEL, Level::Scalar) {
        // No registers to fill: one sum at a time is as fast and a twentieth of the code.
        for (m, acc) in acc.iter_mut().enumerate().take(m_rows) {
            for (b, acc) in acc.iter_mut().enumerate().take(bias.len()) {
                let mut sum = isa.f_load(&bias[b]);
                for (a, w) in rows.chunks_exact(m_rows).zip(blocks.chunks_exact(bias.len())) {
                    sum = isa.f_fma(isa.f_splat(a[m]), isa.f_load(&w[b]), sum);
                }
                isa.f_store(sum, acc);
            }
        }
        return;
    }
    // Tiles of 6 to 12 sums, or 24 where a sum is one of 32 registers.
    let wide_registers = matches!(I::LEVEL, Level::Avx512Vnni);
    match (m_rows, bias.len()) {
        (1, 4) => passes::<I, 1, 4>(isa, rows, blocks, bias, acc),
        (1, 3) => passes::<I, 1, 3>(isa, rows, blocks, bias, acc),
        (1, 2) => passes::<I, 1, 2>(isa, rows, blocks, bias, acc),
        (1, _) => passes::<I, 1, 1>(isa, rows, blocks, bias, acc),
        (2, 4) if wide_registers => passes::<I, 2, 4>(isa, rows, blocks, bias, acc),
        (2, 3) => passes::<I, 2, 3>(isa, rows, blocks, bias, acc),
        (2, 2 | 4) => passes::<I, 2, 2>(isa, rows, blocks, bias, acc),
        (2, _) => passes::<I, 2, 1>(isa, rows, blocks, bias, acc),
        (3, 4) if wide_registers => passes::<I, 3, 4>(isa, rows, blocks, bias, acc),
        (3, 3) if wide_registers => passes::<I, 3, 3>(isa, rows, blocks, bias, acc),
        (3, 2..) => passes::<I, 3, 2>(isa, rows, blocks, bias, acc),
        (3, _) => passes::<I, 3, 1>(isa, rows, blocks, bias, acc),
        (4, 4) if wide_registers => passes::<I, 4, 4>(isa, rows, blocks, bias, acc),
        (4, 3) if wide_registers => passes::<I, 4, 3>(isa, rows, blocks, bias, acc),
        (4, _) => passes::<I, 4, 1>(isa, rows, blocks, bias, acc),
        (5, 4) if wide_registers => passes::<I, 5, 4>(isa, rows, blocks, bias, acc),
        (5, 3) if wide_registers => passes::<I, 5, 3>(isa, rows, blocks, bias, acc),
        (5, _) => passes::<I, 5, 1>(isa, rows, blocks, bias, acc),
        (_, 4) if wide_registers => passes::<I, 6, 4>(isa, rows, blocks, bias, acc),
        (_, 3) if wide_registers => passes::<I, 6, 3>(isa, rows, blocks, bias, acc),
        _ => passes::<I, 6, 1>(isa, rows, blocks, bias, acc),
    }
}

/// Passes of `B` blocks over the panel, `M` rows at once. The last pass steps back to be whole.
#[inline(always)]
fn passes<I: Isa, const M: usize, const B: usize>(
    isa: I,
    rows: &[f32],
    blocks: &[[f32; LANES]],
    bias: &[[f32; LANES]],
    acc: &mut Tile,
) {
    let width = bias.len();
    let (steps, _) = rows.as_chunks::<M>();
    let mut block = 0;
    while block < width {
        let first = block.min(width - B);
        let mut sums = [[isa.f_splat(0.0); B]; M];
        for sums in &mut sums {
            for b in 0..B {
                sums[b] = isa.f_load(&bias[first + b]);
            }
        }
        // No iterators here: one that is not inlined spills every sum at every step.
        for k in 0..steps.len() {
            let (a, w) = (&steps[k], &blocks[k * width + first..][..B]);
            for b in 0..B {
                let w = isa.f_load(&w[b]);
                for m in 0..M {
                    sums[m][b] = isa.f_fma(isa.f_splat(a[m]), w, sums[m][b]);
                }
            }
        }
        for m in 0..M {
            for b in 0..B {
                isa.f_store(sums[m][b], &mut acc[m][first + b]);
            }
        }
        block += B;
    }
}
