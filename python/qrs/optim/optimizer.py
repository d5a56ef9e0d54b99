"""What every optimizer shares: groups of parameters, state, checks, saving and loading."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np

from qrs.autograd import enable_grad
from qrs.autograd.arrays import Array
from qrs.errors import GradientError, NonFiniteError, StateDictError
from qrs.nn.state import check_state_dict
from qrs.tensor import Tensor

__all__ = ["Optimizer"]


class Optimizer:
    """Base of optimizers. A subclass computes one step of one parameter in `_update`.

    Parameters
    ----------
    params : iterable
        Tensors; or pairs ``(name, tensor)`` as `Module.named_parameters` gives, so that errors can
        name them; or dicts with ``params`` and settings of their own.
    defaults : dict
        Settings of groups that name none.

    Attributes
    ----------
    param_groups : list of dict
        ``params``, ``param_names`` and the settings of each group; settings may be changed.
    state : dict
        From a parameter to what is kept for it between steps.

    Raises
    ------
    ValueError
        If there is no parameter, or one comes twice.
    TypeError
        If something else than a tensor comes.
    GradientError
        If a tensor is the result of an operation.
    """

    param_groups: list[dict[str, Any]]
    state: defaultdict[Tensor, dict[str, Any]]

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                f"{type(self).__name__}: a single Tensor came as params, expected several; put it "
                "into a list"
            )
        self.defaults = defaults
        self.state = defaultdict(dict)
        self.param_groups = []
        given = list(params)
        if not given:
            raise ValueError(
                f"{type(self).__name__}: no parameter came, expected at least one; pass "
                "model.parameters() of a float model or one from prepare_qat, for a converted one "
                "has none"
            )
        if isinstance(given[0], dict):
            for group in given:
                self.add_param_group(group)
        else:
            self.add_param_group({"params": given})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Train further parameters.

        Parameters
        ----------
        param_group : dict
            ``params`` as the constructor takes them, and settings; `defaults` gives the others.
        """
        where = type(self).__name__
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise TypeError(f"{where}: a group {param_group!r} came, expected a dict with 'params'")
        known_keys = {"params", "param_names", "initial_lr", *self.defaults}
        unknown = sorted(param_group.keys() - known_keys)
        if unknown:
            raise TypeError(
                f"{where}: a group with {', '.join(unknown)} came, expected settings among "
                f"{', '.join(self.defaults)}"
            )
        given = param_group["params"]
        group = self.defaults | param_group
        group["params"], group["param_names"] = [], []
        known = {id(p) for one in self.param_groups for p in one["params"]}
        for item in [given] if isinstance(given, Tensor) else given:
            name, param = item if isinstance(item, tuple) and len(item) == 2 else ("", item)
            if not isinstance(param, Tensor):
                raise TypeError(
                    f"{where}: a {type(param).__name__} came as parameter {name!r}, expected a "
                    "Tensor; pass model.parameters()"
                )
            if param._node is not None:
                raise GradientError(
                    f"{where}: parameter {name!r} of shape {tuple(param.shape)} is the result of "
                    f"'{param._node.name}', expected a leaf; create it with requires_grad=True"
                )
            if id(param) in known:
                raise ValueError(
                    f"{where}: parameter {name!r} of shape {tuple(param.shape)} came twice, "
                    "expected each once"
                )
            known.add(id(param))
            group["params"].append(param)
            group["param_names"].append(name)
        self._check(group)
        self.param_groups.append(group)

    def _check(self, group: dict[str, Any]) -> None:
        """Raise ValueError if a setting is out of its range."""
        where = type(self).__name__
        for name in ("lr", "weight_decay", "eps", "momentum"):
            value = group.get(name, 0.0)
            if not (isinstance(value, Real) and 0 <= float(value) < math.inf):
                raise ValueError(f"{where}: {name}={value!r} came, expected a number of at least 0")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients.

        Parameters
        ----------
        set_to_none : bool
            Drop the gradients; False fills them with zeros.
        """
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param.grad = None
                elif param.grad is not None:
                    param.grad = Tensor._wrap(np.zeros_like(param.grad._array))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters, once, by their gradients.

        Parameters
        ----------
        closure : callable, optional
            Computes the gradients anew and returns the loss.

        Returns
        -------
        object
            What ``closure`` returned, or None.

        Raises
        ------
        NonFiniteError
            If a gradient holds NaN or infinity: training has diverged. The message names the
            parameter; none has been changed.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with np.errstate(all="ignore"):
            self._check_gradients()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    self._update(param._array, param.grad._array, self.state[param], group)
                    # A graph that saved the old values must not use the new ones.
                    param._version_counter().count += 1
        return loss

    def _check_gradients(self) -> None:
        for number, group in enumerate(self.param_groups):
            for index, (param, name) in enumerate(
                zip(group["params"], group["param_names"], strict=True)
            ):
                if param.grad is None:
                    continue
                grad = param.grad._array
                # The sum is finite unless a value is not, or in very rare cases overflows.
                if math.isfinite(grad.sum()) or np.isfinite(grad).all():
                    continue
                bad = grad.size - int(np.isfinite(grad).sum())
                who = f"parameter {name!r}" if name else f"parameter {index} of group {number}"
                advice = "" if name else "; pass model.named_parameters() to be told its name"
                raise NonFiniteError(
                    f"{type(self).__name__}.step: the gradient of {who}, shape "
                    f"{tuple(param.shape)}, holds {bad} NaN or infinite values, expected finite "
                    "numbers; training has diverged: lower lr, or limit gradients with "
                    f"nn.utils.clip_grad_norm_{advice}"
                )

    def _update(
        self, param: Array, grad: Array, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        """Change ``param`` in place; ``grad`` must not be changed."""
        raise NotImplementedError(
            f"{type(self).__name__}: no _update method, expected the class to define one"
        )

    def state_dict(self) -> dict[str, Any]:
        """What a later run needs to go on: ``state`` by number of the parameter, and settings.

        Returns
        -------
        dict
            ``{"state": {0: {...}, ...}, "param_groups": [{..., "params": [0, ...]}]}``; the tensors
            are shared, not copied.
        """
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            packed = {k: v for k, v in group.items() if k not in ("params", "param_names")}
            packed["params"] = [numbers.setdefault(id(p), len(numbers)) for p in group["params"]]
            groups.append(packed)
        state = {numbers[id(p)]: dict(kept) for p, kept in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken; the tensors are copied.

        Raises
        ------
        StateDictError
            If its groups are not as large as these, or a state does not fit its parameter.
        """
        where = f"{type(self).__name__}.load_state_dict"
        check_state_dict(where, state_dict, ("state", "param_groups"))
        came = [len(group["params"]) for group in state_dict["param_groups"]]
        own = [len(group["params"]) for group in self.param_groups]
        if came != own:
            raise StateDictError(
                f"{where}: groups of {came} parameters came, expected {own}; build the optimizer "
                "over the same model"
            )
        params: dict[int, Tensor] = {}
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            params.update(zip(saved["params"], group["params"], strict=True))
        loaded: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for number, kept in state_dict["state"].items():
            param = params[int(number)]
            for name, value in kept.items():
                if isinstance(value, Tensor) and value.dim() and value.shape != param.shape:
                    raise StateDictError(
                        f"{where}: {name} of shape {tuple(value.shape)} came for parameter "
                        f"{number}, expected {tuple(param.shape)}"
                    )
            loaded[param] = {
                name: value.detach().clone() if isinstance(value, Tensor) else copy.copy(value)
                for name, value in kept.items()
            }
        self.state = loaded
        for group, saved in zip(self.param_groups, state_dict["param_groups"], strict=True):
            group.update({k: v for k, v in saved.items() if k != "params"})

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {k}: {v}" for k, v in group.items() if k in self.defaults]
        return "\n".join([*lines, ")"])
