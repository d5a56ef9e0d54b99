"""Whole networks: the same source, the same weights, each engine's own way to int8.

The source is that of tests/models, which is written as PyTorch users write it; here it is also read
with `torch` in the place of `qrs`.
"""

from __future__ import annotations

import copy
import functools
import logging
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import openvino as ov
import torch
from onnxruntime import quantization as tool

import qrs
from comparison.model import Array, Contender, Row, Stage
from comparison.same_source import read

SIZE = 224
# Images that engines see before they choose their ranges.
CALIBRATION = 4


def _resnet(library: str) -> Any:
    return read("tests/models/resnet.py", library)["resnet50"]()


def _mobilenet(library: str) -> Any:
    """With ReLU for ReLU6, as published for quantization: it fuses everywhere."""
    names = read("tests/models/mobilenet.py", library)
    model = names["MobileNetV2"]()
    for module in model.modules():
        for name, child in module.named_children():
            if type(child) is names["nn"].ReLU6:
                setattr(module, name, names["nn"].ReLU())
    return model


def images(count: int, seed: int) -> Array:
    """Random ones: white noise, softened so that neighbours are alike."""
    x = np.random.default_rng(seed).standard_normal((count, 3, SIZE, SIZE), np.float32)
    for axis in (2, 3):
        x = (x + np.roll(x, 1, axis) + np.roll(x, 2, axis)) / np.float32(np.sqrt(3))
    return x


@functools.cache
def trained(make: Callable[[str], Any]) -> Any:
    """A float network of torch with random weights and the statistics of its own activations."""
    torch.manual_seed(0)
    model = make("torch")
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
        # What a block adds is small beside what it passes on, as in trained networks.
        if getattr(module, "skip", None) is not None:
            module.last_norm().weight.data.fill_(0.2)
    model.train()
    with torch.no_grad():
        model(torch.from_numpy(images(8, 1)))
    return model.eval()


def build(make: Callable[[str], Any], threads: int) -> tuple[Array, list[Contender]]:
    """The scores in double precision, and those who compute them."""
    model = trained(make)
    x = images(1, 2)
    wanted = copy.deepcopy(model).double()(torch.from_numpy(x).double()).detach().numpy()
    made = [_qrs(make, model, x)]
    made += [_torch(model, x, engine) for engine in ("fbgemm", "x86")]
    fused = copy.deepcopy(model)
    fused.fuse()
    made += _from_onnx(fused, x, threads)
    made.append(
        Contender(
            "PyTorch float", partial(fused, torch.from_numpy(x)), lambda y: y.numpy(), "float"
        )
    )
    return wanted, made


def _qrs(make: Callable[[str], Any], model: Any, x: Array) -> Contender:
    own = make("qrs").eval()
    own.load_state_dict({k: qrs.from_numpy(v.numpy()) for k, v in model.state_dict().items()})
    own.fuse()
    own.qconfig = qrs.quantization.get_default_qconfig()
    prepared = qrs.quantization.prepare(own)
    qrs.quantization.calibrate(prepared, (qrs.from_numpy(image) for image in _calibration()))
    small = qrs.quantization.convert(prepared)
    return Contender("qrs", partial(small, qrs.from_numpy(x)), lambda y: y.numpy(), "qrs")


def _calibration() -> Iterator[Array]:
    return iter(images(CALIBRATION, 3)[:, None])


def _torch(model: Any, x: Array, engine: str) -> Contender:
    torch.backends.quantized.engine = engine
    fused = copy.deepcopy(model)
    fused.fuse()
    fused.qconfig = torch.ao.quantization.get_default_qconfig(engine)
    prepared = torch.ao.quantization.prepare(fused)
    for image in _calibration():
        prepared(torch.from_numpy(image))
    small = torch.ao.quantization.convert(prepared)
    torch.backends.quantized.engine = "fbgemm"
    return Contender(f"PyTorch {engine}", partial(small, torch.from_numpy(x)), lambda y: y.numpy())


class _Images(tool.CalibrationDataReader):  # type: ignore[misc]  # it has no types
    def __init__(self) -> None:
        self._images = _calibration()

    def get_next(self) -> dict[str, Array] | None:
        image = next(self._images, None)
        return None if image is None else {"x": image}


def _from_onnx(fused: Any, x: Array, threads: int) -> list[Contender]:
    """ONNX Runtime's tool writes a model that both it and OpenVINO run."""
    with tempfile.TemporaryDirectory() as folder:
        plain, ready, small = (Path(folder) / f"{n}.onnx" for n in ("plain", "ready", "small"))
        names = {"input_names": ["x"], "output_names": ["y"]}
        torch.onnx.export(fused, (torch.from_numpy(x),), plain, dynamo=False, **names)
        tool.shape_inference.quant_pre_process(plain, ready)
        logging.getLogger().setLevel(logging.ERROR)
        tool.quantize_static(
            ready,
            small,
            _Images(),
            quant_format=tool.QuantFormat.QDQ,
            activation_type=tool.QuantType.QUInt8,
            weight_type=tool.QuantType.QInt8,
            per_channel=True,
        )
        return [_onnx_runtime(small, x, threads), _openvino(small, x, threads)]


def _onnx_runtime(file: Path, x: Array, threads: int) -> Contender:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(file, options, ["CPUExecutionProvider"])
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy(x))
    (y,) = session.run(None, {"x": x})
    room = ort.OrtValue.ortvalue_from_shape_and_type(y.shape, np.float32)
    binding.bind_ortvalue_output("y", room)
    call = partial(session.run_with_iobinding, binding)
    return Contender("ONNX Runtime", call, lambda _: room.numpy())


def _openvino(file: Path, x: Array, threads: int) -> Contender:
    compiled = ov.Core().compile_model(
        file,
        "CPU",
        {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"},
    )
    kinds = [op.get_rt_info() for op in compiled.get_runtime_model().get_ordered_ops()]
    convs = [
        kind["primitiveType"].astype(str)
        for kind in kinds
        if "onvolution" in kind["layerType"].astype(str)
    ]
    if not convs or not all(name.lower().endswith("i8") for name in convs):
        raise RuntimeError(f"OpenVINO made {convs}, expected int8: not a fair peer")
    request = compiled.create_infer_request()
    request.set_tensor("x", ov.Tensor(x))
    return Contender("OpenVINO", request.infer, lambda _: request.get_output_tensor().data)


# Multiply-adds and weights: counted over the convolutions and the linear layer.
ROWS = (
    Row(
        "ResNet-50, one image of 224", (Stage(4_089_184_256, 25_502_912),), partial(build, _resnet)
    ),
    Row(
        "MobileNetV2, one image of 224",
        (Stage(300_774_272, 3_469_760),),
        partial(build, _mobilenet),
    ),
)
