"""Checks of the remaining functions; values are compared with PyTorch through the layers."""

import numpy as np
import pytest

import qrs
import qrs.nn.functional as F


def test_linear_takes_any_leading_axes_and_strides():
    w = qrs.randn(3, 4)
    x = qrs.randn(5, 2, 4)
    out = F.linear(x, w)
    assert out.shape == (5, 2, 3)
    turned = F.linear(x.transpose(0, 1), w).transpose(0, 1)
    np.testing.assert_allclose(out.numpy(), turned.numpy(), rtol=1e-6)
    assert F.linear(qrs.zeros(0, 4), w).shape == (0, 3)


def test_padding_modes_copy_from_the_right_places():
    x = qrs.arange(4.0).reshape(1, 4)
    assert F.pad(x, (2, 1), "reflect").tolist() == [[2, 1, 0, 1, 2, 3, 2]]
    assert F.pad(x, (2, 1), "replicate").tolist() == [[0, 0, 0, 1, 2, 3, 3]]
    assert F.pad(x, (2, 1), "circular").tolist() == [[2, 3, 0, 1, 2, 3, 0]]
    assert F.pad(x, (-1, 1, 1, 0), value=9.0).tolist() == [[9, 9, 9, 9], [1, 2, 3, 9]]
    assert F.pad(x, (0, 0)).tolist() == x.tolist()


def test_scaled_dot_product_attention_masks():
    q, k, v = qrs.randn(2, 3, 4), qrs.randn(2, 3, 4), qrs.randn(2, 3, 5)
    causal = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    seen = qrs.ones(3, 3).tril().bool()
    assert qrs.equal(causal, F.scaled_dot_product_attention(q, k, v, attn_mask=seen))
    np.testing.assert_allclose(causal[:, 0].numpy(), v[:, 0].numpy(), rtol=1e-6)
    plain = F.scaled_dot_product_attention(q, k, v)
    scaled = F.scaled_dot_product_attention(q, k, v, scale=0.5)
    np.testing.assert_allclose(plain.numpy(), scaled.numpy(), rtol=1e-5)


def test_pixel_and_channel_shuffles_are_undone():
    x = qrs.randn(2, 4, 6, 4)
    assert qrs.equal(F.pixel_shuffle(F.pixel_unshuffle(x, 2), 2), x)
    assert qrs.equal(F.channel_shuffle(F.channel_shuffle(x, 2), 2), x)


def test_one_hot_counts_classes():
    assert F.one_hot(qrs.tensor([[2]])).tolist() == [[[0, 0, 1]]]
    assert F.one_hot(qrs.tensor([0]), 3).tolist() == [[1, 0, 0]]


def test_ignored_targets_count_for_nothing_even_if_infinite():
    logs = qrs.tensor([[0.0, -float("inf")], [-1.0, -2.0]], requires_grad=True)
    loss = F.nll_loss(logs, qrs.tensor([1, 0]), ignore_index=1)
    assert loss.item() == 1.0
    loss.backward()
    assert logs.grad.tolist() == [[0, 0], [-1, 0]]


def test_class_weights_divide_the_mean():
    x = qrs.randn(3, 2)
    weight = qrs.tensor([1.0, 3.0])
    target = qrs.tensor([0, 1, 1])
    each = F.cross_entropy(x, target, weight, reduction="none")
    mean = F.cross_entropy(x, target, weight).item()
    assert mean == pytest.approx(float(each.sum()) / 7, rel=1e-5)
    smooth = F.cross_entropy(x, target, weight, label_smoothing=0.2, reduction="sum")
    assert np.isfinite(smooth.item())


