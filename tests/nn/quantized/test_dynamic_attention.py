"""Dynamically quantized attention."""

import copy
from pathlib import Path

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.backends import quantized
from qrs.nn.quantized import dynamic as nnqd


@pytest.fixture(autouse=True)
def seed() -> None:
    qrs.manual_seed(0)


SETTINGS = [
    {},
    {"batch_first": True},
    {"bias": False, "add_zero_attn": True},
    {"add_bias_kv": True},
    {"kdim": 12, "vdim": 20},
]


def layer_and_inputs(settings: dict) -> tuple[nn.MultiheadAttention, list[qrs.Tensor]]:
    layer = nn.MultiheadAttention(16, 4, **settings).eval()
    widths = (16, settings.get("kdim", 16), settings.get("vdim", 16))
    return layer, [qrs.randn(5, 5, width) for width in widths]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("dtype", [qrs.qint8, qrs.float16])
def test_it_is_close_to_float(settings: dict, dtype: qrs.dtype) -> None:
    layer, inputs = layer_and_inputs(settings)
    converted = Q.quantize_dynamic(layer, {nn.MultiheadAttention}, dtype)
    assert type(converted) is nnqd.MultiheadAttention
    parts = (converted.linear_Q, converted.linear_K, converted.linear_V, converted.out_proj)
    assert all(type(part) is nnqd.Linear and part.dtype is dtype for part in parts)
    hidden = qrs.ones(5, 5).triu(1).bool()
    bound = 0.02 if dtype is qrs.qint8 else 1e-3
    pairs = zip(converted(*inputs, attn_mask=hidden), layer(*inputs, attn_mask=hidden), strict=True)
    for got, want in pairs:
        a, b = got.detach().numpy(), want.detach().numpy()
        assert np.abs(a - b).max() < bound * np.abs(b).max()


def test_it_is_the_float_layer_over_the_rounded_weights() -> None:
    """Weights that lose nothing and rows on the grid: only the order of sums differs."""
    layer = nn.MultiheadAttention(8, 2).eval()
    ints = qrs.randint(-127, 128, (24, 8))
    ints[:, 0] = 127
    layer.in_proj_weight = nn.Parameter(ints.float() / 127)
    layer.out_proj.weight = nn.Parameter(ints[:8].float() / 127)
    x = qrs.cat([qrs.tensor([[0.0, 255.0]]), qrs.randint(0, 256, (1, 6)).float()], 1).reshape(1, 8)
    q, _, _ = layer._project(x[:, None], x[:, None], x[:, None])
    converted = Q.quantize_dynamic(layer)
    got, _, _ = converted._project(x[:, None], x[:, None], x[:, None])
    np.testing.assert_allclose(got.detach().numpy(), q.detach().numpy(), rtol=1e-5)


def test_every_layer_of_a_transformer_is_quantized_by_default() -> None:
    layer = nn.TransformerEncoderLayer(16, 4, 32)
    model = nn.TransformerEncoder(layer, 2).eval()
    x = qrs.randn(5, 3, 16)
    expected = model(x).detach().numpy()
    converted = Q.quantize_dynamic(model)
    kinds = [type(part) for part in converted.modules()]
    assert kinds.count(nnqd.Linear) == 2 * 6
    assert nn.Linear not in kinds
    got = converted(x).detach().numpy()
    assert np.linalg.norm(got - expected) < 0.02 * np.linalg.norm(expected)


def test_names_and_types_choose_what_is_quantized() -> None:
    model = nn.TransformerEncoderLayer(16, 4, 32).eval()
    only_linear = Q.quantize_dynamic(model, {nn.Linear})
    assert type(only_linear.self_attn) is nn.MultiheadAttention
    assert type(only_linear.self_attn.out_proj) is nnqd.Linear
    one = Q.quantize_dynamic(model, {"self_attn"})
    assert type(one.self_attn) is nnqd.MultiheadAttention
    assert type(one.linear1) is nn.Linear
    qconfig = Q.default_dynamic_qconfig
    without = Q.quantize_dynamic(
        model, {nn.MultiheadAttention: qconfig, "self_attn.out_proj": None}
    )
    assert type(without.self_attn.linear_Q) is nnqd.Linear
    assert type(without.self_attn.out_proj) is nn.Linear
    x = qrs.randn(5, 3, 16)
    for part in (only_linear, one, without):
        assert tuple(part(x).shape) == (5, 3, 16)


def test_another_output_projection_is_kept() -> None:
    layer, inputs = layer_and_inputs({})
    layer.out_proj = nn.Identity()
    converted = Q.quantize_dynamic(layer)
    assert type(converted.out_proj) is nn.Identity
    assert tuple(converted(*inputs)[0].shape) == (5, 5, 16)


@pytest.mark.parametrize("engine", ["qrs", "fbgemm", "qnnpack"])
def test_a_sample_does_not_depend_on_its_batch_under_qrs(engine: str) -> None:
    before = quantized.engine
    quantized.engine = engine
    try:
        layer, _ = layer_and_inputs({"batch_first": True})
        converted = Q.quantize_dynamic(layer)
    finally:
        quantized.engine = before
    x = qrs.randn(3, 5, 16) * qrs.tensor([1.0, 5.0, 20.0]).reshape(3, 1, 1)
    whole = converted(x, x, x)[0][0].detach().numpy()
    alone = converted(x[:1], x[:1], x[:1])[0][0].detach().numpy()
    assert np.allclose(whole, alone, rtol=1e-5, atol=1e-6) == (engine == "qrs")


def test_copies_and_files_carry_everything(tmp_path: Path) -> None:
    layer, inputs = layer_and_inputs({"add_bias_kv": True})
    first = Q.quantize_dynamic(layer)
    second = Q.quantize_dynamic(nn.MultiheadAttention(16, 4, add_bias_kv=True))
    expected = first(*inputs)[0]
    qrs.save(first.state_dict(), tmp_path / "model")
    second.load_state_dict(qrs.load(tmp_path / "model"))
    for twin in (second, copy.deepcopy(first)):
        assert qrs.equal(twin(*inputs)[0], expected)


def test_wrong_uses_are_refused() -> None:
    with pytest.raises(TypeError, match=r"a Linear came, expected an nn\.MultiheadAttention"):
        nnqd.MultiheadAttention.from_float(nn.Linear(2, 2))
    layer, inputs = layer_and_inputs({})
    converted = Q.quantize_dynamic(layer)
    bytes_ = qrs.quantize_per_tensor(inputs[0], 0.1, 0, qrs.quint8)
    with pytest.raises(qrs.DtypeError, match="query is a quantized tensor, expected a float one"):
        converted(bytes_, bytes_, bytes_)
    with pytest.raises(qrs.ShapeError, match=r"expected last axes \(16, 16, 16\)"):
        converted(inputs[0][..., :4], *inputs[1:])
