"""What quantized embeddings share: a table of rows of 8 or 4 bits, each with a scale of its own."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from qrs._kernels import PackedEmbedding
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import quint4x2, quint8
from qrs.errors import DtypeError, ShapeError, UnsupportedLayerError, type_name
from qrs.nn.module import Module
from qrs.nn.quantized.weights import weight_observer
from qrs.qtensor import QTensor, quantize_per_channel
from qrs.qtensor.nibbles import pack_nibbles
from qrs.tensor import Tensor

__all__ = ["Table"]

Array = np.ndarray[Any, Any]


def _pack(weight: QTensor) -> PackedEmbedding:
    """A table as the kernels read it: a row of 4 bits begins with a byte."""
    scales = weight.q_per_channel_scales()._array.astype(np.float32)
    zero_points = weight.q_per_channel_zero_points()._array.astype(np.float32)
    if weight.dtype is quint8:
        return PackedEmbedding(weight._ints, scales, zero_points, None)
    rows, dim = weight.shape
    bytes_ = weight._ints
    if dim % 2:
        even = np.zeros((rows, dim + 1), np.uint8)
        even[:, :dim] = weight._values()
        bytes_ = pack_nibbles(even)
    return PackedEmbedding(bytes_.reshape(rows, (dim + 1) // 2), scales, zero_points, dim)


class Table(Module):
    """The quantized table, its state, and the check of indices."""

    weight_dtypes = (quint8,)

    def __init__(
        self, num_embeddings: int, embedding_dim: int, weight: QTensor | None, dtype: Dtype
    ) -> None:
        super().__init__()
        if dtype not in (quint8, quint4x2):
            raise DtypeError(
                f"{self._get_name()}: dtype {dtype} came, expected qrs.quint8 or qrs.quint4x2"
            )
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.dtype = dtype
        if weight is None:
            table = Tensor._wrap(np.zeros((num_embeddings, embedding_dim), np.float32))
            ones = Tensor._wrap(np.ones(num_embeddings, np.float32))
            zeros = Tensor._wrap(np.zeros(num_embeddings, np.float32))
            weight = quantize_per_channel(table, ones, zeros, 0, dtype)
        self.set_weight(weight)

    def weight(self) -> QTensor:
        """The table, shape (num_embeddings, embedding_dim), with float zero points per row."""
        return self._weight

    def set_weight(self, w: QTensor) -> None:
        """Replace the table.

        Raises
        ------
        DtypeError, ShapeError
            If it is not of this table's type and shape, with float zero points per row.
        """
        self._check(w)
        self._weight = w
        self._packed = _pack(w)

    def _check(self, w: Any) -> None:
        where = f"{self._get_name()}.weight"
        if not isinstance(w, QTensor) or w.dtype is not self.dtype:
            came = w.dtype if isinstance(w, QTensor) else type_name(w)
            raise DtypeError(f"{where}: {came} came, expected a QTensor of {self.dtype!r}")
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

    def _indices(self, indices: Any, name: str = "indices") -> Array:
        """Integers as the kernels take them: int32 or int64. They check the numbers themselves."""
        array = indices._array if isinstance(indices, Tensor) else None
        if array is None or array.dtype.kind not in "iu":
            came = type_name(indices) if array is None else indices.dtype
            raise DtypeError(
                f"{self._get_name()}: {name} of {came} came, expected an integer tensor; use "
                ".long()"
            )
        return array if array.dtype in (np.int64, np.int32) else array.astype(np.int64)

    # ---- state -----------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        # A copy packs its own table.
        return {key: value for key, value in self.__dict__.items() if key != "_packed"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._packed = _pack(self._weight)

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
        observer = trained or weight_observer(mod, where)
        scheme: Any = getattr(observer, "qscheme", None)
        kind: Any = getattr(observer, "dtype", None)
        if kind not in (quint8, quint4x2) or not scheme.has_float_qparams:
            raise DtypeError(
                f"{where}: the weight observer has dtype {kind} and scheme {scheme}, expected "
                "qrs.quint8 or qrs.quint4x2 with float zero points; give embeddings "
                "float_qparams_weight_only_qconfig, or None to leave them float"
            )
        weight = mod.weight.detach()
        observer(weight)
        scale, zero_point = observer.calculate_qparams()
        quantized: QTensor = quantize_per_channel(weight, scale, zero_point, 0, kind)
        return quantized

    def _get_name(self) -> str:
        return f"Quantized{type(self).__name__}"

    def extra_repr(self) -> str:
        """Sizes, type and scheme."""
        return (
            f"num_embeddings={self.num_embeddings}, embedding_dim={self.embedding_dim}, "
            f"dtype={self.dtype}, qscheme={self._weight.qscheme()}"
        )
