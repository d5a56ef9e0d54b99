"""Element types and quantization schemes: one frozen object for each, facts included.

A new type or scheme is one more instance here. Everything else asks these objects (`dtype.qmin`,
`dtype.is_quantized`) instead of comparing names.
"""

import builtins
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qrs.errors import DtypeError

__all__ = [
    "bool",
    "double",
    "dtype",
    "finfo",
    "float",
    "float16",
    "float32",
    "float64",
    "from_numpy_dtype",
    "get_default_dtype",
    "half",
    "iinfo",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "long",
    "per_channel_affine",
    "per_channel_affine_float_qparams",
    "per_channel_symmetric",
    "per_tensor_affine",
    "per_tensor_symmetric",
    "qint8",
    "qint32",
    "qscheme",
    "quint4x2",
    "quint8",
    "set_default_dtype",
    "short",
    "uint8",
]


def _named(name: str) -> Any:
    return _BY_NAME[name]


@dataclass(frozen=True, eq=False, repr=False)
class dtype:  # noqa: N801 (PyTorch's name)
    """An element type.

    Attributes
    ----------
    name : str
        The name under which `qrs` exports it.
    numpy : numpy.dtype
        How an element is stored; for `quint4x2` a byte holds two elements.
    is_floating_point : bool
    is_quantized : bool
        Whether an element is an integer that stands for `scale * (q - zero_point)`.
    qmin, qmax : int or None
        The range of the stored integers of a quantized type, None for the others.

    Examples
    --------
    >>> import qrs
    >>> qrs.quint8, qrs.quint8.qmin, qrs.quint8.qmax
    (qrs.quint8, 0, 255)
    >>> qrs.float32.is_floating_point
    True
    """

    name: str
    numpy: np.dtype[Any]
    is_floating_point: builtins.bool = False
    is_quantized: builtins.bool = False
    qmin: builtins.int | None = None
    qmax: builtins.int | None = None
    itemsize: builtins.int = field(init=False)
    is_signed: builtins.bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "itemsize", self.numpy.itemsize)
        object.__setattr__(self, "is_signed", self.numpy.kind in "if")

    def __repr__(self) -> str:
        return f"qrs.{self.name}"

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        # Identity is equality here: a copy or an unpickled one must be the same object.
        return _named, (self.name,)


@dataclass(frozen=True, eq=False, repr=False)
class qscheme:  # noqa: N801 (PyTorch's name)
    """How scales and zero points are chosen and how many there are.

    Attributes
    ----------
    name : str
    is_per_channel : bool
        One scale for each index of one axis, rather than one for the tensor.
    is_symmetric : bool
        The range is centred on zero, so the zero point is fixed.
    has_float_qparams : bool
        The zero point is a float (`per_channel_affine_float_qparams` only).

    Examples
    --------
    >>> import qrs
    >>> qrs.per_channel_symmetric.is_per_channel
    True
    """

    name: str
    is_per_channel: builtins.bool
    is_symmetric: builtins.bool
    has_float_qparams: builtins.bool = False

    def __repr__(self) -> str:
        return f"qrs.{self.name}"

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return _named, (self.name,)


float32 = dtype("float32", np.dtype(np.float32), is_floating_point=True)
float64 = dtype("float64", np.dtype(np.float64), is_floating_point=True)
float16 = dtype("float16", np.dtype(np.float16), is_floating_point=True)
int8 = dtype("int8", np.dtype(np.int8))
uint8 = dtype("uint8", np.dtype(np.uint8))
int16 = dtype("int16", np.dtype(np.int16))
int32 = dtype("int32", np.dtype(np.int32))
int64 = dtype("int64", np.dtype(np.int64))
bool = dtype("bool", np.dtype(np.bool_))
qint8 = dtype("qint8", np.dtype(np.int8), is_quantized=True, qmin=-128, qmax=127)
quint8 = dtype("quint8", np.dtype(np.uint8), is_quantized=True, qmin=0, qmax=255)
qint32 = dtype("qint32", np.dtype(np.int32), is_quantized=True, qmin=-(2**31), qmax=2**31 - 1)
quint4x2 = dtype("quint4x2", np.dtype(np.uint8), is_quantized=True, qmin=0, qmax=15)

# The second names that PyTorch gives to the same types.
float = float32
double = float64
half = float16
short = int16
int = int32
long = int64

