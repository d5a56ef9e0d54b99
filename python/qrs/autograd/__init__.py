"""Reverse-mode differentiation.

`backward`, `grad`, `no_grad`, `Function` and `gradcheck` are for users. `define`, `define_fused`,
`vjp` and `apply` add an operation with its gradient; `qrs.autograd.primitive` explains how.
"""

from typing import TYPE_CHECKING

from qrs.absent import refuse
from qrs.autograd.engine import backward, grad
from qrs.autograd.function import Function, FunctionCtx
from qrs.autograd.gradcheck import gradcheck
from qrs.autograd.in_place import apply_in_place
from qrs.autograd.mode import enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from qrs.autograd.primitive import (
    PRIMITIVES,
    Primitive,
    Sample,
    Vjp,
    define,
    define_fused,
    vjp,
)
from qrs.autograd.record import apply

__all__ = [
    "PRIMITIVES",
    "Function",
    "FunctionCtx",
    "Primitive",
    "Sample",
    "Vjp",
    "apply",
    "apply_in_place",
    "backward",
    "define",
    "define_fused",
    "enable_grad",
    "grad",
    "gradcheck",
    "is_grad_enabled",
    "no_grad",
    "set_grad_enabled",
    "vjp",
]


if not TYPE_CHECKING:
    # Type checkers know which names there are.
    def __getattr__(name):
        refuse(__name__, name)
