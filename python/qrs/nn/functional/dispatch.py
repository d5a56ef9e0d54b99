"""Functions that take float and quantized tensors under one name.

The quantized forms are written in `qrs.nn.quantized`, which lies above this package, so they
register themselves here when it is imported.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from qrs.errors import DtypeError, instead_of, type_name

__all__ = ["QUANTIZED", "also_quantized"]

F = TypeVar("F", bound=Callable[..., Any])

QUANTIZED: dict[str, Callable[..., Any]] = {}
"""The quantized form of a function by its name; takes the same arguments."""


def also_quantized(function: F) -> F:
    """Send a call whose first argument is a quantized tensor to the quantized form.

    Raises
    ------
    DtypeError
        On such a call if there is no quantized form, and if the argument is no tensor.
    """
    name = function.__name__

    @functools.wraps(function)
    def dispatch(input: Any, *args: Any, **kwargs: Any) -> Any:
        quantized = getattr(input, "is_quantized", None)
        if quantized is None:
            raise DtypeError(
                f"{name}: a {type_name(input)} came, expected a tensor; {instead_of(input)}"
            )
        if quantized:
            if name not in QUANTIZED:
                raise DtypeError(
                    f"{name}: a quantized tensor came, expected a float one; insert a DeQuantStub "
                    "before, or call dequantize()"
                )
            return QUANTIZED[name](input, *args, **kwargs)
        return function(input, *args, **kwargs)

    return cast(F, dispatch)
