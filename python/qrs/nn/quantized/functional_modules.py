"""Operations as modules, so that an observer can watch them: `FloatFunctional`, `QFunctional`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NoReturn, Self

from qrs.errors import DtypeError, NotCalibratedError
from qrs.nn.layers.container import Identity
from qrs.nn.module import Module
from qrs.nn.quantized import functional as F
from qrs.nn.quantized.functional_arithmetic import combined
from qrs.nn.quantized.output import QuantizedOutput, observed_output
from qrs.qtensor import QTensor
from qrs.qtensor.qparams import PerTensor
from qrs.tensor import Tensor, cat

__all__ = ["FXFloatFunctional", "FloatFunctional", "QFunctional"]


class FXFloatFunctional(Module):
    """The operations of `FloatFunctional` without an observer.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.quantized.FXFloatFunctional().add(qrs.ones(2), qrs.ones(2))
    tensor([2., 2.])
    """

    def forward(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: which operation is meant is not known.

        Raises
        ------
        RuntimeError
            Always.
        """
        raise RuntimeError(
            f"{self._get_name()}: called itself, expected one of its methods; call .add(x, y), "
            ".mul(x, y), .cat(tensors), .matmul(x, y), .add_relu(x, y), .add_scalar(x, c) or "
            ".mul_scalar(x, c)"
        )

    def _check_floats(self, *operands: Any) -> None:
        if any(isinstance(operand, QTensor) for operand in operands):
            raise DtypeError(
                f"{self._get_name()}: a quantized tensor came, expected float ones, since convert "
                "has not replaced this object; make it in __init__ as an attribute of a module "
                "with a qconfig, then prepare and convert again"
            )

    def _observed(self, operation: str, result: Tensor) -> Tensor:
        del operation
        return result

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """The sum."""
        self._check_floats(x, y)
        return self._observed("add", x + y)

    def add_scalar(self, x: Tensor, y: float) -> Tensor:
        """The sum with a number; its quantization follows from that of ``x``, so none observes."""
        self._check_floats(x)
        return x + y

    def mul(self, x: Tensor, y: Tensor) -> Tensor:
        """The product."""
        self._check_floats(x, y)
        return self._observed("mul", x * y)

    def mul_scalar(self, x: Tensor, y: float) -> Tensor:
        """The product with a number; see `add_scalar`."""
        self._check_floats(x)
        return x * y

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        """The product of matrices, or of batches of them."""
        self._check_floats(x, y)
        return self._observed("matmul", x @ y)

    def cat(self, x: Sequence[Tensor], dim: int = 0) -> Tensor:
        """The tensors joined along a dimension."""
        self._check_floats(*x)
        return self._observed("cat", cat(x, dim))

    def add_relu(self, x: Tensor, y: Tensor) -> Tensor:
        """The sum, cut at 0 from below."""
        self._check_floats(x, y)
        return self._observed("add_relu", (x + y).relu())


class FloatFunctional(FXFloatFunctional):
    """Operations on float tensors whose results `prepare` can observe.

    Stands for `+`, `*`, `qrs.cat` and so on in the ``forward`` of a model that is to be quantized
    statically; `convert` makes a `QFunctional` of it. Every call site needs an object of its own,
    since the observer holds the range of one result.

    Examples
    --------
    >>> import qrs
    >>> functional = qrs.nn.quantized.FloatFunctional()
    >>> functional.add(qrs.tensor([1.0]), qrs.tensor([2.0]))
    tensor([3.])
    """

    activation_post_process: Module

    def __init__(self) -> None:
        super().__init__()
        self.activation_post_process = Identity()
        self._operation = ""

    def _observed(self, operation: str, result: Tensor) -> Tensor:
        if self._operation != operation and type(self.activation_post_process) is not Identity:
            if self._operation:
                warnings.warn(
                    f"FloatFunctional: {operation} came on an object that observes "
                    f"{self._operation}, expected one object for each operation, as their ranges "
                    "mix; make another FloatFunctional",
                    stacklevel=3,
                )
            self._operation = operation
        out: Tensor = self.activation_post_process(result)
        return out


