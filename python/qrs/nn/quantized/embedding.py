"""Embedding tables with 8-bit rows, each with a scale and a float zero point of its own."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Self

import numpy as np

from qrs.dtypes import dtype as Dtype
from qrs.dtypes import quint8
from qrs.errors import DtypeError, ShapeError, UnsupportedLayerError
from qrs.nn.functional.lookup import check_indices, embedding_bag
from qrs.nn.layers import embedding as floats
from qrs.nn.module import Module
from qrs.qtensor import QTensor, quantize_per_channel
from qrs.tensor import Tensor

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """The quantized table, its state, and looking rows up."""

    weight_dtypes = (quint8,)

    def __init__(
        self, num_embeddings: int, embedding_dim: int, weight: QTensor | None, dtype: Dtype
    ) -> None:
        super().__init__()
        if dtype is not quint8:
            raise DtypeError(f"{self._get_name()}: dtype {dtype} came, expected qrs.quint8")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.dtype = dtype
        if weight is None:
            table = Tensor._wrap(np.zeros((num_embeddings, embedding_dim), np.float32))
            ones = Tensor._wrap(np.ones(num_embeddings, np.float32))
            zeros = Tensor._wrap(np.zeros(num_embeddings, np.float32))
            weight = quantize_per_channel(table, ones, zeros, 0, quint8)
        self.set_weight(weight)

    def weight(self) -> QTensor:
        """The table: quint8, shape (num_embeddings, embedding_dim), float zero points per row."""
        return self._weight

    def set_weight(self, w: QTensor) -> None:
        """Replace the table.

        Raises
        ------
        DtypeError, ShapeError
            If it is not quint8 with float zero points per row, of this table's shape.
        """
        self._check(w)
        self._weight = w
        self._rows = w.int_repr()._array
        self._scale = w.q_per_channel_scales()._array.astype(np.float32)[:, None]
        zero_point = w.q_per_channel_zero_points()._array.astype(np.float32)[:, None]
        # A value is q * scale + offset.
        self._offset = -zero_point * self._scale

    def _check(self, w: Any) -> None:
        where = f"{self._get_name()}.weight"
        if not isinstance(w, QTensor) or w.dtype is not quint8:
            came = w.dtype if isinstance(w, QTensor) else type(w).__name__
            raise DtypeError(f"{where}: {came} came, expected a quint8 QTensor")
        if not w.qscheme().has_float_qparams or w.q_per_channel_axis() != 0:
            raise DtypeError(
                f"{where}: scheme {w.qscheme()} came, expected per_channel_affine_float_qparams "
                "along axis 0"
            )
        if tuple(w.shape) != (self.num_embeddings, self.embedding_dim):
            raise ShapeError(
                f"{where}: shape {tuple(w.shape)} came, expected "
                f"{(self.num_embeddings, self.embedding_dim)}"
            )

    def _looked_up(self, indices: Tensor) -> Tensor:
        """Rows (*indices.shape, embedding_dim) as float32: q * scale + offset."""
        check_indices(self._get_name(), indices, self.num_embeddings)
        index = indices._array
        values = self._rows[index].astype(np.float32)
        values *= self._scale[index]
        values += self._offset[index]
        return Tensor._wrap(values)

    def _save_to_state_dict(
        self, destination: OrderedDict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "weight"] = self._weight

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        # PyTorch's names for the same entry.
        state_dict.pop(f"{prefix}_packed_params.dtype", None)
        packed = state_dict.pop(f"{prefix}_packed_params._packed_weight", None)
        weight = state_dict.pop(f"{prefix}weight", packed)
        if weight is None:
            missing_keys.append(f"{prefix}weight")
        else:
            try:
                self.set_weight(weight)
            except (DtypeError, ShapeError) as error:
                error_msgs.append(f"{prefix}weight: {error}")
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    @classmethod
    def _quantized(cls, mod: Any, float_class: type[Module]) -> QTensor:
        """The table of a float module, after checking that it can be quantized."""
        where = f"Quantized{cls.__name__}.from_float"
        trained = getattr(mod, "weight_fake_quant", None)
        if type(mod) is not float_class and not (trained and isinstance(mod, float_class)):
            raise TypeError(f"{where}: a {type(mod).__name__} came, expected a {cls.__name__}")
        if mod.max_norm is not None:
            raise UnsupportedLayerError(
                f"{where}: max_norm={mod.max_norm} came, expected None; renormalise the rows of "
                "the weight before"
            )
        observer = trained or mod.qconfig.weight()
        scheme: Any = getattr(observer, "qscheme", None)
        if getattr(observer, "dtype", None) is not quint8 or not scheme.has_float_qparams:
            raise DtypeError(
                f"{where}: the weight observer has dtype {getattr(observer, 'dtype', None)} and "
                f"scheme {scheme}, expected qrs.quint8 with float zero points; give embeddings "
                "float_qparams_weight_only_qconfig, or None to leave them float"
            )
        weight = mod.weight.detach()
        observer(weight)
        scale, zero_point = observer.calculate_qparams()
        quantized: QTensor = quantize_per_channel(weight, scale, zero_point, 0, quint8)
        return quantized

    def _get_name(self) -> str:
        return f"Quantized{type(self).__name__}"

    def extra_repr(self) -> str:
        """Sizes, type and scheme."""
        return (
            f"num_embeddings={self.num_embeddings}, embedding_dim={self.embedding_dim}, "
            f"dtype={self.dtype}, qscheme={self._weight.qscheme()}"
        )


class Embedding(_Table):
    """A table of 8-bit rows that are looked up by number, as float32.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        V rows of width D.
    padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
        As in `nn.Embedding`; they have no effect on a table that is not trained.
    _weight : QTensor, quint8 with float zero points per row, shape (V, D), optional
        The table, zeros by default.
    dtype : dtype
        ``quint8``.

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
            If the qconfig's weights are not quint8 with float zero points.
        UnsupportedLayerError
            If it renormalises its rows.
        """
        weight = cls._quantized(mod, floats.Embedding)
        return cls(mod.num_embeddings, mod.embedding_dim, _weight=weight)

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
        return self._looked_up(indices)


class EmbeddingBag(_Table):
    """A table of 8-bit rows that are looked up in bags, each reduced to one row.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        V rows of width D.
    max_norm, norm_type, scale_grad_by_freq, sparse
        As in `nn.EmbeddingBag`; they have no effect on a table that is not trained.
    mode : {"sum", "mean", "max"}
    _weight : QTensor, quint8 with float zero points per row, shape (V, D), optional
        The table, zeros by default.
    include_last_offset : bool
        ``offsets`` has one more entry, the end of the last bag.
    dtype : dtype
        ``quint8``.
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
        self.padding_idx = padding_idx

    @classmethod
    def from_float(cls, mod: Any) -> Self:
        """Quantize a float table that has a ``qconfig``; its mode is kept.

        Raises
        ------
        TypeError
            If it is not exactly an `nn.EmbeddingBag`.
        DtypeError
            If the qconfig's weights are not quint8 with float zero points.
        UnsupportedLayerError
            If it renormalises its rows.
        """
        return cls(
            mod.num_embeddings,
            mod.embedding_dim,
            mode=mod.mode,
            _weight=cls._quantized(mod, floats.EmbeddingBag),
            include_last_offset=mod.include_last_offset,
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
        rows = self._looked_up(indices).reshape(-1, self.embedding_dim)
        # The rows at hand are a table of their own, in which entry i is row i.
        places = np.arange(indices.numel())
        padding = None
        if self.padding_idx is not None:
            padded = np.flatnonzero(indices._array.reshape(-1) == self.padding_idx)
            if padded.size:
                padding = int(padded[0])
                places[padded] = padding
        return embedding_bag(
            Tensor._wrap(places.reshape(tuple(indices.shape))),
            rows,
            offsets,
            mode=self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=padding,
        )

    def extra_repr(self) -> str:
        """Sizes, type, scheme and mode."""
        return f"{super().extra_repr()}, mode={self.mode!r}"
