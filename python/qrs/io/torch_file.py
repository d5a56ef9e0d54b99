"""Reading what torch.save wrote, without PyTorch and without running anything in the file.

Two layouts exist. The archive (since PyTorch 1.6) is a zip with ``data.pkl`` and one stored member
for each storage. The legacy stream is five pickles one after the other (a magic number, a protocol
number, facts on the machine, the object, the order of the storages) and then each storage as its
length and its elements.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qrs.dtypes import dtype, qscheme
from qrs.errors import FormatError
from qrs.io.archive import Archive
from qrs.io.limits import Limits
from qrs.io.opcodes import ScriptObject, run_pickle
from qrs.io.source import Source
from qrs.io.torch_names import ElementType, TorchNames
from qrs.io.values import Size, is_quantized, is_tensor

__all__ = ["is_archive", "is_legacy", "load_archive", "load_legacy"]

Array = NDArray[Any]
Reader = Callable[[str, ElementType, int], Array]
# The magic number as the pickle instruction that makes it.
_MAGIC = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
_LEGACY_PROTOCOL = 1001


def is_archive(head: bytes) -> bool:
    """Tell whether a file with these first bytes is a zip archive."""
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def is_legacy(head: bytes) -> bool:
    """Tell whether a file with these first bytes is a pickle.

    The bytes could also be the length of a safetensors header, but then the upper half is zero.
    """
    return head[:1] == b"\x80" and head[4:8] != b"\0\0\0\0"


def load_archive(source: Source, limits: Limits) -> object:
    """Return the value in a zip archive of torch.save.

    Raises
    ------
    FormatError
        If the file is not such an archive, or its pickle asks for more than data.
    IntegrityError
        If a member differs from its checksum.
    """
    archive = Archive(source, limits)
    if "constants.pkl" in archive:
        raise source.fail(
            "this is a TorchScript archive, expected a state dict; "
            "load it in PyTorch and save model.state_dict() with torch.save"
        )
    order = _byte_order(source, archive)

    def read(key: str, element: ElementType, count: int) -> Array:
        name = f"data/{key}"
        if name not in archive or archive.size(name) != count * element.numpy.itemsize:
            size = archive.size(name) if name in archive else "no"
            raise source.fail(
                f"{name!r} has {size} bytes, expected {count * element.numpy.itemsize} "
                f"for {count} elements of {element.numpy}"
            )
        array = archive.read_array(name, element.numpy.newbyteorder(order))
        return _checked(source, key, array, element)

    pickle = archive.read("data.pkl", limits.header_bytes)
    names = TorchNames(read, source.size, limits, source.fail)
    value, end = run_pickle(pickle, 0, names, limits, source.fail)
    if end != len(pickle):
        raise source.fail("'data.pkl' goes on behind its end")
    _check_value(source, value, limits)
    return value


def load_legacy(source: Source, limits: Limits) -> object:
    """Return the value in a legacy stream of torch.save.

    Raises
    ------
    FormatError
        If the file is not such a stream, or its pickle asks for more than data.
    """
    data = source.read(0, min(source.size, limits.header_bytes))
    nothing = TorchNames(_no_storage(source), 0, limits, source.fail)
    start = data.find(_MAGIC, 0, 32) + len(_MAGIC)
    if start < len(_MAGIC):
        raise source.fail(
            "this is a pickle that torch.save did not write, expected a .pt or .safetensors file"
        )
    protocol, start = run_pickle(data, start, nothing, limits, source.fail)
    facts, start = run_pickle(data, start, nothing, limits, source.fail)
    if protocol != _LEGACY_PROTOCOL or type(facts) is not dict:
        raise source.fail(f"the legacy stream has protocol {protocol!r:.40}, expected 1001")
    if facts.get("little_endian") is not True:
        raise source.fail("the legacy stream is not little-endian; save it again with PyTorch 1.6")
    # The lengths of the storages stand behind the object that names their types, so the object is
    # built twice: first over ones, which are valid scales too, to learn the types, and then over
    # the elements.
    sizes: dict[str, tuple[ElementType, int]] = {}
    names = TorchNames(_measure(source, sizes), source.size, limits, source.fail)
    _, end = run_pickle(data, start, names, limits, source.fail)
    keys, first = run_pickle(data, end, nothing, limits, source.fail)
    read = _find_storages(source, first, keys, sizes)
    names = TorchNames(read, source.size, limits, source.fail)
    value, _ = run_pickle(data, start, names, limits, source.fail)
    _check_value(source, value, limits)
    return value


def _byte_order(source: Source, archive: Archive) -> Literal["<", ">"]:
    """Return numpy's sign for the byte order; files from before PyTorch 2.1 do not say theirs."""
    order = archive.read("byteorder", 16) if "byteorder" in archive else b"little"
    if order not in (b"little", b"big"):
        raise source.fail(f"the archive's byte order is {order!r}, expected little or big")
    return "<" if order == b"little" else ">"


