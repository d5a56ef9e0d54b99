"""Float models in ONNX, quantized and run as ONNX Runtime's documentation says."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from comparison.model import Array

# Contenders, and whether their weights have 7 bits.
NAMES = {"ONNX Runtime": False, "ONNX Runtime, 7 bits": True}

# The quantizer warns of every model that was not run through shape inference.
logging.getLogger().setLevel(logging.ERROR)


class Session:
    """A quantized model: its input and outputs are bound once, so that a call copies nothing.

    Parameters
    ----------
    nodes : list of NodeProto
        A float model with input ``x`` and first output ``y``.
    weights : dict of str to array
    x : array
    outputs : dict of str to tuple
        Shapes by name.
    threads : int
    fused : str
        The operator that ONNX Runtime must have made of it.
    narrow : bool
        Whether to store weights in 7 bits, as its documentation advises for CPUs without VNNI.
    """

    def __init__(
        self,
        nodes: list[Any],
        weights: dict[str, Array],
        x: Array,
        outputs: dict[str, tuple[int, ...]],
        threads: int,
        fused: str,
        narrow: bool = False,
    ) -> None:
        graph = helper.make_graph(
            nodes,
            "model",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()],
            [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        with tempfile.TemporaryDirectory() as folder:
            plain, small, run = (Path(folder) / f"{n}.onnx" for n in ("plain", "small", "run"))
            onnx.save(model, plain)
            kind = {"weight_type": QuantType.QInt8, "per_channel": True, "reduce_range": narrow}
            quantize_dynamic(plain, small, **kind)
            options.optimized_model_filepath = str(run)
            self._session = ort.InferenceSession(small, options, ["CPUExecutionProvider"])
            made = [node.op_type for node in onnx.load(run).graph.node]
            if fused not in made:
                raise RuntimeError(f"ONNX Runtime made {made}, expected {fused}: not a fair peer")
            self.stored = {
                t.name: numpy_helper.to_array(t) for t in onnx.load(small).graph.initializer
            }
        self._binding = self._session.io_binding()
        self._binding.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy(x))
        for name, shape in outputs.items():
            room = ort.OrtValue.ortvalue_from_shape_and_type(shape, np.float32)
            self._binding.bind_ortvalue_output(name, room)

    @property
    def call(self) -> Callable[[], Any]:
        """Runs the model."""
        run, binding = self._session.run_with_iobinding, self._binding
        return lambda: run(binding)

    def output(self, _: Any) -> Array:
        """The first output of the latest call."""
        y: Array = self._binding.get_outputs()[0].numpy()
        return y