per_tensor_affine = qscheme("per_tensor_affine", is_per_channel=False, is_symmetric=False)
per_tensor_symmetric = qscheme("per_tensor_symmetric", is_per_channel=False, is_symmetric=True)
per_channel_affine = qscheme("per_channel_affine", is_per_channel=True, is_symmetric=False)
per_channel_symmetric = qscheme("per_channel_symmetric", is_per_channel=True, is_symmetric=True)
per_channel_affine_float_qparams = qscheme(
    "per_channel_affine_float_qparams",
    is_per_channel=True,
    is_symmetric=False,
    has_float_qparams=True,
)

_PLAIN = (float32, float64, float16, int8, uint8, int16, int32, int64, bool)
_BY_NAME: dict[str, dtype | qscheme] = {
    item.name: item
    for item in (
        *_PLAIN,
        *(qint8, quint8, qint32, quint4x2),
        *(per_tensor_affine, per_tensor_symmetric),
        *(per_channel_affine, per_channel_symmetric, per_channel_affine_float_qparams),
    )
}
_BY_NUMPY = {item.numpy: item for item in _PLAIN}

_default = float32


def from_numpy_dtype(numpy_dtype: np.dtype[Any]) -> dtype:
    """The plain (not quantized) type that stores its elements as `numpy_dtype`.

    Raises
    ------
    DtypeError
        For a NumPy type that no qrs type is stored as.

    Examples
    --------
    >>> import numpy as np
    >>> from_numpy_dtype(np.dtype("int16"))
    qrs.int16
    """
    try:
        return _BY_NUMPY[numpy_dtype]
    except KeyError:
        names = ", ".join(item.name for item in _PLAIN)
        raise DtypeError(
            f"dtype: NumPy type {numpy_dtype} came, one of {names} was expected; convert with "
            "astype first"
        ) from None


def get_default_dtype() -> dtype:
    """The floating-point type of tensors that are made without naming one.

    Examples
    --------
    >>> get_default_dtype()
    qrs.float32
    """
    return _default


def set_default_dtype(d: dtype) -> None:
    """Set the floating-point type of tensors that are made without naming one.

    Parameters
    ----------
    d : dtype
        `qrs.float32` or `qrs.float64`.

    Raises
    ------
    DtypeError
        For any other type.

    Examples
    --------
    >>> set_default_dtype(float64); set_default_dtype(float32)
    """
    global _default  # noqa: PLW0603
    if d is not float32 and d is not float64:
        raise DtypeError(f"set_default_dtype: {d!r} came, qrs.float32 or qrs.float64 was expected")
    _default = d


class iinfo:  # noqa: N801 (PyTorch's name)
    """The limits of an integer type, or of the stored integers of a quantized one.

    Parameters
    ----------
    type : dtype

    Attributes
    ----------
    bits, min, max : int
    dtype : str
        The name of the type.

    Raises
    ------
    DtypeError
        For a floating-point type or ``bool``.

    Examples
    --------
    >>> import qrs
    >>> qrs.iinfo(qrs.qint8)
    iinfo(min=-128, max=127, dtype=qint8)
    """

    def __init__(self, type: dtype) -> None:
        if not isinstance(type, dtype) or type.is_floating_point or type is bool:
            raise DtypeError(f"iinfo: {type!r} came, expected an integer or quantized type")
        plain = np.iinfo(type.numpy)
        self.min = plain.min if type.qmin is None else type.qmin
        self.max = plain.max if type.qmax is None else type.qmax
        self.bits = (self.max - self.min).bit_length()
        self.dtype = type.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


class finfo:  # noqa: N801 (PyTorch's name)
    """The limits of a floating-point type.

    Parameters
    ----------
    type : dtype, optional
        The default floating-point type if absent.

    Attributes
    ----------
    bits : int
    min, max, eps, tiny, smallest_normal, resolution : float
    dtype : str
        The name of the type.

    Raises
    ------
    DtypeError
        For another type.

    Examples
    --------
    >>> import qrs
    >>> qrs.finfo(qrs.float16).max
    65504.0
    """

    def __init__(self, type: dtype | None = None) -> None:
        kind = _default if type is None else type
        if not isinstance(kind, dtype) or not kind.is_floating_point:
            raise DtypeError(f"finfo: {kind!r} came, expected a floating-point type")
        plain = np.finfo(kind.numpy)
        self.bits = plain.bits
        self.min, self.max, self.eps = plain.min.item(), plain.max.item(), plain.eps.item()
        self.tiny = self.smallest_normal = plain.smallest_normal.item()
        self.resolution = plain.resolution.item()
        self.dtype = kind.name

    def __repr__(self) -> str:
        return f"finfo(min={self.min:g}, max={self.max:g}, eps={self.eps:g}, dtype={self.dtype})"
