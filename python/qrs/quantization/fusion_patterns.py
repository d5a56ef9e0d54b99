"""Which sequences of modules become one, and how."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import qrs.nn as nn
import qrs.nn.intrinsic as nni
from qrs.errors import UnsupportedLayerError
from qrs.nn.module import Module
from qrs.nn.utils import fuse_conv_bn_weights

__all__ = [
    "DEFAULT_OP_LIST_TO_FUSER_METHOD",
    "PATTERNS",
    "Fuser",
    "Pattern",
    "Types",
    "get_fuser_method",
]

Fuser = Callable[..., Module]
Types = tuple[type[Module], ...]


@dataclass(frozen=True)
class Pattern:
    """One row of the table.

    Attributes
    ----------
    types : tuple of type
        Exact types of neighbours, in the order in which they are called.
    inference : callable
        Makes one module of them in evaluation mode.
    training : callable or None
        The same in training mode; None where that is not possible.
    """

    types: Types
    inference: Fuser
    training: Fuser | None

    def fuser(self, training: bool) -> Fuser:
        """The function for one mode.

        Raises
        ------
        UnsupportedLayerError
            If there is none in training mode.
        """
        chosen = self.training if training else self.inference
        if chosen is None:
            names = ", ".join(cls.__name__ for cls in self.types)
            raise UnsupportedLayerError(
                f"fuse_modules: ({names}) came in training mode, expected evaluation mode; call "
                "model.eval() before"
            )
        return chosen

    def fuse(self, *modules: Module) -> Module:
        """Make one module of several, by the mode that the first is in."""
        return self.fuser(modules[0].training)(*modules)


def _fold(layer: Any, bn: Any) -> Module:
    """The layer with the normalisation folded into its weight and bias; a new module."""
    if bn.running_mean is None or bn.running_var is None:
        raise UnsupportedLayerError(
            f"fuse_modules: a {type(bn).__name__} without running statistics came, expected "
            "track_running_stats=True"
        )
    folded: Any = copy.deepcopy(layer)
    # A transposed convolution keeps its output channels, cut into groups, on the second axis.
    transposed = isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
    weight, bias = fuse_conv_bn_weights(
        layer.weight,
        layer.bias,
        bn.running_mean,
        bn.running_var,
        bn.eps,
        bn.weight,
        bn.bias,
        groups=layer.groups if transposed else None,
    )
    folded.weight = nn.Parameter(weight)
    folded.bias = nn.Parameter(bias)
    fused: Module = folded
    return fused


def _patterns() -> tuple[Pattern, ...]:
    rows: list[Pattern] = []
    for rank in ("1d", "2d", "3d"):
        conv, bn, relu = getattr(nn, f"Conv{rank}"), getattr(nn, f"BatchNorm{rank}"), nn.ReLU
        conv_relu = getattr(nni, f"ConvReLU{rank}")
        rows += [
            Pattern((conv, bn), _fold, getattr(nni, f"ConvBn{rank}")),
            Pattern(
                (conv, bn, relu),
                lambda conv, bn, relu, fused=conv_relu: fused(_fold(conv, bn), relu),
                getattr(nni, f"ConvBnReLU{rank}"),
            ),
            Pattern((conv, relu), conv_relu, conv_relu),
            Pattern((getattr(nn, f"ConvTranspose{rank}"), bn), _fold, None),
        ]
    return (
        *rows,
        Pattern((nn.Linear, nn.ReLU), nni.LinearReLU, nni.LinearReLU),
        Pattern((nn.Linear, nn.BatchNorm1d), _fold, nni.LinearBn1d),
        Pattern(
            (nn.Linear, nn.BatchNorm1d, nn.ReLU),
            lambda linear, bn, relu: nni.LinearReLU(_fold(linear, bn), relu),
            None,
        ),
        Pattern((nn.BatchNorm1d, nn.ReLU), nni.BNReLU1d, nni.BNReLU1d),
        Pattern((nn.BatchNorm2d, nn.ReLU), nni.BNReLU2d, nni.BNReLU2d),
        Pattern((nn.BatchNorm3d, nn.ReLU), nni.BNReLU3d, nni.BNReLU3d),
    )


PATTERNS = _patterns()
"""All patterns; README's list and the tests are derived from it."""

DEFAULT_OP_LIST_TO_FUSER_METHOD: dict[Types, Fuser] = {row.types: row.fuse for row in PATTERNS}
"""From the types of neighbours to the function that fuses them."""


def get_fuser_method(
    op_list: Types,
    additional_fuser_method_mapping: Mapping[Types, Fuser] | None = None,
    training: bool = False,
) -> Fuser:
    """The function that fuses modules of exactly these types.

    Parameters
    ----------
    op_list : tuple of type
    additional_fuser_method_mapping : mapping, optional
        From tuples of types to functions of the modules; looked at first.
    training : bool
        Whether the modules are in training mode.

    Raises
    ------
    UnsupportedLayerError
        If there is no pattern of these types in this mode.
    """
    extra = (additional_fuser_method_mapping or {}).get(op_list)
    if extra is not None:
        return extra
    names = ", ".join(cls.__name__ for cls in op_list)
    row = next((row for row in PATTERNS if row.types == op_list), None)
    if row is None and set(op_list[1:]) == {nn.Identity}:
        raise UnsupportedLayerError(
            f"fuse_modules: ({names}) came, so the group is fused already, expected the model from "
            "before; leave out this call"
        )
    if row is None:
        known = "; ".join(", ".join(cls.__name__ for cls in row.types) for row in PATTERNS)
        raise UnsupportedLayerError(f"fuse_modules: ({names}) came, expected one of: {known}")
    return row.fuser(training)
