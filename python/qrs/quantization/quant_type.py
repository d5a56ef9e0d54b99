"""The kinds of quantization, by name."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["QuantType", "quant_type_to_str"]


class QuantType(IntEnum):
    """How a module is quantized.

    Attributes
    ----------
    DYNAMIC : 0
        Weights beforehand, inputs at each call.
    STATIC : 1
        Weights and activations beforehand.
    QAT : 2
        Simulated in training.
    WEIGHT_ONLY : 3
        Weights only, as of an embedding.

    Examples
    --------
    >>> import qrs
    >>> qrs.quantization.QuantType.STATIC.value
    1
    """

    DYNAMIC = 0
    STATIC = 1
    QAT = 2
    WEIGHT_ONLY = 3


def quant_type_to_str(quant_type: QuantType) -> str:
    """The name of a kind: "dynamic", "static", "qat" or "weight_only".

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> import qrs
    >>> qrs.quantization.quant_type_to_str(qrs.quantization.QuantType.WEIGHT_ONLY)
    'weight_only'
    """
    try:
        return QuantType(quant_type).name.lower()
    except ValueError as error:
        raise ValueError(f"quant_type_to_str: {quant_type!r} came, expected a QuantType") from error
