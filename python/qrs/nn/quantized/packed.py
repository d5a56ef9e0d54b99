"""What layers with quantized weights share: named values, their state, and packing once."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from qrs.backends import check_engine
from qrs.errors import DtypeError, QrsError, ShapeError, type_name
from qrs.nn.module import Module
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["PackedModule", "WeightAndBias"]


class PackedModule(Module):
    """Holds quantized weights and float biases under the names they have in the state dict.

    The state dict is plain: every weight is a `QTensor` (or a float16 tensor) and every bias a
    tensor, and ``engine`` is the numeric profile. What the kernels need is packed from these in
    `_pack`, once after each change, and never leaves the process.
    """

    engine: str
    _values: dict[str, QTensor | Tensor]

    def _pack(self) -> None:
        """Build what the kernels need from `_values` and `engine`."""
        raise NotImplementedError(
            f"{type(self).__name__}: no _pack method, expected the class to define one"
        )

    def _set(self, values: dict[str, QTensor | Tensor]) -> None:
        """Replace weights and biases, after checking that each fits."""
        for name, value in values.items():
            problem = self._mismatch(name, value)
            if problem:
                kind = DtypeError if "dtype" in problem else ShapeError
                raise kind(f"{self._get_name()}.{name}: {problem}")
        old = self._values
        self._values = old | values
        try:
            self._pack()
        except QrsError as error:
            self._values = old
            raise type(error)(f"{self._get_name()}: {error}") from error

    def _mismatch(self, name: str, value: Any) -> str:
        """What is wrong with a value, or nothing."""
        old = self._values[name]
        if isinstance(value, Tensor) and isinstance(old, QTensor):
            return (
                f"a float Tensor came, expected dtype {old.dtype}; load float values into the "
                "float model, then prepare and convert it"
            )
        if not isinstance(value, QTensor | Tensor) or type(value) is not type(old):
            return f"a {type_name(value)} came, expected dtype {old.dtype}"
        if value.dtype is not old.dtype:
            return f"dtype {value.dtype} came, expected {old.dtype}"
        if tuple(value.shape) != tuple(old.shape):
            return f"shape {tuple(value.shape)} came, expected {tuple(old.shape)}"
        return ""

    # ---- state -----------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        # Packed weights belong to the process: a copy packs its own.
        return {key: value for key, value in self.__dict__.items() if key != "_packed"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._pack()

    def _save_to_state_dict(
        self, destination: OrderedDict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name, value in self._values.items():
            # What is packed would not see changes.
            destination[prefix + name] = value.clone() if isinstance(value, Tensor) else value
        destination[prefix + "engine"] = self.engine

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
        self._translate(state_dict, prefix)
        found: dict[str, QTensor | Tensor] = {}
        for name in list(self._values):
            key = prefix + name
            if key not in state_dict:
                missing_keys.append(key)
                continue
            value = state_dict.pop(key)
            if isinstance(value, np.ndarray):
                value = Tensor._wrap(value)
            problem = self._mismatch(name, value)
            if problem:
                error_msgs.append(f"{key}: {problem}")
            else:
                found[name] = value
        engine = state_dict.pop(prefix + "engine", self.engine)
        try:
            self.engine = check_engine(engine, prefix + "engine")
        except ValueError as error:
            error_msgs.append(str(error))
        try:
            self._set(found)
        except QrsError as error:
            error_msgs.append(str(error))
        super()._load_from_state_dict(
            state_dict,
            prefix,
            local_metadata,
            strict,
            missing_keys,
            unexpected_keys,
            error_msgs,
        )

    def _translate(self, state_dict: dict[str, Any], prefix: str) -> None:
        """Rename the entries of another layout in place, where a layer knows one."""


class WeightAndBias(PackedModule):
    """A layer with one weight and, if it was made so, one bias."""

    def weight(self) -> Any:
        """The weight, quantized (or in half precision)."""
        return self._values["weight"]

    def bias(self) -> Tensor | None:
        """A copy of the bias, float32, one value for each output channel, or None.

        `set_weight_bias` changes it.
        """
        value = self._values.get("bias")
        return value.clone() if isinstance(value, Tensor) else None

    def set_weight_bias(self, w: QTensor | Tensor, b: Tensor | None) -> None:
        """Replace both.

        Parameters
        ----------
        w : QTensor or Tensor
            Of the layer's shape and type.
        b : Tensor or None
            As the layer was made, with or without bias. It is copied.

        Raises
        ------
        ShapeError, DtypeError
            If one does not fit.
        """
        if b is not None and not isinstance(b, Tensor):
            raise DtypeError(
                f"{self._get_name()}.bias: a {type_name(b)} came, expected a Tensor; make one with "
                "qrs.as_tensor()"
            )
        if (b is None) != ("bias" not in self._values):
            expected = "a Tensor" if "bias" in self._values else "None"
            raise ShapeError(
                f"{self._get_name()}.set_weight_bias: bias {'None' if b is None else 'Tensor'} "
                f"came, expected {expected} as the layer was made"
            )
        values: dict[str, QTensor | Tensor] = {"weight": w}
        if b is not None:
            values["bias"] = Tensor._wrap(b._array.copy())
        self._set(values)

    def _translate(self, state_dict: dict[str, Any], prefix: str) -> None:
        # PyTorch packs weight and bias of a linear layer into one entry.
        packed = state_dict.pop(f"{prefix}_packed_params._packed_params", None)
        state_dict.pop(f"{prefix}_packed_params.dtype", None)
        if packed is not None:
            state_dict[prefix + "weight"], state_dict[prefix + "bias"] = packed
        # Before version 1.5 they were two entries of the packed module.
        for name in ("weight", "bias"):
            if f"{prefix}_packed_params.{name}" in state_dict:
                state_dict[prefix + name] = state_dict.pop(f"{prefix}_packed_params.{name}")
        bias = state_dict.get(prefix + "bias")
        if bias is None:
            state_dict.pop(prefix + "bias", None)
        elif isinstance(bias, Tensor):
            state_dict[prefix + "bias"] = bias.detach()
