//! Recurrent networks, one number at a time.

use super::linear;
use crate::qparams::Engine;
use crate::rnn::Kind;

/// One product of a cell.
#[derive(Clone, Copy, Debug)]
pub enum Product<'a> {
    /// Quantized weights.
    Int8(linear::Layer<'a>),
    /// Float weights `[n][k]` and one bias per output.
    Float {
        /// Row after row.
        weights: &'a [f32],
        /// One per output.
        bias: &'a [f32],
        /// Inputs per row.
        k: usize,
    },
}

/// Weights of one direction of one layer.
#[derive(Clone, Copy, Debug)]
pub struct Direction<'a> {
    /// From the input.
    pub ih: Product<'a>,
    /// From the hidden state.
    pub hh: Product<'a>,
    /// From the cell's output to the hidden state.
    pub hr: Option<Product<'a>>,
}

/// What all layers have in common.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    /// The cell.
    pub kind: Kind,
    /// The profile of integer weights.
    pub engine: Engine,
    /// Logistic function.
    pub sigmoid: fn(f32) -> f32,
    /// Hyperbolic tangent.
    pub tanh: fn(f32) -> f32,
}

/// Rows of floats: `[sample][feature]`.
pub type Rows = Vec<Vec<f32>>;

impl Product<'_> {
    fn apply(self, engine: Engine, rows: &[Vec<f32>]) -> Rows {
        match self {
            Self::Int8(layer) => linear::dynamic(layer, engine, true, &rows.concat())
                .chunks(layer.shape.0)
                .map(<[f32]>::to_vec)
                .collect(),
            Self::Float { weights, bias, k } => {
                let output = |row: &Vec<f32>, j: usize| {
                    let terms = row.iter().zip(&weights[j * k..]);
                    terms.fold(bias[j], |sum, (x, w)| x.mul_add(*w, sum))
                };
                rows.iter().map(|row| (0..bias.len()).map(|j| output(row, j)).collect()).collect()
            }
        }
    }
}

impl Network {
    /// Runs `layers`, each of one or two directions, over `x`, `[step][sample][feature]`. `h` and `c`
    /// hold the first states and receive the last, one entry per layer and direction. Later steps
    /// may have fewer samples.
    #[must_use]
    pub fn run(
        &self,
        layers: &[Vec<Direction<'_>>],
        x: &[Rows],
        h: &mut [Rows],
        c: &mut [Rows],
    ) -> Vec<Rows> {
        let mut x = x.to_vec();
        let mut at = 0;
        for directions in layers {
            let mut y: Vec<Rows> = x.iter().map(|rows| vec![Vec::new(); rows.len()]).collect();
            for (d, weights) in directions.iter().enumerate() {
                let mut steps: Vec<usize> = (0..x.len()).collect();
                if d == 1 {
                    steps.reverse();
                }
                let all: Rows = x.concat();
                let mut projected = weights.ih.apply(self.engine, &all).into_iter();
                let projected: Vec<Rows> =
                    x.iter().map(|rows| projected.by_ref().take(rows.len()).collect()).collect();
                for t in steps {
                    let samples = x[t].len();
                    let hidden = weights.hh.apply(self.engine, &h[at][..samples]);
                    let mut outputs = Rows::new();
                    for b in 0..samples {
                        outputs.push(self.cell(
                            &projected[t][b],
                            &hidden[b],
                            &h[at][b],
                            &mut c[at][b],
                        ));
                    }
                    if let Some(hr) = weights.hr {
                        outputs = hr.apply(self.engine, &outputs);
                    }
                    for (b, output) in outputs.into_iter().enumerate() {
                        y[t][b].extend(&output);
                        h[at][b] = output;
                    }
                }
                at += 1;
            }
            x = y;
        }
        x
    }

    fn cell(&self, input: &[f32], hidden: &[f32], h: &[f32], c: &mut [f32]) -> Vec<f32> {
        let (sigmoid, tanh) = (self.sigmoid, self.tanh);
        let units = input.len() / self.kind.gates();
        let gate = |gate: usize, j: usize| hidden[gate * units + j] + input[gate * units + j];
        (0..units)
            .map(|j| match self.kind {
                Kind::Lstm => {
                    let keep = sigmoid(gate(1, j)) * c[j];
                    let add = sigmoid(gate(0, j)) * tanh(gate(2, j));
                    c[j] = keep + add;
                    sigmoid(gate(3, j)) * tanh(c[j])
                }
                Kind::Gru => {
                    let (r, z) = (sigmoid(gate(0, j)), sigmoid(gate(1, j)));
                    let n = tanh(input[2 * units + j] + r * hidden[2 * units + j]);
                    (h[j] - n) * z + n
                }
                Kind::RnnTanh => tanh(gate(0, j)),
                Kind::RnnRelu => gate(0, j).max(0.0),
            })
            .collect()
    }
}
