//! Recurrent layers.

use numpy::PyUntypedArray;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use qrs::qparams::Engine;
use qrs::rnn::{
    self, Float, FloatWeights, Int8, Int8Weights, Kind, Rnn, Shape, State, Steps, Weights,
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

/// Weights of one recurrent layer in the order in which the kernels read them. Immutable.
#[pyclass(frozen, module = "qrs._qrs")]
pub(crate) struct PackedRnn {
    network: Network,
    shape: Shape,
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
    #[pyo3(signature = (mode, directions, /))]
    fn new(py: Python<'_>, mode: &str, directions: Vec<Bound<'_, PyDict>>) -> PyResult<Self> {
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
        let first = match sets.as_slice() {
            [first] | [first, _] => first,
            _ => {
                let came = sets.len();
                let message = format!("{PACK}: {came} directions came, expected 1 or 2");
                return Err(ShapeError::new_err(message));
            }
        };
        let shape = Shape {
            kind,
            input: first.ih.shape[1],
            hidden: first.ih.shape[0] / kind.gates(),
            projection: first.hr.as_ref().map(|hr| hr.shape[0]),
            layers: 1,
            bidirectional: sets.len() == 2,
        };
        let size = sets.len() * shape.hidden * (shape.input + shape.output()) * kind.gates();
        let network = if matches!(first.ih.values, Values::Int8(..)) {
            let sets = sets.iter().map(|set| each(set, Matrix::int8)).collect::<PyResult<Vec<_>>>()?;
            Network::Int8(call(py, size, || Rnn::new(shape, &sets))?)
        } else {
            let sets = sets.iter().map(|set| each(set, Matrix::float)).collect::<PyResult<Vec<_>>>()?;
            Network::Float(call(py, size, || Rnn::new(shape, &sets))?)
        };
        Ok(Self { network, shape })
    }

    /// The layer over the rows of a packed sequence: its output rows and last states.
    #[pyo3(signature = (rows, sizes, states, engine, /))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        rows: &Bound<'py, PyUntypedArray>,
        sizes: Vec<usize>,
        states: Vec<Bound<'py, PyUntypedArray>>,
        engine: &str,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let shape = self.shape;
        let rows = Input::<f32>::new(rows, RUN, "input")?;
        let &[count, features] = rows.shape() else {
            let rank = rows.shape().len();
            return Err(ShapeError::new_err(format!(
                "{RUN}: input has {rank} dimensions, expected 2: rows and features"
            )));
        };
        let batch = sizes.first().copied().unwrap_or(0);
        let widths = [shape.output(), shape.hidden];
        let widths = if shape.kind == Kind::Lstm { &widths[..] } else { &widths[..1] };
        if features != shape.input || states.len() != widths.len() {
            return Err(ShapeError::new_err(format!(
                "{RUN}: {features} features and {} initial states came, expected {} and {}",
                states.len(),
                shape.input,
                widths.len()
            )));
        }
        let mut first = Vec::with_capacity(2);
        let mut last = Vec::with_capacity(2);
        for (state, &width) in states.iter().zip(widths) {
            let state = Input::<f32>::new(state, RUN, "initial state")?;
            let expected = [shape.directions(), batch, width];
            if state.shape() != expected {
                return Err(ShapeError::new_err(format!(
                    "{RUN}: initial state of shape {:?} came, expected {expected:?}",
                    state.shape()
                )));
            }
            first.push(state);
            last.push(Output::<f32>::new(py, &expected)?);
        }
        let mut y = Output::<f32>::new(py, &[count, shape.directions() * shape.output()])?;
        let engine = Engine::from_name(engine).map_err(|error| raise(&error))?;
        let level = chosen()?;
        let steps = Steps::Packed(&sizes);
        let state = State { h: first.first().map(Input::slice), c: first.get(1).map(Input::slice) };
        let (h, c) = last.split_at_mut(1);
        let out = rnn::Output {
            y: y.slice(),
            h: h[0].slice(),
            c: c.first_mut().map_or(&mut [], Output::slice),
        };
        let x = rows.slice();
        let gates = shape.kind.gates() * shape.hidden * shape.directions();
        let products = count * gates * (shape.input + shape.output());
        call(py, products / PRODUCTS_PER_NANOSECOND, || match &self.network {
            Network::Int8(network) => network.forward(level, engine, steps, x, state, out),
            Network::Float(network) => network.forward(level, engine, steps, x, state, out),
        })?;
        PyTuple::new(py, std::iter::once(y).chain(last).map(Output::into_array).collect::<Vec<_>>())
    }
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
