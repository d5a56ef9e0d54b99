"""The part of `names` that `torch.quantization` holds."""

from __future__ import annotations

RANGE = "reduce_range=False, quant_min=None, quant_max=None"
TENSOR = f"dtype=quint8, qscheme=per_tensor_affine, {RANGE}"
CHANNEL = f"ch_axis=0, dtype=quint8, qscheme=per_channel_affine, {RANGE}"

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
        ("enable_observer", "disable_observer", "enable_fake_quant", "disable_fake_quant"), "mod"
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
