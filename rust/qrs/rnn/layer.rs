//! One direction of one layer: the input projected block by block, then step after step.

use std::cell::RefCell;
use std::ops::Range;

use super::cells::{Cell, Kind, store};
use super::exchange::{Exchange, Part};
use super::matrix::{Matrix, Sink, Staged};
use super::steps::Order;
use crate::error::{Error, Result};
use crate::gemm::Sweep;
use crate::isa::{Isa, Kernel, LANES, Level, PANEL_BLOCKS};
use crate::qparams::{Engine, QParams};
use crate::scratch::{self, Scratch};

/// Projected gates of a block of steps stay within this many bytes a thread, so that they are still
/// in the L2 cache when their step comes.
const BLOCK_BYTES: usize = 256 * 1024;

/// A block has at least this many rows: fewer would read the input weights too often.
const BLOCK_ROWS: usize = 24;

/// Columns of a panel of projection weights.
pub(super) const PROJECTED: usize = LANES * PANEL_BLOCKS;

/// Weights of one direction of one layer.
#[derive(Debug)]
pub(super) struct Direction<M> {
    /// From the input, with its bias.
    pub ih: M,
    /// From the hidden state, with its bias.
    pub hh: M,
    /// From the cell's output to the hidden state, where a layer projects it.
    pub hr: Option<M>,
}

/// Everything that the threads of one direction share.
pub(super) struct Job<'a, M> {
    pub kind: Kind,
    pub engine: Engine,
    pub weights: &'a Direction<M>,
    pub order: &'a Order,
    pub x: &'a [f32],
    /// Parameters of the whole input, where the profile wants that.
    pub whole: Option<QParams>,
    /// First hidden state, `[batch][size of h]`; zeros if none.
    pub h0: Option<&'a [f32]>,
    /// First cell state, `[batch][hidden]`; zeros if none.
    pub c0: Option<&'a [f32]>,
    pub hidden: usize,
    pub y: Exchange<'a>,
    /// Outputs of the cells before projection.
    pub cells: Option<Exchange<'a>>,
    /// Last cell state.
    pub c: Option<Exchange<'a>>,
    /// As many zeros as h has columns.
    pub zeros: &'a [f32],
}

/// A thread's working memory, kept between calls.
#[derive(Default)]
struct Workspace {
    staged: Staged,
    projected: Vec<[f32; LANES]>,
    state: Vec<[f32; LANES]>,
    rows: Vec<usize>,
}

thread_local! {
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
}

/// What the next product is. All go through one loop, because each place that names a product
/// compiles it once more for every level.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The inputs of a block of steps, for the gates.
    Input,
    /// The hidden state of a step, for the gates.
    Hidden,
    /// The cells' outputs of a step, for the hidden state.
    Output,
}

/// One thread's holds on what the threads share.
struct Parts<'a> {
    y: Part<'a>,
    cells: Option<Part<'a>>,
}

impl<M: Matrix> Job<'_, M> {
    /// Does part `i` of `n` on this thread.
    pub(super) fn run(&self, level: Level, i: usize, n: usize) -> Result<()> {
        // Taken out of its cell, so that the kernel runs in no closure: see isa/mod.rs on inlining.
        let mut workspace = WORKSPACE.take();
        let mut scratch = scratch::borrow();
        let kernel = Run { job: self, i, n, workspace: &mut workspace, scratch: &mut scratch };
        let result = M::enter(level, self.engine, kernel);
        WORKSPACE.set(workspace);
        result
    }

    /// Row `i` of what the product of `phase` reads; `rows` are those of the block of inputs.
    #[inline(always)]
    fn row<'r>(
        &'r self,
        phase: Phase,
        i: usize,
        parts: &'r Parts<'_>,
        rows: &[usize],
    ) -> &'r [f32] {
        match phase {
            Phase::Input => {
                let k = self.weights.ih.k();
                &self.x[rows[i] * k..][..k]
            }
            Phase::Hidden => parts.y.previous(i).unwrap_or_else(|| {
                let size = self.zeros.len();
                self.h0.map_or(self.zeros, |h0| &h0[i * size..][..size])
            }),
            Phase::Output => {
                parts.cells.as_ref().and_then(|cells| cells.previous(i)).unwrap_or(&[])
            }
        }
    }

    /// Fills `state` with the columns `own` of the first state of the cells, or zeros, padded to
    /// `panels` whole blocks a sample.
    fn load_state(&self, state: &mut Vec<[f32; LANES]>, panels: usize, own: &Range<usize>) {
        let first = match self.kind {
            Kind::Lstm => self.c0,
            Kind::Gru => self.h0,
            Kind::RnnTanh | Kind::RnnRelu => None,
        };
        state.clear();
        state.resize(self.order.batch() * panels, [0.0; LANES]);
        if let Some(values) = first {
            for (b, row) in values.chunks_exact(self.hidden).enumerate() {
                let to = state[b * panels..][..panels].as_flattened_mut();
                to[..own.len()].copy_from_slice(&row[own.clone()]);
            }
        }
    }

    #[cold]
    fn not_finite(&self, phase: Phase, row: usize) -> Error {
        let op = match (self.kind, phase) {
            (Kind::Lstm, Phase::Input) => "LSTM",
            (Kind::Lstm, _) => "LSTM hidden state",
            (Kind::Gru, Phase::Input) => "GRU",
            (Kind::Gru, _) => "GRU hidden state",
            (_, Phase::Input) => "RNN",
            (_, _) => "RNN hidden state",
        };
        Error::NonFinite { op, row }
    }
}

