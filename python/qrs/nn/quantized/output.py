"""Modules whose output is quantized: its scale, zero point and type, and the check of inputs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn, Self

import numpy as np

from qrs._kernels import Pair
from qrs.dtypes import dtype as Dtype
from qrs.dtypes import qint8, quint8
from qrs.errors import DtypeError, QrsError, instead_of, type_name
from qrs.nn.layers.container import Sequential
from qrs.nn.module import Module
from qrs.qtensor import PerTensor, QTensor
from qrs.qtensor.qparams import per_tensor
from qrs.tensor import Tensor

__all__ = [
    "Converted",
    "QuantizedOutput",
    "byte_tensor",
    "observed_output",
    "pair_of",
    "refuse_input",
]

_RANGES = {quint8: (0, 255), qint8: (-128, 127)}


def refuse_input(where: str, value: object, expected: Dtype | None = None) -> NoReturn:
    """Raise for an input that is no quantized tensor with one scale, and say what to do.

    Raises
    ------
    DtypeError
        Always.
    """
    if isinstance(value, Tensor):
        raise DtypeError(
            f"{where}: a float tensor ({value.dtype!r}) came, expected a quantized one; insert a "
            "QuantStub before this module (or set its qconfig to None to leave it in float), then "
            "prepare and convert again"
        )
    if not isinstance(value, QTensor):
        raise DtypeError(
            f"{where}: a {type_name(value)} came, expected a quantized tensor; "
            f"{instead_of(value, 'qrs.quantize_per_tensor')}"
        )
    if value.qscheme().is_per_channel:
        raise DtypeError(
            f"{where}: a tensor with a scale for each channel came, expected one scale; quantize "
            "it with qrs.quantize_per_tensor"
        )
    if expected is None:
        raise DtypeError(f"{where}: {value.dtype!r} came, expected qrs.quint8 or qrs.qint8")
    raise DtypeError(
        f"{where}: {value.dtype!r} came, expected {expected!r}, the type of the output; calibrate "
        "all activations with one type"
    )


def byte_tensor(where: str, value: Any) -> QTensor:
    """The value, if it is a quantized tensor of bytes with one scale.

    Raises
    ------
    DtypeError
        If it is not.
    """
    if type(value) is QTensor and value._dtype in _RANGES and type(value._qparams) is PerTensor:
        return value
    refuse_input(where, value)


def pair_of(x: QTensor) -> Pair:
    """Scale and zero point of what `byte_tensor` has checked."""
    qparams: Any = x._qparams
    pair: Pair = qparams
    return pair


def observed_output(mod: Any, where: str) -> tuple[float, int, Dtype]:
    """Scale, zero point and type that a module's observer found for its output.

    Raises
    ------
    QrsError
        If the module has no observer.
    NotCalibratedError
        If it has seen no data.
    DtypeError
        If it is not for a quantized tensor with one scale.
    """
    observer = getattr(mod, "activation_post_process", None)
    if observer is None or not hasattr(observer, "calculate_qparams"):
        raise QrsError(
            f"{where}: a {type(mod).__name__} without an observer came, expected a prepared one; "
            "call prepare and run calibration data before convert"
        )
    if observer.dtype not in _RANGES:
        raise DtypeError(
            f"{where}: the activation observer {type(observer).__name__} has dtype "
            f"{observer.dtype!r}, expected qrs.quint8 or qrs.qint8; use a static qconfig such as "
            "get_default_qconfig()"
        )
    scale, zero_point = observer.calculate_qparams()
    if scale.numel() != 1:
        raise DtypeError(
            f"{where}: the activation observer {type(observer).__name__} gives {scale.numel()} "
            "scales, expected one; use a per-tensor observer for activations"
        )
    return float(scale.item()), int(zero_point.item()), observer.dtype


class QuantizedOutput(Module):
    """A module with a quantized output.

    Attributes
    ----------
    scale : float
        Real units per step of the output. May be assigned.
    zero_point : int
        The integer that stands for 0 in the output. May be assigned.
    output_dtype : dtype
        Type of the output, and of quantized inputs: ``quint8`` or ``qint8``.
    """

    # Whether the output is cut at 0 from below.
    relu = False

    def __init__(self, scale: Any = 1.0, zero_point: Any = 0, output_dtype: Dtype = quint8) -> None:
        super().__init__()
        self._set_output(scale, zero_point, output_dtype)

    def _set_output(self, scale: Any, zero_point: Any, output_dtype: Dtype) -> None:
        if output_dtype not in _RANGES:
            raise DtypeError(
                f"{self._get_name()}: output dtype {output_dtype!r} came, expected qrs.quint8 or "
                "qrs.qint8"
            )
        self.output_dtype = output_dtype
        self._put(per_tensor(scale, zero_point, output_dtype, self._get_name()))

    def _put(self, output: PerTensor) -> None:
        """Keep the parameters in the forms in which `forward` wants them."""
        self._output = output
        low, high = _RANGES[self.output_dtype]
        self._span = (output.zero_point if self.relu else low, high)

    @property
    def scale(self) -> float:
        """Real units per step of the output."""
        return self._output.scale

    @scale.setter
    def scale(self, value: Any) -> None:
        self._set_output(value, self._output.zero_point, self.output_dtype)

    @property
    def zero_point(self) -> int:
        """The integer that stands for 0 in the output."""
        return self._output.zero_point

    @zero_point.setter
    def zero_point(self, value: Any) -> None:
        self._set_output(self._output.scale, value, self.output_dtype)

    def _checked(self, input: Any) -> QTensor:
        """The input, if it is a quantized tensor of the right type with one scale."""
        if (
            type(input) is QTensor
            and input._dtype is self.output_dtype
            and type(input._qparams) is PerTensor
        ):
            return input
        refuse_input(self._get_name(), input, self.output_dtype)

    def _apply(self, fn: Callable[[Tensor], Tensor]) -> Self:
        # `half` and `double` are for float modules: the parameters of an integer one stay exact.
        del fn
        return self

    # ---- state -----------------------------------------------------------------------------

    def _save_to_state_dict(
        self, destination: OrderedDict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination[prefix + "scale"] = Tensor._wrap(np.array(self.scale, np.float32))
        destination[prefix + "zero_point"] = Tensor._wrap(np.array(self.zero_point, np.int64))
        destination[prefix + "output_dtype"] = self.output_dtype

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
        # PyTorch's files name no type: its activations are quint8.
        found = {"output_dtype": state_dict.pop(prefix + "output_dtype", self.output_dtype)}
        for name in ("scale", "zero_point"):
            key = prefix + name
            if key not in state_dict:
                missing_keys.append(key)
                found[name] = getattr(self, name)
            else:
                found[name] = state_dict.pop(key)
        try:
            self._set_output(**found)
        except (DtypeError, ValueError) as error:
            error_msgs.append(f"{prefix}scale, {prefix}zero_point: {error}")
        super()._load_from_state_dict(
            state_dict,
            prefix,
            local_metadata,
            strict,
            missing_keys,
            unexpected_keys,
            error_msgs,
        )

    def _get_name(self) -> str:
        return f"Quantized{type(self).__name__}"

    def extra_repr(self) -> str:
        """The parameters of the output."""
        return f"scale={self.scale}, zero_point={self.zero_point}"


class Converted(QuantizedOutput):
    """A module with a quantized output that is made from a float one."""

    # The float class that this is made from.
    float_class: ClassVar[type[Module]]

    @classmethod
    def _like(cls, mod: Any) -> Self:
        """A new module with the settings and tensors of a float one."""
        raise NotImplementedError(f"{cls.__name__}: no _like method, expected one")

    @classmethod
    def from_float(cls, mod: Any) -> Self:
        """Take settings and tensors of a prepared float module, and the range of its observer.

        Raises
        ------
        TypeError
            If it is of another type.
        QrsError, NotCalibratedError
            If it was not prepared, or its observer has seen no data.
        """
        where = f"Quantized{cls.__name__}.from_float"
        inner = mod[0] if isinstance(mod, Sequential) else mod
        if type(inner) is not cls.float_class:
            raise TypeError(
                f"{where}: a {type(inner).__name__} came, expected a {cls.float_class.__name__}"
            )
        new = cls._like(inner)
        new._set_output(*observed_output(mod, where))
        return new
