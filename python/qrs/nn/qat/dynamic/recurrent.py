"""`LSTM` in training for dynamic quantization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qrs.backends import quantized
from qrs.nn.functional.recurrent import lstm_layer
from qrs.nn.layers import recurrent as floats
from qrs.nn.layers.container import ModuleDict
from qrs.nn.qat.weights import WeightFakeQuant
from qrs.tensor import Tensor

__all__ = ["LSTM"]


class LSTM(WeightFakeQuant, floats.LSTM):
    """An LSTM that rounds its weights and, before each product, its input and its state.

    It computes what `nn.quantized.dynamic.LSTM` will, up to float rounding.

    Parameters
    ----------
    *args, **kwargs
        As the float layer.
    qconfig : QConfig
        See `WeightFakeQuant`; `get_default_qat_dynamic_qconfig` gives one.

    Attributes
    ----------
    weight_fake_quant : ModuleDict
        One fake quantizer for each weight, under the weight's name.
    engine : str
        The numeric profile, that of `qrs.backends.quantized.engine` when the layer was made.

    Raises
    ------
    QrsError
        If no qconfig came.

    Examples
    --------
    >>> import qrs
    >>> qconfig = qrs.quantization.get_default_qat_dynamic_qconfig()
    >>> layer = qrs.nn.qat.dynamic.LSTM(3, 4, num_layers=2, qconfig=qconfig)
    >>> output, (h, c) = layer(qrs.randn(5, 2, 3))
    >>> tuple(output.shape), tuple(h.shape)
    ((5, 2, 4), (2, 2, 4))
    """

    float_class = floats.LSTM

    def __init__(self, *args: Any, qconfig: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._init_qat(qconfig)

    def _add_fake_quants(self) -> None:
        self.engine = quantized.engine
        self.weight_fake_quant = ModuleDict(
            {
                name: self.qconfig.weight()
                for name, param in self._parameters.items()
                if param is not None and param.dim() > 1
            }
        )

    def _run_direction(
        self,
        rows: Tensor,
        states: tuple[Tensor, ...],
        layer: int,
        reverse: bool,
        sizes: list[int],
    ) -> tuple[Tensor, ...]:
        suffix = self._suffixes(layer)[reverse]
        get: Callable[[str], Any] = self._parameters.get

        def weight(kind: str) -> Any:
            value = get(kind + suffix)
            return None if value is None else self.weight_fake_quant[kind + suffix](value)

        h, c = states
        w_ih, w_hh, w_hr = weight("weight_ih"), weight("weight_hh"), weight("weight_hr")
        b_ih, b_hh = get("bias_ih" + suffix), get("bias_hh" + suffix)
        return lstm_layer(rows, h, c, w_ih, w_hh, b_ih, b_hh, w_hr, sizes, reverse, self.engine)
