"""Cross-layer equalization: neighbouring layers share out the ranges of their channels.

Where nothing but ReLU lies between two layers, an output channel of the first may be divided by any
positive number if the input channel of the second is multiplied by it: ``relu(x / s) s = relu(x)``.
Choosing it so that both have the same range takes away the channels that a scale for the whole
weight serves badly. Source: Nagel and others, "Data-free quantization through weight equalization
and bias correction", 2019.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import qrs.nn as nn
import qrs.nn.intrinsic as nni
from qrs.autograd import no_grad
from qrs.errors import NonFiniteError, ShapeError, UnsupportedLayerError
from qrs.nn.module import Module
from qrs.quantization.observe import refuse_prepared
from qrs.quantization.swaps import refuse_converted
from qrs.tensor import Tensor

__all__ = ["channel_range", "converged", "cross_layer_equalization", "equalize"]

Array = np.ndarray[Any, np.dtype[Any]]

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
_FUSED = (nni.ConvReLU1d, nni.ConvReLU2d, nni.ConvReLU3d, nni.LinearReLU)

# A pair settles in one round and a chain in tens.
_MOST_ROUNDS = 1000


def channel_range(input: Tensor, axis: int = 0) -> Tensor:
    """The distance from the lowest to the highest value of every channel.

    Parameters
    ----------
    input : Tensor
    axis : int
        The axis of the channels.

    Returns
    -------
    Tensor, shape (input.shape[axis],)

    Examples
    --------
    >>> import qrs
    >>> from qrs.quantization._equalize import channel_range
    >>> channel_range(qrs.tensor([[1.0, 2.0], [-1.0, 4.0]]))
    tensor([1., 5.])
    """
    return Tensor._wrap(_ranges(np.moveaxis(input._array, axis, 0)))


def _ranges(channels: Array) -> Array:
    flat = channels.reshape(len(channels), -1)
    ranges: Array = flat.max(1) - flat.min(1)
    return ranges


def _layer(module: Module, where: str) -> Any:
    """The layer itself, out of a fused module where it stands in one."""
    if type(module) in _FUSED:
        return module[0]  # type: ignore[index]  # fused ones are sequences
    if type(module) in _LAYERS:
        return module
    names = ", ".join(kind.__name__ for kind in (*_LAYERS, *_FUSED))
    raise UnsupportedLayerError(
        f"{where}: a {type(module).__name__} came, expected one of {names}, of exactly these types"
    )


def _groups(layer: Any, axis: int) -> int:
    """Into how many groups the input channels are cut that an axis of the weight counts."""
    return int(getattr(layer, "groups", 1)) if axis == 1 else 1


def _input_ranges(weight: Array, axis: int, groups: int) -> Array:
    """The ranges of all input channels; one meets the outputs of its own group only."""
    parts = np.split(weight, groups)
    return np.concatenate([_ranges(np.moveaxis(part, axis, 0)) for part in parts])


def cross_layer_equalization(
    module1: Module, module2: Module, output_axis: int = 0, input_axis: int = 1
) -> None:
    """Give the output channels of a layer the ranges of the next one's input channels, in place.

    Parameters
    ----------
    module1, module2 : Module
        Of exactly the types `nn.Conv1d`, `nn.Conv2d`, `nn.Conv3d`, `nn.Linear`, or these fused with
        a ReLU. The output of the first, after at most a ReLU, is the input of the second; depthwise
        and grouped convolutions may be either.
    output_axis, input_axis : int
        The axis of the output channels in the first weight, of the input channels in the second.

    Raises
    ------
    UnsupportedLayerError
        If a module is of another type.
    ShapeError
        If the second has not as many input channels as the first has output channels.
    NonFiniteError
        If a weight holds NaN or infinity.

    Notes
    -----
    With ranges ``r1`` and ``r2`` (`channel_range`), ``s = sqrt(r1 / r2)``, ``W1 /= s``,
    ``b1 /= s``, ``W2 *= s``. A channel without a range in one of the weights stays as it is.

    Examples
    --------
    >>> import qrs
    >>> from qrs.quantization._equalize import channel_range, cross_layer_equalization
    >>> first, second = qrs.nn.Linear(3, 4), qrs.nn.Linear(4, 2)
    >>> cross_layer_equalization(first, second)
    >>> ranges = channel_range(first.weight), channel_range(second.weight, 1)
    >>> bool(qrs.allclose(*ranges))
    True
    """
    where = "cross_layer_equalization"
    first, second = _layer(module1, where), _layer(module2, where)
    for layer in (first, second):
        if not np.isfinite(layer.weight._array).all():
            raise NonFiniteError(f"{where}: NaN or infinity came in a weight, expected neither")
    groups = _groups(second, input_axis)
    outputs = _ranges(np.moveaxis(first.weight._array, output_axis, 0))
    inputs = _input_ranges(second.weight._array, input_axis, groups)
    if len(outputs) != len(inputs):
        raise ShapeError(
            f"{where}: the first module ({type(module1).__name__}) has {len(outputs)} output "
            f"channels, the second ({type(module2).__name__}) {len(inputs)} input channels, "
            "expected as many; pair layers that follow each other"
        )
    scales = _scales(outputs, inputs)
    with no_grad():
        _multiply(first.weight, 1 / scales, output_axis)
        if first.bias is not None:
            _multiply(first.bias, 1 / scales, 0)
        _multiply(second.weight, scales, input_axis, groups)


def _scales(outputs: Array, inputs: Array) -> Array:
    """What equalizes two ranges; 1 where there is none."""
    ranges = outputs.astype(np.float64), inputs.astype(np.float64)
    usable = (ranges[0] > 0) & (ranges[1] > 0)
    scales: Array = np.sqrt(np.divide(*ranges, out=np.ones(len(outputs)), where=usable))
    return scales


def _multiply(param: Tensor, factors: Array, axis: int, groups: int = 1) -> None:
    """Multiply along an axis, in place; with groups, along axes 0 and 1."""
    shape = [1] * param.dim()
    shape[axis] = -1
    if groups > 1:
        factors = np.repeat(factors.reshape(groups, -1), param.shape[0] // groups, axis=0)
        shape[0] = param.shape[0]
    param.mul_(Tensor._wrap(factors.reshape(shape).astype(param._array.dtype)))


def converged(
    curr_modules: Mapping[str, Module],
    prev_modules: Mapping[str, Module | None],
    threshold: float = 1e-4,
) -> bool:
    """Whether the weights of modules have stopped to change.

    Parameters
    ----------
    curr_modules : mapping of str to Module
    prev_modules : mapping of str to Module or None
        The same modules as they were before; None if there was no before.
    threshold : float
        Of the sum over all modules of the L2 norm of the change.

    Raises
    ------
    ValueError
        If the names differ.

    Examples
    --------
    >>> import qrs
    >>> from qrs.quantization._equalize import converged
    >>> layer = qrs.nn.Linear(2, 2)
    >>> converged({"fc": layer}, {"fc": None}), converged({"fc": layer}, {"fc": layer})
    (False, True)
    """
    if curr_modules.keys() != prev_modules.keys():
        raise ValueError(
            f"converged: modules {sorted(curr_modules)} and {sorted(prev_modules)} came, expected "
            "the same names"
        )
    change = 0.0
    for name, module in curr_modules.items():
        before = prev_modules[name]
        if before is None:
            return False
        weights = [_layer(each, "converged").weight._array for each in (module, before)]
        change += float(np.linalg.norm(weights[0] - weights[1]))
    return change < threshold


def equalize(
    model: Module,
    paired_modules_list: Sequence[Sequence[str]],
    threshold: float = 1e-4,
    inplace: bool = True,
) -> Module:
    """Equalize pairs of layers, over and over, until nothing changes.

    To be done before `prepare`. What the model computes stays the same, up to rounding, if between
    the layers of a pair lies nothing but functions with ``f(s x) = s f(x)`` for positive ``s``:
    ReLU, leaky ReLU, max and average pooling, dropout in evaluation mode; not ReLU6 or Hardswish.
    Fold or fuse batch normalisations before.

    Parameters
    ----------
    model : Module
    paired_modules_list : sequence of pairs of str
        Dotted names of layers that follow each other; see `cross_layer_equalization`. A longer
        chain is given as overlapping pairs.
    threshold : float
        See `converged`.
    inplace : bool
        Change the model itself rather than a copy.

    Returns
    -------
    Module
        The model.

    Raises
    ------
    AttributeError
        If a name does not exist.
    ValueError
        If something else than pairs came.
    QrsError
        If the model is prepared or converted already.
    UnsupportedLayerError, ShapeError, NonFiniteError
        See `cross_layer_equalization`.

    Examples
    --------
    >>> import qrs
    >>> from qrs.quantization._equalize import equalize
    >>> model = qrs.nn.Sequential(qrs.nn.Linear(3, 4), qrs.nn.ReLU(), qrs.nn.Linear(4, 2))
    >>> x = qrs.randn(5, 3)
    >>> bool(qrs.allclose(equalize(model, [["0", "2"]], inplace=False)(x), model(x), atol=1e-5))
    True
    """
    if not inplace:
        model = copy.deepcopy(model)
    for pair in paired_modules_list:
        if isinstance(pair, str) or len(pair) != 2:
            raise ValueError(
                f"equalize: {pair!r} came as a pair, expected two dotted names, such as "
                '["conv1", "conv2"]'
            )
    names = {name for pair in paired_modules_list for name in pair}
    current = {name: model.get_submodule(name) for name in sorted(names)}
    for name, module in current.items():
        refuse_converted("equalize", module, name)
        refuse_prepared("equalize", module, name)
    before: Mapping[str, Module | None] = dict.fromkeys(current)
    rounds = 0
    while current and not converged(current, before, threshold):
        if rounds == _MOST_ROUNDS:
            warnings.warn(
                f"equalize: still changing after {rounds} rounds, expected changes below "
                f"{threshold:g}; choose a larger threshold",
                stacklevel=2,
            )
            break
        before = copy.deepcopy(current)
        for first, second in paired_modules_list:
            cross_layer_equalization(current[first], current[second])
        rounds += 1
    return model
