"""The names of PyTorch 1.8.1's eager-mode quantization, with their parameters and defaults.

Read off its documentation and measured from its packages. In a signature `REQUIRED` parameters have
no default; names that are no Python literals are looked up in qrs. None: no parameters to compare.
"""

from __future__ import annotations

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
RANGE = "reduce_range=False, quant_min=None, quant_max=None"
TENSOR = f"dtype=quint8, qscheme=per_tensor_affine, {RANGE}"
CHANNEL = f"ch_axis=0, dtype=quint8, qscheme=per_channel_affine, {RANGE}"
INSTANCE_NORM = (
    "num_features, weight, bias, scale, zero_point, eps=1e-05, momentum=0.1, affine=False, "
    "track_running_stats=False"
)
CONV_FUNCTION = (
    "input, weight, bias, stride=1, padding=0, dilation=1, groups=1, padding_mode='zeros', "
    "scale=1.0, zero_point=0, dtype=quint8"
)

POOL = "input, kernel_size, stride=None, padding=0"

QUANTIZATION = {
    # Workflow.
    "quantize": "model, run_fn, run_args, mapping=None, inplace=False",
    "quantize_dynamic": "model, qconfig_spec=None, dtype=qint8, mapping=None, inplace=False",
    "quantize_qat": "model, run_fn, run_args, inplace=False",
    "prepare": (
        "model, inplace=False, allow_list=None, observer_non_leaf_module_list=None, "
        "prepare_custom_config_dict=None"
    ),
    "prepare_qat": "model, mapping=None, inplace=False",
    "convert": (
        "module, mapping=None, inplace=False, remove_qconfig=True, convert_custom_config_dict=None"
    ),
    "fuse_modules": (
        "model, modules_to_fuse, inplace=False, "
        "fuser_func=quantization.fuse_known_modules, fuse_custom_config_dict=None"
    ),
    "fuse_known_modules": "mod_list, additional_fuser_method_mapping=None",
    "swap_module": "mod, mapping, custom_module_class_mapping=None",
    "add_quant_dequant": "module",
    # PyTorch's third parameter has no effect.
    "propagate_qconfig_": "module, qconfig_dict=None",
    "add_observer_": (
        "module, qconfig_propagation_list=None, non_leaf_module_list=None, device=None, "
        "custom_module_class_mapping=None"
    ),
    "get_observer_dict": "mod, target_dict, prefix=''",
    "get_observer_state_dict": "mod",
    "load_observer_state_dict": "mod, obs_dict",
    "register_activation_post_process_hook": "module",
    "is_activation_post_process": "module",
    "get_unique_devices_": "module",
    "default_eval_fn": "model, calib_data",
    "assert_valid_qconfig": "qconfig, mod",
    # Classes.
    "QuantStub": "qconfig=None",
    "DeQuantStub": "",
    "QuantWrapper": "module",
    "QConfig": "activation, weight",
    "QConfigDynamic": "activation=nn.Identity, weight=nn.Identity",
    "QuantType": None,
    "quant_type_to_str": "quant_type",
    # Observers.
    "ObserverBase": "dtype",
    "MinMaxObserver": TENSOR,
    "MovingAverageMinMaxObserver": f"averaging_constant=0.01, {TENSOR}",
    "PerChannelMinMaxObserver": CHANNEL,
    "MovingAveragePerChannelMinMaxObserver": f"averaging_constant=0.01, {CHANNEL}",
    "HistogramObserver": (
        "bins=2048, upsample_rate=128, dtype=quint8, qscheme=per_tensor_affine, reduce_range=False"
    ),
    "PlaceholderObserver": "dtype=float32, custom_op_name='', compute_dtype=None",
    "NoopObserver": "dtype=float16, custom_op_name=''",
    "RecordingObserver": None,
    # Fake quantizers.
    "FakeQuantizeBase": "",
    "FakeQuantize": (
        "observer=quantization.MovingAverageMinMaxObserver, quant_min=0, quant_max=255, "
        "**observer_kwargs"
    ),
    "FixedQParamsFakeQuantize": (
        "scale, zero_point, dtype=quint8, qscheme=per_tensor_affine, quant_min=0, quant_max=255"
    ),
    "LearnableFakeQuantize": (
        "observer, quant_min=0, quant_max=255, scale=1.0, zero_point=0.0, channel_len=-1, "
        "use_grad_scaling=False, **observer_kwargs"
    ),
    # Functions for `model.apply`.
    **dict.fromkeys(
        ("enable_observer", "disable_observer", "enable_fake_quant", "disable_fake_quant")
    ),
    # Defaults.
    **dict.fromkeys(
        (
            "default_observer",
            "default_histogram_observer",
            "default_weight_observer",
            "default_per_channel_weight_observer",
            "default_placeholder_observer",
            "default_debug_observer",
            "default_dynamic_quant_observer",
            "default_float_qparams_observer",
            "default_fake_quant",
            "default_weight_fake_quant",
            "default_per_channel_weight_fake_quant",
            "default_histogram_fake_quant",
            "default_symmetric_fixed_qparams_fake_quant",
            "default_affine_fixed_qparams_fake_quant",
            "default_qconfig",
            "default_debug_qconfig",
            "default_per_channel_qconfig",
            "default_qat_qconfig",
            "default_weight_only_qconfig",
            "default_activation_only_qconfig",
            "default_dynamic_qconfig",
            "per_channel_dynamic_qconfig",
            "float16_dynamic_qconfig",
            "float_qparams_weight_only_qconfig",
        )
    ),
    # The default is the profile in force (`backends.quantized.engine`), not 'fbgemm'.
    "get_default_qconfig": "backend=None",
    "get_default_qat_qconfig": "backend=None",
    # Tables.
    "get_default_static_quant_module_mappings": "",
    "get_default_qat_module_mappings": "",
    "get_default_dynamic_quant_module_mappings": "",
    "get_default_qconfig_propagation_list": "",
    "get_default_compare_output_module_list": "",
    "get_static_quant_module_class": "float_module_class, additional_static_quant_mapping=None",
    "get_dynamic_quant_module_class": "float_module_class, additional_dynamic_quant_mapping=None",
    "get_quantized_operator": "float_op",
    "get_fuser_method": "op_list, additional_fuser_method_mapping=None",
    "get_combined_dict": "default_dict, additional_dict",
    **dict.fromkeys(
        (
            "DEFAULT_STATIC_QUANT_MODULE_MAPPINGS",
            "DEFAULT_QAT_MODULE_MAPPINGS",
            "DEFAULT_DYNAMIC_QUANT_MODULE_MAPPINGS",
            "DEFAULT_FLOAT_TO_QUANTIZED_OPERATOR_MAPPINGS",
            "DEFAULT_MODULE_TO_ACT_POST_PROCESS",
            "DEFAULT_OP_LIST_TO_FUSER_METHOD",
        )
    ),
}

NUMERIC_SUITE = {
    "compare_weights": "float_dict, quantized_dict",
    "get_logger_dict": "mod, prefix=''",
    "Logger": "",
    "ShadowLogger": "",
    "OutputLogger": "",
    "Shadow": "q_module, float_module, Logger",
    "prepare_model_with_stubs": "float_module, q_module, module_swap_list, Logger",
    "compare_model_stub": (
        "float_model, q_model, module_swap_list, *data, "
        "Logger=quantization._numeric_suite.ShadowLogger"
    ),
    "prepare_model_outputs": (
        "float_module, q_module, Logger=quantization._numeric_suite.OutputLogger, allow_list=None"
    ),
    "get_matching_activations": "float_module, q_module",
    "compare_model_outputs": (
        "float_model, q_model, *data, Logger=quantization._numeric_suite.OutputLogger, "
        "allow_list=None"
    ),
}

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
