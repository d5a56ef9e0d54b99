"""PyTorch, ONNX Runtime and OpenVINO on one quantized convolution."""

from __future__ import annotations

import dataclasses
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import openvino as ov
import torch
from onnx import TensorProto, helper, numpy_helper
from openvino import opset13 as nodes

from comparison.conv_layer import Layer
from comparison.model import Array, Contender

ENGINES = ("fbgemm", "x86", "onednn")
# OpenVINO's layers are timed inside a graph where they fit behind one another: a long one less a
# short one.
LONG, SHORT = 12, 2


def checked(contender: Contender, wanted: Array) -> Contender:
    """A contender with what its sums should give: what is one step off was rounded elsewhere.

    Each engine has its own order of float operations, and some round the bias to integers; neither
    moves an output by more than a step. A sum that saturates does.
    """
    if contender.role == "float":
        return contender
    found = contender.output(contender.call()).astype(np.float64)
    return dataclasses.replace(contender, exact=np.where(abs(found - wanted) <= 1, found, wanted))


def torch_layers(layer: Layer) -> list[Contender]:
    """One contender for each engine that takes the layer."""
    made = []
    for engine in ENGINES:
        torch.backends.quantized.engine = engine
        made.append(_torch(layer, f"PyTorch {engine}"))
    torch.backends.quantized.engine = "fbgemm"
    return made


def _torch(layer: Layer, name: str) -> Contender:
    shape = layer.shape
    if shape.transposed:
        kind = getattr(torch.ao.nn.quantized, f"ConvTranspose{shape.rank}d")
        weight = torch._make_per_tensor_quantized_tensor(
            torch.from_numpy(layer.weight), float(layer.scales[0]), 0
        )
    else:
        kind = getattr(torch.ao.nn.intrinsic.quantized, f"ConvReLU{shape.rank}d")
        scales = torch.from_numpy(layer.scales.astype(np.float64))
        points = torch.zeros(shape.outputs, dtype=torch.long)
        weight = torch._make_per_channel_quantized_tensor(
            torch.from_numpy(layer.weight), scales, points, 0
        )
    small = kind(
        shape.inputs, shape.outputs, shape.kernel, shape.stride, shape.padding, groups=shape.groups
    )
    small.set_weight_bias(weight, torch.from_numpy(layer.bias))
    small.scale, small.zero_point = layer.step, 0
    # The axes are moved, not the bytes: the memory is channels-last.
    ints = torch.from_numpy(layer.x).movedim(-1, 1)
    x = torch._make_per_tensor_quantized_tensor(ints, *shape.input)
    if shape.rank > 1:
        order = torch.channels_last if shape.rank == 2 else torch.channels_last_3d
        x = x.contiguous(memory_format=order)
    return Contender(name, partial(small, x), lambda y: y.int_repr().numpy())


def onnx_runtime(layer: Layer, threads: int) -> list[Contender]:
    """A model of one layer as its quantization tool writes it; none has transposed ones."""
    shape = layer.shape
    if shape.transposed:
        return []
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run.onnx"
        options.optimized_model_filepath = str(run)
        model = _onnx_model(layer).SerializeToString()
        session = ort.InferenceSession(model, options, ["CPUExecutionProvider"])
        ran = [node.op_type for node in onnx.load(run).graph.node]
    if "QLinearConv" not in ran:
        raise RuntimeError(f"ONNX Runtime made {ran}, expected QLinearConv: not a fair peer")
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy(layer.x))
    (y,) = session.run(None, {"x": layer.x})
    room = ort.OrtValue.ortvalue_from_shape_and_type(y.shape, np.uint8)
    binding.bind_ortvalue_output("y", room)
    return [
        Contender(
            "ONNX Runtime",
            lambda: session.run_with_iobinding(binding),
            lambda _: np.moveaxis(room.numpy(), -1, 1),
        )
    ]


