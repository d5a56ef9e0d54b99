"""What the names in a pickle of torch.save stand for, and how tensors are made out of storages."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qrs.dtypes import (
    dtype,
    per_channel_affine,
    per_channel_affine_float_qparams,
    qint8,
    qint32,
    qscheme,
    quint4x2,
    quint8,
)
from qrs.errors import FormatError
from qrs.io.limits import Limits
from qrs.io.opcodes import Constructor, ScriptObject
from qrs.io.values import (
    DTYPES,
    QSCHEMES,
    QuantizedParts,
    Size,
    array_of,
    is_tensor,
    make_quantized,
    make_tensor,
)

__all__ = ["ElementType", "Storage", "TorchNames"]

Array = NDArray[Any]
# Copies of integers out of one storage may add up to this many times the file's size.
_COPIES = 4


def _as_is(array: Array) -> Array:
    return array


def _bfloat16_to_float32(array: Array) -> Array:
    # A bfloat16 is the upper half of a float32.
    return (array.astype(np.uint32) << 16).view(np.float32)


@dataclass(frozen=True)
class ElementType:
    """How a storage's elements are stored, what they are widened to, and their quantized type."""

    numpy: np.dtype[Any]
    widen: Callable[[Array], Array] = _as_is
    quantized: dtype | None = None


def _widened(stored: str, target: type[np.generic]) -> ElementType:
    return ElementType(np.dtype(stored), lambda array: array.astype(target))


_STORAGES: Mapping[str, ElementType] = MappingProxyType(
    {
        "FloatStorage": ElementType(np.dtype("f4")),
        "DoubleStorage": ElementType(np.dtype("f8")),
        "HalfStorage": _widened("f2", np.float32),
        "BFloat16Storage": ElementType(np.dtype("u2"), _bfloat16_to_float32),
        "LongStorage": ElementType(np.dtype("i8")),
        "IntStorage": ElementType(np.dtype("i4")),
        "ShortStorage": ElementType(np.dtype("i2")),
        "CharStorage": ElementType(np.dtype("i1")),
        "ByteStorage": ElementType(np.dtype("u1")),
        "BoolStorage": ElementType(np.dtype("?")),
        "QInt8Storage": ElementType(np.dtype("i1"), quantized=qint8),
        "QUInt8Storage": ElementType(np.dtype("u1"), quantized=quint8),
        "QInt32Storage": ElementType(np.dtype("i4"), quantized=qint32),
        "QUInt4x2Storage": ElementType(np.dtype("u1"), quantized=quint4x2),
    }
)
_UNTYPED = ElementType(np.dtype("u1"))
# Types without a storage class of their own: their tensors name them beside an untyped storage.
_UNTYPED_ELEMENTS: Mapping[str, ElementType] = MappingProxyType(
    {"uint16": _widened("u2", np.int32), "uint32": _widened("u4", np.int64)}
)


@dataclass(frozen=True, eq=False)
class Storage:
    """The elements of one storage, not widened yet."""

    element: ElementType
    array: Array


