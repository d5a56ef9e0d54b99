"""State dicts in the layout of PyTorch 1.8.1 are read; what they lack is named, not guessed."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import StateDictError
from qrs.io import ScriptObject
from qrs.nn import quantized as nnq
from qrs.nn.intrinsic import qat as nniqat
from qrs.nn.intrinsic import quantized as nniq

State = dict[str, Any]


def linear(state: State) -> State:
    """Weight and bias in one tuple, beside the type of the weight."""
    own = {name: state[name] for name in ("scale", "zero_point") if name in state}
    packed = (state["weight"], state.get("bias"))
    return own | {"_packed_params.dtype": qrs.qint8, "_packed_params._packed_params": packed}


def old_linear(state: State) -> State:
    """As before PyTorch 1.5: weight and bias as entries of a module of their own."""
    own = {name: state[name] for name in ("scale", "zero_point")}
    return own | {f"_packed_params.{name}": state[name] for name in ("weight", "bias")}


def dynamic_linear(state: State) -> State:
    """As a static one, with a scale that means nothing."""
    return {"scale": qrs.tensor(1.0), "zero_point": qrs.tensor(0), **linear(state)}


def conv(state: State) -> State:
    """A bias that is absent is an entry without value."""
    return {name: state.get(name) for name in ("weight", "bias", "scale", "zero_point")}


def embedding(state: State) -> State:
    return {
        "_packed_params.dtype": qrs.quint8,
        "_packed_params._packed_weight": state["weight"],
    }


def packed(state: State, end: str) -> ScriptObject:
    """Weight and bias in an object of PyTorch's; half-precision weights as float32."""
    weight = state[f"weight_{end}"]
    weight = weight if isinstance(weight, qrs.QTensor) else weight.float()
    name = "__torch__.torch.classes.quantized.LinearPackedParamsBase"
    return ScriptObject(name, (weight, state.get(f"bias_{end}")))


def recurrent(*suffixes: str) -> Callable[[State], State]:
    """An object for each direction of each layer."""

    def layout(state: State) -> State:
        cells = {}
        for number, suffix in enumerate(suffixes):
            weights = [packed(state, f"{kind}{suffix}") for kind in ("ih", "hh")]
            parts = ("quantized_dynamic", [], [], [1], weights)
            cell = ScriptObject("__torch__.torch.classes.rnn.CellParamsBase", parts)
            cells[f"_all_weight_values.{number}.param"] = cell
        return cells

    return layout


def cell(state: State) -> State:
    return {f"_packed_weight_{kind}": packed(state, kind) for kind in ("ih", "hh")}


def plain(*names: str) -> Callable[[State], State]:
    """Entries of the same names, and no others."""
    return lambda state: {name: state[name] for name in names}


def random_weights(module: Any) -> nn.Module:
    """A module with values that a new one does not have."""
    if hasattr(module, "set_weight_bias"):
        shape, bias = tuple(module.weight().shape), module.bias()
        weight = qrs.quantize_per_tensor(qrs.randn(*shape), 0.02, 0, qrs.qint8)
        module.set_weight_bias(weight, None if bias is None else qrs.randn(*bias.shape))
    if hasattr(module, "set_weight"):
        rows = qrs.randn(*module.weight().shape)
        scales, zero_points = qrs.rand(len(rows)) + 0.01, qrs.rand(len(rows)) * 100
        module.set_weight(qrs.quantize_per_channel(rows, scales, zero_points, 0, qrs.quint8))
    if isinstance(module, nnq.QFunctional | nnq.LeakyReLU | nnq.Linear | nnq.Conv2d):
        module.scale, module.zero_point = 0.125, 7
    return module


QAT = Q.get_default_qat_qconfig("fbgemm")
# The entries of a fake quantizer over an observer of a whole tensor or of channels.
FLAGS = ("fake_quant_enabled", "observer_enabled", "scale", "zero_point")
ONE = tuple(f"activation_post_process.{name}" for name in ("eps", "min_val", "max_val"))
EACH = tuple(f"activation_post_process.{name}" for name in ("eps", "min_vals", "max_vals"))
WEIGHT = tuple(f"weight_fake_quant.{name}" for name in FLAGS + EACH)
BN = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")