def _onnx_model(layer: Layer) -> Any:
    shape, (scale, zero) = layer.shape, layer.shape.input
    product = (np.float32(scale) * layer.scales).astype(np.float32)
    values = {
        "x_scale": np.float32(scale),
        "x_zero": np.uint8(zero),
        "w": layer.weight,
        "w_scale": layer.scales,
        "w_zero": np.zeros(shape.outputs, np.int8),
        "b": np.rint(layer.bias / product).astype(np.int32),
        "b_scale": product,
        "b_zero": np.zeros(shape.outputs, np.int32),
        "y_scale": np.float32(layer.step),
        "y_zero": np.uint8(0),
    }
    spatial = range(1, shape.rank + 1)
    node = helper.make_node
    graph = [
        # ONNX has channels first. The session drops both: its layers want channels last.
        node("Transpose", ["x"], ["x_first"], perm=[0, shape.rank + 1, *spatial]),
        node("DequantizeLinear", ["x_first", "x_scale", "x_zero"], ["x_real"]),
        node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["w_real"], axis=0),
        node("DequantizeLinear", ["b", "b_scale", "b_zero"], ["b_real"], axis=0),
        node(
            "Conv",
            ["x_real", "w_real", "b_real"],
            ["sum"],
            kernel_shape=[shape.kernel] * shape.rank,
            pads=[shape.padding] * (2 * shape.rank),
            strides=[shape.stride] * shape.rank,
            group=shape.groups,
        ),
        node("Relu", ["sum"], ["y_real"]),
        node("QuantizeLinear", ["y_real", "y_scale", "y_zero"], ["y_first"]),
        node("Transpose", ["y_first"], ["y"], perm=[0, *range(2, shape.rank + 2), 1]),
    ]
    made = helper.make_graph(
        graph,
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, layer.x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(v), name) for name, v in values.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def openvino(layer: Layer, threads: int) -> list[Contender]:
    """One request, and where layers fit behind one another a layer inside a graph."""
    shape = layer.shape
    one = _request(layer, 1, threads)
    one.infer()

    def output(_: Any) -> Array:
        return np.moveaxis(one.get_output_tensor().data, -1, 1)

    fits = shape.inputs == shape.outputs and shape.stride == 1 and not shape.transposed
    if not fits:
        return [Contender("OpenVINO", one.infer, output)]
    long, short = _request(layer, LONG, threads), _request(layer, SHORT, threads)
    return [
        Contender("OpenVINO, one layer", one.infer, output, "context"),
        Contender(
            "OpenVINO, in a graph",
            long.infer,
            lambda _: output(one.infer()),
            less=short.infer,
            over=LONG - SHORT,
        ),
    ]


def _request(layer: Layer, count: int, threads: int) -> Any:
    """A request of a graph of so many layers, each with the same weights in its own memory."""
    shape, (scale, zero) = layer.shape, layer.shape.input
    given = nodes.parameter(list(layer.x.shape), np.uint8)
    spatial = range(1, shape.rank + 1)
    y = nodes.transpose(given, np.array([0, shape.rank + 1, *spatial]))
    ends = ((0 - zero) * scale, (255 - zero) * scale)
    y = _fake(nodes.convert(y, np.float32), shape.rank, (0, 255), ends)
    top = (0, 255 * layer.step)
    for _ in range(count):
        y = _fake(nodes.relu(_openvino_layer(layer, y)), shape.rank, top, top)
    y = nodes.convert(nodes.multiply(y, nodes.constant(np.float32(1 / layer.step))), np.uint8)
    y = nodes.transpose(y, np.array([0, *range(2, shape.rank + 2), 1]))
    compiled = ov.Core().compile_model(
        ov.Model([y], [given], "layer"),
        "CPU",
        {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"},
    )
    ran = [op.get_rt_info() for op in compiled.get_runtime_model().get_ordered_ops()]
    convs = [
        op["primitiveType"].astype(str) for op in ran if "onvolution" in op["layerType"].astype(str)
    ]
    if not convs or not all(name.lower().endswith("i8") for name in convs):
        raise RuntimeError(f"OpenVINO made {convs}, expected int8: not a fair peer")
    request = compiled.create_infer_request()
    request.set_input_tensor(ov.Tensor(layer.x))
    return request


def _openvino_layer(layer: Layer, x: Any) -> Any:
    shape = layer.shape
    weight = nodes.convert(nodes.constant(layer.weight), np.float32)
    axis = 1 if shape.transposed else 0
    by_channel = [1] * (shape.rank + 2)
    by_channel[axis] = -1
    weight = nodes.multiply(weight, nodes.constant(layer.scales.reshape(by_channel)))
    rank = shape.rank
    stride, padding, ones = [shape.stride] * rank, [shape.padding] * rank, [1] * rank
    if shape.transposed:
        y = nodes.convolution_backprop_data(x, weight, stride, pads_begin=padding, pads_end=padding)
    elif shape.groups > 1:
        parts = np.array([shape.groups, -1, *shape.weight[1:]])
        weight = nodes.reshape(weight, parts, False)
        y = nodes.group_convolution(x, weight, stride, padding, padding, ones)
    else:
        y = nodes.convolution(x, weight, stride, padding, padding, ones)
    return nodes.add(y, nodes.constant(layer.bias.reshape(1, -1, *(1,) * rank)))


def _fake(x: Any, rank: int, from_: tuple[float, float], to: tuple[float, float]) -> Any:
    """256 steps between two ends, seen as between two others."""
    ends = [nodes.constant(np.full((1,) * (rank + 2), end, np.float32)) for end in (*from_, *to)]
    return nodes.fake_quantize(x, *ends, 256)
