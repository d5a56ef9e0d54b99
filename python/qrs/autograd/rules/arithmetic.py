"""Binary arithmetic with broadcasting and type promotion."""

from collections.abc import Callable
from typing import Any

import numpy as np

from qrs import dtypes
from qrs.autograd.arrays import is_array, promote, typed, unbroadcast
from qrs.autograd.primitive import define, vjp
from qrs.autograd.rules.samples import one, two
from qrs.autograd.special import floating, quiet

__all__ = [
    "ADD",
    "ATAN2",
    "DIV",
    "FLOOR_DIVIDE",
    "FMOD",
    "MAXIMUM",
    "MINIMUM",
    "MUL",
    "NEG",
    "POW",
    "REMAINDER",
    "SUB",
    "binary",
    "writer",
]

_ndarray = np.ndarray


def binary(ufunc: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """`ufunc` on operands of one type, the common one of `promote`."""

    def forward(x: Any, y: Any) -> Any:
        kind = type(y)
        if type(x) is _ndarray:
            if kind is _ndarray:
                if x.dtype is y.dtype:
                    return ufunc(x, y)
            elif (kind is float or kind is int) and x.dtype.kind == "f":
                return ufunc(x, y)
        return ufunc(*promote(x, y))

    return forward


def writer(ufunc: np.ufunc) -> Callable[..., Any]:
    """`ufunc` straight into its first operand, where no promotion and no rounding is due."""

    def write(own: Any, *others: Any) -> Any:
        if own.dtype.kind != "f":
            return NotImplemented
        for other in others:
            kind = type(other)
            is_number = kind is float or kind is int
            if not is_number and (kind is not _ndarray or other.dtype != own.dtype):
                return NotImplemented
        return ufunc(own, *others, out=own)

    return write


@quiet
def _true_divide(x: Any, y: Any) -> Any:
    x, y = promote(x, y)
    if (x if is_array(x) else y).dtype.kind != "f":
        default = dtypes.get_default_dtype().numpy
        x, y = (v.astype(default) if is_array(v) else default.type(v) for v in (x, y))
    return np.true_divide(x, y)


def _divide(x: Any, y: Any) -> Any:
    # The two short ways are there for speed: a number that is not zero cannot raise a warning.
    if type(x) is _ndarray and x.dtype.kind == "f":
        if type(y) is _ndarray and y.dtype is x.dtype:
            with np.errstate(all="ignore"):
                return np.true_divide(x, y)
        if (type(y) is float or type(y) is int) and y:
            return np.true_divide(x, y)
    return _true_divide(x, y)


def _atan2(x: Any, y: Any) -> Any:
    x, y = promote(x, y)
    return np.arctan2(*(floating(v) if is_array(v) else v for v in (x, y)))


def _pow_base(g: Any, _ans: Any, x: Any, y: Any) -> Any:
    # x ** (y - 1) at y == 0 would be 0 ** -1; the derivative of a constant is zero.
    y = typed(y, g)
    safe = np.where(y == 0, 1, y)
    return unbroadcast(g * np.where(y == 0, 0, y * np.power(x, safe - 1)), x)


def _pow_exponent(g: Any, ans: Any, x: Any, y: Any) -> Any:
    # The limit at x == 0, y > 0 is zero, while log(0) is not.
    x = typed(x, g)
    return unbroadcast(g * np.where(ans == 0, 0, ans * np.log(np.where(x == 0, 1, x))), y)


def _share(x: Any, y: Any, ans: Any) -> Any:
    """1 where `x` was chosen, 0 where `y` was, 1/2 on a tie."""
    return np.where(np.equal(x, y), 0.5, np.equal(x, ans)).astype(ans.dtype)


ADD = define(
    "add",
    binary(np.add),
    vjp(lambda g, ans, x, y: unbroadcast(g, x)),
    vjp(lambda g, ans, x, y: unbroadcast(g, y)),
    samples=two(),
    write=writer(np.add),
)

SUB = define(
    "sub",
    binary(np.subtract),
    vjp(lambda g, ans, x, y: unbroadcast(g, x)),
    vjp(lambda g, ans, x, y: unbroadcast(-g, y)),
    samples=two(),
    write=writer(np.subtract),
)

MUL = define(
    "mul",
    binary(np.multiply),
    vjp(lambda g, ans, x, y: unbroadcast(g * y, x), "y"),
    vjp(lambda g, ans, x, y: unbroadcast(g * x, y), "x"),
    samples=two(),
    write=writer(np.multiply),
)

DIV = define(
    "div",
    _divide,
    vjp(lambda g, ans, x, y: unbroadcast(g / y, x), "y"),
    vjp(lambda g, ans, x, y: unbroadcast(-g * ans / y, y), "ans", "y"),
    samples=two(0.5, 2.0),
    write=writer(np.true_divide),
)

POW = define(
    "pow",
    quiet(binary(np.power)),
    vjp(_pow_base, "x", "y"),
    vjp(_pow_exponent, "ans", "x"),
    samples=two(0.5, 2.0),
)

MAXIMUM = define(
    "maximum",
    binary(np.maximum),
    vjp(lambda g, ans, x, y: unbroadcast(g * _share(x, y, ans), x), "ans", "x", "y"),
    vjp(lambda g, ans, x, y: unbroadcast(g * _share(y, x, ans), y), "ans", "x", "y"),
    samples=two(),
)

MINIMUM = define(
    "minimum",
    binary(np.minimum),
    vjp(lambda g, ans, x, y: unbroadcast(g * _share(x, y, ans), x), "ans", "x", "y"),
    vjp(lambda g, ans, x, y: unbroadcast(g * _share(y, x, ans), y), "ans", "x", "y"),
    samples=two(),
)

REMAINDER = define(
    "remainder",
    quiet(binary(np.remainder)),
    vjp(lambda g, ans, x, y: unbroadcast(g, x)),
    vjp(lambda g, ans, x, y: unbroadcast(-g * np.floor_divide(x, y), y), "x", "y"),
    samples=two(0.5, 2.0),
)

FMOD = define(
    "fmod",
    quiet(binary(np.fmod)),
    vjp(lambda g, ans, x, y: unbroadcast(g, x)),
    vjp(lambda g, ans, x, y: unbroadcast(-g * np.trunc(np.true_divide(x, y)), y), "x", "y"),
    samples=two(0.5, 2.0),
)

FLOOR_DIVIDE = define(
    "floor_divide",
    quiet(binary(np.floor_divide)),
    vjp(lambda g, ans, x, y: unbroadcast(np.zeros_like(g), x)),
    vjp(lambda g, ans, x, y: unbroadcast(np.zeros_like(g), y)),
    samples=two(0.5, 2.0),
)

ATAN2 = define(
    "atan2",
    _atan2,
    vjp(lambda g, ans, x, y: unbroadcast(g * y / (x * x + y * y), x), "x", "y"),
    vjp(lambda g, ans, x, y: unbroadcast(-g * x / (x * x + y * y), y), "x", "y"),
    samples=two(0.5, 2.0),
)

NEG = define("neg", np.negative, vjp(lambda g, ans, x: -g), samples=one())