LAYOUTS: dict[str, tuple[Callable[[], nn.Module], Callable[[State], State]]] = {
    "Linear": (lambda: nnq.Linear(4, 3), linear),
    "Linear without bias": (lambda: nnq.Linear(4, 3, bias_=False), linear),
    "Linear of version 2": (lambda: nnq.Linear(4, 3), old_linear),
    "Linear of version 1": (
        lambda: nnq.Linear(4, 3),
        plain("scale", "zero_point", "weight", "bias"),
    ),
    "LinearReLU": (lambda: nniq.LinearReLU(4, 3), linear),
    "dynamic Linear": (lambda: nnq.dynamic.Linear(4, 3), dynamic_linear),
    "dynamic Linear of version 2": (
        lambda: nnq.dynamic.Linear(4, 3),
        lambda state: old_linear(dynamic_linear(state) | state),
    ),
    "dynamic LSTM": (
        lambda: Q.quantize_dynamic(nn.LSTM(3, 4, 2, bidirectional=True)),
        recurrent("_l0", "_l0_reverse", "_l1", "_l1_reverse"),
    ),
    "dynamic LSTM without bias": (
        lambda: Q.quantize_dynamic(nn.LSTM(3, 4, bias=False)),
        recurrent("_l0"),
    ),
    "dynamic GRU of half precision": (
        lambda: Q.quantize_dynamic(nn.GRU(3, 4), dtype=qrs.float16),
        recurrent("_l0"),
    ),
    "dynamic LSTMCell": (lambda: Q.quantize_dynamic(nn.LSTMCell(3, 4)), cell),
    "dynamic RNNCell": (lambda: Q.quantize_dynamic(nn.RNNCell(3, 4)), cell),
    "Conv1d": (lambda: nnq.Conv1d(2, 3, 3), conv),
    "Conv2d": (lambda: nnq.Conv2d(2, 3, 3), conv),
    "Conv2d without bias": (lambda: nnq.Conv2d(2, 3, 3, bias=False), conv),
    "Conv3d": (lambda: nnq.Conv3d(2, 3, 3), conv),
    "ConvReLU2d": (lambda: nniq.ConvReLU2d(2, 3, 3), conv),
    "ConvTranspose1d": (lambda: nnq.ConvTranspose1d(2, 3, 3), conv),
    "ConvTranspose2d": (lambda: nnq.ConvTranspose2d(2, 3, 3), conv),
    "Quantize": (lambda: nnq.Quantize(0.5, 3, qrs.quint8), plain("scale", "zero_point")),
    "DeQuantize": (nnq.DeQuantize, plain()),
    "ReLU6": (nnq.ReLU6, plain()),
    "LeakyReLU": (lambda: nnq.LeakyReLU(0.5, 3), plain("scale", "zero_point")),
    "QFunctional": (nnq.QFunctional, plain("scale", "zero_point")),
    "Embedding": (lambda: nnq.Embedding(5, 4), embedding),
    "EmbeddingBag": (lambda: nnq.EmbeddingBag(5, 4), embedding),
    "MinMaxObserver": (Q.MinMaxObserver, plain("eps", "min_val", "max_val")),
    "PerChannelMinMaxObserver": (
        Q.PerChannelMinMaxObserver,
        plain("eps", "min_vals", "max_vals"),
    ),
    "HistogramObserver": (
        Q.HistogramObserver,
        plain("eps", "histogram", "min_val", "max_val"),
    ),
    "RecordingObserver": (Q.RecordingObserver, plain("eps")),
    "PlaceholderObserver": (Q.PlaceholderObserver, plain()),
    "FakeQuantize": (Q.FakeQuantize, plain(*FLAGS, *ONE)),
    "FixedQParamsFakeQuantize": (
        Q.default_affine_fixed_qparams_fake_quant,
        plain(*FLAGS),
    ),
    "qat.Linear": (lambda: nn.qat.Linear(4, 3, qconfig=QAT), plain("weight", "bias", *WEIGHT)),
    "qat.ConvBn2d": (
        lambda: nniqat.ConvBn2d(2, 3, 1, qconfig=QAT),
        plain("weight", *(f"bn.{name}" for name in BN), *WEIGHT),
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layout_is_read(name: str) -> None:
    make, layout = LAYOUTS[name]
    source = random_weights(make())
    state = OrderedDict(layout(dict(source.state_dict())))
    target = make()
    target.load_state_dict(state)
    own = {"engine", "output_dtype"}
    for key, value in source.state_dict().items():
        loaded = target.state_dict()[key]
        if key not in own:
            assert value.equal(loaded), key


# PyTorch 1.8.1 forgets the output's parameters of these: loading them in silence would be a loss.
FORGOTTEN: dict[str, tuple[Callable[[], nn.Module], tuple[str, ...]]] = {
    "Hardswish": (lambda: nnq.Hardswish(0.5, 3), ()),
    "ELU": (lambda: nnq.ELU(0.5, 3), ()),
    "Sigmoid": (lambda: nnq.Sigmoid(0.5, 3), ()),
    "BatchNorm2d": (lambda: nnq.BatchNorm2d(2), BN),
    "BNReLU2d": (lambda: nniq.BNReLU2d(2), BN),
    "LayerNorm": (
        lambda: nnq.LayerNorm(2, qrs.ones(2), qrs.zeros(2), 0.5, 3),
        ("weight", "bias"),
    ),
    "GroupNorm": (
        lambda: nnq.GroupNorm(1, 2, qrs.ones(2), qrs.zeros(2), 0.5, 3),
        ("weight", "bias"),
    ),
    "InstanceNorm2d": (lambda: nnq.InstanceNorm2d(2, None, None, 0.5, 3), ()),
}


@pytest.mark.parametrize("name", FORGOTTEN)
def test_what_pytorch_forgets_is_named(name: str) -> None:
    make, kept = FORGOTTEN[name]
    source = make()
    state = {key: source.state_dict()[key] for key in kept}
    with pytest.raises(StateDictError, match=r"missing: 'scale', 'zero_point'"):
        make().load_state_dict(state)
    target = make()
    found = target.load_state_dict(state, strict=False)
    assert found.missing_keys == ["scale", "zero_point"]
    assert (target.scale, target.zero_point) == (source.scale, source.zero_point)


@pytest.mark.parametrize("state", [None, (), (1, 2), ("quantized_dynamic", [], [], [1], [1, 2])])
def test_an_object_of_another_content_is_no_weight(state: Any) -> None:
    entry = {"_all_weight_values.0.param": ScriptObject("CellParamsBase", state)}
    with pytest.raises(StateDictError, match=r"no place for: '_all_weight_values"):
        Q.quantize_dynamic(nn.LSTM(3, 4)).load_state_dict(entry)
