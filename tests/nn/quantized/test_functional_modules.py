"""FloatFunctional and QFunctional."""

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import DtypeError, NotCalibratedError
from qrs.nn import quantized as nnq


class Uses(nn.Module):
    """Calls one method of a FloatFunctional on two inputs."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self.quant_x, self.quant_y = Q.QuantStub(), Q.QuantStub()
        self.functional = nnq.FloatFunctional()
        self.dequant = Q.DeQuantStub()
        self.method = method

    def forward(self, x: qrs.Tensor, y: qrs.Tensor) -> qrs.Tensor:
        call = getattr(self.functional, self.method)
        x, y = self.quant_x(x), self.quant_y(y)
        if self.method == "cat":
            return self.dequant(call([x, y], 1))
        return self.dequant(call(x, -1.5) if self.method.endswith("scalar") else call(x, y))


FLOAT = {
    "add": lambda x, y: x + y,
    "add_relu": lambda x, y: (x + y).relu(),
    "add_scalar": lambda x, y: x - 1.5,
    "mul": lambda x, y: x * y,
    "mul_scalar": lambda x, y: x * -1.5,
    "matmul": lambda x, y: x @ y,
    "cat": lambda x, y: qrs.cat([x, y], 1),
}


def convert(method: str, x: qrs.Tensor, y: qrs.Tensor) -> nn.Module:
    model = Uses(method).eval()
    model.qconfig = Q.get_default_qconfig()
    prepared = Q.prepare(model)
    prepared(x, y)
    return Q.convert(prepared)


@pytest.mark.parametrize("method", FLOAT)
def test_the_result_is_that_of_the_float_method(method: str) -> None:
    x, y = qrs.randn(6, 6), qrs.randn(6, 6) * 2
    expected = FLOAT[method](x, y).numpy()
    assert np.array_equal(Uses(method)(x, y).numpy(), expected)
    model = convert(method, x, y)
    assert type(model.functional) is nnq.QFunctional
    assert np.abs(model(x, y).numpy() - expected).max() < 0.02 * np.abs(expected).max() + 0.02


def test_scalar_methods_need_no_range() -> None:
    x = qrs.randn(4, 4)
    model = convert("add_scalar", x, x)
    assert (model.functional.scale, model.functional.zero_point) == (1.0, 0)


class Skip(nn.Module):
    """As in published networks: there is an object for the sum whether it is called or not."""

    def __init__(self) -> None:
        super().__init__()
        self.functional, self.is_used = nnq.FloatFunctional(), False

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        return self.functional.add(x, x) if self.is_used else x


def test_an_unused_one_is_converted_and_refuses_to_be_used() -> None:
    model = nn.Sequential(Q.QuantStub(), Skip(), Q.DeQuantStub()).eval()
    model.qconfig = Q.get_default_qconfig()
    prepared = Q.prepare(model)
    prepared(qrs.ones(2))
    small = Q.convert(prepared)
    assert small(qrs.ones(2)).tolist() == [1.0, 1.0]
    small[1].is_used = True
    x = qrs.quantize_per_tensor(qrs.ones(2), 0.5, 0, qrs.quint8)
    for call in (
        lambda: small(qrs.ones(2)),
        lambda: small[1].functional.mul(x, x),
        lambda: small[1].functional.add_relu(x, x),
        lambda: small[1].functional.cat([x, x]),
        lambda: small[1].functional.matmul(x, x),
    ):
        with pytest.raises(NotCalibratedError, match="was not called during calibration"):
            call()
    assert small[1].functional.mul_scalar(x, 2.0).dequantize().tolist() == [2.0, 2.0]
    small[1].functional.scale = 0.25
    assert small[1].functional.add(x, x).dequantize().tolist() == [2.0, 2.0]


def test_mixed_operations_on_one_object_are_reported() -> None:
    functional = nnq.FloatFunctional()
    x = qrs.ones(2)
    functional.add(x, x)
    functional.mul(x, x)
    functional.activation_post_process = Q.MinMaxObserver()
    functional.add(x, x)
    functional.add(x, x)
    with pytest.warns(UserWarning, match="mul came on an object that observes add"):
        functional.mul(x, x)


@pytest.mark.parametrize("cls", [nnq.FloatFunctional, nnq.FXFloatFunctional, nnq.QFunctional])
def test_calling_the_object_itself_names_its_methods(cls: type) -> None:
    with pytest.raises(RuntimeError, match=r"\.add\(x, y\)"):
        cls()(qrs.ones(2))


def test_floats_in_a_quantized_one_are_refused() -> None:
    functional = nnq.QFunctional()
    x = qrs.quantize_per_tensor(qrs.ones(2), 0.5, 0, qrs.quint8)
    with pytest.raises(DtypeError, match="QuantStub"):
        functional.add(x, qrs.ones(2))
    with pytest.raises(DtypeError, match="QuantStub"):
        functional.cat([qrs.ones(2), x])


@pytest.mark.parametrize("method", FLOAT)
def test_one_that_was_not_converted_says_where_to_make_it(method: str) -> None:
    """As when it is made in ``forward``, where `prepare` cannot see it."""
    x = qrs.quantize_per_tensor(qrs.ones(2, 2), 0.5, 0, qrs.quint8)
    functional = nnq.FloatFunctional()
    with pytest.raises(DtypeError, match=r"^FloatFunctional: .* came.*make it in __init__"):
        getattr(functional, method)(*([[x, x]] if method == "cat" else [x, x]))


def test_state_and_repr() -> None:
    functional = nnq.QFunctional()
    functional.scale, functional.zero_point = 0.5, 4
    assert {"scale", "zero_point"} <= set(functional.state_dict())
    other = nnq.QFunctional()
    other.load_state_dict(functional.state_dict())
    assert (other.scale, other.zero_point) == (0.5, 4)
    assert repr(functional).startswith("QFunctional(\n  scale=0.5, zero_point=4\n")


def test_from_float_wants_a_float_functional() -> None:
    with pytest.raises(TypeError, match="a FXFloatFunctional came"):
        nnq.QFunctional.from_float(nnq.FXFloatFunctional())
