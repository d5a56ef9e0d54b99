"""What layers in quantization-aware training share: a fake quantizer over their weight."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from qrs.errors import QrsError
from qrs.nn.layers.container import Sequential
from qrs.nn.module import Module
from qrs.tensor import Tensor

__all__ = ["WeightFakeQuant"]


class WeightFakeQuant(Module):
    """A float layer that computes with its weight rounded to few bits.

    Stands before the float class among the bases of a layer. `convert` reads ``weight_fake_quant``.

    Attributes
    ----------
    qconfig : QConfig
        ``qconfig.weight()`` made the fake quantizer.
    weight_fake_quant : Module
        What the weight passes through at each call.
    """

    # What `from_float` takes: a float layer, or a fused one that begins with it.
    float_class: ClassVar[type[Module]]

    weight: Any

    def _init_qat(self, qconfig: Any) -> None:
        """Add what the float layer lacks."""
        self.qconfig = qconfig
        if not callable(getattr(qconfig, "weight", None)):
            raise QrsError(
                f"{self._get_name()}: qconfig {qconfig!r} came, expected a QConfig; use "
                "qrs.quantization.get_default_qat_qconfig()"
            )
        self._add_fake_quants()

    def _add_fake_quants(self) -> None:
        self.weight_fake_quant = self.qconfig.weight()

    @classmethod
    def from_float(cls, mod: Any) -> Self:
        """Make the layer over the parameters of a float one, which are shared.

        Parameters
        ----------
        mod : Module
            Of exactly the class that this one is for, with a ``qconfig``.

        Raises
        ------
        TypeError
            If it is of another class.
        QrsError
            If it has no qconfig.
        """
        where = f"{cls.__name__}.from_float"
        if type(mod) is not cls.float_class:
            raise TypeError(
                f"{where}: a {type(mod).__name__} came, expected a {cls.float_class.__name__}"
            )
        new = cls.__new__(cls)
        new._adopt(mod)
        new._init_qat(getattr(mod, "qconfig", None))
        return new

    def _adopt(self, mod: Any) -> None:
        """Take over settings, parameters, buffers and children; hooks stay behind."""
        layer = mod[0] if isinstance(mod, Sequential) else mod
        Module.__init__(self)
        tables = "_parameters", "_buffers", "_modules"
        members = {name for table in tables for name in getattr(layer, table)}
        # What Module.__init__ has set is this module's own.
        own = set(self.__dict__)
        settings = {k: v for k, v in vars(layer).items() if k not in own and k not in members}
        self.__dict__.update(settings)
        for table in tables:
            getattr(self, table).update(getattr(layer, table))
        self.training = mod.training

    def _rounded_weight(self) -> Tensor:
        """The weight as it will be stored, in float."""
        rounded: Tensor = self.weight_fake_quant(self.weight)
        return rounded
