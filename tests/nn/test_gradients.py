"""Every layer and function of qrs.nn against finite differences in float64, by introspection."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tests.nn.float_cases import CASES, F, P, fill, flat, label

import qrs
import qrs.nn.functional as fn
from qrs import nn
from qrs.autograd import gradcheck

TIGHT = {"atol": 1e-7, "rtol": 1e-5}

# Containers and bases compute nothing of their own; the dropouts draw: see below.
WITHOUT = {
    *("Identity", "Module", "ModuleDict", "ModuleList", "Parameter", "ParameterDict"),
    *("ParameterList", "RNNBase", "RNNCellBase", "Sequential", "TransformerEncoder"),
}
DROPOUTS = {"Dropout", "Dropout1d", "Dropout2d", "Dropout3d"}
# Layers of the same code as a neighbour, which has the cases.
NEIGHBOURS = {"UpsamplingBilinear2d": "Upsample", "UpsamplingNearest2d": "Upsample"}


def assign(value: qrs.Tensor, array: np.ndarray) -> None:
    with qrs.no_grad():
        value.copy_(qrs.from_numpy(array))


# What these give is by design not the derivative; tests/nn/test_against_pytorch.py has them.
TURNED = {"padding_idx", "scale_grad_by_freq"}
CHECKED = [case for case in CASES if not (case[0] == "Embedding" and TURNED & case[2].keys())]


@pytest.mark.parametrize("case", CHECKED, ids=label)
def test_layer(case: Any) -> None:
    name, args, kwargs, inputs, train = case
    layer = getattr(nn, name)(*args, **kwargs)
    fill(layer, assign)
    layer.double().train(train)
    given = [
        qrs.tensor(i.array.astype(np.float64)).requires_grad_()
        if isinstance(i, (F, P))
        else qrs.tensor(i)
        for i in inputs
    ]
    params = list(layer.parameters())
    own = [param._array for param in params]

    def call(*values: qrs.Tensor) -> Any:
        for param, array, value in zip(params, own, values[len(given) :], strict=True):
            param._array = array if value is param else value._array
        return tuple(flat(layer(*values[: len(given)])))

    assert gradcheck(call, [*given, *params], **TIGHT)


def test_every_layer_has_a_case() -> None:
    classes = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    assert classes - WITHOUT - DROPOUTS - NEIGHBOURS.keys() == {case[0] for case in CHECKED}
    assert classes >= WITHOUT | DROPOUTS | NEIGHBOURS.keys()


RNG = np.random.default_rng(0)


def some(*shape: int) -> qrs.Tensor:
    """Values on both sides of zero, no two of them equal."""
    return qrs.from_numpy(
        RNG.permutation(np.linspace(-2.01, 2.02, int(np.prod(shape)))).reshape(shape)
    )


def chances(*shape: int) -> qrs.Tensor:
    return qrs.from_numpy(RNG.uniform(0.1, 0.9, shape))


def functions() -> Iterator[tuple[str, Callable[..., Any], list[qrs.Tensor]]]:
    """Name, call and float64 inputs of each function."""

    def case(name: str, *inputs: qrs.Tensor, **settings: Any) -> Any:
        function = getattr(fn, name)
        return name, lambda *values: function(*values, **settings), list(inputs)

    def with_ids(name: str, ids: Any, *inputs: qrs.Tensor, **settings: Any) -> Any:
        function, places = getattr(fn, name), qrs.tensor(ids)
        return name, lambda x, *rest: function(x, places, *rest, **settings), list(inputs)

    for name in (
        *("celu", "elu", "gelu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "mish"),
        *("logsigmoid", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh"),
        *("tanhshrink", "normalize"),
    ):
        yield case(name, some(3, 4))
    for name in ("softmax", "log_softmax"):
        yield case(name, some(3, 4), dim=1)
    yield case("threshold", some(3, 4), threshold=0.3, value=-2.0)
    yield case("prelu", some(2, 3, 4), chances(3))
    sizes = {1: (7,), 2: (6, 5), 3: (4, 5, 3)}
    for rank, size in sizes.items():
        x = some(2, 4, *size)
        for kind in ("avg_pool", "max_pool"):
            yield case(f"{kind}{rank}d", x, kernel_size=2)
            yield case(f"adaptive_{kind}{rank}d", x, output_size=2)
        yield case(f"conv{rank}d", x, some(6, 2, *[2] * rank), some(6), groups=2, padding=1)
        yield case(f"conv_transpose{rank}d", x, some(4, 3, *[2] * rank), some(3), stride=2)
    x = some(2, 4, 3)
    yield case("batch_norm", x, training=True, running_mean=None, running_var=None)
    yield case("instance_norm", x)
    yield case("layer_norm", x, normalized_shape=(3,))
    yield case("group_norm", x, num_groups=2)
    yield case("linear", x, some(5, 3), some(5))
    yield case("bilinear", some(4, 3), some(4, 2), some(5, 3, 2), some(5))
    yield case("pad", x, pad=(1, 2), mode="reflect")
    yield case("interpolate", x, scale_factor=2, mode="linear")
    yield case("pixel_shuffle", some(2, 4, 3, 2), upscale_factor=2)
    yield case("pixel_unshuffle", some(2, 1, 4, 2), downscale_factor=2)
    yield case("channel_shuffle", some(2, 4, 3, 2), groups=2)
    yield case("scaled_dot_product_attention", some(2, 3, 4), some(2, 5, 4), some(2, 5, 2))
    yield case("cosine_similarity", some(3, 4), some(3, 4))
    table, ids = some(5, 3), [[1, 2], [4, 1]]
    yield "embedding", lambda table: fn.embedding(qrs.tensor(ids), table), [table]
    yield "embedding_bag", lambda table: fn.embedding_bag(qrs.tensor(ids), table), [table]
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"):
        yield case(name, some(3, 4), some(3, 4))
    yield case("binary_cross_entropy", chances(3, 4), chances(3, 4))
    yield case("binary_cross_entropy_with_logits", some(3, 4), chances(3, 4))
    yield case("kl_div", some(3, 4), chances(3, 4), reduction="batchmean")
    for name in ("cross_entropy", "nll_loss"):
        yield with_ids(name, [0, 3, 1], some(3, 4))


FUNCTIONS = list(functions())


@pytest.mark.parametrize(("name", "call", "inputs"), FUNCTIONS, ids=[f[0] for f in FUNCTIONS])
def test_function(name: str, call: Callable[..., Any], inputs: list[qrs.Tensor]) -> None:
    assert gradcheck(call, [x.clone().requires_grad_() for x in inputs], **TIGHT)


def test_every_function_has_a_case() -> None:
    # Random numbers have no differences, and a class has no neighbours.
    outside = {"dropout", "dropout1d", "dropout2d", "dropout3d", "one_hot"}
    assert set(fn.__all__) - outside == {name for name, _, _ in FUNCTIONS}


@pytest.mark.parametrize("name", sorted(DROPOUTS))
def test_dropout_passes_the_gradient_where_it_passes_the_value(name: str) -> None:
    x = qrs.ones(4, 5, 3, 3, 3, dtype=qrs.float64).requires_grad_()
    shape = {"Dropout1d": (4, 5, 27), "Dropout2d": (4, 5, 9, 3)}.get(name, x.shape)
    out = getattr(nn, name)(0.5)(x.reshape(*shape))
    out.sum().backward()
    assert 0 < float((out == 0).double().mean()) < 1
    assert qrs.equal(x.grad.reshape(*shape), out.detach())
