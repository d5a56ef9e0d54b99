"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from qrs.autograd.arrays import Array
from qrs.optim.optimizer import Optimizer
from qrs.tensor import Tensor

__all__ = ["SGD"]


class SGD(Optimizer):
    """Steps against the gradient, with momentum if wanted.

    With g the gradient plus ``weight_decay`` times the parameter, and b = ``momentum`` b +
    (1 - ``dampening``) g (b = g at the first step): the step is -lr b, or -lr (g + momentum b) with
    ``nesterov``, or -lr g without momentum. Source: Sutskever et al. 2013, in PyTorch's form.

    Parameters
    ----------
    params : iterable
        See `Optimizer`.
    lr : float
        Length of a step.
    momentum, dampening, weight_decay : float
    nesterov : bool
        Look ahead along the momentum; needs momentum and no dampening.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> import qrs
    >>> w = qrs.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = qrs.optim.SGD([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w.detach()
    tensor([ 0.8000, -1.6000])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
            },
        )

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        if group["nesterov"] and (not group["momentum"] or group["dampening"]):
            raise ValueError(
                f"SGD: nesterov came with momentum={group['momentum']} and "
                f"dampening={group['dampening']}, expected momentum above 0 and dampening 0"
            )

    def _update(
        self, param: Array, grad: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        momentum = group["momentum"]
        if group["weight_decay"]:
            grad = grad + param * group["weight_decay"]
        if momentum:
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = Tensor._wrap(np.array(grad))
            else:
                buffer = state["momentum_buffer"]._array
                buffer *= momentum
                buffer += grad * (1 - group["dampening"]) if group["dampening"] else grad
            buffer = state["momentum_buffer"]._array
            grad = grad + buffer * momentum if group["nesterov"] else buffer
        param -= grad * group["lr"]
