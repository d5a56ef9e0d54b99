"""The oracle itself against the golden cases, before anything is judged by it."""

import numpy as np
import pytest

from . import reference as ref
from .cases import Case, load

LINEAR = [c for c in load("linear_conv") if c.op.startswith("linear")]
CONV = [c for c in load("linear_conv") if c.op.startswith("conv")]
DYNAMIC_LINEAR = [
    c for c in load("dynamic") if c.op == "dynamic_linear" and "16" not in c.args["qconfig"]
]
RNNS = [c for c in load("dynamic") if c.op in ("dynamic_LSTM", "dynamic_GRU")]
CELLS = [c for c in load("dynamic") if c.op.endswith("Cell")]


@pytest.mark.parametrize("case", load("tensor"), ids=str)
def test_quantize_and_dequantize(case: Case) -> None:
    x = case.inputs["x"]
    if case.op == "quantize_per_tensor":
        scale, zero_point = case.args["scale"], case.args["zero_point"]
    else:
        scale = ref.along(case.inputs["scales"], x.ndim, case.args["axis"])
        zero_point = ref.along(case.inputs["zero_points"], x.ndim, case.args["axis"])
    q = ref.quantize(x, scale, zero_point, case.args["dtype"])
    assert np.array_equal(q, case.outputs["int_repr"])
    assert np.array_equal(ref.dequantize(q, scale, zero_point), case.outputs["dequantize"])


@pytest.mark.parametrize("case", DYNAMIC_LINEAR, ids=str)
def test_dynamic_linear_is_bit_exact(case: Case) -> None:
    pack = (
        ref.weight_per_channel if "per_channel" in case.args["qconfig"] else ref.weight_per_tensor
    )
    y = ref.dynamic_linear(
        case.inputs["x"], pack(case.inputs["p:weight"]), case.inputs.get("p:bias"), "fbgemm"
    )
    assert np.array_equal(y, case.outputs["y"])


def cell_of(case: Case, suffix: str = "") -> ref.Cell:
    matrix, vector = (
        [case.inputs[f"p:{kind}_{side}{suffix}"] for side in ("ih", "hh")]
        for kind in ("weight", "bias")
    )
    return ref.Cell(*map(ref.weight_per_tensor, matrix), *vector)


@pytest.mark.parametrize("case", RNNS, ids=str)
def test_recurrent_layers(case: Case) -> None:
    layers, both = case.args.get("num_layers", 1), case.args.get("bidirectional", False)
    cells = [
        [cell_of(case, f"_l{layer}{d}") for d in (["", "_reverse"] if both else [""])]
        for layer in range(layers)
    ]
    x = case.inputs["x"]
    if case.args.get("batch_first"):
        x = x.swapaxes(0, 1)
    y, h, c = ref.run_rnn(
        case.op.removeprefix("dynamic_"),
        x,
        case.inputs["h0"],
        case.inputs.get("c0"),
        cells,
        "fbgemm",
    )
    if case.args.get("batch_first"):
        y = y.swapaxes(0, 1)
    np.testing.assert_allclose(y, case.outputs["y"], rtol=0, atol=2e-6)
    np.testing.assert_allclose(h, case.outputs["h"], rtol=0, atol=2e-6)
    if c is not None:
        np.testing.assert_allclose(c, case.outputs["c"], rtol=0, atol=2e-6)


@pytest.mark.parametrize("case", CELLS, ids=str)
def test_recurrent_cells(case: Case) -> None:
    kind = case.op.removeprefix("dynamic_").removesuffix("Cell")
    if kind == "RNN":
        kind = f"RNN_{case.args.get('nonlinearity', 'tanh').upper()}"
    h, c = ref.run_cell(
        kind, case.inputs["x"], case.inputs["h0"], case.inputs.get("c0"), cell_of(case), "fbgemm"
    )
    np.testing.assert_allclose(h, case.outputs["h"], rtol=0, atol=3e-7)
    if c is not None:
        np.testing.assert_allclose(c, case.outputs["c"], rtol=0, atol=3e-7)


@pytest.mark.parametrize("case", LINEAR, ids=str)
def test_static_linear(case: Case) -> None:
    x, w = case.inputs["x"], case.inputs["weight"]
    acc = ref.accumulate(x, case.args["x"]["zero_point"], w, case.inputs["weight_zero_point"])
    q = ref.requantize(
        acc,
        case.args["x"]["scale"],
        case.inputs["weight_scale"],
        case.inputs.get("bias"),
        (case.args["scale"], case.args["zero_point"]),
        relu=case.op.endswith("relu"),
    )
    assert np.array_equal(q, case.outputs["y"])


@pytest.mark.parametrize("case", CONV, ids=str)
def test_static_convolution(case: Case) -> None:
    args, rank = case.args, case.inputs["x"].ndim - 2
    stride, padding, dilation, extra = (
        tuple(np.broadcast_to(args.get(name, default), rank).tolist())
        for name, default in [("stride", 1), ("padding", 0), ("dilation", 1), ("output_padding", 0)]
    )
    geo = ref.Geometry(stride, padding, dilation, args.get("groups", 1))
    x, w, zw = case.inputs["x"], case.inputs["weight"], case.inputs["weight_zero_point"]
    zx = args["x"]["zero_point"]
    if "transpose" in case.op:
        acc = ref.conv_transpose_accumulate(x, zx, w, zw, geo, extra)
    else:
        acc = ref.conv_accumulate(x, zx, w, zw, geo)
    q = ref.requantize(
        np.moveaxis(acc, 1, -1),
        args["x"]["scale"],
        case.inputs["weight_scale"],
        case.inputs.get("bias"),
        (args["scale"], args["zero_point"]),
        relu=case.op.endswith("relu"),
    )
    assert np.array_equal(np.moveaxis(q, -1, 1), case.outputs["y"])
