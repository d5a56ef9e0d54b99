//! Products that end in stored bytes: what statically quantized linear layers and convolutions share.
//!
//! As [`crate::gemm`], for the products of all groups of a layer at once: the slices of a block of rows
//! are found once and serve every group.

use std::ops::Range;

use crate::gemm::{Rows, blocks, held, staged};
use crate::isa::{Gathered, Isa, Kernel, LANES, Outputs, PANEL_BLOCKS, TILE_ROWS, Tile};
use crate::pack::PackedWeights;
use crate::parallel::{Downward, Window};
use crate::requant::Plan;
use crate::scratch;

/// Which row of the output each row of a product is; they come in the same order.
pub(crate) trait Places: Copy {
    /// The rows of the product that are among the rows `outputs`.
    fn within(self, outputs: Range<usize>) -> Range<usize>;
    /// Adds the outputs of `rows` to `out`.
    fn lend<'a>(self, rows: Range<usize>, from: &mut Downward<'a, u8>, out: &mut Outputs<'a>);
}

/// The products of all outputs.
#[derive(Clone, Copy)]
pub(crate) struct InOrder;

impl Places for InOrder {
    #[inline(always)]
    fn within(self, outputs: Range<usize>) -> Range<usize> {
        outputs
    }
    #[inline(always)]
    fn lend<'a>(self, rows: Range<usize>, from: &mut Downward<'a, u8>, out: &mut Outputs<'a>) {
        out.push_lent(&from.rows(rows));
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
    fn lend<'a>(self, rows: Range<usize>, from: &mut Downward<'a, u8>, out: &mut Outputs<'a>) {
        self[rows].iter().for_each(|&place| out.push(from.row(place)));
    }
}

/// Which bytes of a slice are inputs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Inputs {
    /// All but so many at the end, which meet zero weights.
    AllBut(usize),
    /// So many for each group.
    PerGroup(usize),
}

impl Inputs {
    /// Of `channels` channels in `groups` groups.
    pub(crate) fn of(channels: usize, groups: usize) -> Self {
        if groups == 1 { Self::AllBut(0) } else { Self::PerGroup(channels / groups) }
    }

    /// Those of `group` in slices of `len` bytes.
    fn among(self, group: usize, len: usize) -> Range<usize> {
        match self {
            Self::AllBut(rest) => 0..len - rest,
            Self::PerGroup(c) => group * c..(group + 1) * c,
        }
    }
}

/// The weights of a group, and how its sums become bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned<'a> {
    pub weights: &'a PackedWeights,
    pub plan: &'a Plan,
}

/// The outputs of one thread's window.
pub(crate) struct Part<'a, 'w, P, T> {
    /// The rows of the product.
    pub rows: P,
    /// Where these are in the output.
    pub places: T,
    pub inputs: Inputs,
    pub groups: &'a [Planned<'a>],
    pub window: &'a mut Window<'w, u8>,
}

impl<P: Rows, T: Places> Kernel for Part<'_, '_, P, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { rows, places, inputs, groups, window } = self;
        let mut scratch = scratch::borrow();
        let staging = I::staging(&mut scratch);
        let held = held::<I>(rows.fresh() / groups.len(), groups[0].weights);
        let bytes = groups.iter().map(|group| group.weights.bytes()).sum();
        let columns = window.columns();
        let mut gathered = Gathered::new();
        let mut acc: Tile = [[[0; LANES]; PANEL_BLOCKS]; TILE_ROWS];
        for block in blocks(places.within(window.rows()), I::ROWS, held, bytes) {
            rows.gather(block.clone(), &mut gathered);
            let mut out = lent(window, places, block.clone());
            for (g, &Planned { weights, plan }) in groups.iter().enumerate() {
                if groups.len() > 1 {
                    gathered.turn_to(g * weights.c()..(g + 1) * weights.c());
                }
                let staged = staged(isa, &gathered, staging);
                let ready = staged.as_ref().or_else(|| I::in_place(&gathered));
                let ready = ready.expect("staged or in place");
                let row_sum = |row: usize| sum(&rows, row, inputs, g);
                for index in panels(weights, g, &columns) {
                    let mut panel = weights.panel(index);
                    if index + 1 < weights.panels() && block.len() > I::ROWS {
                        panel.ahead = weights.panel(index + 1).blocks;
                    }
                    let first = index * weights.width();
                    let to = outputs(weights, g, &columns, first..first + panel.width);
                    plan.panel(isa, ready, (first, &panel), (&mut out, to), &mut acc, row_sum);
                }
            }
        }
    }
}

/// Where the outputs of `rows` go.
#[inline(never)]
fn lent<'w, T: Places>(
    window: &'w mut Window<'_, u8>,
    places: T,
    rows: Range<usize>,
) -> Outputs<'w> {
    let mut out = Outputs::new(window.columns().len(), rows.len());
    places.lend(rows, &mut window.downward(), &mut out);
    out
}

/// The panels of group `g` whose outputs lie in `columns`.
fn panels(weights: &PackedWeights, g: usize, columns: &Range<usize>) -> Range<usize> {
    let own = |column: usize| column.saturating_sub(g * weights.n()).min(weights.n());
    weights.panels_of(own(columns.start)..own(columns.end))
}

/// Where the outputs of `blocks` of group `g` stand in `columns`.
fn outputs(
    weights: &PackedWeights,
    g: usize,
    columns: &Range<usize>,
    blocks: Range<usize>,
) -> Range<usize> {
    let first = g * weights.n();
    let end = columns.end.min(first + weights.n()).min(first + blocks.end * LANES);
    first + blocks.start * LANES - columns.start..end - columns.start
}

/// Sum of all bytes of row `row` that are inputs of group `group`.
fn sum<P: Rows>(rows: &P, row: usize, inputs: Inputs, group: usize) -> i32 {
    let mut slices = Gathered::new();
    rows.gather(row..row + 1, &mut slices);
    let taps = slices.strip(row..row + 1);
    let own = inputs.among(group, taps.len());
    let bytes = (0..taps.count()).flat_map(|t| &taps.slice(t, 0)[own.clone()]);
    bytes.map(|&b| i32::from(b)).sum()
}
