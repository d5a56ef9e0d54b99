//! Recurrent layers.

use numpy::PyUntypedArray;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use qrs::qparams::Engine;
use qrs::rnn::{
    self, Float, FloatWeights, Int8, Int8Weights, Kind, Rnn, Sequence, Shape, State, Steps, Weights,
};

use crate::array::{Input, Output};
use crate::backend::chosen;
use crate::call::call;
use crate::error::{ShapeError, raise};

const PACK: &str = "PackedRnn";
const RUN: &str = "dynamic rnn";

/// Products a nanosecond of the slowest level that anyone would use: decides on the GIL only.
const PRODUCTS_PER_NANOSECOND: usize = 30;

enum Network {
    Int8(Rnn<Int8>),
    Float(Rnn<Float>),
}

/// Weights of a recurrent network in the order in which the kernels read them. Immutable.
#[pyclass(frozen, module = "qrs._qrs")]
pub(crate) struct PackedRnn {
    network: Network,
    shape: Shape,
    /// Products for each float of the input, to estimate the time of a call.
    products_per_input: usize,
}

/// One matrix as Python holds it.
struct Matrix<'py> {
    values: Values<'py>,
    bias: Option<Input<'py, f32>>,
    shape: [usize; 2],
}

enum Values<'py> {
    Int8(Input<'py, i8>, Input<'py, f32>, Option<Input<'py, i32>>),
    Float(Input<'py, f32>),
}

#[pymethods]
impl PackedRnn {
    #[new]
    #[pyo3(signature = (mode, layers, directions, /))]
    fn new(
        py: Python<'_>,
        mode: &str,
        layers: usize,
        directions: Vec<Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let kind = match mode {
            "LSTM" => Kind::Lstm,
            "GRU" => Kind::Gru,
            "RNN_TANH" => Kind::RnnTanh,
            "RNN_RELU" => Kind::RnnRelu,
            _ => {
                return Err(PyValueError::new_err(format!(
                    "{PACK}: mode is `{mode}`, expected LSTM, GRU, RNN_TANH or RNN_RELU"
                )));
            }
        };
        let sets = directions.iter().map(weights).collect::<PyResult<Vec<_>>>()?;
        let Some(first) = sets.first().filter(|_| [layers, 2 * layers].contains(&sets.len()))
        else {
            return Err(ShapeError::new_err(format!(
                "{PACK}: {} sets of weights came for {layers} layers, expected 1 or 2 for each",
                sets.len()
            )));
        };
        let shape = Shape {
            kind,
            input: first.ih.shape[1],
            hidden: first.ih.shape[0] / kind.gates(),
            projection: first.hr.as_ref().map(|hr| hr.shape[0]),
            layers,
            bidirectional: sets.len() == 2 * layers,
        };
        let size = |set: &Weights<Matrix<'_>>| {
            [Some(&set.ih), Some(&set.hh), set.hr.as_ref()]
                .into_iter()
                .flatten()
                .map(|matrix| matrix.shape[0] * matrix.shape[1])
                .sum::<usize>()
        };
        let size = sets.iter().map(size).sum::<usize>();
        let network = if matches!(first.ih.values, Values::Int8(..)) {
            let sets =
                sets.iter().map(|set| each(set, Matrix::int8)).collect::<PyResult<Vec<_>>>()?;
            Network::Int8(call(py, size, || Rnn::new(shape, &sets))?)
        } else {
            let sets =
                sets.iter().map(|set| each(set, Matrix::float)).collect::<PyResult<Vec<_>>>()?;
            Network::Float(call(py, size, || Rnn::new(shape, &sets))?)
        };
        let products_per_input = size / shape.input.max(1);
        Ok(Self { network, shape, products_per_input })
    }

    /// The network over a sequence: its output and last states. `x` is `[steps, batch, input]`, with
    /// `batch_first` `[batch, steps, input]`, with `sizes` the rows of a packed sequence.
    #[pyo3(signature = (x, sizes, batch_first, states, engine, /))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'py, PyUntypedArray>,
        sizes: Option<Vec<usize>>,
        batch_first: bool,
        states: Option<Vec<Bound<'py, PyUntypedArray>>>,
        engine: &str,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let shape = self.shape;
        let engine = Engine::from_name(engine).map_err(|error| raise(&error))?;
        let level = chosen()?;
        let x = Input::<f32>::new(x, RUN, "input")?;
        let (steps, batch) = match (x.shape(), &sizes) {
            (&[_, _], Some(sizes)) => (Steps::Packed(sizes), sizes.first().copied().unwrap_or(0)),
            (&[batch, steps, _], None) if batch_first => {
                (Steps::BatchMajor { steps, batch }, batch)
            }
            (&[steps, batch, _], None) => (Steps::TimeMajor { steps, batch }, batch),
            (shape, _) => {
                return Err(ShapeError::new_err(format!(
                    "{RUN}: input of shape {shape:?} came, expected 3 dimensions, or 2 for the rows of \
                     a packed sequence"
                )));
            }
        };
        let features = x.shape().last().copied().unwrap_or(0);
        if features != shape.input {
            return Err(ShapeError::new_err(format!(
                "{RUN}: {features} features came, expected {}",
                shape.input
            )));
        }
        let lstm = usize::from(shape.kind == Kind::Lstm);
        let layers = shape.layers * shape.directions();
        let widths = &[[layers, batch, shape.output()], [layers, batch, shape.hidden]][..=lstm];
        let first =
            states.map(|states| first_states(&states, widths)).transpose()?.unwrap_or_default();
        let mut y =
            Output::<f32>::replacing_last(py, x.shape(), shape.directions() * shape.output())?;
        let mut h = Output::<f32>::new(py, &widths[0])?;
        let mut c = widths.get(1).map(|width| Output::<f32>::new(py, width)).transpose()?;
        let state = State { h: first.first().map(Input::slice), c: first.get(1).map(Input::slice) };
        let mut out = rnn::Output {
            y: y.slice(),
            h: h.slice(),
            c: c.as_mut().map_or(&mut [], Output::slice),
        };
        let input = Sequence { x: x.slice(), steps, state };
        let work = input.x.len() * self.products_per_input / PRODUCTS_PER_NANOSECOND;
        call(py, work, || match &self.network {
            Network::Int8(network) => network.forward(level, engine, input, &mut out),
            Network::Float(network) => network.forward(level, engine, input, &mut out),
        })?;
        let (y, h, c) = (y.into_array(), h.into_array(), c.map(Output::into_array));
        match c {
            Some(c) => (y, h, c).into_pyobject(py),
            None => (y, h).into_pyobject(py),
        }
    }
}

