"""One operator between its conversions, as ONNX Runtime's tool writes it, for two peers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import onnxruntime as ort
import openvino as ov
from onnx import TensorProto, helper, numpy_helper

from comparison.model import Array, Contender

Pair = tuple[float, int]


class Between:
    """A model with an operator between a `DequantizeLinear` for each input and a `QuantizeLinear`.

    Parameters
    ----------
    inputs : sequence of array
        Bytes, or floats where there are no parameters for them.
    pairs : sequence of (scale, zero point)
        Of the inputs; none for floats.
    output : (scale, zero point), optional
        Of the output, which is float without.
    operator : (name, attributes), optional
        None converts only.
    """

    def __init__(
        self,
        inputs: Sequence[Array],
        pairs: Sequence[Pair],
        output: Pair | None,
        operator: tuple[str, dict[str, Any]] | None,
    ) -> None:
        self.inputs = {f"x{i}": np.ascontiguousarray(x) for i, x in enumerate(inputs)}
        self.output = output
        nodes, values = [], {}
        names = list(self.inputs)
        for i, (scale, zero) in enumerate(pairs):
            values |= {f"s{i}": np.float32(scale), f"z{i}": np.uint8(zero)}
            nodes.append(
                helper.make_node("DequantizeLinear", [names[i], f"s{i}", f"z{i}"], [f"r{i}"])
            )
            names[i] = f"r{i}"
        if operator is not None:
            nodes.append(helper.make_node(operator[0], names, ["v"], **operator[1]))
            names = ["v"]
        if output is not None:
            values |= {"sy": np.float32(output[0]), "zy": np.uint8(output[1])}
            nodes.append(helper.make_node("QuantizeLinear", [names[0], "sy", "zy"], ["y"]))
        else:
            nodes[-1].output[0] = "y"
        kinds = {np.dtype(np.uint8): TensorProto.UINT8, np.dtype(np.float32): TensorProto.FLOAT}
        graph = helper.make_graph(
            nodes,
            "between",
            [
                helper.make_tensor_value_info(n, kinds[x.dtype], x.shape)
                for n, x in self.inputs.items()
            ],
            [
                helper.make_tensor_value_info(
                    "y", TensorProto.FLOAT if output is None else TensorProto.UINT8, None
                )
            ],
            [numpy_helper.from_array(np.asarray(v), name) for name, v in values.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        self.model: bytes = model.SerializeToString()

    def contenders(self, threads: int) -> list[Contender]:
        """ONNX Runtime and OpenVINO, with inputs and outputs in place."""
        return [self._onnx_runtime(threads), self._openvino(threads)]

    def _real(self, y: Array) -> Array:
        if self.output is None:
            return y
        return self.output[0] * (y.astype(np.float64) - self.output[1])

    def _onnx_runtime(self, threads: int) -> Contender:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = ort.InferenceSession(self.model, options, ["CPUExecutionProvider"])
        binding = session.io_binding()
        for name, x in self.inputs.items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(x))
        (y,) = session.run(None, self.inputs)
        room = ort.OrtValue.ortvalue_from_shape_and_type(y.shape, y.dtype)
        binding.bind_ortvalue_output("y", room)
        return Contender(
            "ONNX Runtime",
            partial(session.run_with_iobinding, binding),
            lambda _: self._real(room.numpy()),
        )

    def _openvino(self, threads: int) -> Contender:
        core = ov.Core()
        compiled = core.compile_model(
            core.read_model(self.model, b""),
            "CPU",
            {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"},
        )
        request = compiled.create_infer_request()
        for name, x in self.inputs.items():
            request.set_tensor(name, ov.Tensor(x))
        return Contender(
            "OpenVINO", request.infer, lambda _: self._real(request.get_output_tensor().data)
        )
