"""What training simulates is what `convert` computes, for every class with a training form.

A quantized module gets the integers that it got in the converted model; the module that was trained
gets the numbers that these stand for. The outputs may differ by one step of the output's grid.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.nn.qat import WeightFakeQuant
from qrs.nn.quantized import FloatFunctional
from qrs.quantization.swaps import SWAPS, Swap

ENGINES = ("qrs", "fbgemm", "qnnpack")
STATIC = [row for row in SWAPS if row.qat and "Embedding" not in row.float.__name__]
TABLES = [row for row in SWAPS if row.qat and "Embedding" in row.float.__name__]
seeds = st.integers(0, 2**32 - 1)


def under(engine: str, act: Any) -> Any:
    """What ``act`` gives under a profile."""
    before = qrs.backends.quantized.engine
    qrs.backends.quantized.engine = engine
    try:
        return act()
    finally:
        qrs.backends.quantized.engine = before


def qconfig(rng: np.random.Generator, engine: str) -> Q.QConfig:
    """The default of the profile; under "qrs" with weights of 2 to 8 bits."""
    default = Q.get_default_qat_qconfig(engine)
    if engine != "qrs":
        return default
    weight = Q.per_channel_weight_fake_quant(int(rng.integers(2, 9)))
    return Q.QConfig(activation=default.activation, weight=weight)


def parts(rng: np.random.Generator, kind: str, channels: int, outputs: int) -> list[nn.Module]:
    """The float layers of a fused class by its name, such as ``ConvBnReLU2d``."""
    bias = bool(rng.integers(2))
    rank = int(kind[-2]) if kind.startswith("Conv") else 0
    if rank:
        groups = int(rng.choice([g for g in (1, 2, 3) if not (channels % g or outputs % g)]))
        stride, padding, dilation = (int(rng.integers(low, 3)) for low in (1, 0, 1))
        size, conv = int(rng.integers(1, 4)), getattr(nn, f"Conv{rank}d")
        made = [conv(channels, outputs, size, stride, padding, dilation, groups, bias)]
    else:
        made = [nn.Linear(channels, outputs, bias)]
    if "Bn" in kind:
        made.append(getattr(nn, f"BatchNorm{rank or 1}d")(outputs))
        with qrs.no_grad():
            made[1].weight.uniform_(-1.5, 1.5)
            made[1].bias.uniform_(-1, 1)
    return [*made, nn.ReLU()] if "ReLU" in kind else made


def trained(model: nn.Module, x: qrs.Tensor) -> nn.Module:
    """The prepared model after a few steps, observers off."""
    prepared = Q.prepare_qat(model.train())
    optimizer = qrs.optim.SGD(prepared.named_parameters(), lr=1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        (prepared(x) ** 2).mean().backward()
        optimizer.step()
    return prepared.eval().apply(Q.disable_observer)


def compared(prepared: nn.Module, converted: nn.Module, x: qrs.Tensor) -> list[type]:
    """Compare each module that was trained with its converted form; return their classes."""
    seen: dict[str, tuple[qrs.QTensor, qrs.QTensor]] = {}
    names = [n for n, m in prepared.named_modules() if isinstance(m, WeightFakeQuant)]
    for name in names:
        hook = lambda _, args, output, name=name: seen.update({name: (*args, output)})  # noqa: E731
        converted.get_submodule(name).register_forward_hook(hook)
    with qrs.no_grad():
        converted(x)
        for name in names:
            given, got = seen[name]
            simulated = prepared.get_submodule(name)(given.dequantize()).numpy()
            wanted = np.rint(simulated / np.float32(got.q_scale())) + got.q_zero_point()
            apart = np.abs(got.int_repr().numpy().astype(np.int64) - wanted)
            assert apart.max(initial=0) <= 1, name
    return [type(prepared.get_submodule(name)) for name in names]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("row", STATIC, ids=lambda row: row.float.__name__)
@settings(max_examples=6, deadline=None)
# A folded weight of half a step, which another order of operations puts on the other side.
@example(seed=136)
@given(seed=seeds)
def test_every_class(row: Swap, engine: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    qrs.manual_seed(seed)
    kind = row.float.__name__
    channels, outputs = (int(n) for n in rng.integers(1, 7, 2))
    layers = parts(rng, kind, channels, outputs)
    layer = row.float(*layers) if len(layers) > 1 else layers[0]
    model = nn.Sequential(Q.QuantStub(), layer, Q.DeQuantStub())
    rank = int(kind[-2]) if kind.startswith("Conv") else 0
    x = qrs.randn(4, channels, *rng.integers(5, 8, rank).tolist()) * float(rng.uniform(0.1, 10))

    def run() -> None:
        model.qconfig = qconfig(rng, engine)
        prepared = trained(model, x)
        converted = Q.convert(prepared)
        assert type(converted[1]) is row.static
        assert compared(prepared, converted, x) == [row.qat]

    under(engine, run)


class Branches(nn.Module):
    """A random network of blocks, shortcuts, poolings and a head."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__()
        self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
        self.stages = nn.ModuleList()
        self.joins = nn.ModuleList()
        self.fuse: list[list[str]] = []
        self.channels = channels = int(rng.integers(1, 5))
        kinds = ("Conv2d", "ConvReLU2d", "ConvBn2d", "ConvBnReLU2d")
        for i in range(int(rng.integers(1, 4))):
            kind = str(rng.choice(["block", "shortcut", "pool"]))
            outputs = channels if kind == "shortcut" else int(rng.integers(1, 7))
            if kind == "pool":
                pool = nn.MaxPool2d if rng.integers(2) else nn.AvgPool2d
                stage = nn.Sequential(pool(2, 1, padding=1))
            else:
                layers = parts(rng, str(rng.choice(kinds)), channels, outputs)
                if kind == "shortcut":
                    layers[0] = nn.Conv2d(channels, channels, 3, padding=1)
                stage, channels = nn.Sequential(*layers), outputs
                if len(layers) > 1:
                    self.fuse.append([f"stages.{i}.{k}" for k in range(len(layers))])
            self.stages.append(stage)
            self.joins.append(FloatFunctional() if kind == "shortcut" else nn.Identity())
        self.operation = str(rng.choice(["add", "mul", "add_relu"]))
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.fc = nn.Linear(4 * channels, 3)

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        x = self.quant(x)
        for stage, join in zip(self.stages, self.joins, strict=True):
            out = stage(x)
            x = out if isinstance(join, nn.Identity) else getattr(join, self.operation)(x, out)
        return self.dequant(self.fc(self.pool(x).flatten(1)))


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_random_nets(engine: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    qrs.manual_seed(seed)
    model = Branches(rng)
    x = qrs.randn(2, model.channels, 12, 12)

    def run() -> None:
        model.train()
        fused = Q.fuse_modules(model, model.fuse) if model.fuse else model
        fused.qconfig = qconfig(rng, engine)
        prepared = trained(fused, x)
        assert compared(prepared, Q.convert(prepared), x)

    under(engine, run)


class Recurrent(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.quant, self.layer, self.dequant = Q.QuantStub(), layer, Q.DeQuantStub()

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        return self.dequant(self.layer(self.quant(x))[0])


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=6, deadline=None)
@given(seed=seeds)
def test_static_lstm(engine: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    qrs.manual_seed(seed)
    inputs, hidden, layers, steps = (int(n) for n in rng.integers(1, [6, 6, 3, 6]))
    both = bool(rng.integers(2))
    model = Recurrent(nn.LSTM(inputs, hidden, layers, bidirectional=both))
    x = qrs.randn(steps, 3, inputs)

    def run() -> None:
        model.qconfig = qconfig(rng, engine)
        prepared = trained(model, x)
        kinds = compared(prepared, Q.convert(prepared), x)
        # The products with the input and with the state, of each layer and direction.
        assert kinds == [nn.qat.Linear] * (2 * layers * (1 + both))

    under(engine, run)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("row", TABLES, ids=lambda row: row.float.__name__)
@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_tables(row: Swap, engine: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    qrs.manual_seed(seed)
    count, width, bags, length = (int(n) for n in rng.integers(1, 9, 4))
    mode = {"mode": str(rng.choice(["sum", "mean"]))} if "Bag" in row.float.__name__ else {}
    model = nn.Sequential(row.float(count, width, **mode))
    ids = qrs.tensor(rng.integers(0, count, (bags, length)))

    def run() -> None:
        model.qconfig = Q.default_embedding_qat_qconfig
        prepared = trained(model, ids)
        converted = Q.convert(prepared)
        assert type(prepared[0]) is row.qat
        assert type(converted[0]) is row.static
        with qrs.no_grad():
            apart = (converted(ids) - prepared(ids)).abs().max().item()
        step = prepared[0].weight_fake_quant.scale.max().item()
        assert apart <= step * (length if mode.get("mode") == "sum" else 1)

    under(engine, run)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=15, deadline=None)
@given(seed=seeds)
# An input that lies beside the middle of two steps: product and sum are rounded once.
@example(seed=1049)
def test_dynamic_linear(engine: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    qrs.manual_seed(seed)
    inputs, outputs, rows = (int(n) for n in rng.integers(1, 40, 3))
    layer = nn.Linear(inputs, outputs, bias=bool(rng.integers(2)))
    x = qrs.randn(rows, inputs) * float(rng.uniform(0.1, 10))

    def run() -> None:
        layer.qconfig = Q.get_default_qat_dynamic_qconfig(engine)
        table = Q.get_default_qat_dynamic_module_mappings()
        model = Q.prepare_qat(nn.Sequential(layer).train(), table)
        simulated = model(x).detach().numpy()
        converted = Q.convert(model.eval())
        assert type(converted[0]) is nn.quantized.dynamic.Linear
        # Both round the same numbers in the same way: what is left is the order of float sums.
        close = 1e-5 * np.abs(simulated).max() + 1e-6
        np.testing.assert_allclose(converted(x).numpy(), simulated, rtol=0, atol=close)

    under(engine, run)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_dynamic_lstm(engine: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    qrs.manual_seed(seed)
    inputs, hidden, steps, batch = (int(n) for n in rng.integers(1, 9, 4))
    flags = ("bias", "batch_first", "bidirectional")
    options: dict[str, Any] = {name: bool(rng.integers(2)) for name in flags}
    layer = nn.LSTM(inputs, hidden, int(rng.integers(1, 3)), **options)
    x = qrs.randn(steps, batch, inputs)

    def run() -> None:
        layer.qconfig = Q.get_default_qat_dynamic_qconfig(engine)
        table = Q.get_default_qat_dynamic_module_mappings()
        model = Q.prepare_qat(nn.Sequential(layer).train(), table)
        simulated, (h, c) = model(x)
        exact, (h_exact, c_exact) = Q.convert(model.eval())(x)
        # A state on the edge between two integers may fall to either side: one step of its grid,
        # which reaches from -1 to 1, and what that moves in the steps after it.
        for got, wanted in ((exact, simulated), (h_exact, h), (c_exact, c)):
            assert np.abs(got.numpy() - wanted.detach().numpy()).max() < 2 * 2 / 127

    under(engine, run)


def test_every_class_with_a_training_form_is_compared() -> None:
    dynamic = {row.float for row in SWAPS if row.qat_dynamic}
    assert dynamic == {nn.Linear, nn.LSTM}
    assert {row.qat for row in (*STATIC, *TABLES)} == {row.qat for row in SWAPS if row.qat}
