"""The float layers and losses that are compared with PyTorch, and how a case is run.

Values are sines, so that both sides make them without sharing a file. A result is condensed to a
shape and two numbers, its products with sines; an error anywhere moves them.
"""

import math

import numpy as np


def sines(shape, scale=1.0, phase=1.0):
    """Float32 values that repeat nowhere."""
    count = math.prod(shape)
    return (scale * np.sin(np.arange(count) + phase)).astype(np.float32).reshape(shape)


class F:
    """A float input: its gradient is compared too."""

    def __init__(self, *shape, scale=1.0, phase=1.0, positive=False):
        self.array = sines(shape, scale, phase)
        if positive:
            self.array = np.abs(self.array)


class P:
    """A probability input."""

    def __init__(self, *shape, phase=1.0):
        self.array = 0.5 + 0.49 * sines(shape, phase=phase)


def condensed(array):
    """The shape and two numbers of an array."""
    flat = np.asarray(array, dtype=np.float64).reshape(-1)
    places = np.arange(flat.size)
    products = flat @ np.sin(places * 0.7 + 0.3), flat @ np.cos(places * 1.9 + 0.1)
    return [list(np.shape(array)), *map(float, products)]


def fill(module, assign):
    """Set every parameter and running statistic; `assign(tensor, array)` writes one."""
    for number, (name, value) in enumerate(module.state_dict(keep_vars=True).items()):
        if name.endswith("num_batches_tracked"):
            continue
        array = sines(tuple(value.shape), 0.5, 7.0 * number + 0.5)
        assign(value, np.abs(array) + 0.5 if name.endswith("running_var") else array)


def run(namespace, to_tensor, to_array, assign, case):
    """Condensed outputs, gradients and statistics of one case."""
    name, args, kwargs, inputs, train = case
    module = getattr(namespace, name)(*args, **kwargs)
    fill(module, assign)
    module.train(train)
    tensors = [to_tensor(i.array if isinstance(i, (F, P)) else np.asarray(i)) for i in inputs]
    for given, tensor in zip(inputs, tensors, strict=True):
        if isinstance(given, (F, P)):
            tensor.requires_grad_()
    outputs = flat(module(*tensors))
    found = {f"output {i}": condensed(to_array(o)) for i, o in enumerate(outputs)}
    floats = [o for o in outputs if o.is_floating_point()]
    loss = sum(
        (o * to_tensor(sines(tuple(o.shape), phase=0.2 + i))).sum() for i, o in enumerate(floats)
    )
    loss.backward()
    for i, tensor in enumerate(tensors):
        if tensor.grad is not None:
            found[f"input {i}"] = condensed(to_array(tensor.grad))
    for key, param in module.named_parameters():
        if param.grad is not None:
            found[key] = condensed(to_array(param.grad))
    for key, buffer in module.named_buffers():
        found[key] = condensed(to_array(buffer))
    return found


def flat(output):
    if isinstance(output, (tuple, list)):
        return [leaf for item in output for leaf in flat(item)]
    return [] if output is None else [output]


def label(case):
    """A name for a case, unique among `CASES`."""
    name, args, kwargs, inputs, train = case
    settings = ", ".join([*map(str, args), *(f"{k}={v}" for k, v in kwargs.items())])
    arrays = [i.array if isinstance(i, (F, P)) else np.asarray(i) for i in inputs]
    shapes = " ".join("x".join(map(str, a.shape)) for a in arrays)
    return f"{name}({settings}) on {shapes}{' training' if train else ''}"


def _case(name, *args, inputs, train=False, **kwargs):
    return name, args, kwargs, inputs, train


INDICES = [[1, 2, 3], [4, 1, 0]]


def _plain():
    yield _case("Linear", 4, 3, inputs=[F(5, 4)])
    yield _case("Linear", 4, 3, bias=False, inputs=[F(2, 5, 4)])
    yield _case("Linear", 4, 3, inputs=[F(4)])
    yield _case("Bilinear", 4, 3, 2, inputs=[F(5, 4), F(5, 3, phase=9)])
    yield _case("Bilinear", 4, 3, 2, bias=False, inputs=[F(2, 2, 4), F(2, 2, 3)])
    yield _case("Embedding", 6, 3, inputs=[INDICES])
    yield _case("Embedding", 6, 3, padding_idx=1, inputs=[INDICES])
    yield _case("Embedding", 6, 3, scale_grad_by_freq=True, inputs=[INDICES])
    for mode in ("sum", "mean", "max"):
        yield _case("EmbeddingBag", 6, 3, mode=mode, inputs=[INDICES])
        bags = [[1, 2, 3, 2, 5], [0, 2, 2]]
        yield _case("EmbeddingBag", 6, 3, mode=mode, inputs=bags)
        yield _case("EmbeddingBag", 6, 3, mode=mode, padding_idx=2, inputs=bags)
    yield _case(
        "EmbeddingBag",
        6,
        3,
        mode="sum",
        include_last_offset=True,
        inputs=[[1, 2, 3, 2, 5], [0, 2, 5], F(5)],
    )
    yield _case("LayerNorm", 5, inputs=[F(3, 5)])
    yield _case("LayerNorm", (4, 5), inputs=[F(3, 4, 5)])
    yield _case("LayerNorm", 5, elementwise_affine=False, inputs=[F(3, 5)])
    yield _case("GroupNorm", 2, 4, inputs=[F(3, 4, 5)])
    yield _case("GroupNorm", 2, 4, affine=False, inputs=[F(3, 4, 5, 2)])
    yield _case("Flatten", inputs=[F(2, 3, 4)])
    yield _case("Unflatten", 1, (3, 2), inputs=[F(2, 6)])
    yield _case("PixelShuffle", 2, inputs=[F(1, 8, 2, 3)])
    yield _case("PixelUnshuffle", 2, inputs=[F(1, 2, 4, 6)])
    yield _case("ChannelShuffle", 2, inputs=[F(1, 8, 2, 3)])
    yield _case("CosineSimilarity", inputs=[F(3, 4), F(3, 4, phase=30)])


