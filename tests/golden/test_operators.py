"""Quantized operators other than layers against PyTorch 1.8.1, integers equal."""

from typing import Any

import numpy as np
import pytest

import qrs
from qrs.nn import functional as F
from qrs.nn.quantized import functional as QF

from .cases import Case, load

CASES = [case for case in load("operators") if not case.op.startswith("embedding")]


def tensor(case: Case, role: str) -> qrs.QTensor:
    given = case.args[role]
    kind = getattr(qrs, given["dtype"])
    return qrs.QTensor.from_ints(case.inputs[role], given["scale"], given["zero_point"], kind)


def settings(case: Case) -> dict[str, Any]:
    return {key: value for key, value in case.args.items() if key not in ("x", "a", "b", "y")}


def parameters(case: Case, *names: str) -> list[Any]:
    return [qrs.from_numpy(case.inputs[name]) for name in names]


def run(case: Case) -> qrs.QTensor:
    op, args = case.op, settings(case)
    if op in ("add", "add_relu", "mul"):
        return getattr(QF, op)(tensor(case, "a"), tensor(case, "b"), **args)
    if op == "cat":
        return QF.cat([tensor(case, "a"), tensor(case, "b")], **args)
    if op.endswith("_scalar"):
        return getattr(QF, op)(tensor(case, "a"), **args)
    x = tensor(case, "x")
    if op.startswith("batch_norm"):
        names = ("weight", "bias", "running_mean", "running_var")
        return QF.batch_norm(x, *parameters(case, *names), **args)
    if op == "layer_norm":
        shape = args.pop("normalized_shape")
        return QF.layer_norm(x, shape, *parameters(case, "weight", "bias"), **args)
    if op == "group_norm":
        count = args.pop("num_groups")
        return QF.group_norm(x, count, *parameters(case, "weight", "bias"), **args)
    if op.startswith("instance_norm"):
        return QF.instance_norm(x, *parameters(case, "weight", "bias"), **args)
    if op in ("relu", "sigmoid", "tanh", "clamp", "mean"):
        return getattr(x, op)(**args)
    return getattr(QF if "scale" in args else F, op)(x, **args)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_operator(case: Case) -> None:
    y = run(case)
    assert np.array_equal(y.int_repr().numpy(), case.outputs["y"])
    output = case.args.get("y", case.args)
    assert (y.q_scale(), y.q_zero_point()) == (output["scale"], output["zero_point"])
