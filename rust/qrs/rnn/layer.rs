//! One direction of one layer: the whole input projected block by block, then step after step.

use std::cell::RefCell;
use std::ops::Range;

use super::cells::{Cell, Kind, store};
use super::exchange::{Exchange, Part};
use super::matrix::{Matrix, Sink, Staged};
use super::steps::Order;
use crate::error::{Error, Result};
use crate::isa::{Isa, Kernel, LANES, Level, PANEL_BLOCKS};
use crate::qparams::{Engine, QParams};
use crate::scratch::{self, Scratch};

/// Projected gates of a block of steps stay within this many bytes a thread, so that they are still
/// in the L2 cache when their step comes.
const BLOCK_BYTES: usize = 256 * 1024;

/// A block has at least this many rows: fewer would read the input weights too often.
const BLOCK_ROWS: usize = 24;

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
    /// Outputs of the cell before projection.
    pub cell: Option<Exchange<'a>>,
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

    fn not_finite(&self, what: &'static str, row: usize) -> Error {
        let op = match (self.kind, what) {
            (Kind::Lstm, "input") => "LSTM",
            (Kind::Lstm, _) => "LSTM hidden state",
            (Kind::Gru, "input") => "GRU",
            (Kind::Gru, _) => "GRU hidden state",
            (_, "input") => "RNN",
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
        let order = job.order;
        let mut y = job.y.part(i, n);
        let mut cell = job.cell.as_ref().map(|cell| cell.part(i, n));
        let units = job.kind.units();
        let own = cell.as_ref().unwrap_or(&y).own();
        let panels = own.start / units..own.end.div_ceil(units);
        let out_panels = y.own().start / 64..y.own().end.div_ceil(64);

        let first = match job.kind {
            Kind::Lstm => job.c0.map(|c0| (c0, job.hidden)),
            Kind::Gru => job.h0.map(|h0| (h0, job.hidden)),
            Kind::RnnTanh | Kind::RnnRelu => None,
        };
        load_state(state, order.batch(), panels.len(), own.clone(), first);

        let fit = (BLOCK_BYTES / (64 * PANEL_BLOCKS * panels.len()).max(1)).max(BLOCK_ROWS);
        let mut start = 0;
        while start < order.steps() {
            let block = order.block(start, fit);
            start = block.end;
            project(isa, job, block.clone(), panels.clone(), rows, staged, projected, scratch)?;
            let mut at = 0;
            for done in block {
                let samples = order.samples(done);
                let hidden = (0..samples).map(|b| previous(job, &y, b));
                let staging = job.weights.hh.stage(isa, job.engine, None, hidden, staged);
                staging.map_err(|row| job.not_finite("hidden", row))?;
                let mut sink = Cell {
                    kind: job.kind,
                    first: panels.start,
                    panels: panels.len(),
                    projected: &projected[at..],
                    state,
                    out: cell.as_mut().unwrap_or(&mut y),
                };
                at += samples * panels.len() * PANEL_BLOCKS;
                let hh = &job.weights.hh;
                hh.multiply(isa, job.engine, staged, panels.clone(), scratch, &mut sink);
                if let (Some(cell), Some(hr)) = (&mut cell, &job.weights.hr) {
                    cell.advance();
                    let outputs = (0..samples).map(|b| cell.previous(b).unwrap_or(job.zeros));
                    let staging = hr.stage(isa, job.engine, None, outputs, staged);
                    staging.map_err(|row| job.not_finite("hidden", row))?;
                    let mut sink = Store { first: out_panels.start, out: &mut y };
                    hr.multiply(isa, job.engine, staged, out_panels.clone(), scratch, &mut sink);
                }
                y.advance();
            }
        }
        if let Some(c) = &job.c {
            let mut c = c.part(i, n);
            for b in 0..order.batch() {
                let from = state[b * panels.len()..][..panels.len()].as_flattened();
                let to = c.write(b);
                to.copy_from_slice(&from[..to.len()]);
            }
        }
        Ok(())
    }
}

/// The hidden state that sample `b` enters the current step with.
#[inline(always)]
fn previous<'a, M>(job: &'a Job<'_, M>, y: &'a Part<'_>, b: usize) -> &'a [f32] {
    let size = job.zeros.len();
    y.previous(b).or_else(|| Some(&job.h0?[b * size..][..size])).unwrap_or(job.zeros)
}

/// Fills `state` with the columns `own` of the first state, or zeros, padded to whole blocks.
fn load_state(
    state: &mut Vec<[f32; LANES]>,
    batch: usize,
    panels: usize,
    own: Range<usize>,
    first: Option<(&[f32], usize)>,
) {
    state.clear();
    state.resize(batch * panels, [0.0; LANES]);
    if let Some((values, columns)) = first {
        for b in 0..batch {
            let to = state[b * panels..][..panels].as_flattened_mut();
            to[..own.len()].copy_from_slice(&values[b * columns..][own.clone()]);
        }
    }
}

/// The input parts of the gates of the steps `block`, for the panels of this thread.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "one call, split off to be read alone")]
fn project<I: Isa, M: Matrix>(
    isa: I,
    job: &Job<'_, M>,
    block: Range<usize>,
    panels: Range<usize>,
    rows: &mut Vec<usize>,
    staged: &mut Staged,
    projected: &mut Vec<[f32; LANES]>,
    scratch: &mut Scratch,
) -> Result<()> {
    rows.clear();
    for done in block {
        rows.extend((0..job.order.samples(done)).filter_map(|b| job.order.row(done, b)));
    }
    let ih = &job.weights.ih;
    let inputs = rows.iter().map(|row| &job.x[row * ih.k()..][..ih.k()]);
    let staging = ih.stage(isa, job.engine, job.whole, inputs, staged);
    staging.map_err(|i| job.not_finite("input", rows[i]))?;
    let room = rows.len() * panels.len() * PANEL_BLOCKS;
    if projected.len() < room {
        projected.resize(room, [0.0; LANES]);
    }
    let mut sink = Keep { first: panels.start, panels: panels.len(), to: projected };
    ih.multiply(isa, job.engine, staged, panels, scratch, &mut sink);
    Ok(())
}

/// Keeps the products of a block of rows, `[row][panel][block]`.
struct Keep<'a> {
    first: usize,
    panels: usize,
    to: &'a mut [[f32; LANES]],
}

impl Sink for Keep<'_> {
    #[inline(always)]
    fn take<I: Isa>(&mut self, isa: I, row: usize, panel: usize, gates: [I::F; PANEL_BLOCKS]) {
        let at = (row * self.panels + panel - self.first) * PANEL_BLOCKS;
        for (to, gate) in self.to[at..][..PANEL_BLOCKS].iter_mut().zip(gates) {
            isa.f_store(gate, to);
        }
    }
}

/// Writes products to the rows of the current step.
struct Store<'a, 'p> {
    first: usize,
    out: &'a mut Part<'p>,
}

impl Sink for Store<'_, '_> {
    #[inline(always)]
    fn take<I: Isa>(&mut self, isa: I, row: usize, panel: usize, gates: [I::F; PANEL_BLOCKS]) {
        let columns = LANES * PANEL_BLOCKS;
        let out = &mut self.out.write(row)[(panel - self.first) * columns..];
        for (to, gate) in out.chunks_mut(LANES).zip(gates) {
            store(isa, gate, to);
        }
    }
}
