"""How tensors print: `tensor([[1., 2.]])`, numbers aligned, long dimensions cut in the middle."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from qrs import dtypes
from qrs.errors import DtypeError

__all__ = ["format_array", "format_tensor", "set_printoptions"]


class _Options:
    precision = 4
    threshold = 1000
    edgeitems = 3
    linewidth = 80


def set_printoptions(
    precision: int | None = None,
    threshold: int | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
) -> None:
    """Choose how tensors print; None leaves a setting as it is.

    Parameters
    ----------
    precision : int
        Digits after the decimal point, 4 at first.
    threshold : int
        Tensors with more elements are cut, 1000 at first.
    edgeitems : int
        Elements kept at each end of a dimension that is cut, 3 at first.
    linewidth : int
        Characters in a line, 80 at first.

    Examples
    --------
    >>> import qrs
    >>> qrs.set_printoptions(precision=2)
    >>> qrs.tensor([0.125])
    tensor([0.12])
    >>> qrs.set_printoptions(precision=4)
    """
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    for name, value in given.items():
        if value is None:
            continue
        if not isinstance(value, int) or value < 0:
            raise DtypeError(
                f"set_printoptions: {name} {value!r} came, a nonnegative int was expected"
            )
        setattr(_Options, name, value)


def _shown(array: Any) -> Any:
    """The elements that will be printed, in a row; all of them decide the column width."""
    edge = _Options.edgeitems
    if array.size <= _Options.threshold:
        return array.reshape(-1)
    for axis, extent in enumerate(array.shape):
        if extent > 2 * edge:
            kept = [*range(edge), *range(extent - edge, extent)]
            array = np.take(array, kept, axis)
    return array.reshape(-1)


def _formatter(array: Any) -> Callable[[Any], str]:
    """A function from an element to its text, of one width for the whole tensor."""
    values = _shown(array)
    text: Callable[[Any], str] = str
    if array.dtype.kind == "f":
        text = _float_text(values.astype(np.float64))
        # As in PyTorch, "nan", "inf" and "-0." do not widen the columns.
        values = values[np.isfinite(values) & (values != 0)]
    width = max((len(text(v)) for v in values.tolist()), default=1)
    return lambda value: text(value).rjust(width)


def _float_text(values: Any) -> Callable[[float], str]:
    """Whole numbers as `3.`, others with fixed digits, or with an exponent for a wide range."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    digits = _Options.precision
    if sizes.size == 0:
        return lambda v: f"{v:.0f}." if math.isfinite(v) else str(v)
    low, high = float(sizes.min()), float(sizes.max())
    whole = bool(np.all(np.ceil(sizes) == sizes))
    if (high / low > 1000.0 and not whole) or high > 1.0e8 or low < 1.0e-4:
        return lambda v: f"{v:.{digits}e}" if math.isfinite(v) else str(v)
    if whole:
        return lambda v: f"{v:.0f}." if math.isfinite(v) else str(v)
    return lambda v: f"{v:.{digits}f}" if math.isfinite(v) else str(v)


def format_array(array: Any, indent: int) -> str:
    """The elements in nested brackets; lines after the first are indented by `indent`."""
    text = _formatter(array)
    if array.ndim == 0:
        scalar: str = text(array.item())
        return scalar.strip()
    return _rows(array, text, indent, array.size > _Options.threshold)


def _rows(array: Any, text: Callable[[Any], str], indent: int, cut: bool) -> str:
    edge = _Options.edgeitems
    extent = array.shape[0]
    shorten = cut and extent > 2 * edge
    if array.ndim == 1:
        items = (
            [*map(text, array[:edge].tolist()), " ...", *map(text, array[-edge:].tolist())]
            if shorten
            else [*map(text, array.tolist())]
        )
        width = max((len(item) for item in items), default=1) + 2
        in_line = max(1, (_Options.linewidth - indent) // width)
        lines = [", ".join(items[i : i + in_line]) for i in range(0, len(items), in_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    if shorten:
        parts = [_rows(row, text, indent + 1, cut) for row in array[:edge]]
        parts.append("...")
        parts += [_rows(row, text, indent + 1, cut) for row in array[-edge:]]
    else:
        parts = [_rows(row, text, indent + 1, cut) for row in array]
    gap: str = "," + "\n" * (array.ndim - 1) + " " * (indent + 1)
    return "[" + gap.join(parts) + "]"


def format_tensor(array: Any, requires_grad: bool, made_by: str | None) -> str:
    """The text of a tensor: elements, then what is not evident from them."""
    prefix = "tensor("
    body = "[]" if array.size == 0 and array.ndim == 1 else format_array(array, len(prefix))
    extras = []
    if array.size == 0 and array.ndim != 1:
        body = "[]"
        extras.append(f"size={tuple(array.shape)}")
    evident = (dtypes.get_default_dtype().numpy, np.dtype(np.int64), np.dtype(np.bool_))
    if array.dtype not in evident or (array.size == 0 and array.dtype != evident[0]):
        extras.append(f"dtype={dtypes.from_numpy_dtype(array.dtype)!r}")
    if made_by is not None:
        extras.append(f"grad_fn=<{made_by}>")
    elif requires_grad:
        extras.append("requires_grad=True")
    return prefix + ", ".join([body, *extras]) + ")"
