"""Attention made of observable parts, and its static quantization."""

import copy
import pickle

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.nn import quantizable
from qrs.nn import quantized as nnq


@pytest.fixture(autouse=True)
def seed() -> None:
    qrs.manual_seed(0)


SETTINGS = [
    {},
    {"batch_first": True, "dropout": 0.5},
    {"bias": False, "add_zero_attn": True},
    {"add_bias_kv": True},
    {"kdim": 12, "vdim": 20},
]


class Net(nn.Module):
    """Attention between stubs, one level down."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.quant_q, self.quant_k, self.quant_v = (Q.QuantStub() for _ in range(3))
        self.dequant = Q.DeQuantStub()
        self.body = nn.ModuleDict({"attention": attention})

    def forward(self, q: qrs.Tensor, k: qrs.Tensor, v: qrs.Tensor, **masks: qrs.Tensor) -> tuple:
        inputs = self.quant_q(q), self.quant_k(k), self.quant_v(v)
        y, weights = self.body["attention"](*inputs, **masks)
        return self.dequant(y), weights


def attention(settings: dict) -> tuple[nn.MultiheadAttention, list[qrs.Tensor]]:
    """A layer with biases that are not zero, and query, key and value for it."""
    layer = nn.MultiheadAttention(16, 4, **settings).eval()
    if layer.in_proj_bias is not None:
        nn.init.normal_(layer.in_proj_bias)
        nn.init.normal_(layer.out_proj.bias)
    lengths = ((5, 3), (7, 3), (7, 3))
    if settings.get("batch_first"):
        lengths = tuple(pair[::-1] for pair in lengths)
    widths = (16, settings.get("kdim", 16), settings.get("vdim", 16))
    return layer, [qrs.randn(*pair, width) for pair, width in zip(lengths, widths, strict=True)]


def arrays(results: tuple) -> list[np.ndarray]:
    return [value.detach().numpy() for value in results]


def static(model: nn.Module, inputs: list[qrs.Tensor], **config: dict) -> nn.Module:
    model.eval().qconfig = Q.get_default_qconfig()
    prepared = Q.prepare(model, prepare_custom_config_dict=config.get("prepare"))
    prepared(*inputs, **config.get("masks", {}))
    return Q.convert(prepared, convert_custom_config_dict=config.get("convert"))


@pytest.mark.parametrize("settings", SETTINGS)
def test_in_float_it_computes_what_attention_does(settings: dict) -> None:
    layer, inputs = attention(settings)
    other = quantizable.MultiheadAttention.from_float(copy.deepcopy(layer))
    hidden = qrs.ones(5, 7).triu(3).bool()
    for got, want in zip(
        arrays(other(*inputs, attn_mask=hidden)),
        arrays(layer(*inputs, attn_mask=hidden)),
        strict=True,
    ):
        np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("settings", SETTINGS)
def test_converted_it_is_close_to_float(settings: dict) -> None:
    layer, inputs = attention(settings)
    model = Net(layer)
    masks = {"key_padding_mask": qrs.tensor([[False] * 5 + [True] * 2] * 3)}
    expected = arrays(model.eval()(*inputs, **masks))
    converted = static(model, inputs, masks=masks)
    body = converted.body["attention"]
    assert type(body) is quantizable.MultiheadAttention
    parts = (body.linear_Q, body.linear_K, body.linear_V, body.out_proj)
    assert {type(part) for part in parts} == {nnq.Linear}
    got = arrays(converted(*inputs, **masks))
    assert np.abs(got[0] - expected[0]).max() < 0.03 * np.abs(expected[0]).max()
    assert np.abs(got[1] - expected[1]).max() < 0.02
    assert got[1][:, :, 5:7].max() == 0


def test_weights_need_not_be_asked_for() -> None:
    layer, inputs = attention({})
    converted = static(Net(layer), inputs)
    quantized = [stub(x) for stub, x in zip((converted.quant_q,) * 3, inputs, strict=True)]
    y, weights = converted.body["attention"](*quantized, need_weights=False)
    assert weights is None
    assert y.dtype is qrs.quint8


def test_the_mappings_of_pytorch_work_too() -> None:
    layer, inputs = attention({})
    expected = arrays(static(copy.deepcopy(Net(layer)), inputs)(*inputs))
    observed = {nn.MultiheadAttention: quantizable.MultiheadAttention}
    quantized = {quantizable.MultiheadAttention: quantizable.MultiheadAttention}
    explicit = static(
        Net(layer),
        inputs,
        prepare={"float_to_observed_custom_module_class": observed},
        convert={"observed_to_quantized_custom_module_class": quantized},
    )
    for got, want in zip(arrays(explicit(*inputs)), expected, strict=True):
        np.testing.assert_array_equal(got, want)


def test_trained_with_rounding_it_converts_to_what_was_trained() -> None:
    layer, inputs = attention({})
    model = Net(layer).train()
    model.qconfig = Q.get_default_qat_qconfig()
    prepared = Q.prepare_qat(model)
    inside = prepared.body["attention"]
    assert type(inside.linear_Q) is nn.qat.Linear
    optimizer = qrs.optim.SGD(prepared.parameters(), lr=0.1)
    losses = []
    for _ in range(4):
        optimizer.zero_grad()
        loss = (prepared(*inputs)[0] ** 2).mean()
        loss.backward()
        assert inside.linear_K.weight.grad.abs().max().item() > 0
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    expected = arrays(prepared.eval()(*inputs))
    converted = Q.convert(prepared)
    step = converted.body["attention"].out_proj.scale
    got = arrays(converted(*inputs))
    # Sums of floats in another order may end on the other side of a tie.
    assert np.abs(got[0] - expected[0]).max() <= 1.01 * step


def test_copies_and_states_carry_everything() -> None:
    layer, inputs = attention({"add_bias_kv": True})
    first = static(Net(copy.deepcopy(layer)), inputs)
    second = static(Net(nn.MultiheadAttention(16, 4, add_bias_kv=True)), inputs)
    expected = arrays(first(*inputs))
    second.load_state_dict(first.state_dict())
    for other in (second, copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        for got, want in zip(arrays(other(*inputs)), expected, strict=True):
            np.testing.assert_array_equal(got, want)


def test_a_float_input_is_refused_by_the_projection_that_got_it() -> None:
    layer, inputs = attention({})
    converted = static(Net(layer), inputs)
    with pytest.raises(qrs.DtypeError, match=r"a float tensor .* came, expected a quantized one"):
        converted.body["attention"](*inputs)


def test_only_plain_attention_is_taken() -> None:
    with pytest.raises(TypeError, match=r"a Linear came, expected an nn\.MultiheadAttention"):
        quantizable.MultiheadAttention.from_float(nn.Linear(2, 2))
