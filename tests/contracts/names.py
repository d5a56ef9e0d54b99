"""The names of PyTorch 1.8.1's eager-mode quantization, with their parameters and defaults.

Read off its documentation and measured from its packages. A signature is what stands between the
parentheses of a `def`; its names are looked up in qrs. None: no parameters to compare.
"""

from __future__ import annotations

from tests.contracts.quantization_names import NUMERIC_SUITE, QUANTIZATION

CONV = (
    "in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, "
    "padding_mode='zeros'"
)
CONV_QAT = f"{CONV}, qconfig=None"
CONV_BN_QAT = (
    "in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=None, "
    "padding_mode='zeros', eps=1e-05, momentum=0.1, freeze_bn=False, qconfig=None"
)
CONV_TRANSPOSE = (
    "in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, "
    "bias=True, dilation=1, padding_mode='zeros'"
)
INSTANCE_NORM = (
    "num_features, weight, bias, scale, zero_point, eps=1e-05, momentum=0.1, affine=False, "
    "track_running_stats=False"
)
CONV_FUNCTION = (
    "input, weight, bias, stride=1, padding=0, dilation=1, groups=1, padding_mode='zeros', "
    "scale=1.0, zero_point=0, dtype=quint8"
)

POOL = "input, kernel_size, stride=None, padding=0"

FLOAT_FUNCTIONAL = {
    "add": "x, y",
    "add_scalar": "x, y",
    "mul": "x, y",
    "mul_scalar": "x, y",
    "cat": "x, dim=0",
    "add_relu": "x, y",
}

