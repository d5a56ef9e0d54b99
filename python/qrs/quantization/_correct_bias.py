"""Bias correction: what rounding the weights does to the mean of every channel is taken back.

Rounding errors of a weight do not average out: all positions of a channel share them, so the
output of a channel is shifted. The shift is measured on data and subtracted from the bias. Source:
Nagel and others, "Data-free quantization through weight equalization and bias correction", 2019.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np

import qrs.nn.intrinsic.quantized as nniq
import qrs.nn.quantized as nnq
from qrs.autograd import no_grad
from qrs.errors import ShapeError
from qrs.nn.module import Module
from qrs.qtensor import QTensor
from qrs.quantization._numeric_suite import Logger, Shadow
from qrs.quantization._numeric_suite.stubs import shadowed
from qrs.quantization.inputs import check_batches, run_batch
from qrs.tensor import Tensor

__all__ = [
    "MeanShadowLogger",
    "bias_correction",
    "get_module",
    "get_param",
    "parent_child_names",
]

_TARGETS: frozenset[type[Module]] = frozenset(
    {
        nnq.Linear,
        nnq.Conv1d,
        nnq.Conv2d,
        nnq.Conv3d,
        nniq.LinearReLU,
        nniq.ConvReLU1d,
        nniq.ConvReLU2d,
        nniq.ConvReLU3d,
    }
)


def get_module(model: Module, name: str) -> Module:
    """The module of a dotted name; the empty name is the model itself.

    Raises
    ------
    AttributeError
        If there is none of that name.
    """
    return model.get_submodule(name)


def parent_child_names(name: str) -> tuple[str, str]:
    """The dotted name of a module's parent, and the module's own name in it.

    Examples
    --------
    >>> from qrs.quantization._correct_bias import parent_child_names
    >>> parent_child_names("body.0.conv"), parent_child_names("conv")
    (('body.0', 'conv'), ('', 'conv'))
    """
    parent, _, child = name.rpartition(".")
    return parent, child


def get_param(module: Module, attr: str) -> Any:
    """A parameter of a float or a quantized module, whose ``weight`` and ``bias`` are methods."""
    param = getattr(module, attr, None)
    return param() if callable(param) else param


class MeanShadowLogger(Logger):
    """Keeps the mean of every channel of the outputs of a quantized module and its float twin.

    Every value counts the same, so batches and images may differ in size.

    Attributes
    ----------
    axis : int
        The axis of the channels: 1 for convolutions (the default), -1 for linear layers.
    stats : dict
        ``{"float": Tensor, "quantized": Tensor, "positive": Tensor}``, of shape (C,), float64: the
        means of both, and the share of quantized outputs above zero; None before the first call.

    Examples
    --------
    >>> import qrs
    >>> from qrs.quantization._correct_bias import MeanShadowLogger
    >>> logger = MeanShadowLogger()
    >>> logger(qrs.tensor([[1.0, 2.0]]), qrs.tensor([[1.0, 1.5]]))
    >>> logger(qrs.tensor([[3.0, 2.0]]), qrs.tensor([[2.0, 1.5]]))
    >>> logger.stats["quantized"], logger.stats["float"]
    (tensor([2., 2.], dtype=qrs.float64), tensor([1.5000, 1.5000], dtype=qrs.float64))
    """

    axis = 1

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def clear(self) -> None:
        """Forget what was recorded."""
        self.stats = dict.fromkeys(("float", "quantized", "positive"))
        self._count = 0

    def forward(self, x: Any, y: Any) -> None:
        """Take in ``x``, the output of the quantized module, and ``y``, that of the float one.

        Raises
        ------
        ShapeError
            If their shapes differ.
        """
        x = x.dequantize() if isinstance(x, QTensor) else x
        if x.shape != y.shape:
            raise ShapeError(
                f"MeanShadowLogger: outputs of shapes {tuple(x.shape)} and {tuple(y.shape)} came, "
                "expected equal ones; compare a quantized module with its own float form"
            )
        values = {"float": y._array, "quantized": x._array, "positive": x._array > 0}
        axes = tuple(i for i in range(x.dim()) if i != self.axis % x.dim())
        count = self._count + x.numel() // x.shape[self.axis]
        for kind, value in values.items():
            total = value.sum(axes, dtype=np.float64)
            if self.stats[kind] is not None:
                total += self.stats[kind]._array * self._count
            self.stats[kind] = Tensor._wrap(total / count)
        self._count = count


def bias_correction(
    float_model: Module,
    quantized_model: Module,
    img_data: Iterable[Any],
    target_modules: Collection[type[Module]] = _TARGETS,
    neval_batches: int | None = None,
) -> None:
    """Correct the biases of a statically quantized model, in place, so that the means fit.

    Layer by layer: the quantized layer and its float form run on the same inputs, and the
    difference of their means, channel by channel, is subtracted from the bias. Layers without bias
    stay as they are.

    Parameters
    ----------
    float_model : Module
        Fused like the quantized one.
    quantized_model : Module
        From `convert`. Its structure is as before when the call returns.
    img_data : iterable
        Batches: an input, or a tuple whose first item is the input; tensors or arrays.
    target_modules : collection of type
        Exact types of quantized modules to correct.
    neval_batches : int, optional
        Use so many batches only.

    Raises
    ------
    ValueError
        If there is nothing to correct, or no batch.

    Notes
    -----
    ``b -= mean(y_quantized) - mean(y_float)``. Behind a ReLU that is part of the layer, only the
    share ``p`` of outputs above zero follows the bias, so the difference is divided by ``p``.

    The model runs once on all data for each layer, as every correction changes what comes after it.

    Examples
    --------
    >>> import qrs
    >>> Q = qrs.quantization
    >>> model = qrs.nn.Sequential(Q.QuantStub(), qrs.nn.Linear(8, 4), Q.DeQuantStub()).eval()
    >>> model.qconfig = Q.get_default_qconfig()
    >>> prepared = Q.prepare(model)
    >>> data = [qrs.randn(16, 8) for _ in range(4)]
    >>> _ = Q.calibrate(prepared, data)
    >>> Q._correct_bias.bias_correction(model, small := Q.convert(prepared), data)
    """
    names = [
        name
        for name, module in quantized_model.named_modules()
        if type(module) in target_modules and get_param(module, "bias") is not None
    ]
    twins = {type(float_model.get_submodule(name)) for name in names}
    if not names:
        kinds = ", ".join(sorted(kind.__name__ for kind in target_modules))
        raise ValueError(
            f"bias_correction: the quantized model has no {kinds} with a bias, expected one at "
            "least; pass a model from convert"
        )
    check_batches("bias_correction", img_data)
    # An iterator is read once, and every layer needs the data.
    batches = list(img_data) if isinstance(img_data, Iterator) else img_data
    with shadowed(float_model, quantized_model, twins, MeanShadowLogger), no_grad():
        shadows: dict[str, Any] = {name: get_module(quantized_model, name) for name in names}
        for shadow in shadows.values():
            if isinstance(shadow.orig_module, nnq.Linear):
                shadow.logger.axis = -1
        for shadow in shadows.values():
            _run(quantized_model, itertools.islice(batches, neval_batches))
            _correct(shadow)
            for other in shadows.values():
                other.logger.clear()


def _run(model: Module, batches: Iterable[Any]) -> None:
    count = 0
    for batch in batches:
        run_batch(model, batch[:1] if isinstance(batch, tuple | list) else batch)
        count += 1
    if not count:
        raise ValueError(
            "bias_correction: no batch came, expected at least one; pass an iterable of inputs"
        )


def _correct(shadow: Shadow) -> None:
    """Subtract the shift of every channel that a shadow has measured."""
    layer: Any = shadow.orig_module
    stats: Any = shadow.logger.stats
    if stats["float"] is None:
        # Not called by the model.
        return
    error = stats["quantized"]._array - stats["float"]._array
    if layer.relu:
        open_share = stats["positive"]._array
        error = error / np.where(open_share > 0, open_share, 1.0)
    corrected = layer.bias()._array - error
    layer.set_weight_bias(layer.weight(), Tensor._wrap(corrected.astype(np.float32)))
