"""First values: ranges, variances, structure."""

import math

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs.nn import init


@pytest.fixture(autouse=True)
def _seed():
    qrs.manual_seed(0)


def test_uniform_functions_stay_in_their_bounds_and_reach_them():
    w = qrs.empty(50, 40)
    for fill, bound in (
        (lambda t: init.uniform_(t, -2, 2), 2),
        (init.xavier_uniform_, math.sqrt(6 / 90)),
        (init.kaiming_uniform_, math.sqrt(6 / 40)),
    ):
        top = float(fill(w).abs().max())
        assert 0.98 * bound < top <= bound


@pytest.mark.parametrize(
    ("fill", "std"),
    [
        (lambda t: init.normal_(t, 0.0, 3.0), 3.0),
        (init.xavier_normal_, math.sqrt(2 / 500)),
        (init.kaiming_normal_, math.sqrt(2 / 300)),
        (
            lambda t: init.kaiming_normal_(t, mode="fan_out", nonlinearity="linear"),
            math.sqrt(1 / 200),
        ),
    ],
)
def test_normal_functions_have_their_standard_deviation(fill, std):
    w = fill(qrs.empty(200, 300))
    assert float(w.std()) == pytest.approx(std, rel=0.02)


def test_truncated_normal_stays_inside():
    w = init.trunc_normal_(qrs.empty(1000), std=2.0, a=-1.0, b=3.0)
    assert float(w.min()) >= -1
    assert float(w.max()) <= 3
    with pytest.raises(ValueError, match="within six standard deviations"):
        init.trunc_normal_(w, 0.0, 1.0, 10.0, 20.0)


def test_orthogonal_has_orthonormal_rows_or_columns():
    for shape in ((4, 6), (6, 4), (4, 2, 3)):
        w = init.orthogonal_(qrs.empty(*shape), gain=2.0).numpy().reshape(shape[0], -1)
        gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
        np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)


def test_dirac_and_identity_pass_inputs_unchanged():
    conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)
    init.dirac_(conv.weight)
    x = qrs.randn(2, 3, 4, 4)
    assert qrs.equal(conv(x), x)
    assert qrs.equal(init.eye_(qrs.empty(2, 3)), qrs.tensor([[1.0, 0, 0], [0, 1, 0]]))


def test_functions_return_the_tensor_and_record_no_graph():
    w = nn.Parameter(qrs.empty(2, 2))
    assert init.ones_(w) is w
    assert w.is_leaf


def test_wrong_shapes_and_names_are_explained():
    with pytest.raises(qrs.ShapeError, match="at least two dimensions"):
        init.kaiming_uniform_(qrs.empty(3))
    with pytest.raises(qrs.ShapeError, match="eye_"):
        init.eye_(qrs.empty(3))
    with pytest.raises(qrs.ShapeError, match="dirac_"):
        init.dirac_(qrs.empty(3, 3))
    with pytest.raises(ValueError, match="expected one of: linear"):
        init.calculate_gain("relu7")
    with pytest.raises(ValueError, match="'fan_in' or 'fan_out'"):
        init.kaiming_normal_(qrs.empty(2, 2), mode="fan")


def test_layers_start_inside_one_over_root_of_fan_in():
    for layer, fan_in in ((nn.Linear(16, 8), 16), (nn.Conv2d(4, 8, 3), 36), (nn.LSTM(3, 25), 25)):
        for parameter in layer.parameters():
            assert float(parameter.abs().max()) <= 1 / math.sqrt(fan_in)
