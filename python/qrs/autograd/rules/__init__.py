"""The table of primitives: one module for each kind of operation.

Each primitive is a module-level name; importing this package registers them all.
"""

from qrs.autograd.rules import (
    arithmetic,
    elementwise,
    indexing,
    joining,
    linalg,
    reduction,
    shape,
)

__all__ = ["arithmetic", "elementwise", "indexing", "joining", "linalg", "reduction", "shape"]
