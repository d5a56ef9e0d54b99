"""Weights before and after quantization, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qrs.nn.state import check_state_dict
from qrs.qtensor import QTensor
from qrs.tensor import Tensor

__all__ = ["compare_weights"]

# Where PyTorch's files keep the weight and bias of a linear layer, as a tuple.
_PACKED = "_packed_params._packed_params"


def compare_weights(
    float_dict: Mapping[str, Any], quantized_dict: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Pair the weights of a quantized model with those of the float model.

    Parameters
    ----------
    float_dict, quantized_dict : mapping of str to Tensor
        The state dicts of both, of models of qrs or from PyTorch's files. The float model may be
        fused or not.

    Returns
    -------
    dict
        ``{name: {"float": Tensor, "quantized": QTensor}}``, by the names of the quantized model.
        All matrices of recurrent layers are among them.

    Raises
    ------
    StateDictError
        If something else came, such as the models.
    ValueError
        If no weight of one has a twin in the other.

    Examples
    --------
    >>> import qrs
    >>> import qrs.quantization._numeric_suite as ns
    >>> model = qrs.nn.Sequential(qrs.nn.Linear(4, 4))
    >>> small = qrs.quantization.quantize_dynamic(model)
    >>> found = ns.compare_weights(model.state_dict(), small.state_dict())
    >>> error = found["0.weight"]["quantized"].dequantize() - found["0.weight"]["float"]
    >>> error.abs().max().item() < 0.01
    True
    """
    for state_dict in (float_dict, quantized_dict):
        check_state_dict("compare_weights", state_dict)
    pairs = {}
    for name, value in quantized_dict.items():
        key, weight = name, value
        if name.endswith(_PACKED):
            key, weight = name.removesuffix(_PACKED) + "weight", value[0]
        path, _, leaf = key.rpartition(".")
        if not leaf.startswith("weight") or not isinstance(weight, Tensor | QTensor):
            continue
        # A fused module keeps its layer under the name 0.
        twins = (key, f"{path}.0.{leaf}" if path else f"0.{leaf}")
        twin = next((float_dict[name] for name in twins if name in float_dict), None)
        if twin is not None:
            pairs[name] = {"float": twin, "quantized": weight}
    if not pairs:
        raise ValueError(
            f"compare_weights: none of the weights among {len(quantized_dict)} quantized entries "
            f"has a twin among {len(float_dict)} float ones, expected the same names; pass the "
            "state dicts of one model before and after quantization"
        )
    return pairs
