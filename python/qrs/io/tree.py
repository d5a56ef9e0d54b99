"""Containers and numbers as JSON nodes, and tensors as named arrays beside them.

=====================================  =========================================================
value                                  node
=====================================  =========================================================
None, bool, int, str, finite float     itself
other float                            ``{"float": "nan" | "inf" | "-inf"}``
dict, OrderedDict                      ``{"dict": {key: node} | [[key, node], ...]}``; an
                                       OrderedDict adds ``"ordered": true`` and, where it has
                                       the attribute, ``"metadata": node`` for ``_metadata``
list, tuple, Size                      ``{"list": [node, ...]}``, ``{"tuple": [node, ...]}``,
                                       ``{"size": [node, ...]}``
dtype, qscheme                         ``{"dtype": name}``, ``{"qscheme": name}``
ndarray                                ``{"array": name of a tensor of the file}``
Tensor                                 ``{"tensor": name}``; with ``"requires_grad": true`` where
                                       that is so
QTensor                                ``{"qtensor": name of its integers, "dtype": name,
                                       "qscheme": name, "scale": name, "zero_point": name,
                                       "axis": int | null, "shape": [size, ...]}``
=====================================  =========================================================

Scales and zero points take the smallest type that holds them exactly: one of each per channel in
eight bytes would be a tenth of a small model's file.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from qrs.dtypes import dtype, qscheme
from qrs.errors import FormatError
from qrs.io.header import DTYPE_NAMES
from qrs.io.limits import DEFAULT_LIMITS, Limits
from qrs.io.values import (
    DTYPES,
    QSCHEMES,
    QuantizedParts,
    Size,
    array_of,
    is_quantized,
    is_tensor,
    make_quantized,
    make_tensor,
    quantized_parts,
)

__all__ = ["decode", "encode"]

Array = NDArray[Any]
Node = Any
_Item = TypeVar("_Item")

_INTEGERS = range(-(2**63), 2**64)
_NON_FINITE: Mapping[str, float] = MappingProxyType(
    {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
)
_SEQUENCES: Mapping[str, Callable[[list[Any]], object]] = MappingProxyType(
    {"list": list, "tuple": tuple, "size": Size}
)
_TABLES: Mapping[str, Mapping[str, object]] = MappingProxyType(
    {"dtype": DTYPES, "qscheme": QSCHEMES, "float": _NON_FINITE}
)
_SEQUENCE_TAGS: Mapping[type, str] = MappingProxyType({list: "list", tuple: "tuple", Size: "size"})
_EXPECTED = (
    "a dict, list or tuple of tensors, quantized tensors, arrays, numbers, strings, booleans, "
    "None, dtypes and qschemes"
)


def encode(value: object) -> tuple[Node, dict[str, Array]]:
    """Return the node of `value` and the arrays that the node names.

    An array is named by the keys that lead to it, joined by dots, so that the entries of a state
    dict keep their names. Two tensors over the same memory give one array.

    Raises
    ------
    FormatError
        Naming the place of an object that is none of the table above.
    """
    encoder = _Encoder()
    return encoder.node(value, ()), encoder.arrays


class _Encoder:
    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}
        self._names: dict[tuple[object, ...], str] = {}

    def node(self, value: object, path: tuple[object, ...]) -> Node:
        if len(path) > DEFAULT_LIMITS.depth:
            _refuse(
                path[:4],
                f"containers nested deeper than {DEFAULT_LIMITS.depth}",
                "fewer levels and no container that holds itself",
            )
        if is_tensor(value):
            array, requires_grad = array_of(value)
            node = {"tensor": self._store(array, path)}
            return {**node, "requires_grad": True} if requires_grad else node
        if is_quantized(value):
            return self._quantized(quantized_parts(value), path)
        if isinstance(value, np.ndarray):
            return {"array": self._store(value, path)}
        if isinstance(value, dtype):
            return {"dtype": value.name}
        if isinstance(value, qscheme):
            return {"qscheme": value.name}
        if type(value) in _SEQUENCE_TAGS:
            items: Any = value
            nodes = [self.node(item, (*path, i)) for i, item in enumerate(items)]
            return {_SEQUENCE_TAGS[type(value)]: nodes}
        if type(value) is dict or type(value) is OrderedDict:
            return self._dict(value, path)
        return _scalar(value, path)

    def _dict(self, value: dict[Any, Any], path: tuple[object, ...]) -> Node:
        pairs = [[_scalar(key, path), self.node(item, (*path, key))] for key, item in value.items()]
        named = all(isinstance(key, str) for key, _ in pairs)
        node: dict[str, Node] = {"dict": dict(pairs) if named else pairs}
        if type(value) is OrderedDict:
            node["ordered"] = True
            if hasattr(value, "_metadata"):
                node["metadata"] = self.node(value._metadata, (*path, "_metadata"))
        return node

    def _quantized(self, parts: QuantizedParts, path: tuple[object, ...]) -> Node:
        return {
            "qtensor": self._store(parts.integers, path),
            "dtype": parts.dtype.name,
            "qscheme": parts.qscheme.name,
            "scale": self._store(_narrowed(parts.scale), (*path, "scale")),
            "zero_point": self._store(_narrowed(parts.zero_point), (*path, "zero_point")),
            "axis": parts.axis,
            "shape": list(parts.shape),
        }

    def _store(self, array: Array, path: tuple[object, ...]) -> str:
        if array.dtype.newbyteorder("<") not in DTYPE_NAMES:
            _refuse(
                path, f"an array of {array.dtype}", f"one of {', '.join(map(str, DTYPE_NAMES))}"
            )
        if array.ndim > DEFAULT_LIMITS.rank:
            _refuse(path, f"{array.ndim} dimensions", f"at most {DEFAULT_LIMITS.rank}")
        memory = (array.__array_interface__["data"], array.dtype.str, array.shape, array.strides)
        if memory in self._names and array.size:
            return self._names[memory]
        name = next(name for name in _candidates(path) if name not in self.arrays)
        if len(name.encode()) > DEFAULT_LIMITS.name_bytes:
            _refuse(path, "a name too long", f"at most {DEFAULT_LIMITS.name_bytes} bytes in all")
        if len(self.arrays) >= DEFAULT_LIMITS.tensors:
            _refuse(
                path, f"tensor {DEFAULT_LIMITS.tensors + 1}", f"at most {DEFAULT_LIMITS.tensors}"
            )
        self.arrays[name] = array
        self._names[memory] = name
        return name


def _narrowed(values: Array) -> Array:
    kinds = (np.float32,) if values.dtype.kind == "f" else (np.int8, np.int16, np.int32)
    for kind in kinds:
        with np.errstate(over="ignore"):
            small = values.astype(kind)
        if np.array_equal(small, values):
            return small
    return values


def _candidates(path: tuple[object, ...]) -> Iterator[str]:
    name = ".".join(map(str, path)) or "tensor"
    # The container keeps this name to itself.
    if name != "__metadata__":
        yield name
    number = 2
    while True:
        yield f"{name}.{number}"
        number += 1


def _scalar(value: object, path: tuple[object, ...]) -> Node:
    if isinstance(value, np.bool_ | np.integer | np.floating):
        value = value.item()
    if type(value) is str:
        try:
            value.encode()
        except UnicodeEncodeError:
            _refuse(path, "a string with half of a surrogate pair", "valid Unicode")
        return value
    if type(value) is int and value not in _INTEGERS:
        _refuse(path, f"an integer of {value.bit_length()} bits", "one of 64 bits")
    if type(value) is float and not math.isfinite(value):
        return {"float": str(value)}
    if value is None or type(value) in (bool, int, float):
        return value
    advice = "; pass its state_dict()" if callable(getattr(value, "state_dict", None)) else ""
    return _refuse(path, f"a {type(value).__name__}", _EXPECTED + advice)


def _refuse(path: tuple[object, ...], came: str, expected: str) -> NoReturn:
    where = f"at {'.'.join(map(str, path))!r}: " if path else ""
    raise FormatError(f"qrs.save: {where}came {came}, expected {expected}")


def decode(node: Node, arrays: Mapping[str, Array], limits: Limits) -> object:
    """Return the value that `node` describes; its tensors are those of `arrays`, not copies.

    Raises
    ------
    ValueError
        Saying which part of the node is wrong, or which array nothing refers to.
    """
    decoder = _Decoder(arrays, limits)
    value = decoder.value(node, 0)
    unused = next((name for name in arrays if name not in decoder.used), None)
    if unused is not None:
        raise ValueError(f"tensor {unused!r} belongs to no value")
    return value


class _Decoder:
    def __init__(self, arrays: Mapping[str, Array], limits: Limits) -> None:
        self._arrays = arrays
        self._limits = limits
        self._quantized_values: dict[str, tuple[Node, object]] = {}
        self.used: set[str] = set()

    def value(self, node: Node, depth: int) -> object:
        if depth > self._limits.depth:
            raise ValueError(f"containers are nested deeper than {self._limits.depth}")
        if isinstance(node, list):
            raise ValueError("a list stands where a value was expected")
        if not isinstance(node, dict):
            return node
        tag = next(iter(node), "")
        match tag:
            case "dict":
                return self._dict(node, depth)
            case "tensor":
                return self._tensor(node)
            case "qtensor":
                return self._quantized(node)
        _expect_keys(node, tag)
        content = node[tag]
        if tag in _SEQUENCES and isinstance(content, list):
            return _SEQUENCES[tag]([self.value(item, depth + 1) for item in content])
        if tag == "array":
            return self._array(content)
        if tag in _TABLES:
            return _find(_TABLES[tag], content)
        raise ValueError(f"{tag[:40]!r} is not a value that this version of qrs knows")

    def _dict(self, node: dict[str, Node], depth: int) -> dict[Any, object]:
        _expect_keys(node, "dict", *(key for key in ("ordered", "metadata") if key in node))
        content = node["dict"]
        pairs = list(content.items()) if isinstance(content, dict) else content
        if not isinstance(pairs, list) or not all(_is_pair(pair) for pair in pairs):
            raise ValueError("a dict is neither an object nor a list of pairs")
        result: dict[Any, object] = OrderedDict() if node.get("ordered") is True else {}
        for key, item in pairs:
            result[self._key(key)] = self.value(item, depth + 1)
        if len(result) != len(pairs):
            raise ValueError("a dict gives a key twice")
        if "metadata" in node and isinstance(result, OrderedDict):
            # PyTorch's state dicts carry the versions of their modules in this attribute.
            result._metadata = self.value(node["metadata"], depth + 1)  # type: ignore[attr-defined]
        return result

    def _key(self, node: Node) -> object:
        key = self.value(node, 0) if isinstance(node, dict) and "float" in node else node
        if isinstance(key, dict | list):
            raise ValueError("a dict has a container for a key")
        return key

    def _tensor(self, node: dict[str, Node]) -> object:
        requires_grad = "requires_grad" in node
        _expect_keys(node, "tensor", *["requires_grad"] * requires_grad)
        array = self._array(node["tensor"])
        if requires_grad and (node["requires_grad"] is not True or array.dtype.kind != "f"):
            raise ValueError(f"tensor {node['tensor']!r}: requires_grad does not fit its type")
        return make_tensor(array, requires_grad=requires_grad)

    def _quantized(self, node: dict[str, Node]) -> object:
        # One object for equal nodes: it is immutable, and a file that names one tensor a million
        # times must not take a million copies of it.
        name = node["qtensor"]
        if isinstance(name, str) and name in self._quantized_values:
            known, value = self._quantized_values[name]
            if known != node:
                raise ValueError(f"tensor {name!r}: has two meanings")
            return value
        value = self._make_quantized(node)
        self._quantized_values[name] = node, value
        return value

    def _make_quantized(self, node: dict[str, Node]) -> object:
        _expect_keys(node, "qtensor", "dtype", "qscheme", "scale", "zero_point", "axis", "shape")
        name, axis, shape = node["qtensor"], node["axis"], node["shape"]
        integers = self._array(name)
        if not (axis is None or type(axis) is int):
            raise ValueError(f"tensor {name!r}: its axis is not an integer")
        if not isinstance(shape, list) or not all(
            type(size) is int and size >= 0 for size in shape
        ):
            raise ValueError(f"tensor {name!r}: its shape is not a list of sizes")
        parts = QuantizedParts(
            integers=integers,
            dtype=_find(DTYPES, node["dtype"]),
            qscheme=_find(QSCHEMES, node["qscheme"]),
            scale=self._array(node["scale"]),
            zero_point=self._array(node["zero_point"]),
            axis=axis,
            shape=tuple(shape),
        )
        return make_quantized(parts, f"tensor {name!r}")

    def _array(self, name: Node) -> Array:
        if not isinstance(name, str) or name not in self._arrays:
            raise ValueError(f"a value refers to tensor {str(name)[:80]!r}, which is not there")
        self.used.add(name)
        return self._arrays[name]


def _is_pair(item: Node) -> bool:
    return isinstance(item, list | tuple) and len(item) == 2


def _find(table: Mapping[str, _Item], name: Node) -> _Item:
    if not isinstance(name, str) or name not in table:
        raise ValueError(f"{str(name)[:40]!r} is not one of {', '.join(table)}")
    return table[name]


def _expect_keys(node: dict[str, Node], *keys: str) -> None:
    if tuple(node) != keys:
        raise ValueError(
            f"a value has fields {', '.join(node)[:80]!r}, expected {', '.join(keys)!r}"
        )
