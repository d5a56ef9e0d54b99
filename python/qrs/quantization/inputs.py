"""Batches as users hold them: arrays, tensors of other libraries, tuples and dicts of these."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from qrs.errors import type_name
from qrs.nn.module import Module
from qrs.qtensor import QTensor
from qrs.tensor import Tensor, from_dlpack, from_numpy

__all__ = ["check_batches", "run_batch"]


def check_batches(where: str, data: object) -> None:
    """Refuse one batch in the place of many: its samples or names are no batches.

    Raises
    ------
    TypeError
        If a tensor, an array, a mapping or a string came.
    """
    if isinstance(data, str | Mapping) or hasattr(data, "__dlpack__"):
        raise TypeError(
            f"{where}: one {type_name(data)} came as data, expected an iterable of batches; "
            "pass [data], or parts of a tensor, such as data.split(32)"
        )


def run_batch(model: Module, batch: Any) -> Any:
    """Call a model on one batch.

    Parameters
    ----------
    model : Module
    batch : object
        A dict holds keyword inputs, a tuple or list positional ones, anything else is one input.
        Arrays of NumPy and tensors of other libraries (DLPack) become tensors wherever they are.
        Float64 arrays become float32, since a calibration in double precision says no more.

    Returns
    -------
    object
        What the model returned.

    Raises
    ------
    TypeError
        If the model does not take so many inputs, or inputs of these names.
    """
    inputs = _tensors(batch)
    named = inputs if isinstance(inputs, dict) else {}
    placed = inputs if isinstance(inputs, tuple | list) else () if named else (inputs,)
    try:
        return model(*placed, **named)
    except TypeError as error:
        wanted = inspect.signature(model.forward)
        try:
            wanted.bind(*placed, **named)
        except TypeError:
            came = f"inputs {', '.join(named)}" if named else f"{len(placed)} inputs"
            names = ", ".join(wanted.parameters)
            first = next(iter(named), 0)
            raise TypeError(
                f"{type(model).__name__}.forward: a batch of {came} came, expected ({names}); "
                f"give it what it takes, in calibrate with transform=lambda batch: batch[{first!r}]"
            ) from error
        raise


def _tensors(value: Any) -> Any:
    """The same value with tensors of qrs in place of foreign arrays."""
    if isinstance(value, Tensor | QTensor):
        return value
    if isinstance(value, dict):
        return {key: _tensors(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        items = [_tensors(item) for item in value]
        # A named tuple takes its items one by one.
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    if isinstance(value, np.ndarray):
        tensor = from_numpy(value)
    elif hasattr(value, "__dlpack__"):
        tensor = from_dlpack(value)
    else:
        return value
    return tensor.float() if tensor._array.dtype == np.float64 else tensor
