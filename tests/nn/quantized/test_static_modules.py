"""What holds for every statically quantized module, one test for each row of the swap table."""

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import DtypeError, StateDictError
from qrs.nn import quantized as nnq

from .samples import SAMPLES, calibrated, converted, data

Sample = tuple[Callable[[], nn.Module], tuple[int, ...]]


@pytest.fixture(params=SAMPLES.values(), ids=[cls.__name__ for cls in SAMPLES])
def sample(request: pytest.FixtureRequest) -> Sample:
    return request.param


def stored(y: qrs.QTensor) -> np.ndarray:
    return y.int_repr().numpy()


def test_output_is_close_to_the_float_module(sample: Sample) -> None:
    make, shape = sample
    module, x = make().eval(), data(shape)
    expected = module(x).detach().numpy()
    y = converted(module, x)(x).numpy()
    assert y.shape == expected.shape
    assert np.abs(y - expected).max() <= 0.05 * np.abs(expected).max()
    cosine = (y * expected).sum() / np.linalg.norm(y) / np.linalg.norm(expected)
    assert cosine > 0.999


def test_state_dict_holds_all_of_it(sample: Sample) -> None:
    make, shape = sample
    x = data(shape)
    first, second = converted(make(), x), converted(make(), data(shape) * 2 + 1)
    expected = first(x)
    assert not qrs.equal(second(x), expected)
    assert second.load_state_dict(first.state_dict()) == ([], [])
    assert qrs.equal(second(x), expected)


def test_copies_compute_the_same(sample: Sample) -> None:
    make, shape = sample
    x = data(shape)
    model = converted(make(), x)
    expected = model(x)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert qrs.equal(copied(x), expected)
        assert repr(copied) == repr(model)


def test_qint8_activations_are_quint8_ones_less_128(sample: Sample) -> None:
    make, shape = sample
    module, x = make(), data(shape)
    unsigned = converted(module, x)
    signed = Q.convert(
        calibrated(
            module,
            x,
            Q.QConfig(
                activation=Q.get_default_qconfig().activation.with_args(dtype=qrs.qint8),
                weight=Q.get_default_qconfig().weight,
            ),
        )
    )
    a, b = (nn.Sequential(model[0], model[1])(x) for model in (unsigned, signed))
    assert (a.dtype, b.dtype) == (qrs.quint8, qrs.qint8)
    assert np.array_equal(stored(a), stored(b).astype(np.int64) + 128)
    with pytest.raises(DtypeError, match=r"qrs\.qint8"):
        nn.Sequential(signed[0], unsigned[1], nn.Sequential(unsigned[1], nnq.Linear(3, 3)))(x)


def test_a_float_tensor_stops_with_the_path_and_the_stub_to_add(sample: Sample) -> None:
    make, shape = sample
    x = data(shape)
    model = nn.Sequential(converted(make(), x)[1])
    if type(model[0]) is nn.Identity:
        model = nn.Sequential(nnq.DeQuantize())
        with pytest.raises(DtypeError, match=r"at 0 \(DeQuantize\).*remove this DeQuantStub"):
            model(x)
        return
    with pytest.raises(DtypeError, match=r"at 0.*float tensor.*QuantStub before"):
        model(x)


def test_a_state_dict_without_scales_is_refused() -> None:
    x = data((4, 3))
    model = converted(nn.Hardswish(), x)
    state = {key: value for key, value in model.state_dict().items() if "1.scale" not in key}
    with pytest.raises(StateDictError, match=r"missing: '1\.scale'"):
        model.load_state_dict(state)
