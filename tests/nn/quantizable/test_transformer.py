"""Transformer encoders in int8: PyTorch's layer, and one that a user wrote."""

import copy
from pathlib import Path

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.nn import quantizable
from qrs.nn.intrinsic.quantized import LinearReLU

F = nn.functional


@pytest.fixture(autouse=True)
def seed() -> None:
    qrs.manual_seed(0)


class Encoder(nn.Module):
    """PyTorch's encoder between stubs."""

    def __init__(self, **settings: object) -> None:
        super().__init__()
        self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
        layer = nn.TransformerEncoderLayer(32, 4, 64, **settings)
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(32))

    def forward(self, x: qrs.Tensor, mask: qrs.Tensor | None = None) -> qrs.Tensor:
        return self.dequant(self.encoder(self.quant(x), mask))


class Block(nn.Module):
    """An encoder layer as one writes it for static quantization."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(32), nn.LayerNorm(32)
        self.feed = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 32))
        self.add1, self.add2 = nn.quantized.FloatFunctional(), nn.quantized.FloatFunctional()

    def forward(self, x: qrs.Tensor) -> qrs.Tensor:
        attended, _ = self.attention(x, x, x, need_weights=False)
        x = self.norm1(self.add1.add(x, attended))
        return self.norm2(self.add2.add(x, self.feed(x)))


class Classifier(nn.Module):
    """Tokens to classes."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 32)
        self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
        self.blocks = nn.Sequential(Block(), Block())
        self.head = nn.Linear(32, 3)

    def forward(self, tokens: qrs.Tensor) -> qrs.Tensor:
        x = self.blocks(self.quant(self.table(tokens)))
        return self.dequant(self.head(x.mean(1)))


SETTINGS = [
    {},
    {"activation": "gelu", "norm_first": True},
    {"batch_first": True, "bias": False, "activation": F.relu},
]


def relative(got: qrs.Tensor, want: qrs.Tensor) -> float:
    a, b = got.detach().numpy(), want.detach().numpy()
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@pytest.mark.parametrize("settings", SETTINGS)
def test_in_float_the_observable_layer_computes_the_same(settings: dict) -> None:
    layer, x = nn.TransformerEncoderLayer(32, 4, 64, **settings).eval(), qrs.randn(6, 6, 32)
    expected = layer(x, qrs.ones(6, 6).triu(1).bool())
    other = quantizable.TransformerEncoderLayer.from_float(copy.deepcopy(layer))
    assert relative(other(x, qrs.ones(6, 6).triu(1).bool()), expected) < 1e-5


@pytest.mark.parametrize("settings", SETTINGS)
def test_static_encoders_are_close_to_float(settings: dict) -> None:
    model, x = Encoder(**settings).eval(), qrs.randn(6, 6, 32)
    mask = qrs.ones(6, 6).triu(1).bool()
    expected = model(x, mask)
    model.qconfig = Q.get_default_qconfig()
    prepared = Q.prepare(model)
    prepared(x, mask)
    converted = Q.convert(prepared)
    kinds = {type(part) for part in converted.modules()}
    assert not kinds & {nn.Linear, nn.LayerNorm, nn.MultiheadAttention}
    assert (LinearReLU in kinds) == (settings.get("activation") != "gelu")
    assert relative(converted(x, mask), expected) < 0.03


def test_an_encoder_of_one_s_own_keeps_its_answers(tmp_path: Path) -> None:
    tokens = qrs.randint(0, 11, (64, 9))
    names = [[f"blocks.{k}.feed.0", f"blocks.{k}.feed.1"] for k in range(2)]

    def static(model: nn.Module) -> nn.Module:
        model.qconfig = Q.get_default_qconfig()
        model.table.qconfig = Q.float_qparams_weight_only_qconfig
        prepared = Q.prepare(Q.fuse_modules(model, names))
        Q.calibrate(prepared, [tokens])
        return Q.convert(prepared)

    model = Classifier().eval()
    converted = static(model)
    got = converted(tokens)
    assert relative(got, model(tokens)) < 0.05
    qrs.save(converted.state_dict(), tmp_path / "model")
    other = static(Classifier().eval())
    other.load_state_dict(qrs.load(tmp_path / "model"))
    for twin in (other, copy.deepcopy(converted)):
        assert qrs.equal(twin(tokens), got)


def test_trained_with_rounding() -> None:
    model, x = Encoder(dropout=0.0), qrs.randn(6, 6, 32)
    model.qconfig = Q.get_default_qat_qconfig()
    prepared = Q.prepare_qat(model)
    optimizer = qrs.optim.Adam(prepared.parameters(), lr=0.01)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = ((prepared(x) - x) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    expected = prepared.eval()(x)
    assert relative(Q.convert(prepared)(x), expected) < 0.02


def test_only_plain_layers_are_taken() -> None:
    with pytest.raises(TypeError, match=r"a Linear came, expected an nn\.TransformerEncoderLayer"):
        quantizable.TransformerEncoderLayer.from_float(nn.Linear(2, 2))
