"""Float modules that `fuse_modules` makes: neighbours that become one quantized layer."""

from __future__ import annotations

from typing import ClassVar

from qrs.nn.layers.activation import ReLU
from qrs.nn.layers.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from qrs.nn.layers.container import Sequential
from qrs.nn.layers.conv import Conv1d, Conv2d, Conv3d
from qrs.nn.layers.linear import Linear
from qrs.nn.module import Module
from qrs.nn.utils import fuse_conv_bn_weights
from qrs.tensor import Tensor

__all__ = [
    "BNReLU1d",
    "BNReLU2d",
    "BNReLU3d",
    "ConvBn1d",
    "ConvBn2d",
    "ConvBn3d",
    "ConvBnReLU1d",
    "ConvBnReLU2d",
    "ConvBnReLU3d",
    "ConvReLU1d",
    "ConvReLU2d",
    "ConvReLU3d",
    "FusedModule",
    "LinearBn1d",
    "LinearReLU",
    "WithFolding",
]


class FusedModule(Sequential):
    """Base of fused modules: calls its members in order.

    Parameters
    ----------
    *modules : Module
        Of exactly the types in ``types``.

    Raises
    ------
    TypeError
        If one is of another type.

    Examples
    --------
    >>> import qrs
    >>> fused = qrs.nn.intrinsic.LinearReLU(qrs.nn.Linear(2, 2), qrs.nn.ReLU())
    >>> tuple(fused(qrs.ones(1, 2)).shape)
    (1, 2)
    """

    types: ClassVar[tuple[type[Module], ...]] = ()

    def __init__(self, *modules: Module) -> None:
        came = tuple(type(module) for module in modules)
        if came != self.types:
            raise TypeError(
                f"{type(self).__name__}: {_names(came)} came, expected exactly {_names(self.types)}"
            )
        super().__init__(*modules)


class _ConvReLU(FusedModule):
    def __init__(self, conv: Module, relu: Module) -> None:
        super().__init__(conv, relu)


class _BNReLU(FusedModule):
    def __init__(self, batch_norm: Module, relu: Module) -> None:
        super().__init__(batch_norm, relu)


class WithFolding(FusedModule):
    """A layer and a batch normalisation, which can be folded into it."""

    def folded(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of the layer with the normalisation folded in; outside of any graph."""
        layer, bn = self[0], self[1]
        return fuse_conv_bn_weights(
            layer.weight, layer.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
        )


class _ConvBn(WithFolding):
    def __init__(self, conv: Module, bn: Module) -> None:
        super().__init__(conv, bn)


class _ConvBnReLU(WithFolding):
    def __init__(self, conv: Module, bn: Module, relu: Module) -> None:
        super().__init__(conv, bn, relu)


def _names(types: tuple[type[Module], ...]) -> str:
    return "(" + ", ".join(cls.__name__ for cls in types) + ")"


class ConvReLU1d(_ConvReLU):
    """`Conv1d` and `ReLU`."""

    types = (Conv1d, ReLU)


class ConvReLU2d(_ConvReLU):
    """`Conv2d` and `ReLU`."""

    types = (Conv2d, ReLU)


class ConvReLU3d(_ConvReLU):
    """`Conv3d` and `ReLU`."""

    types = (Conv3d, ReLU)


class LinearReLU(FusedModule):
    """`Linear` and `ReLU`."""

    types = (Linear, ReLU)

    def __init__(self, linear: Module, relu: Module) -> None:
        super().__init__(linear, relu)


class LinearBn1d(WithFolding):
    """`Linear` and `BatchNorm1d`, for training."""

    types = (Linear, BatchNorm1d)

    def __init__(self, linear: Module, bn: Module) -> None:
        super().__init__(linear, bn)


class ConvBn1d(_ConvBn):
    """`Conv1d` and `BatchNorm1d`, for training."""

    types = (Conv1d, BatchNorm1d)


class ConvBn2d(_ConvBn):
    """`Conv2d` and `BatchNorm2d`, for training."""

    types = (Conv2d, BatchNorm2d)


class ConvBn3d(_ConvBn):
    """`Conv3d` and `BatchNorm3d`, for training."""

    types = (Conv3d, BatchNorm3d)


class ConvBnReLU1d(_ConvBnReLU):
    """`Conv1d`, `BatchNorm1d` and `ReLU`, for training."""

    types = (Conv1d, BatchNorm1d, ReLU)


class ConvBnReLU2d(_ConvBnReLU):
    """`Conv2d`, `BatchNorm2d` and `ReLU`, for training."""

    types = (Conv2d, BatchNorm2d, ReLU)


class ConvBnReLU3d(_ConvBnReLU):
    """`Conv3d`, `BatchNorm3d` and `ReLU`, for training."""

    types = (Conv3d, BatchNorm3d, ReLU)


class BNReLU1d(_BNReLU):
    """`BatchNorm1d` and `ReLU`."""

    types = (BatchNorm1d, ReLU)


class BNReLU2d(_BNReLU):
    """`BatchNorm2d` and `ReLU`."""

    types = (BatchNorm2d, ReLU)


class BNReLU3d(_BNReLU):
    """`BatchNorm3d` and `ReLU`."""

    types = (BatchNorm3d, ReLU)
