//! The products of a convolution: strips of output pixels against the weights of each group.

use std::ops::Range;

use super::Group;
use crate::gemm::{Epilogue, Rows, gemm, strips};
use crate::isa::{Isa, Kernel, LANES, PANEL_BLOCKS, TILE_ROWS, Tile};
use crate::parallel::Window;
use crate::requant::{Lanes, Plan};
use crate::scratch;

/// Weights that stay in L2 while strip after strip passes by.
const RESIDENT: usize = 512 * 1024;

/// Which row of the output each row of a product is; they come in the same order.
pub(super) trait Places: Copy {
    /// The rows of the product that are among the rows `outputs`.
    fn within(self, outputs: Range<usize>) -> Range<usize>;
    /// The row of the output that row `row` is.
    fn place(self, row: usize) -> usize;
}

/// The products of all outputs.
#[derive(Clone, Copy)]
pub(super) struct InOrder;

impl Places for InOrder {
    #[inline(always)]
    fn within(self, outputs: Range<usize>) -> Range<usize> {
        outputs
    }
    #[inline(always)]
    fn place(self, row: usize) -> usize {
        row
    }
}

/// The products of some outputs, which are named.
impl Places for &[usize] {
    #[inline(always)]
    fn within(self, outputs: Range<usize>) -> Range<usize> {
        let before = |end: usize| self.partition_point(|&place| place < end);
        before(outputs.start)..before(outputs.end)
    }
    #[inline(always)]
    fn place(self, row: usize) -> usize {
        self[row]
    }
}

/// The outputs of one thread's window.
pub(super) struct Part<'a, 'w, P, T> {
    /// Output pixels as rows of a product.
    pub pixels: P,
    /// Where these are.
    pub places: T,
    /// Bytes of a tap that are inputs of a group; what follows meets zero weights.
    pub inputs: usize,
    pub groups: &'a [Group],
    pub plans: &'a [Plan],
    pub window: &'a mut Window<'w, u8>,
}

/// Stores the outputs of one group.
struct Store<'a, 'w, P, T> {
    pixels: &'a P,
    places: T,
    inputs: usize,
    plan: &'a Plan,
    group: usize,
    /// Output channels of a group.
    n: usize,
    width: usize,
    window: &'a mut Window<'w, u8>,
}

impl<P: Rows, T: Places> Kernel for Part<'_, '_, P, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { pixels, places, inputs, groups, plans, window } = self;
        let from = (&pixels, places, inputs);
        let mut scratch = scratch::borrow();
        let staging = I::staging(&mut scratch);
        let bytes: usize = groups.iter().map(|group| group.weights.bytes()).sum();
        if groups.len() > 1 || bytes <= RESIDENT {
            return by_strips(isa, from, (groups, plans), staging, window);
        }
        let weights = &groups[0].weights;
        let rows = places.within(window.rows());
        let panels = weights.panels_of(window.columns());
        let mut store = store(from, (groups, plans), 0, window);
        gemm(isa, &pixels, rows, weights, panels, staging, &mut store);
    }
}

