//! LSTM, GRU and plain recurrent layers: integer weights with dynamically quantized activations, or
//! float weights. Stacked and bidirectional layers are one call.
//!
//! The weights of the gates are interleaved: a panel holds all gates of the same 16 hidden units, so
//! the products of one tile are a cell's whole input. The input is projected for many steps at once;
//! a step then multiplies the hidden state and finishes its cells while the sums are in L1. Threads
//! own panels and meet once a step; the two directions of a layer run on different threads.

mod cells;
mod exchange;
mod float;
mod int8;
mod layer;
mod matrix;
mod steps;

use std::sync::{Mutex, PoisonError};

pub use cells::Kind;
use exchange::{Exchange, MAX_PARTS};
pub use float::{Float, FloatWeights};
pub use int8::{Int8, Int8Weights};
use layer::{Direction, Job, PROJECTED};
pub use matrix::Matrix;
use steps::Order;
pub use steps::Steps;

use crate::error::{Error, Result, same};
use crate::isa::{Kernel, LANES, Level};
use crate::parallel;
use crate::qparams::{Engine, QParams};

/// Sizes of a recurrent network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The cell.
    pub kind: Kind,
    /// Features of the input.
    pub input: usize,
    /// Units of a cell.
    pub hidden: usize,
    /// Size that an LSTM's output is projected to.
    pub projection: Option<usize>,
    /// Layers on top of each other.
    pub layers: usize,
    /// Whether each layer also reads the sequence backwards.
    pub bidirectional: bool,
}

/// Plain weights of one direction of one layer; gates in PyTorch's order, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Weights<W> {
    /// `[gates * hidden][input of the layer]`.
    pub ih: W,
    /// `[gates * hidden][output]`.
    pub hh: W,
    /// `[projection][hidden]`, where the network projects.
    pub hr: Option<W>,
}

/// The state before the first step, `[layers * directions][batch][size]`; `None` is zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct State<'a> {
    /// Hidden state.
    pub h: Option<&'a [f32]>,
    /// Cell state of an LSTM.
    pub c: Option<&'a [f32]>,
}

/// A sequence and the state before it.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    /// Rows of features.
    pub x: &'a [f32],
    /// Which row is which.
    pub steps: Steps<'a>,
    /// First state.
    pub state: State<'a>,
}

/// Where results go. Every element is written.
#[derive(Debug)]
pub struct Output<'a> {
    /// The rows of the input, `directions * output` wide.
    pub y: &'a mut [f32],
    /// Hidden state after each sample's last step, `[layers * directions][batch][output]`.
    pub h: &'a mut [f32],
    /// Cell state likewise, `[layers * directions][batch][hidden]`; empty unless an LSTM.
    pub c: &'a mut [f32],
}

impl Shape {
    /// Directions of a layer.
    #[must_use]
    pub fn directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    /// Features of one direction's output.
    #[must_use]
    pub fn output(&self) -> usize {
        self.projection.unwrap_or(self.hidden)
    }

    /// Columns that threads share out whole.
    fn unit(&self) -> usize {
        if self.projection.is_some() { PROJECTED } else { self.kind.units() }
    }

    fn input_of(&self, layer: usize) -> usize {
        if layer == 0 { self.input } else { self.directions() * self.output() }
    }

    fn check(&self) -> Result<()> {
        let op = self.kind.name();
        let message = if self.hidden == 0 || self.layers == 0 {
            format!(
                "hidden size is {}, number of layers {}, expected at least 1",
                self.hidden, self.layers
            )
        } else if self.projection.is_some() && self.kind != Kind::Lstm {
            "a projection was given, expected one with an LSTM only".to_owned()
        } else if self.projection.is_some_and(|size| size == 0 || size >= self.hidden) {
            let (size, hidden) = (self.output(), self.hidden);
            format!(
                "projection size is {size}, expected 1 to {} (below the hidden size)",
                hidden - 1
            )
        } else {
            return Ok(());
        };
        Err(Error::Value { op, message })
    }
}

/// A recurrent network with packed weights. Immutable, cheap to share between threads.
#[derive(Debug)]
pub struct Rnn<M> {
    shape: Shape,
    /// Layer after layer, in each forward then backward.
    directions: Vec<Direction<M>>,
    zeros: Vec<f32>,
}

