"""Names of PyTorch that do not exist here, and what to use in their place."""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["ABSENT", "refuse"]

_EAGER = (
    "qrs.quantization.fuse_modules, prepare and convert on a model with QuantStub and DeQuantStub"
)
_FX = f"it works on FX graphs, and qrs runs ordinary Python models; use {_EAGER}"
_JIT = f"it works on TorchScript, and qrs runs ordinary Python models; use {_EAGER}"
_PLAIN = "qrs runs ordinary Python models as they are; leave it out"
_NO_GPU = "only 'cpu' exists; leave it out, or ask qrs.cuda.is_available() before"
_NO_FILES = "qrs writes no graphs; use qrs.save for weights, and the model's own code"
_ONE_PROCESS = "a model runs in one process on all of its CPUs; use the model itself"
_NUMPY = "qrs has what quantization needs; use NumPy on x.numpy(), and qrs.from_numpy"
_TYPED = "use qrs.tensor(values, dtype=...) with qrs.float32 or another dtype of qrs"

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
        **{
            name: f"use qrs.nn.functional.{name}"
            for name in (
                *("adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "batch_norm"),
                *("bilinear", "binary_cross_entropy_with_logits", "celu", "channel_shuffle"),
                *("conv1d", "conv2d", "conv3d", "cosine_similarity", "dropout", "embedding"),
                *("conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "embedding_bag"),
                *("group_norm", "instance_norm", "kl_div", "layer_norm", "max_pool1d"),
                *("max_pool2d", "max_pool3d", "pixel_shuffle", "pixel_unshuffle", "prelu"),
                *("selu", "threshold"),
            )
        },
        "quantized_batch_norm": "use qrs.nn.quantized.functional.batch_norm",
        "quantized_max_pool1d": "use qrs.nn.quantized.functional.max_pool1d",
        "quantized_max_pool2d": "use qrs.nn.quantized.functional.max_pool2d",
        "quantized_lstm": "use qrs.nn.quantized.dynamic.LSTM",
        "quantized_gru": "use qrs.nn.quantized.dynamic.GRU",
        "utils": (
            "batches are any iterable, a list, a generator or a DataLoader of PyTorch, whose "
            "tensors calibrate takes; use x.split(32) for parts of a tensor"
        ),
        "inference_mode": "use qrs.no_grad()",
        "random": "use qrs.manual_seed and qrs.default_generator",
        **dict.fromkeys(("compile", "autocast", "amp", "profiler", "mps", "xpu"), _PLAIN),
        **dict.fromkeys(("onnx", "export", "package"), _NO_FILES),
        **dict.fromkeys(("distributed", "multiprocessing"), _ONE_PROCESS),
        **dict.fromkeys(("linalg", "fft", "special", "sparse", "distributions"), _NUMPY),
        **dict.fromkeys(("bfloat16", "complex64", "complex128"), "use qrs.float32 or qrs.float16"),
        **dict.fromkeys(("FloatTensor", "LongTensor", "IntTensor", "ByteTensor"), _TYPED),
        **dict.fromkeys(
            (
                "use_deterministic_algorithms",
                "set_deterministic",
                "set_float32_matmul_precision",
                "set_num_interop_threads",
            ),
            "results are the same bits for every number of threads; leave it out",
        ),
        "hub": "use qrs.load on a file that is here; it reads those of torch.save",
        "numel": "use x.numel()",
        "is_floating_point": "use x.is_floating_point()",
        "get_rng_state": "use qrs.default_generator.get_state()",
        "set_rng_state": "use qrs.default_generator.set_state(state)",
        "set_default_tensor_type": "use qrs.set_default_dtype(qrs.float64)",
        **dict.fromkeys(("hstack", "vstack"), "use qrs.cat or qrs.stack"),
        **{
            name: f"use qrs.nn.functional.{name}"
            for name in ("batch_norm", "conv1d", "conv2d", "dropout", "embedding", "layer_norm")
        },
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
    "qrs.nn": {
        **dict.fromkeys(("DataParallel", "parallel"), _ONE_PROCESS),
        "SyncBatchNorm": "a model runs in one process; use qrs.nn.BatchNorm2d",
        "modules": "write qrs.nn.Conv2d for torch.nn.modules.conv.Conv2d, and so on",
    },
    "qrs.autograd": {
        "Variable": "tensors record gradients; use qrs.tensor(values, requires_grad=True)",
        "profiler": _PLAIN,
        **dict.fromkeys(("detect_anomaly", "set_detect_anomaly"), _PLAIN),
    },
    "qrs.optim": dict.fromkeys(
        ("Adadelta", "Adagrad", "LBFGS", "RMSprop", "swa_utils"), "use qrs.optim.AdamW or SGD"
    ),
    "qrs.cuda": dict.fromkeys(
        (
            "amp",
            "current_device",
            "empty_cache",
            "get_device_name",
            "manual_seed",
            "manual_seed_all",
            "set_device",
            "synchronize",
        ),
        _NO_GPU,
    ),
    "qrs.backends": dict.fromkeys(("cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"), _PLAIN),
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
    # With name and obj, Python adds the nearest name that there is.
    raise AttributeError(
        f"{module}: no attribute {name!r}" + (f": {reason}" if reason else ""),
        name=name,
        obj=sys.modules[module],
    )