fn store<'a, 'w, P, T>(
    (pixels, places, inputs): (&'a P, T, usize),
    (groups, plans): (&'a [Group], &'a [Plan]),
    group: usize,
    window: &'a mut Window<'w, u8>,
) -> Store<'a, 'w, P, T> {
    let weights = &groups[group].weights;
    Store {
        pixels,
        places,
        inputs,
        plan: &plans[group],
        group,
        n: weights.n(),
        width: weights.width(),
        window,
    }
}

/// Strip after strip, each against all weights: its slices are gathered once and stay in L1.
#[inline(always)]
fn by_strips<I: Isa, P: Rows, T: Places>(
    isa: I,
    from: (&P, T, usize),
    (groups, plans): (&[Group], &[Plan]),
    staging: &mut Vec<I::Act>,
    window: &mut Window<'_, u8>,
) {
    let (taps, c) = (groups[0].weights.taps(), groups[0].weights.c());
    let padded = c.next_multiple_of(4) + I::STAGED_EXTRA;
    let mut gathered: Vec<&[u8]> = Vec::with_capacity(taps * I::ROWS);
    let mut own: Vec<&[u8]> = Vec::with_capacity(taps * I::ROWS);
    let room = taps * I::ROWS * padded;
    if staging.len() < room {
        staging.resize(room, I::Act::default());
    }
    let mut acc: Tile = [[[0; LANES]; PANEL_BLOCKS]; TILE_ROWS];
    let (pixels, places, _) = from;
    for strip in strips(places.within(window.rows()), I::ROWS) {
        gathered.clear();
        pixels.gather(strip.clone(), &mut gathered);
        for g in 0..groups.len() {
            let mut store = store(from, (groups, plans), g, window);
            if groups.len() > 1 {
                own.clear();
                own.extend(gathered.iter().map(|row| &row[g * c..(g + 1) * c]));
            }
            let slices = if groups.len() > 1 { &own } else { &gathered };
            if let Some(slices) = I::all_in_place(slices) {
                store.strip(isa, strip.clone(), slices, &groups[g], &mut acc);
                continue;
            }
            for (row, to) in slices.iter().zip(staging.chunks_exact_mut(padded)) {
                isa.stage(row, to);
            }
            let staged: Vec<_> = staging.chunks_exact(padded).take(slices.len()).collect();
            store.strip(isa, strip.clone(), &staged, &groups[g], &mut acc);
        }
    }
}

impl<P: Rows, T: Places> Store<'_, '_, P, T> {
    /// The outputs of a strip, whose slices stand in `slices`.
    #[inline(always)]
    fn strip<I: Isa>(
        &mut self,
        isa: I,
        strip: Range<usize>,
        slices: &[&[I::Act]],
        group: &Group,
        acc: &mut Tile,
    ) {
        for p in self.panels(group.weights.panels()) {
            let panel = group.weights.panel(p);
            isa.tile(strip.len(), slices, panel, acc);
            match panel.width {
                1 => self.rows::<I, 1>(isa, strip.clone(), p, acc),
                2 => self.rows::<I, 2>(isa, strip.clone(), p, acc),
                3 => self.rows::<I, 3>(isa, strip.clone(), p, acc),
                _ => self.rows::<I, 4>(isa, strip.clone(), p, acc),
            }
        }
    }

    /// Requantizes the rows of a tile of `B` blocks, with the plan in registers.
    #[inline(always)]
    fn rows<I: Isa, const B: usize>(
        &mut self,
        isa: I,
        strip: Range<usize>,
        panel: usize,
        acc: &Tile,
    ) {
        let block = panel * self.width;
        let own = self.columns(block, B);
        let lanes = self.plan.lanes::<I, B>(isa, block);
        for (m, row) in strip.enumerate() {
            let row_sum = if self.plan.needs_row_sums() { self.sum(row) } else { 0 };
            let out = &mut self.window.row(self.places.place(row))[own.clone()];
            let mut sums = [isa.i_splat(0); B];
            for b in 0..B {
                sums[b] = isa.i_add(isa.i_load(&acc[m][b]), lanes[b].start);
            }
            self.plan.less_row_sum(isa, block, row_sum, &mut sums);
            Lanes::put(isa, &lanes, sums, out);
        }
    }

    /// Where the outputs of `count` blocks from `block` on stand in a row of the window.
    fn columns(&self, block: usize, count: usize) -> Range<usize> {
        let first = self.group * self.n;
        let columns = self.window.columns();
        let from = first + block * LANES;
        let to = columns.end.min(first + self.n).min(from + count * LANES);
        from - columns.start..to - columns.start
    }

    /// The panels of this group that lie in the window's columns.
    fn panels(&self, count: usize) -> Range<usize> {
        let (columns, first) = (self.window.columns(), self.group * self.n);
        let width = self.width * LANES;
        let start = columns.start.saturating_sub(first) / width;
        let end = columns.end.saturating_sub(first).div_ceil(width);
        start..end.min(count)
    }

    /// Sum of all bytes that are inputs of the group in row `row`.
    fn sum(&self, row: usize) -> i32 {
        let mut slices = Vec::new();
        self.pixels.gather(row..row + 1, &mut slices);
        let from = self.group * self.inputs;
        slices
            .iter()
            .flat_map(|slice| &slice[from..from + self.inputs])
            .map(|&b| i32::from(b))
            .sum()
    }
}

impl<P: Rows, T: Places> Epilogue for Store<'_, '_, P, T> {
    #[inline(always)]
    fn finish<I: Isa>(&mut self, isa: I, row: usize, panel: usize, sums: &[[i32; LANES]]) {
        let row_sum = if self.plan.needs_row_sums() { self.sum(row) } else { 0 };
        let block = panel * self.width;
        let own = self.columns(block, sums.len());
        let out = &mut self.window.row(self.places.place(row))[own];
        self.plan.store(isa, block, sums, row_sum, out);
    }
}
