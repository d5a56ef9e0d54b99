"""What the functions on tensors share: running a primitive, and reading arguments."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import numpy as np

from qrs.autograd.graph import Variable
from qrs.autograd.graph import wrap as _wrap
from qrs.autograd.in_place import apply_in_place as _apply_in_place
from qrs.autograd.record import apply as _apply
from qrs.errors import DtypeError, ShapeError, type_name

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = [
    "OPERANDS",
    "Dim",
    "Number",
    "Operand",
    "apply",
    "apply_in_place",
    "array_of",
    "flat_shape",
    "integers",
    "normalized",
    "normalized_one",
    "on_tensor",
    "on_tensors",
    "scalar_of",
    "wrap",
]

P = ParamSpec("P")
R = TypeVar("R")

Number: TypeAlias = "bool | int | float"
Operand: TypeAlias = "Tensor | bool | int | float | np.ndarray[Any, Any]"
Dim: TypeAlias = "int | Sequence[int] | None"

OPERANDS = (Variable, int, float, np.ndarray, np.generic)
"""What may stand beside a tensor in an expression."""

apply: Callable[..., Tensor] = _apply
"""`qrs.autograd.apply` for primitives with one result."""

apply_in_place: Callable[..., Tensor] = _apply_in_place


def wrap(array: Any) -> Tensor:
    """A tensor over the result of a NumPy function, which may be a NumPy scalar."""
    result: Tensor = _wrap(np.asarray(array))
    return result


def on_tensor(function: Callable[Concatenate[Tensor, P], R]) -> Callable[Concatenate[Tensor, P], R]:
    """Make `function` a public function and method on tensors.

    Called with a quantized tensor, it runs that tensor's method of the same name; anything else is
    an error that says what to do.
    """
    name = function.__name__

    def call(input: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        if isinstance(input, Variable):
            tensor: Any = input
            return function(tensor, *args, **kwargs)
        method = None if isinstance(input, np.ndarray) else getattr(input, name, None)
        if method is None:
            quantized = getattr(input, "is_quantized", False)
            advice = (
                "insert a DeQuantStub before, or call dequantize()"
                if quantized
                else "convert it with qrs.tensor"
            )
            raise DtypeError(
                f"{name}: a value of type {type_name(input)} came, a Tensor was expected; {advice}"
            )
        result: R = method(*args, **kwargs)
        return result

    functools.update_wrapper(call, function)
    public: Any = call
    return public  # type: ignore[no-any-return]  # it has the function's own type


def on_tensors(
    function: Callable[[Sequence[Tensor], int], Tensor],
) -> Callable[[Sequence[Tensor], int], Tensor]:
    """As `on_tensor` for a function of several tensors and a dimension; the first one decides."""

    def call(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
        join = getattr(tensors[0], "_joined", None) if len(tensors) else None
        if join is None:
            return function(tensors, dim)
        result: Tensor = join(function.__name__, tensors, dim, function)
        return result

    functools.update_wrapper(call, function)
    return call


def array_of(value: Any) -> Any:
    """The array of a tensor; every other value as it is."""
    return value._array if isinstance(value, Variable) else value


def scalar_of(value: Any) -> Any:
    """A Python number from a number or a tensor of one element."""
    array = array_of(value)
    return array.item() if isinstance(array, (np.ndarray, np.generic)) else value


def integers(where: str, values: Sequence[Any]) -> tuple[int, ...]:
    """The ints in `f(2, 3)` or `f((2, 3))`; tensors of one element count as ints."""
    if len(values) == 1 and isinstance(values[0], (tuple, list)):
        values = values[0]
    for value in values:
        if type(value) is not int:
            break
    else:
        return tuple(values)
    found = []
    for value in values:
        number = scalar_of(value)
        if isinstance(number, bool) or not isinstance(number, int):
            raise DtypeError(f"{where}: sizes {tuple(values)!r} came, integers were expected")
        found.append(number)
    return tuple(found)


def normalized_one(where: str, dim: int, ndim: int) -> int:
    """`dim` counted from the front."""
    limit = max(ndim, 1)
    if not isinstance(dim, (int, np.integer)) or isinstance(dim, bool):
        raise DtypeError(f"{where}: dim {dim!r} came, an integer was expected")
    if not -limit <= dim < limit:
        raise ShapeError(
            f"{where}: dim {dim} came for a tensor of {ndim} dimensions, one of "
            f"{-limit}..{limit - 1} was expected"
        )
    return int(dim) % limit


def flat_shape(shape: tuple[int, ...], start_dim: int, end_dim: int) -> tuple[int, ...]:
    """The shape of `flatten`'s result.

    Raises
    ------
    ShapeError, DtypeError
        If there are no such dimensions.
    """
    first = normalized_one("flatten", start_dim, len(shape))
    last = normalized_one("flatten", end_dim, len(shape))
    if first > last:
        raise ShapeError(
            f"flatten: start_dim {start_dim} lies behind end_dim {end_dim} for shape {shape}"
        )
    if not shape:
        return (1,)
    return (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])


def normalized(where: str, dim: Dim, ndim: int) -> Any:
    """`dim` for NumPy: None for all dimensions, an int, or a tuple without repetitions."""
    if dim is None:
        return None
    if isinstance(dim, (tuple, list)):
        if not dim:
            return None
        axes = tuple([normalized_one(where, d, ndim) for d in dim])
        if len(set(axes)) != len(axes):
            raise ShapeError(f"{where}: dim {tuple(dim)} came, each dimension once was expected")
        return axes if ndim else None
    axis = normalized_one(where, dim, ndim)  # type: ignore[arg-type]
    return axis if ndim else None