def _no_storage(source: Source) -> Reader:
    def read(key: str, _element: ElementType, _count: int) -> Array:
        raise source.fail(f"storage {key!r} is named in the wrong part of the legacy stream")

    return read


def _measure(source: Source, sizes: dict[str, tuple[ElementType, int]]) -> Reader:
    left = source.size

    def read(key: str, element: ElementType, count: int) -> Array:
        nonlocal left
        left -= count * element.numpy.itemsize
        if left < 0:
            raise source.fail(
                f"storage {key!r} has {count} elements, which the file has no room for"
            )
        sizes[key] = element, count
        return np.ones(count, element.numpy)

    return read


def _find_storages(
    source: Source, start: int, keys: object, sizes: dict[str, tuple[ElementType, int]]
) -> Reader:
    if type(keys) is not list or set(map(type, keys)) > {str} or sorted(keys) != sorted(sizes):
        raise source.fail("the legacy stream's list of storages is not those of its tensors")
    starts: dict[str, int] = {}
    for key in keys:
        element, expected = sizes[key]
        count = int.from_bytes(source.read(start, 8), "little")
        if count != expected:
            raise source.fail(f"storage {key!r} has {count} elements, expected {expected}")
        starts[key] = start + 8
        start += 8 + count * element.numpy.itemsize
    if start != source.size:
        raise source.fail(
            f"came {source.size} bytes, expected {start}; the file is cut short: fetch it again"
        )

    def read(key: str, element: ElementType, count: int) -> Array:
        array = source.read_array(starts[key], (count,), element.numpy.newbyteorder("<"))
        return _checked(source, key, array, element)

    return read


def _checked(source: Source, key: str, array: Array, element: ElementType) -> Array:
    if element.numpy == np.bool_ and array.size and array.view(np.uint8).max() > 1:
        raise source.fail(f"storage {key!r} has a boolean that is neither 0 nor 1")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _check_value(source: Source, value: object, limits: Limits) -> None:
    """Refuse a value that holds itself, that is nested too deep, or that is not plain data."""
    heights: dict[int, int] = {}
    open_nodes: set[int] = set()

    def height(node: object, depth: int) -> int:
        children = _children(source, node)
        if children is None:
            return 0
        known = heights.get(id(node))
        if id(node) in open_nodes or depth + (known or 1) > limits.depth:
            raise source.fail(
                f"its containers hold each other or are nested deeper than {limits.depth}"
            )
        if known is None:
            open_nodes.add(id(node))
            known = 1 + max((height(child, depth + 1) for child in children), default=0)
            open_nodes.remove(id(node))
            heights[id(node)] = known
        return known

    height(value, 0)


def _children(source: Source, node: object) -> list[object] | None:
    """Return what a container holds, None for a value that holds nothing."""
    kind = type(node)
    if node is None or kind in (bool, int, float, str):
        return None
    if kind in (list, tuple, set, Size):
        return list(node)  # type: ignore[call-overload, no-any-return]  # its exact type is one of these
    if kind in (dict, OrderedDict):
        items: Any = node
        return [*items.values(), getattr(node, "_metadata", None)]
    if isinstance(node, ScriptObject):
        return [node.state]
    if is_tensor(node) or is_quantized(node) or isinstance(node, dtype | qscheme):
        return None
    raise _not_data(source, node)


def _not_data(source: Source, node: object) -> FormatError:
    name = "a storage or a constructor" if not isinstance(node, type) else node.__name__
    return source.fail(
        f"its pickle holds {name} as a value; only tensors, containers and numbers are read"
    )
