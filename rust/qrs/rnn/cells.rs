//! What a cell does with its gates, 16 hidden units at a time.
//!
//! ```text
//! LSTM  c' = sigmoid(f) * c + sigmoid(i) * tanh(g)      h' = sigmoid(o) * tanh(c')
//! GRU   n = tanh(n_x + sigmoid(r) * n_h)                h' = (h - n) * sigmoid(z) + n
//! RNN   h' = tanh(s) or max(s, 0)
//! ```
//!
//! where a gate is the sum of its hidden part and its input part, each with its own bias. Every
//! operation rounds once, in the order written.

use super::exchange::Part;
use crate::activation::{sigmoid, tanh};
use crate::isa::{Isa, LANES, PANEL_BLOCKS};

/// Which cell a layer repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Gates i, f, g, o.
    Lstm,
    /// Gates r, z, n.
    Gru,
    /// One gate, `tanh(s)`.
    RnnTanh,
    /// One gate, `max(s, 0)`.
    RnnRelu,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Lstm, Self::Gru, Self::RnnTanh, Self::RnnRelu];

    /// Its name in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lstm => "LSTM",
            Self::Gru => "GRU",
            Self::RnnTanh | Self::RnnRelu => "RNN",
        }
    }

    /// Rows of the weights per hidden unit.
    #[must_use]
    pub fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru => 3,
            Self::RnnTanh | Self::RnnRelu => 1,
        }
    }

    /// Blocks of a panel: all gates of the same 16 units, or 64 units where there is one gate.
    #[must_use]
    pub(super) fn width(self) -> usize {
        match self {
            Self::Gru => 3,
            _ => PANEL_BLOCKS,
        }
    }

    /// Hidden units of a panel.
    #[must_use]
    pub(super) fn units(self) -> usize {
        self.width() / self.gates() * LANES
    }

    /// The rows of the weights in packed order; `None` pads the last 16 units.
    pub(super) fn channels(self, hidden: usize) -> Vec<Option<usize>> {
        let blocks = hidden.div_ceil(LANES);
        let lane = |gate, block, j| {
            let unit = block * LANES + j;
            (unit < hidden).then_some(gate * hidden + unit)
        };
        (0..blocks)
            .flat_map(|block| (0..self.gates()).map(move |gate| (gate, block)))
            .flat_map(|(gate, block)| (0..LANES).map(move |j| lane(gate, block, j)))
            .collect()
    }
}

/// One step of a cell for the units of one thread: takes the hidden parts of the gates.
pub(super) struct Cell<'a, 'p> {
    pub kind: Kind,
    /// The thread's panels.
    pub first: usize,
    pub panels: usize,
    /// Input parts of the gates, `[sample][panel][PANEL_BLOCKS]`.
    pub projected: &'a [[f32; LANES]],
    /// c of an LSTM, h of a GRU: `[sample][panel][unit block]`.
    pub state: &'a mut [[f32; LANES]],
    /// Where h goes.
    pub out: &'a mut Part<'p>,
}

impl Cell<'_, '_> {
    /// Finishes the cells of sample `row` in `panel`, given the hidden parts of their gates.
    #[inline(always)]
    pub(super) fn take<I: Isa>(
        &mut self,
        isa: I,
        row: usize,
        panel: usize,
        gates: [I::F; PANEL_BLOCKS],
    ) {
        let panel = panel - self.first;
        let at = row * self.panels + panel;
        let input = &self.projected[at * PANEL_BLOCKS..][..PANEL_BLOCKS];
        let mut sums = gates;
        for b in 0..PANEL_BLOCKS {
            sums[b] = isa.f_add(gates[b], isa.f_load(&input[b]));
        }
        let units = self.kind.units();
        let out = &mut self.out.write(row)[panel * units..];
        match self.kind {
            Kind::Lstm => {
                let state = &mut self.state[at];
                let (i, f) = (sigmoid(isa, sums[0]), sigmoid(isa, sums[1]));
                let (g, o) = (tanh(isa, sums[2]), sigmoid(isa, sums[3]));
                let c = isa.f_add(isa.f_mul(f, isa.f_load(state)), isa.f_mul(i, g));
                isa.f_store(c, state);
                store(isa, isa.f_mul(o, tanh(isa, c)), out);
            }
            Kind::Gru => {
                let state = &mut self.state[at];
                let (r, z) = (sigmoid(isa, sums[0]), sigmoid(isa, sums[1]));
                let n = tanh(isa, isa.f_add(isa.f_load(&input[2]), isa.f_mul(r, gates[2])));
                let h = isa.f_add(isa.f_mul(isa.f_sub(isa.f_load(state), n), z), n);
                isa.f_store(h, state);
                store(isa, h, out);
            }
            Kind::RnnTanh | Kind::RnnRelu => {
                for (b, out) in out.chunks_mut(LANES).enumerate().take(PANEL_BLOCKS) {
                    let h = match self.kind {
                        Kind::RnnTanh => tanh(isa, sums[b]),
                        _ => isa.f_max(sums[b], isa.f_splat(0.0)),
                    };
                    store(isa, h, out);
                }
            }
        }
    }
}

/// Stores as many lanes as `to` takes.
#[inline(always)]
pub(super) fn store<I: Isa>(isa: I, v: I::F, to: &mut [f32]) {
    if let Some(to) = to.first_chunk_mut() {
        return isa.f_store(v, to);
    }
    let mut lanes = [0.0; LANES];
    isa.f_store(v, &mut lanes);
    to.copy_from_slice(&lanes[..to.len()]);
}
