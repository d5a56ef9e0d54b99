"""The operators `torch.ops.quantized.*` of PyTorch 1.8.1, and where each is found here.

`qrs.ops` does not exist: an operator is a function of `nn.quantized.functional`, or, where PyTorch
packs weights by hand, a layer that packs its own.
"""

from __future__ import annotations

F = "nn.quantized.functional"
LAYERS = "nn.quantized"
DYNAMIC = "nn.quantized.dynamic"

# Forms that write into a given tensor are absent: quantized tensors do not change.
_FUNCTIONS = {
    **{name: f"{F}.{name}" for name in ("add", "add_relu", "mul", "mul_relu", "cat")},
    **{
        f"{name}_scalar{relu}": f"{F}.{name}_scalar{relu}"
        for name in ("add", "mul")
        for relu in ("", "_relu")
    },
    "cat_relu": f"{F}.cat",
    **{
        f"batch_norm{rank}{relu}": f"{F}.batch_norm"
        for rank in ("", "1d", "2d", "3d")
        for relu in ("", "_relu")
    },
    **{
        name: f"{F}.{name}"
        for name in (
            *("layer_norm", "group_norm", "instance_norm"),
            *("celu", "elu", "hardswish", "sigmoid", "leaky_relu", "relu6", "clamp", "threshold"),
            *("max_pool1d", "max_pool2d"),
        )
    },
}

_CONVOLUTIONS = {
    **{
        f"conv{rank}d{relu}": f"nn.intrinsic.quantized.ConvReLU{rank}d"
        if relu
        else f"{F}.conv{rank}d"
        for rank in (1, 2, 3)
        for relu in ("", "_relu")
    },
    **{f"conv_transpose{rank}d": f"{LAYERS}.ConvTranspose{rank}d" for rank in (1, 2, 3)},
    "conv_prepack": f"{LAYERS}.Conv2d.set_weight_bias",
    "conv_unpack": f"{LAYERS}.Conv2d.weight",
    **{
        f"{op}{rank}d_{step}": f"{LAYERS}.{layer}{rank}d.{method}"
        for op, layer in (("conv", "Conv"), ("conv_transpose", "ConvTranspose"))
        for rank in (1, 2, 3)
        for step, method in (("prepack", "set_weight_bias"), ("unpack", "weight"))
    },
    # Settings are attributes of the layer.
    **{
        f"{op}{rank}d_{setting}": f"{LAYERS}.{layer}{rank}d"
        for op, layer in (("conv", "Conv"), ("conv_transpose", "ConvTranspose"))
        for rank in (2, 3)
        for setting in (
            *("stride", "padding", "output_padding", "dilation", "groups"),
            "transpose",
        )
    },
}

_LINEAR = {
    "linear": f"{F}.linear",
    "linear_relu": "nn.intrinsic.quantized.LinearReLU",
    "linear_dynamic": f"{DYNAMIC}.Linear",
    "linear_relu_dynamic": f"{DYNAMIC}.Linear",
    "linear_dynamic_fp16": f"{DYNAMIC}.Linear",
    "linear_prepack": f"{LAYERS}.Linear.set_weight_bias",
    "linear_prepack_fp16": f"{DYNAMIC}.Linear.set_weight_bias",
    "linear_prepack_legacy": f"{LAYERS}.Linear.set_weight_bias",
    "linear_prepack_fp16_legacy": f"{DYNAMIC}.Linear.set_weight_bias",
    "linear_unpack": f"{LAYERS}.Linear.weight",
    "linear_unpack_fp16": f"{DYNAMIC}.Linear.weight",
}

_EMBEDDING = {
    "embedding_byte": f"{LAYERS}.Embedding",
    "embedding_bag_byte": f"{LAYERS}.EmbeddingBag",
    "embedding_bag_4bit": f"{LAYERS}.EmbeddingBag",
    "embedding_bag_byte_rowwise_offsets": f"{LAYERS}.EmbeddingBag",
    "embedding_bag_4bit_rowwise_offsets": f"{LAYERS}.EmbeddingBag",
    "embedding_bag_prepack": f"{LAYERS}.EmbeddingBag.set_weight",
    "embedding_bag_unpack": f"{LAYERS}.EmbeddingBag.weight",
    # Rows of floats to rows of bytes and back.
    "embedding_bag_byte_prepack": "quantize_per_channel",
    "embedding_bag_byte_unpack": "dequantize",
    "embedding_bag_4bit_prepack": "quantize_per_channel",
    "embedding_bag_4bit_unpack": "dequantize",
}

_RECURRENT = {
    "quantized_lstm_cell_dynamic": f"{DYNAMIC}.LSTMCell",
    "quantized_gru_cell_dynamic": f"{DYNAMIC}.GRUCell",
    "quantized_rnn_relu_cell_dynamic": f"{DYNAMIC}.RNNCell",
    "quantized_rnn_tanh_cell_dynamic": f"{DYNAMIC}.RNNCell",
    "make_quantized_cell_params": f"{DYNAMIC}.LSTM",
    "make_quantized_cell_params_dynamic": f"{DYNAMIC}.LSTM",
    "make_quantized_cell_params_fp16": f"{DYNAMIC}.LSTM",
}

OPERATORS: dict[str, str] = {
    **_FUNCTIONS,
    **_CONVOLUTIONS,
    **_LINEAR,
    **_EMBEDDING,
    **_RECURRENT,
}