class TorchNames:
    """The table of names and the storages of one file.

    Parameters
    ----------
    read : callable
        ``read(key, element, count)`` returns the flat array of a storage in native byte order. It
        checks that the file has exactly that many bytes for it.
    file_size : int
        Bounds the integers that quantized tensors copy.
    limits : Limits
    fail : callable
        Makes the error for a sentence.
    """

    def __init__(
        self,
        read: Callable[[str, ElementType, int], Array],
        file_size: int,
        limits: Limits,
        fail: Callable[[str], FormatError],
    ) -> None:
        self._read = read
        self._limits = limits
        self._fail = fail
        self._storages: dict[str, tuple[Storage, int]] = {}
        self._arrays: dict[tuple[Storage, ElementType], Array] = {}
        self._copy_budget = _COPIES * file_size
        self._table = self._make_table()

    def _make_table(self) -> dict[tuple[str, str], object]:
        table: dict[tuple[str, str], object] = {
            ("collections", "OrderedDict"): Constructor("OrderedDict", _ordered_dict),
            ("torch", "Size"): Constructor("torch.Size", _size),
            ("torch", "ScriptObject"): ScriptObject,
            ("torch.storage", "UntypedStorage"): _UNTYPED,
        }
        for module in ("builtins", "__builtin__"):
            table[module, "set"] = Constructor("set", _set)
        for build in (
            self._rebuild_tensor,
            self._rebuild_tensor_v2,
            self._rebuild_tensor_v3,
            self._rebuild_parameter,
            self._rebuild_qtensor,
        ):
            table["torch._utils", build.__name__] = Constructor(build.__name__, build)
        for names in (_STORAGES, _UNTYPED_ELEMENTS, DTYPES, QSCHEMES):
            table.update({("torch", name): value for name, value in names.items()})
        return table

    def find(self, module: str, name: str) -> object:
        """Return what stands for a name, or refuse the file."""
        try:
            return self._table[module, name]
        except KeyError:
            raise self._fail(
                f"its pickle asks for `{module}.{name}`; only tensors, containers and numbers are "
                "read: save model.state_dict() with torch.save, not the model"
            ) from None

    def storage(self, identifier: tuple[Any, ...]) -> Storage:
        """Return the storage of a persistent identifier, the same one for the same key."""
        if len(identifier) == 6 and identifier[5] is None:
            # The legacy format's place for a view of a larger storage, which it no longer writes.
            identifier = identifier[:5]
        kinds = [type(part) for part in identifier[:6]]
        if kinds != [str, ElementType, str, str, int] or identifier[0] != "storage":
            raise self._fail(
                "its pickle refers to something outside that is not the storage of a tensor"
            )
        _, element, key, _, count = identifier
        if not 0 <= count < 2**60:
            raise self._fail(f"storage {key!r} says it has {count} elements")
        if key not in self._storages:
            if len(self._storages) >= self._limits.tensors:
                raise self._fail(f"more than {self._limits.tensors} storages; raise limits.tensors")
            self._storages[key] = Storage(element, self._read(key, element, count)), count
        storage, first_count = self._storages[key]
        if storage.element is not element or first_count != count:
            raise self._fail(f"storage {key!r} is given two types or two sizes")
        return storage

    def _view(
        self, storage: Any, offset: Any, size: Any, stride: Any, element: ElementType | None = None
    ) -> Array:
        """Return the elements of a storage that a tensor shows; every number is checked first."""
        if not isinstance(storage, Storage):
            raise TypeError("the first is no storage")
        array = self._elements(storage, element or storage.element)
        if not (_are_sizes(size) and _are_sizes(stride) and type(offset) is int and offset >= 0):
            raise ValueError("offset, size and stride are not integers from 0 to 2^63")
        if len(size) != len(stride) or len(size) > self._limits.rank:
            raise ValueError(
                f"{len(size)} sizes and {len(stride)} strides, at most {self._limits.rank}"
            )
        count = math.prod(size)
        reach = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1
        if count > array.size or (count and reach > array.size) or offset > array.size:
            raise ValueError(
                f"size {tuple(size)}, stride {tuple(stride)} and offset {offset} reach outside "
                f"the {array.size} elements of the storage"
            )
        if not count:
            return _empty(size, array.dtype)
        width = array.itemsize
        steps = [step * width if n > 1 else width for n, step in zip(size, stride, strict=True)]
        return np.ndarray(tuple(size), array.dtype, array.data, offset * width, tuple(steps))

    def _elements(self, storage: Storage, element: ElementType) -> Array:
        # Widened once for all tensors of a storage, so that they go on sharing memory.
        key = storage, element
        if key not in self._arrays:
            array = storage.array
            if element is not storage.element:
                if storage.element is not _UNTYPED or array.size % element.numpy.itemsize:
                    raise ValueError("the storage does not hold elements of the tensor's type")
                array = array.view(element.numpy)
            self._arrays[key] = element.widen(array)
        return self._arrays[key]

    def _tensor(self, array: Array, requires_grad: object) -> object:
        if type(requires_grad) is not bool or (requires_grad and array.dtype.kind != "f"):
            raise ValueError("requires_grad does not fit the type")
        return make_tensor(array, requires_grad=requires_grad)

    def _rebuild_tensor(self, storage: Any, offset: Any, size: Any, stride: Any) -> object:
        self._refuse_quantized(storage)
        return self._tensor(self._view(storage, offset, size, stride), False)

    def _rebuild_tensor_v2(
        self,
        storage: Any,
        offset: Any,
        size: Any,
        stride: Any,
        requires_grad: Any,
        hooks: Any,
        metadata: Any = None,
    ) -> object:
        _expect_empty(hooks, metadata)
        self._refuse_quantized(storage)
        return self._tensor(self._view(storage, offset, size, stride), requires_grad)

    def _rebuild_tensor_v3(
        self,
        storage: Any,
        offset: Any,
        size: Any,
        stride: Any,
        requires_grad: Any,
        hooks: Any,
        element: Any,
        metadata: Any = None,
    ) -> object:
        _expect_empty(hooks, metadata)
        if not isinstance(element, ElementType):
            raise TypeError("no element type")
        return self._tensor(self._view(storage, offset, size, stride, element), requires_grad)

    def _rebuild_parameter(self, data: Any, requires_grad: Any, hooks: Any) -> object:
        _expect_empty(hooks)
        if not is_tensor(data):
            raise TypeError("no tensor")
        return self._tensor(array_of(data)[0], requires_grad)

    def _rebuild_qtensor(
        self,
        storage: Any,
        offset: Any,
        size: Any,
        stride: Any,
        quantizer: Any,
        requires_grad: Any,
        hooks: Any,
    ) -> object:
        _expect_empty(hooks)
        kind = storage.element.quantized if isinstance(storage, Storage) else None
        if kind is None or requires_grad is not False or type(quantizer) is not tuple:
            raise TypeError("no quantized storage")
        if kind is quint4x2:
            integers = self._nibbles(storage, offset, size, stride)
        else:
            integers = self._view(storage, offset, size, stride)
        scheme, scale, zero_point, *rest = quantizer
        if not isinstance(scheme, qscheme) or len(rest) != int(scheme.is_per_channel):
            raise ValueError("no quantization scheme")
        point = self._numbers(zero_point)
        if scheme is per_channel_affine and point.dtype.kind == "f":
            # PyTorch writes the same name for both schemes.
            scheme = per_channel_affine_float_qparams
        parts = QuantizedParts(
            integers=self._counted(integers),
            dtype=kind,
            qscheme=scheme,
            scale=self._numbers(scale),
            zero_point=point,
            axis=rest[0] if rest else None,
            shape=size,
        )
        return make_quantized(parts, "a quantized tensor")

    def _nibbles(self, storage: Storage, offset: Any, size: Any, stride: Any) -> Array:
        """Return the bytes of 4-bit integers: two in each, the first in its low half."""
        if not _are_sizes(size) or len(size) > self._limits.rank:
            raise ValueError("size is not a tuple of sizes")
        steps = tuple(math.prod(size[axis + 1 :]) for axis in range(len(size)))
        count = (math.prod(size) + 1) // 2
        if offset != 0 or stride != steps or count > storage.array.size:
            raise ValueError("the integers of 4 bits are not contiguous in their storage")
        return storage.array[:count]

    def _numbers(self, value: Any) -> Array:
        if not is_tensor(value) and type(value) not in (int, float):
            raise TypeError("scale and zero point are not numbers")
        return self._counted(array_of(value)[0] if is_tensor(value) else np.array(value))

    def _counted(self, array: Array) -> Array:
        # Any number of tensors can name one storage, so what they copy out of it is counted.
        self._copy_budget -= array.nbytes
        if self._copy_budget < 0:
            raise self._fail(
                f"its quantized tensors take more than {_COPIES} times the file's size"
            )
        return array

    def _refuse_quantized(self, storage: Any) -> None:
        if isinstance(storage, Storage) and storage.element.quantized is not None:
            raise TypeError("a quantized storage in a plain tensor")