struct Run<'a, M> {
    job: &'a Job<'a, M>,
    i: usize,
    n: usize,
    workspace: &'a mut Workspace,
    scratch: &'a mut Scratch,
}

impl<M: Matrix> Kernel for Run<'_, M> {
    type Output = Result<()>;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Result<()> {
        let Self { job, i, n, workspace, scratch } = self;
        let Workspace { staged, projected, state, rows } = workspace;
        let Job { kind, engine, order, weights, .. } = *job;
        let cells = job.cells.as_ref().map(|cells| cells.part(i, n));
        let mut parts = Parts { y: job.y.part(i, n), cells };
        let own = parts.cells.as_ref().unwrap_or(&parts.y).own();
        let panels = own.start / kind.units()..own.end.div_ceil(kind.units());
        let (first, count) = (panels.start, panels.len());
        let out = parts.y.own().start / PROJECTED..parts.y.own().end.div_ceil(PROJECTED);
        job.load_state(state, count, &own);

        let fit = (BLOCK_BYTES / (64 * PANEL_BLOCKS * count).max(1)).max(BLOCK_ROWS);
        let (mut phase, mut done, mut end, mut at) = (Phase::Input, 0, 0, 0);
        while done < order.steps() {
            let samples = order.samples(done);
            let (matrix, whole, m) = match (phase, &weights.hr) {
                (Phase::Input, _) => {
                    let block = order.block(done, fit);
                    (end, at) = (block.end, 0);
                    rows.clear();
                    for done in block {
                        rows.extend((0..order.samples(done)).filter_map(|b| order.row(done, b)));
                    }
                    let room = rows.len() * count * PANEL_BLOCKS;
                    if projected.len() < room {
                        projected.resize(room, [0.0; LANES]);
                    }
                    (&weights.ih, job.whole, rows.len())
                }
                (Phase::Output, Some(hr)) => (hr, None, samples),
                _ => (&weights.hh, None, samples),
            };
            matrix
                .stage(isa, engine, whole, m, |i| job.row(phase, i, &parts, rows), staged)
                .map_err(|i| {
                    job.not_finite(phase, if phase == Phase::Input { rows[i] } else { i })
                })?;
            let (panels, mut target) = match phase {
                Phase::Input => (panels.clone(), Target::Keep { first, count, to: projected }),
                Phase::Hidden => {
                    let projected = &projected[at..];
                    let out = parts.cells.as_mut().unwrap_or(&mut parts.y);
                    let cell = Cell { kind, first, panels: count, projected, state, out };
                    (panels.clone(), Target::Cell(cell))
                }
                Phase::Output => {
                    (out.clone(), Target::Store { first: out.start, to: &mut parts.y })
                }
            };
            // Every other step goes backward: what the step before read last is still in L2.
            let sweep = Sweep::new(panels, done % 2 == 1);
            matrix.multiply(isa, engine, staged, sweep, scratch, &mut target);
            phase = match (phase, &mut parts.cells) {
                (Phase::Input, _) => Phase::Hidden,
                (Phase::Hidden, Some(cells)) => {
                    cells.advance();
                    Phase::Output
                }
                _ => {
                    parts.y.advance();
                    at += samples * count * PANEL_BLOCKS;
                    done += 1;
                    if done == end { Phase::Input } else { Phase::Hidden }
                }
            };
        }
        if let Some(c) = &job.c {
            let mut c = c.part(i, n);
            for b in 0..order.batch() {
                let from = state[b * count..][..count].as_flattened();
                let to = c.write(b);
                to.copy_from_slice(&from[..to.len()]);
            }
        }
        Ok(())
    }
}

/// Where products go.
enum Target<'a, 'p> {
    /// Gates of a block of rows, kept for their steps: `[row][panel][block]`.
    Keep { first: usize, count: usize, to: &'a mut [[f32; LANES]] },
    /// Gates of a step.
    Cell(Cell<'a, 'p>),
    /// Hidden states of a step.
    Store { first: usize, to: &'a mut Part<'p> },
}

impl Sink for Target<'_, '_> {
    #[inline(always)]
    fn take<I: Isa>(&mut self, isa: I, row: usize, panel: usize, products: [I::F; PANEL_BLOCKS]) {
        match self {
            Self::Keep { first, count, to } => {
                let at = (row * *count + panel - *first) * PANEL_BLOCKS;
                let to = &mut to[at..][..PANEL_BLOCKS];
                for b in 0..PANEL_BLOCKS {
                    isa.f_store(products[b], &mut to[b]);
                }
            }
            Self::Cell(cell) => cell.take(isa, row, panel, products),
            Self::Store { first, to } => {
                let to = &mut to.write(row)[(panel - *first) * PROJECTED..];
                for (b, to) in to.chunks_mut(LANES).enumerate().take(PANEL_BLOCKS) {
                    store(isa, products[b], to);
                }
            }
        }
    }
}
