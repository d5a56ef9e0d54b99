"""Every exception that qrs raises by name.

Each one is also a built-in exception of the kind that a caller would expect, so that `except
ValueError` works for someone who has never read this page. A message is one sentence: where, what
came, what was expected, what to do.
"""

__all__ = [
    "DtypeError",
    "FormatError",
    "GradientError",
    "IntegrityError",
    "InternalError",
    "NonFiniteError",
    "NotCalibratedError",
    "QrsError",
    "ShapeError",
    "StateDictError",
    "UnquantizedLayerWarning",
    "UnsupportedLayerError",
    "instead_of",
    "type_name",
]


def type_name(value: object) -> str:
    """The name of a value's type, with the library that it is of, if that is another one.

    Examples
    --------
    >>> import numpy as np
    >>> type_name(np.zeros(2)), type_name(3.0)
    ('numpy.ndarray', 'float')
    """
    cls = type(value)
    library = cls.__module__.partition(".")[0]
    return cls.__name__ if library in ("builtins", "qrs") else f"{library}.{cls.__name__}"


def instead_of(value: object, make: str = "qrs.as_tensor()") -> str:
    """What to do where a tensor was expected and something else came.

    Examples
    --------
    >>> instead_of([1.0, 2.0])
    'make one with qrs.as_tensor()'
    >>> instead_of(None)
    'look for a missing return in what gave it'
    """
    if value is None:
        return "look for a missing return in what gave it"
    if isinstance(value, tuple):
        return "unpack it, as in y, states = lstm(x)"
    return f"make one with {make}"


class QrsError(Exception):
    """Base of every error of qrs.

    Attributes
    ----------
    module_path : str
        The dotted name of the module whose forward pass raised it, as seen from the outermost
        module that was called; empty outside of a forward pass. The message starts with it.

    Examples
    --------
    >>> issubclass(ShapeError, QrsError)
    True
    """

    module_path = ""
    # Set by `nn.Module`: the class of the failing module, and the outermost module that the error
    # has left so far.
    _class = ""
    _left: object = None

    def __str__(self) -> str:
        message = super().__str__()
        return f"at {self.module_path} ({self._class}): {message}" if self.module_path else message


class NonFiniteError(QrsError, ValueError):
    """A value that is NaN or infinite came where a range has to be computed from it."""


class UnquantizedLayerWarning(UserWarning):
    """A layer that looks like one of those to quantize was left in float."""


class NotCalibratedError(QrsError, RuntimeError):
    """An observer was asked for quantization parameters before it saw any data."""


class UnsupportedLayerError(QrsError, TypeError):
    """A layer was asked to be quantized and has no quantized form."""


class ShapeError(QrsError, ValueError):
    """The shapes, dimensions or indices of the inputs do not fit the operation."""


class DtypeError(QrsError, TypeError):
    """The element type of an input is not one that the operation takes."""


class GradientError(QrsError, RuntimeError):
    """The gradient that was asked for cannot be computed from the recorded graph."""


class FormatError(QrsError, ValueError):
    """A file does not hold what its format promises."""


class IntegrityError(FormatError):
    """The content of a file differs from the checksum stored in it."""


class StateDictError(QrsError, RuntimeError):
    """The names or shapes of a state dict are not those of the module that was to load it."""


class InternalError(QrsError, RuntimeError):
    """A condition that qrs itself guarantees does not hold: please report it."""
