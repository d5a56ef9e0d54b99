"""Embedding tables in quantization-aware training."""

from __future__ import annotations

from typing import Any, ClassVar

from qrs.dtypes import per_channel_affine_float_qparams, quint8
from qrs.errors import DtypeError
from qrs.nn.functional import lookup as functions
from qrs.nn.layers import embedding as floats
from qrs.nn.module import Module
from qrs.nn.qat.weights import WeightFakeQuant
from qrs.tensor import Tensor

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(WeightFakeQuant):
    def _init_qat(self, qconfig: Any) -> None:
        """Refuse now what `convert` would refuse after the training."""
        super()._init_qat(qconfig)
        made = self.weight_fake_quant
        dtype, scheme = getattr(made, "dtype", None), getattr(made, "qscheme", None)
        if dtype is not quint8 or scheme is not per_channel_affine_float_qparams:
            raise DtypeError(
                f"{self._get_name()}: a qconfig for weights of {dtype} and {scheme} came, expected "
                "quint8 with float zero points; set the table's qconfig to "
                "default_embedding_qat_qconfig, or to None to leave it float"
            )


class Embedding(_Table, floats.Embedding):
    """A table whose rows are looked up fake-quantized.

    Parameters
    ----------
    num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
        As the float layer.
    _weight : Tensor, shape (V, D), optional
        First values.
    qconfig : QConfig
        See `WeightFakeQuant`; `default_embedding_qat_qconfig` fits.

    Raises
    ------
    QrsError
        If no qconfig came.
    DtypeError
        If its weights are not quint8 with float zero points.

    Examples
    --------
    >>> import qrs
    >>> qconfig = qrs.quantization.default_embedding_qat_qconfig
    >>> table = qrs.nn.qat.Embedding(10, 3, qconfig=qconfig)
    >>> tuple(table(qrs.tensor([[1, 2], [4, 9]])).shape)
    (2, 2, 3)
    """

    float_class: ClassVar[type[Module]] = floats.Embedding

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        qconfig: Any = None,
    ) -> None:
        super().__init__(
            num_embeddings,
            embedding_dim,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight,
        )
        self._init_qat(qconfig)

    def forward(self, input: Tensor) -> Tensor:
        """Look up ``input``, integers of any shape; returns shape (*, D)."""
        return functions.embedding(
            input,
            self._rounded_weight(),
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )


class EmbeddingBag(_Table, floats.EmbeddingBag):
    """A table whose rows are looked up in bags, fake-quantized.

    Parameters
    ----------
    num_embeddings, embedding_dim, max_norm, norm_type, scale_grad_by_freq, mode, sparse
        As the float layer, and so are ``_weight``, ``include_last_offset`` and ``padding_idx``.
    qconfig : QConfig
        See `WeightFakeQuant`; `default_embedding_qat_qconfig` fits.

    Raises
    ------
    QrsError
        If no qconfig came.
    DtypeError
        If its weights are not quint8 with float zero points.

    Examples
    --------
    >>> import qrs
    >>> qconfig = qrs.quantization.default_embedding_qat_qconfig
    >>> bags = qrs.nn.qat.EmbeddingBag(10, 3, mode="sum", qconfig=qconfig)
    >>> tuple(bags(qrs.tensor([1, 2, 4]), qrs.tensor([0, 2])).shape)
    (2, 3)
    """

    float_class: ClassVar[type[Module]] = floats.EmbeddingBag

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        qconfig: Any = None,
    ) -> None:
        super().__init__(
            num_embeddings,
            embedding_dim,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            _weight,
            include_last_offset,
            padding_idx,
        )
        self._init_qat(qconfig)

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Look up bags; arguments as `qrs.nn.functional.embedding_bag`, returns shape (B, D)."""
        return functions.embedding_bag(
            input,
            self._rounded_weight(),
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )
