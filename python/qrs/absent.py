"""Names of PyTorch that do not exist here, and what to use in their place."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["ABSENT", "refuse"]

_EAGER = (
    "qrs.quantization.fuse_modules, prepare and convert on a model with QuantStub and DeQuantStub"
)
_FX = f"it works on FX graphs, and qrs runs ordinary Python models; use {_EAGER}"
_JIT = f"it works on TorchScript, and qrs runs ordinary Python models; use {_EAGER}"

ABSENT: dict[str, dict[str, str]] = {
    "qrs": {
        "ao": (
            "every name has one home; write qrs.quantization for torch.ao.quantization, qrs.nn for "
            "torch.ao.nn, qrs.quantization._numeric_suite for torch.ao.ns._numeric_suite"
        ),
        "fx": _FX,
        "jit": _JIT,
        "ops": (
            "operators are functions of qrs.nn.quantized.functional, and the layers of "
            "qrs.nn.quantized pack their own weights; use these"
        ),
        "quantized_batch_norm": "use qrs.nn.quantized.functional.batch_norm",
        "quantized_max_pool1d": "use qrs.nn.quantized.functional.max_pool1d",
        "quantized_max_pool2d": "use qrs.nn.quantized.functional.max_pool2d",
        "quantized_lstm": "use qrs.nn.quantized.dynamic.LSTM",
        "quantized_gru": "use qrs.nn.quantized.dynamic.GRU",
        "_fake_quantize_learnable_per_tensor_affine": "use qrs.quantization.LearnableFakeQuantize",
        "_fake_quantize_learnable_per_channel_affine": "use qrs.quantization.LearnableFakeQuantize",
    },
    "qrs.quantization": {
        **dict.fromkeys(
            (
                "fx",
                "quantize_fx",
                "fuse_fx",
                "prepare_fx",
                "prepare_qat_fx",
                "convert_fx",
                "QConfigMapping",
            ),
            _FX,
        ),
        **dict.fromkeys(
            (
                "quantize_jit",
                "prepare_jit",
                "convert_jit",
                "prepare_dynamic_jit",
                "convert_dynamic_jit",
                "quantize_dynamic_jit",
                "fuse_conv_bn_jit",
                "script_qconfig",
                "script_qconfig_dict",
            ),
            _JIT,
        ),
        "quantization_mappings": "use the getters and tables of qrs.quantization itself",
        "fuser_method_mappings": "use qrs.quantization.get_fuser_method",
        "_learnable_fake_quantize": "use qrs.quantization.LearnableFakeQuantize",
        "fuse_modules_qat": (
            "fuse_modules does it for models in training mode; call model.train() before"
        ),
        "get_default_qconfig_mapping": (
            "models carry their qconfigs; set model.qconfig = get_default_qconfig()"
        ),
    },
}
"""By module and name, why it is absent and what to do."""


def refuse(module: str, name: str) -> NoReturn:
    """Raise for an attribute that a module lacks; the `__getattr__` of modules with absent names.

    Raises
    ------
    AttributeError
        Always.
    """
    reason = ABSENT[module].get(name)
    raise AttributeError(f"{module}: no attribute {name!r}" + (f": {reason}" if reason else ""))
