"""Comparing gradients with finite differences."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from qrs.autograd.engine import grad
from qrs.autograd.graph import Variable, wrap
from qrs.errors import DtypeError, GradientError

__all__ = ["gradcheck"]


def gradcheck(
    func: Callable[..., Any],
    inputs: Variable | Sequence[Any],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    seed: int = 0,
) -> bool:
    """Compare the gradients of `func` with central differences along random directions.

    For random `u` (a direction in the inputs) and `v` (weights of the outputs) the number `v . J u`
    is computed twice: by differences, `(v . f(x + eps u) - v . f(x - eps u)) / (2 eps)`, and from
    the recorded gradient `J^T v`. Each input is checked alone, with three directions.

    Parameters
    ----------
    func : callable
        Takes the inputs; returns a Tensor or a tuple of them.
    inputs : Tensor or sequence
        The float64 tensors that require a gradient are checked; everything else is passed as it is.
    eps : float
        Length of the step.
    atol, rtol : float
        Agreement that counts: `|a - b| <= atol + rtol * |b|`.
    raise_exception : bool
        Raise on disagreement, rather than return False.
    seed : int
        Chooses the directions.

    Returns
    -------
    bool

    Raises
    ------
    DtypeError
        An input that requires a gradient is not float64: differences would be too coarse.
    GradientError
        The gradients disagree; the message has both numbers.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.randn(3, dtype=qrs.float64).requires_grad_()
    >>> qrs.autograd.gradcheck(lambda x: (x * x).sum(), x)
    True
    """
    values = [inputs] if isinstance(inputs, Variable) else list(inputs)
    rng = np.random.default_rng(seed)
    checked = [
        i for i, value in enumerate(values) if isinstance(value, Variable) and value.requires_grad
    ]
    for i in checked:
        if values[i]._array.dtype != np.float64:
            raise DtypeError(
                f"gradcheck: input {i} is {values[i]._array.dtype}, float64 was expected; "
                "convert it with double()"
            )
    outputs = _outputs(func(*values))
    weights = [rng.standard_normal(out._array.shape) for out in outputs]
    differentiable = [
        (out, w) for out, w in zip(outputs, weights, strict=True) if out.requires_grad
    ]
    if not checked or not differentiable:
        raise GradientError(
            "gradcheck: no output depends on an input that requires a gradient, nothing to check"
        )
    grads = grad(
        [out for out, _ in differentiable],
        [values[i] for i in checked],
        [wrap(w) for _, w in differentiable],
        allow_unused=True,
    )
    use = [out.requires_grad for out in outputs]

    def projected(i: int, moved: Any) -> float:
        """`v . f` with input `i` replaced by the array `moved`."""
        arguments = [*values[:i], wrap(moved), *values[i + 1 :]]
        results = _outputs(func(*arguments))
        return sum(
            float(np.vdot(w, out._array))
            for out, w, used in zip(results, weights, use, strict=True)
            if used
        )

    for i, analytic_grad in zip(checked, grads, strict=True):
        array = values[i]._array
        for _ in range(3):
            step = rng.standard_normal(array.shape)
            ahead = projected(i, array + eps * step)
            behind = projected(i, array - eps * step)
            numeric = (ahead - behind) / (2 * eps)
            analytic = 0.0 if analytic_grad is None else float(np.vdot(step, analytic_grad._array))
            if abs(analytic - numeric) <= atol + rtol * abs(numeric):
                continue
            if not raise_exception:
                return False
            raise GradientError(
                f"gradcheck: for input {i} of shape {array.shape} the recorded gradient gives "
                f"{analytic:.9g}, finite differences give {numeric:.9g}"
            )
    return True


def _outputs(result: Any) -> list[Any]:
    items = result if isinstance(result, (tuple, list)) else [result]
    return [item for item in items if isinstance(item, Variable)]
