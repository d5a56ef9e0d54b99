"""Arrays of another library, as the operations would meet them on an accelerator.

They take part in NumPy's protocols, as CuPy's do (NEP 13, 18, 35), and refuse two things: to become
a NumPy array unasked, and to be mixed with one.
"""

from typing import Any

import numpy as np


class DeviceArray(np.lib.mixins.NDArrayOperatorsMixin):
    """Wraps an array that stands for memory which NumPy cannot see."""

    def __init__(self, hidden: np.ndarray) -> None:
        self.hidden = hidden

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("an array was copied from the device")

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **kwargs: Any
    ) -> Any:
        settings = to_host(kwargs) if out is None else to_host(kwargs) | {"out": to_host(out)}
        result = getattr(ufunc, method)(*to_host(inputs), **settings)
        return to_device(result) if out is None else out[0]

    def __array_function__(self, function: Any, _types: Any, args: Any, kwargs: Any) -> Any:
        result = function(*to_host(args), **to_host(kwargs))
        return kwargs["out"] if kwargs.get("out") is not None else to_device(result)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = getattr(self.hidden, name)
        if not callable(value) or isinstance(value, type):
            return to_device(value)

        def method(*args: Any, **kwargs: Any) -> Any:
            result = value(*to_host(args), **to_host(kwargs))
            return kwargs["out"] if kwargs.get("out") is not None else to_device(result)

        return method

    def __getitem__(self, index: Any) -> Any:
        return to_device(self.hidden[to_host(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.hidden[to_host(index)] = to_host(value)

    def __len__(self) -> int:
        return len(self.hidden)

    def __bool__(self) -> bool:
        return bool(self.hidden)

    def __float__(self) -> float:
        return float(self.hidden)


def to_host(value: Any) -> Any:
    """What is on the device, in nested tuples, lists and dicts; NumPy arrays are refused."""
    if isinstance(value, np.ndarray):
        raise TypeError("a NumPy array came beside one of the device")
    if isinstance(value, dict):
        return {key: to_host(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        return type(value)(to_host(item) for item in value)
    return value.hidden if isinstance(value, DeviceArray) else value


def to_device(value: Any) -> Any:
    """Arrays and NumPy scalars, in nested tuples, lists and dicts, as arrays of the device."""
    if isinstance(value, (np.ndarray, np.generic)):
        return DeviceArray(np.asarray(value))
    if isinstance(value, dict):
        return {key: to_device(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)) and not hasattr(value, "_fields"):
        return type(value)(to_device(item) for item in value)
    return value