impl<M: Matrix> Rnn<M> {
    /// Packs `weights`: layer after layer, in each forward then backward.
    ///
    /// # Errors
    /// If a size does not fit.
    pub fn new(shape: Shape, weights: &[Weights<M::Plain<'_>>]) -> Result<Self> {
        shape.check()?;
        let op = shape.kind.name();
        let Shape { kind, hidden, layers, .. } = shape;
        same(op, "number of weight sets", weights.len(), layers * shape.directions())?;
        let channels = kind.channels(hidden);
        let n = kind.gates() * hidden;
        let plain: Vec<_> = (0..shape.output().next_multiple_of(LANES))
            .map(|j| (j < shape.output()).then_some(j))
            .collect();
        let pack = |(i, set): (usize, &Weights<M::Plain<'_>>)| {
            let input = shape.input_of(i / shape.directions());
            same(op, "number of projections", set.hr.iter().len(), shape.projection.iter().len())?;
            Ok(Direction {
                ih: M::pack(op, set.ih, (n, input), &channels, kind.width())?,
                hh: M::pack(op, set.hh, (n, shape.output()), &channels, kind.width())?,
                hr: set
                    .hr
                    .map(|hr| M::pack(op, hr, (shape.output(), hidden), &plain, PROJECTED / LANES))
                    .transpose()?,
            })
        };
        let directions = weights.iter().enumerate().map(pack).collect::<Result<_>>()?;
        Ok(Self { shape, directions, zeros: vec![0.0; hidden] })
    }

    /// The sizes.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Bytes of packed weights.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of = |d: &Direction<M>| d.ih.bytes() + d.hh.bytes() + d.hr.as_ref().map_or(0, M::bytes);
        self.directions.iter().map(of).sum()
    }

    /// Runs the network over a sequence.
    ///
    /// # Errors
    /// If a length does not fit, or integer weights meet NaN or infinity.
    pub fn forward(
        &self,
        level: Level,
        engine: Engine,
        input: Sequence<'_>,
        out: &mut Output<'_>,
    ) -> Result<()> {
        self.forward_on(self.threads(level, input.steps), level, engine, input, out)
    }

    /// As [`Rnn::forward`] on `threads` threads, or on fewer if the pool has no more.
    ///
    /// # Errors
    /// As [`Rnn::forward`].
    pub fn forward_on(
        &self,
        threads: usize,
        level: Level,
        engine: Engine,
        input: Sequence<'_>,
        out: &mut Output<'_>,
    ) -> Result<()> {
        let op = self.shape.kind.name();
        let orders = (0..self.shape.directions())
            .map(|direction| Order::new(op, input.steps, direction == 1))
            .collect::<Result<Vec<_>>>()?;
        let order = &orders[0];
        let width = self.shape.directions() * self.shape.output();
        order.fits(op, "input length", input.x.len(), self.shape.input)?;
        order.fits(op, "output length", out.y.len(), width)?;
        self.check_state(order.batch(), input.state, out)?;
        if order.steps() == 0 {
            let message = "the sequence is empty, expected at least one step".to_owned();
            return Err(Error::Value { op, message });
        }
        if order.batch() == 0 {
            return Ok(());
        }
        let call = Call { level, engine, orders: &orders, threads: threads.min(MAX_PARTS) };
        let mut between = [Vec::new(), Vec::new()];
        for layer in 0..self.shape.layers {
            let [from, to] = &mut between;
            let x = if layer == 0 { input.x } else { &from[..] };
            if layer + 1 == self.shape.layers {
                self.layer(call, layer, Sequence { x, ..input }, out)?;
            } else {
                to.resize(order.rows() * width, 0.0);
                let mut out = Output { y: to, h: out.h, c: out.c };
                self.layer(call, layer, Sequence { x, ..input }, &mut out)?;
            }
            between.swap(0, 1);
        }
        Ok(())
    }

