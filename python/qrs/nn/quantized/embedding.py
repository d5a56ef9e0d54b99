"""Embeddings of rows of 8 or 4 bits, each with a scale and a float zero point of its own."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from qrs.dtypes import dtype as Dtype
from qrs.dtypes import quint8
from qrs.errors import ShapeError
from qrs.nn.layers import embedding as floats
from qrs.nn.quantized.embedding_table import Array, Table
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["Embedding", "EmbeddingBag"]


class Embedding(Table):
    """A table of 8-bit or 4-bit rows that are looked up by number, as float32.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        V rows of width D.
    padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
        As in `nn.Embedding`; they have no effect on a table that is not trained.
    _weight : QTensor of ``dtype`` with float zero points per row, shape (V, D), optional
        The table, zeros by default.
    dtype : dtype
        ``quint8`` or ``quint4x2``.

    Examples
    --------
    >>> import qrs
    >>> table = qrs.quantization.quantize_dynamic(qrs.nn.Embedding(10, 4), dtype=qrs.quint8)
    >>> tuple(table(qrs.tensor([[1, 2, 3]])).shape)
    (1, 3, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: QTensor | None = None,
        dtype: Dtype = quint8,
    ) -> None:
        del padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
        super().__init__(num_embeddings, embedding_dim, _weight, dtype)

    @classmethod
    def from_float(cls, mod: Any) -> Self:
        """Quantize a float table that has a ``qconfig``.

        Raises
        ------
        TypeError
            If it is not exactly an `nn.Embedding`.
        DtypeError
            If the qconfig's weights are not quint8 or quint4x2 with float zero points.
        UnsupportedLayerError
            If it renormalises its rows.
        """
        weight = cls._quantized(mod, floats.Embedding)
        return cls(mod.num_embeddings, mod.embedding_dim, _weight=weight, dtype=weight.dtype)

    def forward(self, indices: Tensor) -> Tensor:
        """Look rows up.

        Parameters
        ----------
        indices : Tensor, integer, any shape

        Returns
        -------
        Tensor, float32, shape (*indices.shape, embedding_dim)

        Raises
        ------
        ShapeError, DtypeError
            If an index lies outside the table or is no integer.
        """
        return Tensor._wrap(self._packed.lookup(self._indices(indices)))


class EmbeddingBag(Table):
    """A table of 8-bit or 4-bit rows that are looked up in bags, each reduced to one row.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        V rows of width D.
    max_norm, norm_type, scale_grad_by_freq, sparse
        As in `nn.EmbeddingBag`; they have no effect on a table that is not trained.
    mode : {"sum", "mean", "max"}
    _weight : QTensor of ``dtype`` with float zero points per row, shape (V, D), optional
        The table, zeros by default.
    include_last_offset : bool
        ``offsets`` has one more entry, the end of the last bag.
    dtype : dtype
        ``quint8`` or ``quint4x2``.
    padding_idx : int, optional
        A row that counts for nothing.

    Examples
    --------
    >>> import qrs
    >>> bags = qrs.quantization.quantize_dynamic(qrs.nn.EmbeddingBag(10, 4), dtype=qrs.quint8)
    >>> tuple(bags(qrs.tensor([1, 2, 4]), qrs.tensor([0, 2])).shape)
    (2, 4)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "sum",
        sparse: bool = False,
        _weight: QTensor | None = None,
        include_last_offset: bool = False,
        dtype: Dtype = quint8,
        padding_idx: int | None = None,
    ) -> None:
        del max_norm, norm_type, scale_grad_by_freq, sparse
        super().__init__(num_embeddings, embedding_dim, _weight, dtype)
        if mode not in ("mean", "sum", "max"):
            raise ValueError(
                f"{self._get_name()}: mode {mode!r} came, expected 'mean', 'sum' or 'max'"
            )
        self.mode = mode
        self.include_last_offset = include_last_offset
        self.padding_idx = self._row_number(padding_idx)

    @classmethod
    def from_float(cls, mod: Any) -> Self:
        """Quantize a float table that has a ``qconfig``; its mode is kept.

        Raises
        ------
        TypeError
            If it is not exactly an `nn.EmbeddingBag`.
        DtypeError
            If the qconfig's weights are not quint8 or quint4x2 with float zero points.
        UnsupportedLayerError
            If it renormalises its rows.
        """
        weight = cls._quantized(mod, floats.EmbeddingBag)
        return cls(
            mod.num_embeddings,
            mod.embedding_dim,
            mode=mod.mode,
            _weight=weight,
            include_last_offset=mod.include_last_offset,
            dtype=weight.dtype,
            padding_idx=mod.padding_idx,
        )

    def forward(
        self,
        indices: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Look up bags.

        Parameters
        ----------
        indices : Tensor, integer, shape (B, L), or (L,) with ``offsets``
        offsets : Tensor, integer, shape (B,), optional
            Where each bag starts.
        per_sample_weights : Tensor, float, shape of ``indices``, optional
            Factors of the rows; for "sum" only.

        Returns
        -------
        Tensor, float32, shape (B, embedding_dim)

        Raises
        ------
        ShapeError, DtypeError
            If the arguments do not fit together, or an index lies outside the table.
        """
        rows = self._indices(indices)
        starts, end = self._bags(rows, offsets)
        factors = None
        if per_sample_weights is not None:
            if self.mode != "sum" or tuple(per_sample_weights.shape) != rows.shape:
                raise ShapeError(
                    f"{self._get_name()}: per_sample_weights of shape "
                    f"{tuple(per_sample_weights.shape)} came with mode {self.mode!r} and indices "
                    f"of shape {rows.shape}, expected the shape of the indices and mode 'sum'"
                )
            factors = per_sample_weights._array.reshape(-1)
        padding = self.padding_idx
        out = self._packed.bags(rows.reshape(-1), starts, end, factors, self.mode, padding)
        return Tensor._wrap(out)

    def _row_number(self, padding_idx: int | None) -> int | None:
        count = self.num_embeddings
        if padding_idx is None:
            return None
        if not -count <= padding_idx < count:
            raise ValueError(
                f"{self._get_name()}: padding_idx {padding_idx} came, expected {-count} to "
                f"{count - 1}"
            )
        return padding_idx % count

    def _bags(self, rows: Array, offsets: Tensor | None) -> tuple[Array, int]:
        """Where bags start, in the type of the indices, and where the last one ends."""
        if rows.ndim == 2 and offsets is None:
            return np.arange(len(rows), dtype=rows.dtype) * rows.shape[1], rows.size
        if rows.ndim != 1 or offsets is None or offsets.dim() != 1:
            raise ShapeError(
                f"{self._get_name()}: indices of shape {rows.shape} came "
                f"{'without' if offsets is None else 'with'} offsets, expected (bags, length) "
                "without or (indices,) with one-dimensional offsets"
            )
        starts = self._indices(offsets, "offsets")
        if starts.dtype != rows.dtype:
            starts = starts.astype(rows.dtype)
        if not self.include_last_offset:
            return starts, rows.size
        if not starts.size or starts[-1] < 0:
            raise ShapeError(
                f"{self._get_name()}: offsets {starts.tolist()} came, expected the end of the last "
                "bag behind where the bags start"
            )
        return starts[:-1], int(starts[-1])

    def extra_repr(self) -> str:
        """Sizes, type, scheme and mode."""
        return f"{super().extra_repr()}, mode={self.mode!r}"
