"""Embedding tables: padding, limits, errors."""

import numpy as np
import pytest

import qrs
from qrs import nn


def test_padding_row_is_zero_and_gets_no_gradient():
    table = nn.Embedding(4, 2, padding_idx=-1)
    assert table.padding_idx == 3
    assert table.weight[3].tolist() == [0.0, 0.0]
    table(qrs.tensor([1, 3])).sum().backward()
    assert table.weight.grad.sum(1).tolist() == [0.0, 2.0, 0.0, 0.0]


def test_max_norm_shrinks_looked_up_rows_in_place():
    table = nn.Embedding(2, 2, max_norm=1.0, _weight=qrs.tensor([[3.0, 4.0], [3.0, 4.0]]))
    table(qrs.tensor([0]))
    assert float(table.weight[0].norm()) == pytest.approx(1.0, rel=1e-5)
    assert table.weight[1].tolist() == [3.0, 4.0]


def test_pretrained_table_is_frozen_by_default():
    rows = qrs.tensor([[1.0, 2.0]])
    assert not nn.Embedding.from_pretrained(rows).weight.requires_grad
    assert nn.Embedding.from_pretrained(rows, freeze=False).weight.requires_grad
    with pytest.raises(qrs.ShapeError, match=r"expected \(rows, width\)"):
        nn.Embedding.from_pretrained(qrs.zeros(3))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_empty_bag_gives_zeros(mode):
    bags = nn.EmbeddingBag(4, 2, mode=mode)
    out = bags(qrs.tensor([1, 2]), qrs.tensor([0, 0, 2]))
    assert out[0].tolist() == [0.0, 0.0]
    assert out[2].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: nn.Embedding(3, 2)(qrs.tensor([3])), qrs.ShapeError, "expected 0 to 2"),
        (lambda: nn.Embedding(3, 2)(qrs.tensor([-1])), qrs.ShapeError, "from -1 to -1"),
        (lambda: nn.Embedding(3, 2)(qrs.tensor([1.0])), qrs.DtypeError, r"use \.long\(\)"),
        (
            lambda: nn.Embedding(3, 2)([1]),
            qrs.DtypeError,
            r"a list came.*make one with qrs\.tensor",
        ),
        (lambda: nn.Embedding(3, 2, padding_idx=3), ValueError, "padding_idx 3"),
        (lambda: nn.Embedding(3, 2, _weight=qrs.zeros(2, 2)), qrs.ShapeError, "_weight"),
        (lambda: nn.EmbeddingBag(3, 2, mode="min"), ValueError, "'mean', 'sum' or 'max'"),
        (lambda: nn.EmbeddingBag(3, 2)(qrs.tensor([1])), qrs.ShapeError, "without offsets"),
        (
            lambda: nn.EmbeddingBag(3, 2)(qrs.tensor([1, 2]), qrs.tensor([1])),
            qrs.ShapeError,
            "start at 0",
        ),
        (
            lambda: nn.EmbeddingBag(3, 2)(qrs.tensor([[1]]), per_sample_weights=qrs.ones(1, 1)),
            qrs.ShapeError,
            "mode 'sum'",
        ),
    ],
)
def test_misfits_are_explained(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("weighted", [False, True])
def test_bags_of_one_length_are_bags_like_others(mode, weighted):
    if weighted and mode != "sum":
        return
    table, indices = nn.EmbeddingBag(9, 4, mode=mode), qrs.randint(0, 9, (3, 5))
    factors = qrs.rand(3, 5) if weighted else None
    together = table(indices, per_sample_weights=factors)
    # One more bag, of another length.
    flat = qrs.cat([indices.reshape(-1), indices[0, :2]])
    if weighted:
        factors = qrs.cat([factors.reshape(-1), qrs.ones(2)])
    apart = table(flat, qrs.tensor([0, 5, 10, 15]), per_sample_weights=factors)
    np.testing.assert_allclose(
        together.detach().numpy(), apart[:3].detach().numpy(), rtol=1e-6, atol=1e-7
    )
    gradients = []
    for value in (together.sum(), apart[:3].sum()):
        table.zero_grad()
        value.backward()
        gradients.append(table.weight.grad.numpy())
    np.testing.assert_allclose(*gradients, rtol=1e-6)
