"""Dropout layers."""

import pytest

import qrs
from qrs import nn

SHAPES = {"Dropout": (50, 40), "Dropout1d": (50, 40, 3), "Dropout2d": (50, 40, 2, 2)}


@pytest.mark.parametrize("name", SHAPES)
def test_kept_values_are_scaled_and_the_share_is_right(name):
    qrs.manual_seed(1)
    out = getattr(nn, name)(0.25)(qrs.ones(*SHAPES[name]))
    kept = out[out != 0]
    assert kept.tolist() == pytest.approx([4 / 3] * len(kept))
    assert float((out == 0).float().mean()) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(
    ("name", "spatial"), [("Dropout1d", (9,)), ("Dropout2d", (3, 3)), ("Dropout3d", (2, 2, 2))]
)
def test_channels_fall_as_a_whole(name, spatial):
    out = getattr(nn, name)(0.5)(qrs.ones(3, 4, *spatial)).flatten(2)
    assert all(len(set(channel)) == 1 for sample in out.tolist() for channel in sample)


def test_evaluation_returns_the_input_itself():
    x = qrs.ones(3)
    assert nn.Dropout(0.9).eval()(x) is x


def test_inplace_overwrites_the_input():
    x = qrs.ones(4)
    assert nn.Dropout(1.0, inplace=True)(x) is x
    assert x.tolist() == [0.0] * 4


def test_gradient_flows_through_what_is_kept():
    x = qrs.ones(100, requires_grad=True)
    out = nn.Dropout(0.5)(x)
    out.sum().backward()
    assert qrs.equal(x.grad, out.detach())


def test_misfits_are_explained():
    with pytest.raises(ValueError, match=r"Dropout: p 1\.5 came"):
        nn.Dropout(1.5)
    with pytest.raises(qrs.ShapeError, match="dropout2d"):
        nn.Dropout2d()(qrs.ones(2))
