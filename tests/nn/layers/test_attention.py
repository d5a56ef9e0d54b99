"""Attention: masks and checks; values are compared in test_against_pytorch."""

import numpy as np
import pytest

import qrs
from qrs import nn


def attention(**settings):
    return nn.MultiheadAttention(8, 2, **settings).eval()


def test_masked_keys_get_no_weight():
    x = qrs.randn(4, 2, 8)
    padding = qrs.tensor([[False, False, True, True], [False] * 4])
    _, weights = attention()(x, x, x, key_padding_mask=padding)
    assert float(weights[0, :, 2:].abs().max()) == 0
    np.testing.assert_allclose(weights.sum(-1).detach().numpy(), np.ones((2, 4)), rtol=1e-5)


def test_boolean_and_additive_masks_agree():
    x = qrs.randn(4, 2, 8)
    layer = attention()
    hidden = qrs.ones(4, 4).triu(1).bool()
    added = qrs.zeros(4, 4).masked_fill(hidden, -float("inf"))
    a = layer(x, x, x, attn_mask=hidden)[0]
    b = layer(x, x, x, attn_mask=added)[0]
    c = layer(x, x, x, attn_mask=hidden.expand(4, 4, 4).reshape(4, 4, 4))[0]
    assert qrs.equal(a, b)
    assert qrs.equal(a, c)


def test_causal_output_ignores_the_future():
    x = qrs.randn(4, 1, 8)
    y = x.clone()
    y[3] = 0
    layer, hidden = attention(), qrs.ones(4, 4).triu(1).bool()
    a, b = (layer(v, v, v, attn_mask=hidden)[0][:3] for v in (x, y))
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), atol=1e-6)


def test_added_keys_are_never_masked():
    x = qrs.randn(3, 1, 8)
    layer = attention(add_bias_kv=True, add_zero_attn=True)
    everything = qrs.ones(3, 3).bool()
    output, weights = layer(x, x, x, attn_mask=everything)
    assert weights.shape == (1, 3, 5)
    assert np.isfinite(output.detach().numpy()).all()


def test_output_projection_is_called_as_a_module():
    layer = attention()
    layer.out_proj = nn.Identity()
    x = qrs.randn(3, 1, 8)
    assert layer(x, x, x)[0].shape == (3, 1, 8)


def test_single_sequence_needs_no_batch():
    x = qrs.randn(3, 8)
    layer = attention()
    output, weights = layer(x, x, x, key_padding_mask=qrs.tensor([False, False, True]))
    assert output.shape == (3, 8)
    assert weights.shape == (3, 3)
    assert float(weights[:, 2].abs().max()) == 0


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda m, x: m(x, x[..., :4], x), qrs.ShapeError, r"expected last axes \(8, 8, 8\)"),
        (lambda m, x: m(x, x, x[:2]), qrs.ShapeError, "keys as long as values"),
        (lambda m, x: m(x, x, x, attn_mask=qrs.zeros(3, 4)), qrs.ShapeError, r"expected \(T, 3\)"),
        (
            lambda m, x: m(x, x, x, key_padding_mask=qrs.zeros(3, 2)),
            qrs.ShapeError,
            r"\(batch, source\) = \(2, 3\)",
        ),
        (
            lambda m, x: m(x, x, x, attn_mask=qrs.zeros(3, 3).long()),
            qrs.DtypeError,
            r"use \.bool",
        ),
    ],
)
def test_misfits_are_explained(call, error, words):
    with pytest.raises(error, match=words):
        call(attention(), qrs.zeros(3, 2, 8))


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="a multiple of num_heads"):
        nn.MultiheadAttention(8, 3)


def test_encoder_copies_its_layer():
    layer = nn.TransformerEncoderLayer(8, 2, 16, activation=nn.functional.gelu)
    encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(8)).eval()
    assert encoder.layers[0].linear1.weight is not encoder.layers[1].linear1.weight
    x = qrs.randn(4, 2, 8)
    hidden = qrs.ones(4, 4).triu(1).bool()
    assert encoder(x, mask=hidden).shape == (4, 2, 8)
    with pytest.raises(ValueError, match="activation 'swish'"):
        nn.TransformerEncoderLayer(8, 2, activation="swish")