def _are_sizes(value: object) -> bool:
    return isinstance(value, tuple) and all(type(n) is int and 0 <= n < 2**63 for n in value)


def _empty(size: tuple[int, ...], kind: np.dtype[Any]) -> Array:
    if math.prod(n for n in size if n) >= 2**60:
        raise ValueError(f"size {tuple(size)} is too large")
    return np.empty(tuple(size), kind)


def _expect_empty(*values: object) -> None:
    # Backward hooks and tensor subclasses would need code to run.
    if any(value for value in values):
        raise ValueError("hooks or metadata came, expected none")


def _ordered_dict(*arguments: Any) -> OrderedDict[Any, Any]:
    # Python 2 pickled an OrderedDict with its items as one list of lists.
    pairs = arguments[0] if arguments else []
    if len(arguments) > 1 or type(pairs) is not list:
        raise TypeError("expected nothing or a list of pairs")
    result: OrderedDict[Any, Any] = OrderedDict()
    for pair in pairs:
        if type(pair) not in (list, tuple) or len(pair) != 2 or type(pair[0]) not in (str, int):
            raise TypeError("expected pairs of a name and a value")
        result[pair[0]] = pair[1]
    return result


def _size(*arguments: Any) -> Size:
    (sizes,) = arguments
    if not _are_sizes(sizes):
        raise TypeError("expected a tuple of sizes")
    return Size(sizes)


def _set(*arguments: Any) -> set[Any]:
    items = arguments[0] if arguments else []
    if len(arguments) > 1 or type(items) not in (list, tuple):
        raise TypeError("expected one list")
    if not all(item is None or type(item) in (str, int, float, bool) for item in items):
        raise TypeError("expected numbers and strings")
    return set(items)