def _spatial(rank, size):
    x = [F(2, 4, *size)]
    for kwargs in (
        {},
        {"stride": 2, "padding": 1},
        {"dilation": 2, "bias": False},
        {"groups": 2, "padding": (2,) * rank},
        {"groups": 4, "padding": 1},
        {"padding": "same"},
        {"padding": 1, "padding_mode": "circular"},
        {"padding": 1, "padding_mode": "replicate"},
    ):
        yield _case(f"Conv{rank}d", 4, 8, 3, inputs=x, **kwargs)
    yield _case(f"Conv{rank}d", 4, 4, 3, groups=4, inputs=x)
    yield _case(f"Conv{rank}d", 4, 6, 1, stride=2, inputs=x)
    yield _case(f"Conv{rank}d", 4, 6, 2, padding="same", inputs=[F(4, *size)])
    for kwargs in (
        {},
        {"stride": 2, "padding": 1, "output_padding": 1},
        {"dilation": 2, "bias": False},
        {"groups": 2, "stride": 3},
    ):
        yield _case(f"ConvTranspose{rank}d", 4, 8, 3, inputs=x, **kwargs)
    yield _case(f"ConvTranspose{rank}d", 4, 4, 3, groups=4, stride=2, inputs=x)
    yield _case(f"BatchNorm{rank}d", 4, inputs=x)
    yield _case(f"BatchNorm{rank}d", 4, inputs=x, train=True)
    yield _case(f"BatchNorm{rank}d", 4, momentum=None, inputs=x, train=True)
    yield _case(f"BatchNorm{rank}d", 4, affine=False, track_running_stats=False, inputs=x)
    yield _case(f"InstanceNorm{rank}d", 4, inputs=x)
    settings = {"affine": True, "track_running_stats": True}
    yield _case(f"InstanceNorm{rank}d", 4, inputs=x, train=True, **settings)
    yield _case(f"InstanceNorm{rank}d", 4, inputs=x, **settings)
    for kwargs in (
        {},
        {"stride": 2, "padding": 1},
        {"dilation": 2},
        {"stride": 2, "ceil_mode": True},
        {"padding": 1, "return_indices": True},
    ):
        yield _case(f"MaxPool{rank}d", 3, inputs=x, **kwargs)
    for kwargs in (
        {},
        {"stride": 2, "padding": 1},
        {"stride": 2, "padding": 1, "count_include_pad": False},
        {"stride": 2, "padding": 1, "ceil_mode": True},
        {"stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    ):
        yield _case(f"AvgPool{rank}d", 3, inputs=x, **kwargs)
    for out in (1, 5):
        yield _case(f"AdaptiveAvgPool{rank}d", out, inputs=x)
    yield _case(f"AdaptiveMaxPool{rank}d", 3, return_indices=True, inputs=x)
    for kind in ("Reflection", "Replication", "Circular", "Zero"):
        yield _case(f"{kind}Pad{rank}d", (1, 2) * rank, inputs=x)
    yield _case(f"ConstantPad{rank}d", (-1, 2) * rank, 0.5, inputs=x)
    linear = ("linear", "bilinear", "trilinear")[rank - 1]
    yield _case("Upsample", scale_factor=1.7, inputs=x)
    yield _case("Upsample", size=(4,) * rank, mode="area", inputs=x)
    for corners in (True, False):
        yield _case("Upsample", scale_factor=2, mode=linear, align_corners=corners, inputs=x)
        yield _case("Upsample", size=(7,) * rank, mode=linear, align_corners=corners, inputs=x)
        if rank == 2:
            yield _case("Upsample", size=(5, 13), mode="bicubic", align_corners=corners, inputs=x)


def _activations():
    x = [F(4, 9, scale=9)]
    for name in (
        *("ReLU", "ReLU6", "LeakyReLU", "ELU", "CELU", "SELU", "Hardswish", "Hardsigmoid"),
        *("Hardtanh", "Sigmoid", "Tanh", "GELU", "SiLU", "Softplus", "Mish", "LogSigmoid"),
        *("Softsign", "Tanhshrink", "PReLU"),
    ):
        yield _case(name, inputs=x)
    yield _case("Threshold", 0.3, -2.0, inputs=x)
    yield _case("GELU", approximate="tanh", inputs=x)
    yield _case("Softmax", dim=1, inputs=x)
    yield _case("LogSoftmax", dim=-1, inputs=x)
    yield _case("PReLU", 3, inputs=[F(2, 3, 4)])
    yield _case("ELU", 0.5, inputs=x)
    yield _case("CELU", 2.0, inputs=x)
    yield _case("Softplus", 2.0, 3.0, inputs=x)
    yield _case("LeakyReLU", 0.2, inputs=x)


def _sequences():
    for mode in ("LSTM", "GRU", "RNN"):
        for kwargs in (
            {},
            {"num_layers": 2, "bias": False},
            {"num_layers": 2, "bidirectional": True},
            {"batch_first": True, "bidirectional": True},
        ):
            yield _case(mode, 3, 5, inputs=[F(6, 2, 3)], **kwargs)
        yield _case(mode, 3, 5, inputs=[F(6, 3)])
    yield _case("GRU", 3, 5, inputs=[F(6, 2, 3), F(1, 2, 5)])
    yield _case("RNN", 3, 5, nonlinearity="relu", inputs=[F(6, 2, 3)])
    yield _case("LSTM", 3, 5, proj_size=2, num_layers=2, bidirectional=True, inputs=[F(6, 2, 3)])
    for cell in ("LSTMCell", "GRUCell", "RNNCell"):
        yield _case(cell, 3, 5, inputs=[F(2, 3)])
        yield _case(cell, 3, 5, bias=False, inputs=[F(3)])
    yield _case("RNNCell", 3, 5, nonlinearity="relu", inputs=[F(2, 3), F(2, 5)])
    attention = [F(4, 2, 8), F(6, 2, 8, phase=5), F(6, 2, 8, phase=11)]
    yield _case("MultiheadAttention", 8, 2, inputs=attention)
    yield _case("MultiheadAttention", 8, 2, bias=False, inputs=attention)
    yield _case("MultiheadAttention", 8, 2, add_bias_kv=True, add_zero_attn=True, inputs=attention)
    wide = [F(4, 2, 8), F(6, 2, 5, phase=5), F(6, 2, 6, phase=11)]
    yield _case("MultiheadAttention", 8, 2, kdim=5, vdim=6, inputs=wide)
    turned = [F(2, 4, 8), F(2, 6, 8, phase=5), F(2, 6, 8, phase=11)]
    yield _case("MultiheadAttention", 8, 2, batch_first=True, inputs=turned)
    for kwargs in ({}, {"activation": "gelu"}, {"norm_first": True}, {"batch_first": True}):
        yield _case("TransformerEncoderLayer", 8, 2, 16, dropout=0.0, inputs=[F(4, 2, 8)], **kwargs)


def _losses():
    y, target = F(4, 3, scale=3), [0, 2, 1, 2]
    for reduction in ("mean", "none"):
        for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss"):
            yield _case(name, reduction=reduction, inputs=[y, F(4, 3, scale=3, phase=50)])
        for kwargs in (
            {},
            {"ignore_index": 2},
            {"label_smoothing": 0.1},
            {"label_smoothing": 0.1, "ignore_index": 2},
        ):
            yield _case("CrossEntropyLoss", reduction=reduction, inputs=[y, target], **kwargs)
        yield _case("CrossEntropyLoss", reduction=reduction, inputs=[y, F(4, 3, positive=True)])
        yield _case("NLLLoss", reduction=reduction, inputs=[y, target])
        yield _case("BCELoss", reduction=reduction, inputs=[P(4, 3), P(4, 3, phase=20)])
        yield _case("BCEWithLogitsLoss", reduction=reduction, inputs=[y, P(4, 3)])
        yield _case("KLDivLoss", reduction=reduction, inputs=[y, P(4, 3)])
    yield _case("KLDivLoss", reduction="batchmean", log_target=True, inputs=[y, F(4, 3, phase=50)])
    yield _case("SmoothL1Loss", beta=0.5, inputs=[y, F(4, 3, phase=50)])
    yield _case("HuberLoss", delta=0.5, inputs=[y, F(4, 3, phase=50)])
    maps = [F(2, 3, 4), [[0, 1, 2, 0], [1, 1, 0, 2]]]
    yield _case("CrossEntropyLoss", inputs=maps)


CASES = [
    *_plain(),
    *_spatial(1, (9,)),
    *_spatial(2, (9, 8)),
    *_spatial(3, (5, 6, 7)),
    *_activations(),
    *_sequences(),
    *_losses(),
]
