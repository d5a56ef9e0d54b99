"""Looking up rows of a table."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from qrs.autograd import Sample, define, define_fused, no_grad, vjp
from qrs.autograd.arrays import Array
from qrs.errors import DtypeError, ShapeError, type_name
from qrs.tensor import Tensor, apply

__all__ = ["embedding", "embedding_bag", "one_hot"]


def _scatter_rows(rows: Any, indices: Array, count: int) -> Array:
    """Add rows to a table of ``count`` zeros, repeated indices included."""
    table = np.zeros((count, rows.shape[-1]), dtype=rows.dtype, like=rows)
    flat = indices.reshape(-1)
    if not isinstance(rows, np.ndarray):
        np.add.at(table, flat, rows.reshape(-1, rows.shape[-1]))
    elif flat.size:
        # Much faster than `add.at`, but only NumPy has `reduceat`.
        order = np.argsort(flat, kind="stable")
        ordered = flat[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        table[ordered[starts]] = np.add.reduceat(rows.reshape(-1, rows.shape[-1])[order], starts)
    return table


def _table_grad(
    g: Array,
    ans: Any,
    weight: Any,
    indices: Array,
    *,
    padding_idx: int | None,
    by_frequency: bool,
) -> Array:
    del ans
    grad = _scatter_rows(g, indices, weight.shape[0])
    if by_frequency:
        counts = np.bincount(indices.reshape(-1), minlength=len(grad))
        grad /= np.maximum(counts, 1)[:, None].astype(grad.dtype)
    if padding_idx is not None:
        grad[padding_idx] = 0
    return grad


def _embedding_samples(rng: np.random.Generator) -> Iterable[Sample]:
    table = rng.standard_normal((4, 3))
    yield Sample(table, np.array([[0, 2], [2, 1]]), padding_idx=None, by_frequency=False)


EMBEDDING = define(
    "embedding",
    lambda weight, indices, *, padding_idx, by_frequency: weight[indices],
    vjp(_table_grad, "indices"),
    None,
    samples=_embedding_samples,
)


def check_indices(where: str, indices: Any, count: int) -> None:
    """Refuse indices that are no integers or lie outside the table.

    Raises
    ------
    DtypeError, ShapeError
        Names the smallest and largest index and the size of the table.
    """
    if not isinstance(indices, Tensor) or indices._array.dtype.kind not in "iu":
        is_tensor = isinstance(indices, Tensor)
        came = f"indices of {indices.dtype}" if is_tensor else f"a {type_name(indices)}"
        how = "use .long()" if is_tensor else "make one with qrs.tensor()"
        raise DtypeError(f"{where}: {came} came, expected an integer tensor; {how}")
    array = indices._array
    if array.size and (array.min() < 0 or array.max() >= count):
        raise ShapeError(
            f"{where}: indices from {array.min()} to {array.max()} came, expected 0 to "
            f"{count - 1} for a table of {count} rows"
        )


def _row_number(where: str, padding_idx: int | None, count: int) -> int | None:
    if padding_idx is None:
        return None
    if not -count <= padding_idx < count:
        raise ValueError(
            f"{where}: padding_idx {padding_idx} came, expected {-count} to {count - 1}"
        )
    return padding_idx % count


@no_grad()
def _renormalise(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    """Shrink the rows that are about to be looked up to a norm of at most ``max_norm``."""
    rows = np.unique(indices._array)
    norms = np.linalg.norm(weight._array[rows], ord=norm_type, axis=1)
    long = norms > max_norm
    if long.any():
        values = weight._array.copy()
        values[rows[long]] *= (max_norm / (norms[long] + 1e-7))[:, None].astype(values.dtype)
        weight.copy_(Tensor._wrap(values))


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Look up rows of a table.

    Parameters
    ----------
    input : Tensor, integer, any shape
        Row numbers.
    weight : Tensor, float, shape (V, D)
    padding_idx : int, optional
        A row that gets no gradient.
    max_norm : float, optional
        Shrink, in place, every row that is looked up to this norm.
    norm_type : float
        Order of that norm.
    scale_grad_by_freq : bool
        Divide the gradient of a row by the number of times it was looked up.
    sparse : bool
        Accepted for PyTorch's sake; gradients are always dense.

    Returns
    -------
    Tensor, shape (*input.shape, D)

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If an index or ``padding_idx`` is out of range, or the indices are no integers.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.embedding(qrs.tensor([1]), qrs.tensor([[0.0, 1.0], [2.0, 3.0]]))
    tensor([[2., 3.]])
    """
    del sparse
    check_indices("embedding", input, len(weight))
    padding = _row_number("embedding", padding_idx, len(weight))
    if max_norm is not None:
        _renormalise(weight, input, max_norm, norm_type)
    return apply(EMBEDDING, weight, input, padding_idx=padding, by_frequency=scale_grad_by_freq)


