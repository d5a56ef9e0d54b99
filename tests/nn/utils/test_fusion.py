"""Folding a batch normalisation into the layer before it."""

import numpy as np

import qrs
from qrs.nn.utils import fuse_conv_bn_weights


def test_measured_folding() -> None:
    weight = qrs.from_numpy(np.sin(np.arange(4) + 1.0).astype(np.float32).reshape(2, 2, 1, 1))
    w, b = fuse_conv_bn_weights(
        weight,
        None,
        qrs.tensor([0.1, 0.2]),
        qrs.tensor([1.0, 4.0]),
        1e-5,
        qrs.tensor([2.0, 0.5]),
        qrs.tensor([0.3, -0.3]),
    )
    np.testing.assert_allclose(
        w.reshape(-1).numpy(), [1.6829334497, 1.8185857534, 0.0352799594, -0.1892004013], rtol=1e-7
    )
    np.testing.assert_allclose(b.numpy(), [0.1000010073, -0.3499999642], rtol=1e-6)


def test_folding_without_affine() -> None:
    w, b = fuse_conv_bn_weights(
        qrs.ones(1, 1), qrs.ones(1), qrs.tensor([3.0]), qrs.tensor([0.25]), 0.0, None, None
    )
    assert (w.item(), b.item()) == (2.0, -4.0)
