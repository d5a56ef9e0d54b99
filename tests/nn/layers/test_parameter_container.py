"""Containers of parameters."""

import qrs
from qrs import nn


def test_parameter_list_wraps_tensors():
    weights = nn.ParameterList([qrs.ones(2)])
    weights.append(nn.Parameter(qrs.zeros(1)))
    assert [type(w) for w in weights] == [nn.Parameter, nn.Parameter]
    weights[-1] = qrs.ones(3)
    assert weights[1].shape == (3,)
    assert len(weights[:1]) == 1
    assert len(list(weights.parameters())) == 2
    assert "(0): Parameter containing: [qrs.float32 of size 2]" in repr(weights)


def test_parameter_dict_wraps_tensors():
    weights = nn.ParameterDict({"w": qrs.ones(2)})
    weights["v"] = qrs.zeros(1)
    assert list(weights) == list(weights.keys()) == ["w", "v"]
    assert len(weights) == 2
    assert [p.shape[0] for p in weights.values()] == [2, 1]
    del weights["w"]
    assert "w" not in weights
    assert dict(weights.items())["v"] is weights["v"]