def _bag_forward(
    weight: Array,
    per_sample: Array | None,
    *,
    save: bool,
    indices: Array,
    offsets: Array,
    mode: str,
    padding: int | None,
    by_frequency: bool,
) -> tuple[Array, Any]:
    del by_frequency
    starts = offsets.tolist()
    out = np.zeros((len(starts), weight.shape[1]), dtype=weight.dtype, like=weight)
    chosen = np.full_like(out, -1, dtype=np.int64)
    counts = np.zeros(len(starts), dtype=np.int64, like=weight)
    length = len(indices) // max(1, len(starts))
    if padding is None and mode != "max" and starts == list(range(0, len(indices), length or 1)):
        # Bags of one length.
        rows = weight[indices]
        if per_sample is not None:
            rows = rows * per_sample[:, None]
        counts += length
        out = rows.reshape(len(starts), length, weight.shape[1]).sum(axis=1)
        if mode == "mean":
            out /= length
        return out, (weight, per_sample, counts, chosen) if save else None
    for bag, (start, stop) in enumerate(itertools.pairwise([*starts, len(indices)])):
        places = np.arange(start, stop, like=weight)
        if padding is not None:
            places = places[indices[places] != padding]
        counts[bag] = len(places)
        if not len(places):
            continue
        rows = weight[indices[places]]
        if mode == "max":
            best = rows.argmax(axis=0)
            out[bag] = np.take_along_axis(rows, best[None], axis=0)[0]
            chosen[bag] = places[best]
            continue
        if per_sample is not None:
            rows = rows * per_sample[places][:, None]
        out[bag] = rows.sum(axis=0)
        if mode == "mean":
            out[bag] /= len(places)
    return out, (weight, per_sample, counts, chosen) if save else None


def _bag_backward(
    grads: Sequence[Array],
    saved: Any,
    needs: Sequence[bool],
    *,
    indices: Array,
    offsets: Array,
    mode: str,
    padding: int | None,
    by_frequency: bool,
) -> Sequence[Array | None]:
    g = grads[0]
    weight, per_sample, counts, chosen = saved
    if mode == "max":
        table = np.zeros_like(weight)
        bags, columns = np.nonzero(chosen >= 0)
        np.add.at(table, (indices[chosen[bags, columns]], columns), g[bags, columns])
        return table, None
    if mode == "mean":
        g = g / np.maximum(counts, 1)[:, None].astype(g.dtype)
    lengths = np.diff(offsets.tolist(), append=len(indices)).tolist()
    rows = np.repeat(g, lengths, axis=0)
    if padding is not None:
        rows[indices == padding] = 0
    d_sample = (rows * weight[indices]).sum(axis=1) if needs[1] else None
    if per_sample is not None:
        rows = rows * per_sample[:, None]
    table = _table_grad(rows, None, weight, indices, padding_idx=padding, by_frequency=by_frequency)
    return table, d_sample


def _bag_samples(rng: np.random.Generator) -> Iterable[Sample]:
    table = rng.standard_normal((5, 3))
    where = {"indices": np.array([0, 2, 2, 1, 4]), "offsets": np.array([0, 3, 3]), "padding": None}
    for mode in ("sum", "mean", "max"):
        yield Sample(table, None, mode=mode, by_frequency=False, **where)
    yield Sample(table, rng.standard_normal(5), mode="sum", by_frequency=False, **where)


