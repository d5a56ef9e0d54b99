"""Sequences of different lengths: packing them for recurrent layers, and padding.

A packed sequence stores step by step the rows of the sequences that are still running, sorted by
falling length, so that a recurrent layer computes nothing for padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from qrs.autograd.arrays import Array
from qrs.errors import ShapeError
from qrs.tensor import Tensor, cat, full, stack

__all__ = [
    "PackedSequence",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpad_sequence",
]


class PackedSequence(NamedTuple):
    """A batch of sequences without padding; made by `pack_padded_sequence` and `pack_sequence`.

    Attributes
    ----------
    data : Tensor, shape (sum(batch_sizes), *)
        The rows, step by step.
    batch_sizes : Tensor, int64, shape (T,)
        Sequences that run in each step; never rises.
    sorted_indices : Tensor, int64, shape (B,), or None
        The order by falling length, None if the input came in it.
    unsorted_indices : Tensor, int64, shape (B,), or None
        The inverse of ``sorted_indices``.
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None

    @property
    def is_cuda(self) -> bool:
        """Return False: the CPU is the only device."""
        return False

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Convert the data as `Tensor.to` does."""
        return self._replace(data=self.data.to(*args, **kwargs))


def _rows_of_steps(sizes: Array, batch: int) -> Array:
    """Return, for each packed row, its place in a padded (T, B) grid read row by row."""
    return np.concatenate([t * batch + np.arange(n) for t, n in enumerate(sizes)])


def _index(values: Array) -> Tensor:
    return Tensor._wrap(np.ascontiguousarray(values, dtype=np.int64))


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Pack a padded batch.

    Parameters
    ----------
    input : Tensor, shape (T, B, *), or (B, T, *) with ``batch_first``
    lengths : Tensor or sequence of int, B entries
        Each at least 1 and at most T.
    batch_first : bool
        How ``input`` is laid out.
    enforce_sorted : bool
        Require falling lengths; False sorts, and recurrent layers undo the sorting.

    Returns
    -------
    PackedSequence

    Raises
    ------
    ShapeError
        If the lengths do not fit the input or are not sorted.

    Examples
    --------
    >>> import qrs
    >>> packed = pack_padded_sequence(qrs.arange(6.0).reshape(3, 2), [3, 1])
    >>> packed.data, packed.batch_sizes
    (tensor([0., 1., 2., 4.]), tensor([2, 1, 1]))
    """
    if input.dim() < 2:
        raise ShapeError(
            f"pack_padded_sequence: input of shape {tuple(input.shape)} came, expected "
            "(steps, batch, ...)"
        )
    if batch_first:
        input = input.transpose(0, 1)
    steps, batch = input.shape[:2]
    counts = np.asarray(lengths, dtype=np.int64)
    if counts.shape != (batch,) or not batch or counts.min() < 1 or counts.max() > steps:
        raise ShapeError(
            f"pack_padded_sequence: lengths {counts.tolist()} came for {batch} sequences of "
            f"{steps} steps, expected {batch} lengths from 1 to {steps}"
        )
    order = None
    if not enforce_sorted:
        by_length = np.argsort(-counts, kind="stable")
        order = _index(by_length)
        counts = counts[by_length]
        input = input.index_select(1, order)
    elif (np.diff(counts) > 0).any():
        raise ShapeError(
            f"pack_padded_sequence: lengths {counts.tolist()} came, expected falling ones; pass "
            "enforce_sorted=False"
        )
    # Step t has as many rows as there are sequences longer than t.
    sizes = (counts[None, :] > np.arange(counts[0])[:, None]).sum(axis=1)
    rows = _index(_rows_of_steps(sizes, batch))
    data = input.reshape(steps * batch, *input.shape[2:]).index_select(0, rows)
    inverse = None if order is None else _index(np.argsort(order._array))
    return PackedSequence(data, _index(sizes), order, inverse)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Undo `pack_padded_sequence`.

    Parameters
    ----------
    sequence : PackedSequence
    batch_first : bool
        Return (B, T, *) rather than (T, B, *).
    padding_value : float
        What stands beyond the end of a sequence.
    total_length : int, optional
        Pad to this many steps.

    Returns
    -------
    tuple of (Tensor, Tensor)
        The padded batch and the lengths (int64), in the order of the unpacked input.

    Raises
    ------
    ShapeError
        If ``total_length`` is less than the longest sequence.

    Examples
    --------
    >>> import qrs
    >>> packed = pack_padded_sequence(qrs.arange(6.0).reshape(3, 2), [3, 1])
    >>> pad_packed_sequence(packed)[0]
    tensor([[0., 1.],
            [2., 0.],
            [4., 0.]])
    """
    sizes = sequence.batch_sizes._array
    steps, batch = len(sizes), int(sizes[0])
    total = steps if total_length is None else total_length
    if total < steps:
        raise ShapeError(
            f"pad_packed_sequence: total_length {total} came, expected at least the longest "
            f"sequence, {steps}"
        )
    data = sequence.data
    # The row behind the last one is the padding; places without data point to it.
    places = np.full(total * batch, len(data), dtype=np.int64)
    places[_rows_of_steps(sizes, batch)] = np.arange(len(data))
    filler = full((1, *data.shape[1:]), padding_value, dtype=data.dtype)
    padded = cat([data, filler], 0).index_select(0, _index(places))
    padded = padded.reshape(total, batch, *data.shape[1:])
    lengths = (sizes[:, None] > np.arange(batch)).sum(axis=0)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices._array]
    return padded.transpose(0, 1) if batch_first else padded, _index(lengths)


def pad_sequence(
    sequences: Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0
) -> Tensor:
    """Stack sequences of different lengths, filled up to the longest.

    Parameters
    ----------
    sequences : sequence of Tensor, shapes (L, *)
    batch_first : bool
        Return (B, T, *) rather than (T, B, *).
    padding_value : float
        What fills up.

    Returns
    -------
    Tensor

    Raises
    ------
    ShapeError
        If there is no sequence.

    Examples
    --------
    >>> import qrs
    >>> pad_sequence([qrs.ones(2), qrs.ones(1)], batch_first=True)
    tensor([[1., 1.],
            [1., 0.]])
    """
    if not len(sequences):
        raise ShapeError("pad_sequence: an empty list came, expected at least one sequence")
    longest = max(len(s) for s in sequences)
    rows = []
    for sequence in sequences:
        short = longest - len(sequence)
        filler = full((short, *sequence.shape[1:]), padding_value, dtype=sequence.dtype)
        rows.append(cat([sequence, filler], 0) if short else sequence)
    return stack(rows, 0 if batch_first else 1)


def unpad_sequence(
    padded: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False
) -> list[Tensor]:
    """Undo `pad_sequence`: cut each sequence of a padded batch to its length.

    Examples
    --------
    >>> import qrs
    >>> [len(s) for s in unpad_sequence(qrs.zeros(3, 2), [3, 1])]
    [3, 1]
    """
    rows = padded if batch_first else padded.transpose(0, 1)
    counts = np.asarray(lengths).tolist()
    return [rows[i, :n] for i, n in enumerate(counts)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of sequences of different lengths; see `pack_padded_sequence`.

    Examples
    --------
    >>> import qrs
    >>> pack_sequence([qrs.ones(2), qrs.zeros(1)]).batch_sizes
    tensor([2, 1])
    """
    lengths = [len(s) for s in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)