    fn layer(
        &self,
        call: Call<'_>,
        layer: usize,
        Sequence { x, state, .. }: Sequence<'_>,
        Output { y, h, c }: &mut Output<'_>,
    ) -> Result<()> {
        let Call { level, engine, orders, threads } = call;
        let Shape { kind, hidden, .. } = self.shape;
        let (count, output, batch) = (orders.len(), self.shape.output(), orders[0].batch());
        let rings: Vec<_> = orders.iter().map(Order::ring).collect();
        let once = [Order::new(kind.name(), Steps::TimeMajor { steps: 1, batch }, false)?];
        // The parts of `values` that belong to this layer's directions.
        let (h_size, c_size) = (batch * output, batch * hidden);
        let part =
            |size: usize, d: usize| (layer * count + d) * size..(layer * count + d + 1) * size;

        let ih = &self.directions[layer * count].ih;
        let whole = M::enter(level, engine, Whole { matrix: ih, engine, x })
            .map_err(|row| Error::NonFinite { op: kind.name(), row })?;
        let mut cells: Vec<_> = match self.shape.projection {
            Some(_) => orders.iter().map(|_| vec![0.0; 2 * c_size]).collect(),
            None => Vec::new(),
        };
        let mut cells = cells.iter_mut();
        let c_own =
            c.get_mut(part(c_size, 0).start..part(c_size, count - 1).end).unwrap_or_default();
        let mut cs = c_own.chunks_exact_mut(c_size);
        let ys = Exchange::over(y, orders, self.shape.unit());
        let mut jobs = Vec::with_capacity(count);
        for (d, y) in ys.into_iter().enumerate() {
            jobs.push(Job {
                kind,
                engine,
                weights: &self.directions[layer * count + d],
                order: &orders[d],
                x,
                whole,
                h0: state.h.map(|h| &h[part(h_size, d)]),
                c0: state.c.map(|c| &c[part(c_size, d)]),
                hidden,
                y,
                cells: cells
                    .next()
                    .map(|cell| Exchange::over(cell, &rings[d..=d], kind.units()).remove(0)),
                c: cs.next().map(|c| Exchange::over(c, &once, kind.units()).remove(0)),
                zeros: &self.zeros[..output],
            });
        }
        run(level, &jobs, threads)?;
        drop(jobs);
        for (d, order) in orders.iter().enumerate() {
            for (b, to) in h[part(h_size, d)].chunks_exact_mut(output).enumerate() {
                let row = order.row(order.last(b), b).unwrap_or(0);
                to.copy_from_slice(&y[(row * count + d) * output..][..output]);
            }
        }
        Ok(())
    }

    fn check_state(&self, batch: usize, state: State<'_>, out: &Output<'_>) -> Result<()> {
        let Shape { kind, hidden, layers, .. } = self.shape;
        let op = kind.name();
        let h = layers * self.shape.directions() * batch * self.shape.output();
        let lstm = usize::from(kind == Kind::Lstm);
        let c = lstm * layers * self.shape.directions() * batch * hidden;
        same(op, "hidden state length", state.h.map_or(h, <[f32]>::len), h)?;
        same(op, "cell state length", state.c.map_or(c, <[f32]>::len), c)?;
        same(op, "hidden output length", out.h.len(), h)?;
        same(op, "cell output length", out.c.len(), c)
    }

    /// Threads worth using. Those that share a direction meet at every step, which costs half a
    /// microsecond, and much more when other processes want the CPUs. Those that have a direction of
    /// their own only start and end together.
    fn threads(&self, level: Level, steps: Steps<'_>) -> usize {
        let (steps, rows) = match steps {
            Steps::TimeMajor { steps, batch } | Steps::BatchMajor { steps, batch } => {
                (steps, steps * batch)
            }
            Steps::Packed(sizes) => (sizes.len(), sizes.iter().sum()),
        };
        let Direction { ih, hh, .. } = &self.directions[0];
        let hidden = steps * hh.nanoseconds(level, rows.div_ceil(steps.max(1)));
        let all = hidden + ih.nanoseconds(level, rows);
        if self.shape.directions() * all < CALL_NS {
            return 1;
        }
        let shared = (all / steps.max(1) / STEP_NS).max(1);
        parallel::num_threads().min(shared * self.shape.directions())
    }
}

/// The share of a step, in nanoseconds, that is worth a thread: two from 512 KiB of hidden weights.
const STEP_NS: usize = 8_000;

/// The time of a layer, in nanoseconds, that is worth waking threads.
const CALL_NS: usize = 40_000;

/// What the layers of one call have in common.
#[derive(Clone, Copy)]
struct Call<'a> {
    level: Level,
    engine: Engine,
    /// One for each direction.
    orders: &'a [Order],
    threads: usize,
}

/// Measures a whole input, where the profile wants that.
struct Whole<'a, M> {
    matrix: &'a M,
    engine: Engine,
    x: &'a [f32],
}

impl<M: Matrix> Kernel for Whole<'_, M> {
    type Output = matrix::Measured<Option<QParams>>;

    #[inline(always)]
    fn run<I: crate::isa::Isa>(self, isa: I) -> Self::Output {
        self.matrix.measure(isa, self.engine, self.x)
    }
}

/// Runs the directions of a layer, side by side if there are threads for each.
fn run<M: Matrix>(level: Level, jobs: &[Job<'_, M>], threads: usize) -> Result<()> {
    let failed = Mutex::new(None);
    let check = |result: Result<()>| {
        if let Err(error) = result {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    };
    parallel::meet(threads, |i, n| {
        let each = n / jobs.len();
        if each == 0 {
            return jobs.iter().for_each(|job| check(job.run(level, 0, 1)));
        }
        if i / jobs.len() < each {
            check(jobs[i % jobs.len()].run(level, i / jobs.len(), each));
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}
