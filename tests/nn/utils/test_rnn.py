"""Packing and padding of sequences."""

import numpy as np
import pytest

import qrs
from qrs.nn.utils import rnn


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [[4, 4, 1], [1, 4, 2]])
def test_packing_and_padding_are_inverse(lengths, batch_first):
    x = qrs.randn(4, 3, 2)
    for b, n in enumerate(lengths):
        x[n:, b] = 0
    given = x.transpose(0, 1) if batch_first else x
    packed = rnn.pack_padded_sequence(given, lengths, batch_first, enforce_sorted=False)
    assert len(packed.data) == sum(lengths)
    back, counts = rnn.pad_packed_sequence(packed, batch_first)
    assert qrs.equal(back, given)
    assert counts.tolist() == lengths


def test_packed_rows_are_step_by_step():
    x = qrs.arange(6.0).reshape(3, 2)
    packed = rnn.pack_padded_sequence(x, qrs.tensor([3, 2]))
    assert packed.data.tolist() == [0, 1, 2, 3, 4]
    assert packed.batch_sizes.tolist() == [2, 2, 1]
    assert packed.sorted_indices is None


def test_padding_value_and_total_length():
    packed = rnn.pack_sequence([qrs.ones(2), qrs.ones(1)])
    padded, _ = rnn.pad_packed_sequence(packed, True, -1.0, total_length=3)
    assert padded.tolist() == [[1, 1, -1], [1, -1, -1]]
    with pytest.raises(qrs.ShapeError, match="at least the longest sequence, 2"):
        rnn.pad_packed_sequence(packed, total_length=1)


def test_pad_and_unpad_sequence():
    sequences = [qrs.randn(n, 2) for n in (1, 3, 2)]
    padded = rnn.pad_sequence(sequences, padding_value=9.0)
    assert padded.shape == (3, 3, 2)
    assert (padded[1:, 0] == 9).all()
    for a, b in zip(rnn.unpad_sequence(padded, [1, 3, 2]), sequences, strict=True):
        assert qrs.equal(a, b)


def test_pack_sequence_sorts_when_asked():
    packed = rnn.pack_sequence([qrs.zeros(1), qrs.ones(3)], enforce_sorted=False)
    assert packed.data.tolist() == [1, 0, 1, 1]
    assert packed.sorted_indices.tolist() == [1, 0]
    assert packed.to(qrs.float64).data.dtype is qrs.float64


def test_gradient_of_padding_is_zero():
    x = qrs.ones(3, 2, requires_grad=True)
    rnn.pack_padded_sequence(x, [3, 1]).data.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[1, 1], [1, 0], [1, 0]])


@pytest.mark.parametrize(
    ("lengths", "words"),
    [
        ([1, 3], "expected falling ones; pass enforce_sorted=False"),
        ([3], "for 2 sequences"),
        ([3, 0], "from 1 to 3"),
        ([4, 1], "from 1 to 3"),
    ],
)
def test_lengths_that_do_not_fit_are_explained(lengths, words):
    with pytest.raises(qrs.ShapeError, match=words):
        rnn.pack_padded_sequence(qrs.zeros(3, 2), lengths)


def test_nothing_to_pad_is_explained():
    with pytest.raises(qrs.ShapeError, match="at least one sequence"):
        rnn.pad_sequence([])