class QFunctional(QuantizedOutput):
    """The operations of `FloatFunctional` on quantized tensors.

    Attributes
    ----------
    scale, zero_point : float, int
        Of the results, except those of `add_scalar` and `mul_scalar`.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.quantize_per_tensor(qrs.tensor([1.0, 2.0]), 0.5, 0, qrs.quint8)
    >>> qrs.nn.quantized.QFunctional().add(x, x).dequantize()
    tensor([2., 4.])
    """

    activation_post_process: Module
    _is_calibrated: bool

    def __init__(self) -> None:
        super().__init__()
        self.activation_post_process = Identity()

    @classmethod
    def from_float(cls, mod: Any) -> Self:
        """Take the parameters that the observer of a `FloatFunctional` found.

        One that has seen no data is converted, too, since networks have such that they never call,
        and operations with a number need no range: the others are refused when they are called.

        Raises
        ------
        TypeError
            If another module came.
        QrsError
            If it was not prepared.
        """
        if type(mod) is not FloatFunctional:
            raise TypeError(
                f"QFunctional.from_float: a {type(mod).__name__} came, expected a FloatFunctional"
            )
        new = cls()
        try:
            new._set_output(*observed_output(mod, "QFunctional.from_float"))
        except NotCalibratedError:
            new._is_calibrated = False
        return new

    def _put(self, output: PerTensor) -> None:
        super()._put(output)
        self._is_calibrated = True

    def _result(self) -> PerTensor:
        """The parameters of results.

        Raises
        ------
        NotCalibratedError
            If calibration has found none.
        """
        if not self._is_calibrated:
            raise NotCalibratedError(
                "QFunctional: an operation came that was not called during calibration, so the "
                "scale of its result is not known; calibrate with data that reaches it"
            )
        return self._output

    def forward(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Refuse: which operation is meant is not known.

        Raises
        ------
        RuntimeError
            Always.
        """
        raise RuntimeError(
            "QFunctional: called itself, expected one of its methods; call .add(x, y), .mul(x, y), "
            ".cat(tensors), .matmul(x, y), .add_relu(x, y), .add_scalar(x, c) or .mul_scalar(x, c)"
        )

    def _watched(self, result: QTensor) -> QTensor:
        """The result, seen by a logger where one stands in the place of the Identity."""
        logger = self.activation_post_process
        if type(logger) is not Identity:
            result = logger(result)
        return result

    def _combined(self, operation: str, x: QTensor, y: QTensor, relu: bool) -> QTensor:
        x, y = self._checked(x), self._checked(y)
        return self._watched(combined(operation, x, y, self._result(), relu))

    def add(self, x: QTensor, y: QTensor) -> QTensor:
        """The sum."""
        return self._combined("add", x, y, False)

    def add_scalar(self, x: QTensor, y: float) -> QTensor:
        """The sum with a number: the integers stay where the zero point can follow."""
        return self._watched(F.add_scalar(self._checked(x), y))

    def mul(self, x: QTensor, y: QTensor) -> QTensor:
        """The product."""
        return self._combined("mul", x, y, False)

    def mul_scalar(self, x: QTensor, y: float) -> QTensor:
        """The product with a number: the integers stay (a negative one mirrors them)."""
        return self._watched(F.mul_scalar(self._checked(x), y))

    def matmul(self, x: QTensor, y: QTensor) -> QTensor:
        """The product of matrices, or of batches of them."""
        return self._watched(F.matmul(self._checked(x), self._checked(y), *self._result()))

    def cat(self, x: Sequence[QTensor], dim: int = 0) -> QTensor:
        """The tensors joined along a dimension."""
        return self._watched(F.cat([self._checked(item) for item in x], dim, *self._result()))

    def add_relu(self, x: QTensor, y: QTensor) -> QTensor:
        """The sum, cut at 0 from below."""
        return self._combined("add", x, y, True)

    def _get_name(self) -> str:
        return type(self).__name__