def test_binary_losses_agree():
    x, t = qrs.randn(5), qrs.tensor([0.0, 1.0, 1.0, 0.0, 0.5])
    a = F.binary_cross_entropy_with_logits(x, t, pos_weight=qrs.tensor(1.0))
    b = F.binary_cross_entropy(x.sigmoid(), t)
    assert a.item() == pytest.approx(b.item(), rel=1e-5)
    certain = F.binary_cross_entropy(qrs.tensor([0.0]), qrs.tensor([1.0]))
    assert certain.item() == 100.0


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: F.linear(x, qrs.zeros(2, 3)), qrs.ShapeError, r"expected \(\.\.\., 3\)$"),
        (lambda x: F.linear(x, qrs.zeros(2, 8)), qrs.ShapeError, r"give the model x\.unsqueeze"),
        (lambda x: F.linear(x[:, :, None], qrs.zeros(2, 4)), qrs.ShapeError, r"x\.flatten\(1\)"),
        (lambda x: F.linear(x.long(), x), qrs.DtypeError, "input of dtype qrs.int64"),
        (lambda x: F.linear(x, x.double()), qrs.DtypeError, "one dtype"),
        (lambda x: F.linear(np.ones((2, 2)), x), qrs.DtypeError, "input is a numpy.ndarray"),
        (lambda x: F.bilinear(x, x, qrs.zeros(1, 4, 5)), qrs.ShapeError, "dimensions 4 and 5"),
        (lambda x: F.pad(x, (1, 2, 3)), qrs.ShapeError, "two numbers per axis"),
        (lambda x: F.pad(x, (-3, -2)), qrs.ShapeError, "nothing would be left"),
        (lambda x: F.pad(x, (4, 0), "reflect"), qrs.ShapeError, "at most 3"),
        (lambda x: F.pad(x, (1, 0), "mirror"), ValueError, "mode 'mirror'"),
        (lambda x: F.pad(x, (1, 0), "reflect", 1.0), ValueError, "expected it with 'constant'"),
        (lambda x: F.interpolate(x, 2), qrs.ShapeError, "3 or 4 or 5 dimensions"),
        (lambda x: F.interpolate(x[None], 2, 2), ValueError, "exactly one of size"),
        (lambda x: F.interpolate(x[None], 2, mode="cubic"), ValueError, "mode 'cubic'"),
        (lambda x: F.interpolate(x[None], 2, align_corners=True), ValueError, "align_corners"),
        (lambda x: F.interpolate(x[None], (2, 2)), qrs.ShapeError, "one positive number or 1"),
        (lambda x: F.pixel_shuffle(x[None], 2), qrs.ShapeError, "C a multiple of 4"),
        (lambda x: F.pixel_unshuffle(x[None], 3), qrs.ShapeError, "multiples of 3"),
        (lambda x: F.channel_shuffle(x[None], 3), qrs.ShapeError, "multiple of 3 groups"),
        (lambda x: F.one_hot(qrs.tensor([5]), 3), qrs.ShapeError, "expected 0 to 2"),
        (lambda x: F.mse_loss(x, x[0]), qrs.ShapeError, "expected equal shapes"),
        (lambda x: F.mse_loss(x, x, "avg"), ValueError, "reduction 'avg'"),
        (lambda x: F.nll_loss(x, qrs.tensor([1])), qrs.ShapeError, r"expected \(2,\)"),
        (lambda x: F.nll_loss(x, x[:, 0]), qrs.DtypeError, r"use \.long"),
        (lambda x: F.cross_entropy(x, qrs.tensor([1, 9])), qrs.ShapeError, "0 to 3"),
        (lambda x: F.cross_entropy(x, x, label_smoothing=2.0), ValueError, "0 to 1"),
        (lambda x: F.binary_cross_entropy(x + 2, x), ValueError, "apply sigmoid"),
        (lambda x: F.smooth_l1_loss(x, x, beta=-1.0), ValueError, "beta"),
        (lambda x: F.dropout(x, 2.0), ValueError, "probability"),
        (lambda x: F.batch_norm(x, None, None), qrs.ShapeError, "no running statistics"),
        (
            lambda x: F.scaled_dot_product_attention(x, x[:, :2], x),
            qrs.ShapeError,
            r"expected \(\*, T, E\)",
        ),
    ],
)
def test_misfits_are_explained(call, error, words):
    with pytest.raises(error, match=words):
        call(qrs.zeros(2, 4))


@pytest.mark.parametrize("rows", [1, 2, 7, 32, 33])
def test_linear_with_few_and_many_rows(rows):
    x, weight = qrs.randn(rows, 5).double(), qrs.randn(3, 5).double()
    y = F.linear(x, weight)
    assert y.is_contiguous()
    np.testing.assert_allclose(y.numpy(), x.numpy() @ weight.numpy().T)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("pads", [(2, 1, 0, 3), (-1, 2, 1, -2), (-1, -2, -3, 0), (0, 0, 2, 2)])
def test_borders_and_cuts_are_those_of_every_place(mode, pads):
    """Growing is NumPy's padding; a negative number then cuts."""
    x = np.arange(30.0).reshape(5, 6)
    grow = [(max(pads[2], 0), max(pads[3], 0)), (max(pads[0], 0), max(pads[1], 0))]
    name = {"replicate": "edge", "circular": "wrap"}.get(mode, mode)
    expected = np.pad(x, grow, mode=name)
    low = [max(-pads[2], 0), max(-pads[0], 0)]
    high = [max(-pads[3], 0), max(-pads[1], 0)]
    expected = expected[low[0] : len(expected) - high[0], low[1] : expected.shape[1] - high[1]]
    got = F.pad(qrs.from_numpy(x), pads, mode=mode).numpy()
    np.testing.assert_array_equal(got, expected)
