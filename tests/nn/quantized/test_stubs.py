"""Quantize and DeQuantize."""

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import DtypeError, QrsError
from qrs.nn import quantized as nnq


def test_quantize_is_quantize_per_tensor() -> None:
    x = qrs.randn(3, 5)
    y = nnq.Quantize(qrs.tensor([0.02]), qrs.tensor([100]), qrs.quint8)(x)
    assert y.equal(qrs.quantize_per_tensor(x, float(np.float32(0.02)), 100, qrs.quint8))
    assert nnq.DeQuantize()(y).tolist() == y.dequantize().tolist()


def test_quantize_takes_what_its_observer_found() -> None:
    stub = Q.QuantStub(Q.QConfig(activation=Q.MinMaxObserver, weight=Q.default_weight_observer))
    prepared = Q.prepare(stub.eval())
    prepared(qrs.tensor([-1.0, 4.1]))
    layer = Q.convert(prepared)
    assert type(layer) is nnq.Quantize
    assert layer.scale.item() == pytest.approx(5.1 / 255)
    assert layer.zero_point.tolist() == [50]


def test_state_has_pytorchs_names_and_shapes() -> None:
    layer = nnq.Quantize(0.5, 3, qrs.quint8)
    state = layer.state_dict()
    assert {name: (tuple(v.shape), v.dtype) for name, v in state.items()} == {
        "scale": ((1,), qrs.float32),
        "zero_point": ((1,), qrs.int64),
    }
    other = nnq.Quantize(1.0, 0, qrs.quint8)
    other.load_state_dict(state)
    assert other(qrs.tensor([1.0])).int_repr().tolist() == [5]
    assert nnq.DeQuantize().state_dict() == {}


def test_wrong_inputs_say_what_to_do() -> None:
    layer = nnq.Quantize(0.5, 3, qrs.quint8)
    with pytest.raises(DtypeError, match=r"at 0 \(Quantize\).*remove this QuantStub"):
        nn.Sequential(layer)(layer(qrs.ones(2)))
    with pytest.raises(DtypeError, match=r"use float\(\)"):
        layer(qrs.ones(2).double())
    with pytest.raises(DtypeError, match=r"numpy\.ndarray came.*make one with qrs\.as_tensor\(\)"):
        layer(np.ones(2, np.float32))
    with pytest.raises(DtypeError, match="remove this DeQuantStub"):
        nnq.DeQuantize()(qrs.ones(2))
    with pytest.raises(DtypeError, match="a list came"):
        nnq.DeQuantize()([1.0])


def test_impossible_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="zero point 256"):
        nnq.Quantize(0.5, 256, qrs.quint8)
    with pytest.raises(DtypeError, match=r"qrs\.float32"):
        nnq.Quantize(0.5, 0, qrs.float32)


def test_from_float_wants_an_observer() -> None:
    with pytest.raises(QrsError, match="call prepare"):
        nnq.Quantize.from_float(Q.QuantStub())


def test_repr() -> None:
    assert repr(nnq.Quantize(0.5, 5, qrs.quint8)) == (
        "Quantize(scale=tensor([0.5000]), zero_point=tensor([5]), dtype=qrs.quint8)"
    )


def test_a_stub_that_stays_gives_real_values_all_the_same() -> None:
    """As in a part of a model that is left in float, and begins with the stub."""
    head = nn.Sequential(Q.DeQuantStub(), nn.Linear(3, 2))
    model = nn.Sequential(Q.QuantStub(), nn.Linear(3, 3), head).eval()
    model.qconfig = Q.get_default_qconfig()
    head.qconfig = None
    prepared = Q.prepare(model)
    x = qrs.randn(8, 3)
    expected = prepared(x)
    small = Q.convert(prepared)
    assert type(small[2][0]) is Q.DeQuantStub
    assert (small(x) - expected).abs().max().item() < 0.05
