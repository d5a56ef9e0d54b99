"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from qrs.autograd.arrays import Array
from qrs.optim.optimizer import Optimizer
from qrs.tensor import Tensor

__all__ = ["Adam", "AdamW"]


class _AdamBase(Optimizer):
    decoupled = False

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
        amsgrad: bool,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": betas,
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
            },
        )

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        betas = group["betas"]
        if len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ValueError(
                f"{type(self).__name__}: betas={betas} came, expected two numbers in [0, 1)"
            )

    def _update(
        self, param: Array, grad: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        (beta1, beta2), lr, decay = group["betas"], group["lr"], group["weight_decay"]
        if decay and self.decoupled:
            param *= 1 - lr * decay
        elif decay:
            grad = grad + param * decay
        if not state:
            names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 if group["amsgrad"] else 2]
            state["step"] = 0
            state.update({name: Tensor._wrap(np.zeros_like(param)) for name in names})
        state["step"] = step = state["step"] + 1
        first, second = state["exp_avg"]._array, state["exp_avg_sq"]._array
        first *= beta1
        first += grad * (1 - beta1)
        second *= beta2
        square = grad * grad
        square *= 1 - beta2
        second += square
        if group["amsgrad"]:
            largest = state["max_exp_avg_sq"]._array
            np.maximum(largest, second, out=largest)
            second = largest
        # The divisor takes the memory of the squares.
        divisor = np.sqrt(second, out=square)
        divisor /= math.sqrt(1 - beta2**step)
        divisor += group["eps"]
        np.divide(first, divisor, out=divisor)
        divisor *= lr / (1 - beta1**step)
        param -= divisor


class Adam(_AdamBase):
    """Steps of about ``lr``, in units of each gradient's running size.

    m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2; the step number t is
    -lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps). Source: Kingma and Ba 2014,
    arXiv:1412.6980; amsgrad: Reddi et al. 2018, in PyTorch's form.

    Parameters
    ----------
    params : iterable
        See `Optimizer`.
    lr : float
    betas : pair of float
    eps : float
    weight_decay : float
        Added to the gradient, times the parameter.
    amsgrad : bool
        Divide by the largest v so far.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> import qrs
    >>> w = qrs.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = qrs.optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.detach()
    tensor([ 0.9000, -1.9000])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)


class AdamW(_AdamBase):
    """`Adam`, with the decay applied to the parameter itself: p <- p (1 - lr weight_decay).

    Source: Loshchilov and Hutter 2017, arXiv:1711.05101.

    Parameters
    ----------
    params, lr, betas, eps, weight_decay, amsgrad
        See `Adam`.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> import qrs
    >>> w = qrs.tensor([1.0], requires_grad=True)
    >>> optimizer = qrs.optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (0 * w).sum().backward()
    >>> optimizer.step()
    >>> w.detach()
    tensor([0.9500])
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)