/// The states, each of the shape that `widths` demands.
fn first_states<'py>(
    states: &[Bound<'py, PyUntypedArray>],
    widths: &[[usize; 3]],
) -> PyResult<Vec<Input<'py, f32>>> {
    if states.len() != widths.len() {
        let (came, expected) = (states.len(), widths.len());
        let message = format!("{RUN}: {came} initial states came, expected {expected}");
        return Err(ShapeError::new_err(message));
    }
    let one = |(state, width): (&Bound<'py, PyUntypedArray>, &[usize; 3])| {
        let state = Input::<f32>::new(state, RUN, "initial state")?;
        if state.shape() != width {
            return Err(ShapeError::new_err(format!(
                "{RUN}: initial state of shape {:?} came, expected {width:?}",
                state.shape()
            )));
        }
        Ok(state)
    };
    states.iter().zip(widths).map(one).collect()
}

/// The matrices of one direction, by the names that they have in a state dict.
fn weights<'py>(named: &Bound<'py, PyDict>) -> PyResult<Weights<Matrix<'py>>> {
    let one = |weight: &str, bias: &str| {
        let Some(weight) = named.get_item(weight)? else { return Ok(None) };
        let bias = named.get_item(bias)?;
        let bias = bias.map(|b| Input::new(b.cast()?, PACK, "bias")).transpose()?;
        matrix(&weight, bias).map(Some)
    };
    let needed = |weight: &str, bias: &str| {
        one(weight, bias)?
            .ok_or_else(|| PyTypeError::new_err(format!("{PACK}: {weight} is missing")))
    };
    Ok(Weights {
        ih: needed("weight_ih", "bias_ih")?,
        hh: needed("weight_hh", "bias_hh")?,
        hr: one("weight_hr", "bias_hr")?,
    })
}

/// A float matrix, or a tuple of stored integers, scales and zero points (or None).
fn matrix<'py>(weight: &Bound<'py, PyAny>, bias: Option<Input<'py, f32>>) -> PyResult<Matrix<'py>> {
    type Quantized<'py> = (
        Bound<'py, PyUntypedArray>,
        Bound<'py, PyUntypedArray>,
        Option<Bound<'py, PyUntypedArray>>,
    );
    let values = if weight.is_instance_of::<PyTuple>() {
        let (values, scales, zero_points): Quantized<'py> = weight.extract()?;
        let zero_points = zero_points.map(|z| Input::new(&z, PACK, "zero points")).transpose()?;
        let scales = Input::new(&scales, PACK, "scales")?;
        Values::Int8(Input::new(&values, PACK, "weight")?, scales, zero_points)
    } else {
        Values::Float(Input::new(weight.cast()?, PACK, "weight")?)
    };
    let shape = match &values {
        Values::Int8(values, ..) => values.shape(),
        Values::Float(values) => values.shape(),
    };
    let &[n, k] = shape else {
        let rank = shape.len();
        return Err(ShapeError::new_err(format!(
            "{PACK}: a weight has {rank} dimensions, expected 2: outputs and inputs"
        )));
    };
    Ok(Matrix { shape: [n, k], values, bias })
}

impl Matrix<'_> {
    fn int8(&self) -> Option<Int8Weights<'_>> {
        let Values::Int8(values, scales, zero_points) = &self.values else { return None };
        Some(Int8Weights {
            values: values.slice(),
            scales: scales.slice(),
            zero_points: zero_points.as_ref().map_or(&[], Input::slice),
            bias: self.bias.as_ref().map(Input::slice),
        })
    }

    fn float(&self) -> Option<FloatWeights<'_>> {
        let Values::Float(values) = &self.values else { return None };
        Some(FloatWeights { values: values.slice(), bias: self.bias.as_ref().map(Input::slice) })
    }
}

/// The matrices of a direction as the kernels take them.
fn each<'a, 'py, W>(
    set: &'a Weights<Matrix<'py>>,
    of: impl Fn(&'a Matrix<'py>) -> Option<W>,
) -> PyResult<Weights<W>> {
    let plain = |matrix: &'a Matrix<'py>| {
        of(matrix).ok_or_else(|| {
            PyTypeError::new_err(format!(
                "{PACK}: some weights are quantized and some are not, expected one kind"
            ))
        })
    };
    Ok(Weights {
        ih: plain(&set.ih)?,
        hh: plain(&set.hh)?,
        hr: set.hr.as_ref().map(plain).transpose()?,
    })
}