NAMES: dict[str, dict[str, str | None]] = {
    "quantization": QUANTIZATION,
    "quantization._numeric_suite": NUMERIC_SUITE,
    "quantization._numeric_suite.Shadow": FLOAT_FUNCTIONAL,
    "quantization._equalize": {
        "channel_range": "input, axis=0",
        "cross_layer_equalization": "module1, module2, output_axis=0, input_axis=1",
        "equalize": "model, paired_modules_list, threshold=1e-4, inplace=True",
        "converged": "curr_modules, prev_modules, threshold=1e-4",
    },
    "quantization._correct_bias": {
        # The default of target_modules holds more classes here.
        "bias_correction": (
            "float_model, quantized_model, img_data, "
            "target_modules=quantization._correct_bias._TARGETS, neval_batches=None"
        ),
        "get_module": "model, name",
        "parent_child_names": "name",
        "get_param": "module, attr",
        "MeanShadowLogger": "",
    },
    # Where PyTorch's users also import from.
    "quantization.observer": {
        name: parameters
        for name, parameters in QUANTIZATION.items()
        if name.endswith("Observer") or (name.startswith("default_") and name.endswith("observer"))
    },
    "quantization.fake_quantize": {
        name: QUANTIZATION[name]
        for name in ("FakeQuantizeBase", "FakeQuantize", "FixedQParamsFakeQuantize")
    },
    "quantization.qconfig": {
        name: parameters
        for name, parameters in QUANTIZATION.items()
        if name.startswith("QConfig") or name.endswith("_qconfig")
    },
    "quantization.stubs": {
        name: QUANTIZATION[name] for name in ("QuantStub", "DeQuantStub", "QuantWrapper")
    },
    "quantization.ObserverBase": {"calculate_qparams": "", "with_args": None},
    "quantization.FakeQuantizeBase": {
        "calculate_qparams": "",
        "enable_fake_quant": "enabled=True",
        "disable_fake_quant": "",
        "enable_observer": "enabled=True",
        "disable_observer": "",
        "with_args": None,
    },
    "quantization.RecordingObserver": {"get_tensor_value": ""},
    # PyTorch's private _LearnableFakeQuantize; its observe_quant_params prints what repr shows.
    "quantization.LearnableFakeQuantize": {
        "enable_param_learning": "",
        "enable_static_estimate": "",
        "enable_static_observation": "",
        "toggle_observer_update": "enabled=True",
        "toggle_qparam_learning": "enabled=True",
        "toggle_fake_quant": "enabled=True",
        "enable_observer": "enabled=True",
        "calculate_qparams": "",
    },
    "nn.intrinsic": {
        **{
            f"{kind}{rank}d": parameters
            for rank in (1, 2, 3)
            for kind, parameters in {
                "ConvReLU": "conv, relu",
                "ConvBn": "conv, bn",
                "ConvBnReLU": "conv, bn, relu",
            }.items()
        },
        "LinearReLU": "linear, relu",
        "BNReLU2d": "batch_norm, relu",
        "BNReLU3d": "batch_norm, relu",
    },
    "nn.intrinsic.qat": {
        "ConvBn1d": CONV_BN_QAT,
        "ConvBn2d": CONV_BN_QAT,
        "ConvBnReLU1d": CONV_BN_QAT,
        "ConvBnReLU2d": CONV_BN_QAT,
        "ConvReLU2d": CONV_QAT,
        "LinearReLU": "in_features, out_features, bias=True, qconfig=None",
        "update_bn_stats": "mod",
        "freeze_bn_stats": "mod",
    },
    "nn.intrinsic.qat.ConvBn2d": {
        "freeze_bn_stats": "",
        "update_bn_stats": "",
        "reset_running_stats": "",
        "reset_bn_parameters": "",
        "reset_parameters": "",
        "from_float": "mod",
    },
    "nn.intrinsic.quantized": {
        "ConvReLU1d": CONV,
        "ConvReLU2d": CONV,
        "ConvReLU3d": CONV,
        "LinearReLU": "in_features, out_features, bias=True, dtype=qint8",
        "BNReLU2d": "num_features, eps=1e-05, momentum=0.1",
        "BNReLU3d": "num_features, eps=1e-05, momentum=0.1",
    },
    "nn.qat": {
        "Linear": "in_features, out_features, bias=True, qconfig=None",
        "Conv2d": CONV_QAT,
    },
    "nn.quantized": {
        "Quantize": "scale, zero_point, dtype",
        "DeQuantize": "",
        "ReLU6": "inplace=False",
        "Hardswish": "scale, zero_point",
        "ELU": "scale, zero_point, alpha=1.0",
        "Sigmoid": "output_scale, output_zero_point",
        "LeakyReLU": "scale, zero_point, negative_slope=1e-2, inplace=False",
        "BatchNorm2d": "num_features, eps=1e-05, momentum=0.1",
        "BatchNorm3d": "num_features, eps=1e-05, momentum=0.1",
        "LayerNorm": (
            "normalized_shape, weight, bias, scale, zero_point, eps=1e-05, elementwise_affine=True"
        ),
        "GroupNorm": (
            "num_groups, num_channels, weight, bias, scale, zero_point, eps=1e-05, affine=True"
        ),
        "InstanceNorm1d": INSTANCE_NORM,
        "InstanceNorm2d": INSTANCE_NORM,
        "InstanceNorm3d": INSTANCE_NORM,
        "Linear": "in_features, out_features, bias_=True, dtype=qint8",
        "Conv1d": CONV,
        "Conv2d": CONV,
        "Conv3d": CONV,
        "ConvTranspose1d": CONV_TRANSPOSE,
        "ConvTranspose2d": CONV_TRANSPOSE,
        "ConvTranspose3d": CONV_TRANSPOSE,
        "Embedding": (
            "num_embeddings, embedding_dim, padding_idx=None, max_norm=None, norm_type=2.0, "
            "scale_grad_by_freq=False, sparse=False, _weight=None, dtype=quint8"
        ),
        "EmbeddingBag": (
            "num_embeddings, embedding_dim, max_norm=None, norm_type=2.0, "
            "scale_grad_by_freq=False, mode='sum', sparse=False, _weight=None, "
            "include_last_offset=False, dtype=quint8"
        ),
        "MaxPool2d": None,
        "FloatFunctional": "",
        "FXFloatFunctional": "",
        "QFunctional": "",
    },
    "nn.quantized.FloatFunctional": FLOAT_FUNCTIONAL,
    "nn.quantized.FXFloatFunctional": FLOAT_FUNCTIONAL,
    "nn.quantized.QFunctional": {**FLOAT_FUNCTIONAL, "from_float": "mod"},
    **{
        f"nn.quantized.{layer}": {
            "weight": "",
            "bias": "",
            "set_weight_bias": "w, b",
            "from_float": "mod",
        }
        for layer in ("Linear", "Conv1d", "Conv2d", "Conv3d", "ConvTranspose2d", "dynamic.Linear")
    },
    "nn.quantized.dynamic": {
        "Linear": "in_features, out_features, bias_=True, dtype=qint8",
        # Arguments as of RNNBase: PyTorch has *args, **kwargs too.
        "LSTM": None,
        "GRU": None,
        "LSTMCell": None,
        "GRUCell": None,
        "RNNCell": "input_size, hidden_size, bias=True, nonlinearity='tanh', dtype=qint8",
    },
    "nn.quantized.dynamic.LSTM": {"get_weight": "", "get_bias": "", "from_float": "mod"},
    "nn.quantized.dynamic.LSTMCell": {"get_weight": "", "get_bias": "", "from_float": "mod"},
    "nn.quantized.functional": {
        "conv1d": CONV_FUNCTION,
        "conv2d": CONV_FUNCTION,
        "conv3d": CONV_FUNCTION,
        "linear": "input, weight, bias=None, scale=None, zero_point=None",
        "max_pool1d": f"{POOL}, dilation=1, ceil_mode=False, return_indices=False",
        "max_pool2d": f"{POOL}, dilation=1, ceil_mode=False, return_indices=False",
        "avg_pool2d": f"{POOL}, ceil_mode=False, count_include_pad=True, divisor_override=None",
        "avg_pool3d": f"{POOL}, ceil_mode=False, count_include_pad=True, divisor_override=None",
        "adaptive_avg_pool2d": "input, output_size",
        "adaptive_avg_pool3d": "input, output_size",
        "interpolate": "input, size=None, scale_factor=None, mode='nearest', align_corners=None",
        "upsample": "input, size=None, scale_factor=None, mode='nearest', align_corners=None",
        "upsample_bilinear": "input, size=None, scale_factor=None",
        "upsample_nearest": "input, size=None, scale_factor=None",
        "hardtanh": "input, min_val=-1.0, max_val=1.0, inplace=False",
        "clamp": "input, min_, max_",
        "threshold": "input, threshold, value",
        "hardsigmoid": "input, inplace=False",
        "hardswish": "input, scale, zero_point",
        "elu": "input, scale, zero_point, alpha=1.0",
        "celu": "input, scale, zero_point, alpha=1.0",
        "leaky_relu": ("input, negative_slope=0.01, inplace=False, scale=None, zero_point=None"),
    },
    "nn.quantizable": {
        "LSTM": (
            "input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, "
            "bidirectional=False"
        ),
        "LSTMCell": "input_dim, hidden_dim, bias=True",
    },
    "nn.quantizable.LSTMCell": {
        "initialize_hidden": "batch_size, is_quantized=False",
        "from_params": "wi, wh, bi=None, bh=None",
        "from_float": "other",
    },
    "nn.quantizable.LSTM": {"from_float": "other", "from_observed": "other"},
    "": {
        "quantize_per_tensor": "input, scale, zero_point, dtype",
        "quantize_per_channel": "input, scales, zero_points, axis, dtype",
        "dequantize": "tensor",
        "int_repr": None,
        "q_scale": None,
        "q_zero_point": None,
        "q_per_channel_scales": None,
        "q_per_channel_zero_points": None,
        "q_per_channel_axis": None,
        "fake_quantize_per_tensor_affine": "input, scale, zero_point, quant_min, quant_max",
        "fake_quantize_per_channel_affine": "input, scale, zero_point, axis, quant_min, quant_max",
        "_empty_affine_quantized": None,
        "_empty_per_channel_affine_quantized": None,
        "_make_per_tensor_quantized_tensor": None,
        "_make_per_channel_quantized_tensor": None,
        "_choose_qparams_per_tensor": "input, reduce_range=False",
        **dict.fromkeys(
            (
                "quint8",
                "qint8",
                "qint32",
                "quint4x2",
                "per_tensor_affine",
                "per_tensor_symmetric",
                "per_channel_affine",
                "per_channel_symmetric",
                "per_channel_affine_float_qparams",
            )
        ),
    },
    "backends.quantized": {"engine": None, "supported_engines": None},
    # What a quantized tensor does; it does not change, so methods that write in place are absent.
    "QTensor": dict.fromkeys(
        (
            *("int_repr", "q_scale", "q_zero_point", "qscheme", "dequantize", "is_quantized"),
            *("q_per_channel_scales", "q_per_channel_zero_points", "q_per_channel_axis"),
            *("dtype", "element_size", "type", "shape", "size", "dim", "numel", "item", "equal"),
            *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__getitem__"),
            *("view", "reshape", "flatten", "permute", "transpose", "squeeze", "unsqueeze"),
            *("expand", "repeat", "flip", "chunk", "split", "unbind", "contiguous"),
            *("clone", "detach", "max", "min", "mean", "sort", "topk"),
            *("relu", "clamp", "sigmoid", "tanh"),
        )
    ),
}