EMBEDDING_BAG = define_fused("embedding_bag", _bag_forward, _bag_backward, samples=_bag_samples)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Look up bags of rows and reduce each bag to one row; an empty bag gives zeros.

    Parameters
    ----------
    input : Tensor, integer, shape (B, L), or (L,) with ``offsets``
    weight : Tensor, float, shape (V, D)
    offsets : Tensor, integer, shape (B,), optional
        Where each bag starts.
    max_norm, norm_type, scale_grad_by_freq, sparse
        As in `embedding`.
    mode : {"mean", "sum", "max"}
    per_sample_weights : Tensor, float, shape of ``input``, optional
        Factors of the rows; for "sum" only.
    include_last_offset : bool
        ``offsets`` has one more entry, the end of the last bag.
    padding_idx : int, optional
        A row that counts for nothing.

    Returns
    -------
    Tensor, shape (B, D)

    Raises
    ------
    ShapeError, DtypeError, ValueError
        If the arguments do not fit together.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.embedding_bag(qrs.tensor([[0, 1]]), qrs.tensor([[0.0], [4.0]]))
    tensor([[2.]])
    """
    del sparse
    check_indices("embedding_bag", input, len(weight))
    if mode not in ("mean", "sum", "max"):
        raise ValueError(f"embedding_bag: mode {mode!r} came, expected 'mean', 'sum' or 'max'")
    if per_sample_weights is not None and (
        mode != "sum" or tuple(per_sample_weights.shape) != tuple(input.shape)
    ):
        raise ShapeError(
            f"embedding_bag: per_sample_weights of shape {tuple(per_sample_weights.shape)} came "
            f"with mode {mode!r} and input of shape {tuple(input.shape)}, expected the input's "
            "shape and mode 'sum'"
        )
    starts = _bag_starts(input, offsets, include_last_offset)
    padding = _row_number("embedding_bag", padding_idx, len(weight))
    if max_norm is not None:
        _renormalise(weight, input, max_norm, norm_type)
    samples = None if per_sample_weights is None else per_sample_weights.reshape(-1)
    return apply(
        EMBEDDING_BAG,
        weight,
        samples,
        indices=input._array.reshape(-1),
        offsets=starts,
        mode=mode,
        padding=padding,
        by_frequency=scale_grad_by_freq,
    )


def _bag_starts(input: Tensor, offsets: Tensor | None, include_last: bool) -> Array:
    shape = tuple(input.shape)
    if len(shape) == 2 and offsets is None:
        return np.arange(shape[0]) * shape[1]
    if len(shape) != 1 or offsets is None or offsets.dim() != 1:
        raise ShapeError(
            f"embedding_bag: input of shape {shape} came "
            f"{'without' if offsets is None else 'with'} offsets, expected (bags, length) without "
            "or (indices,) with one-dimensional offsets"
        )
    starts = np.asarray(offsets._array, dtype=np.int64)
    if not len(starts) or starts[0] != 0 or (np.diff(starts) < 0).any() or starts[-1] > shape[0]:
        raise ShapeError(
            f"embedding_bag: offsets {starts.tolist()} came for {shape[0]} indices, expected "
            "numbers that start at 0, never fall and do not pass the end"
        )
    return starts[:-1] if include_last else starts


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return zeros with a one at each index, in a new last axis.

    Parameters
    ----------
    tensor : Tensor, integer, any shape
    num_classes : int
        Size of the new axis; -1 for the largest index and one.

    Returns
    -------
    Tensor, int64

    Raises
    ------
    ShapeError, DtypeError
        If an index is out of range or no integer.

    Examples
    --------
    >>> import qrs
    >>> import qrs.nn.functional as F
    >>> F.one_hot(qrs.tensor([1, 0]))
    tensor([[0, 1],
            [1, 0]])
    """
    largest = int(tensor._array.max()) + 1 if num_classes < 0 and tensor.numel() else num_classes
    check_indices("one_hot", tensor, largest)
    return Tensor._wrap(np.eye(largest, dtype=np.int64)[tensor._array])
