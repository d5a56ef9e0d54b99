"""Float convolution against plain loops, in both orders of memory."""

import itertools

import numpy as np
import pytest

from qrs.nn.functional.conv_arrays import Geometry, correlate


def reference(x: np.ndarray, weight: np.ndarray, g: Geometry) -> np.ndarray:
    """One sum for each output."""
    n, outputs = len(x), len(weight)
    per_group, of_group = weight.shape[1], outputs // g.groups
    y = np.zeros((n, outputs, *g.out))
    for place in itertools.product(*map(range, g.out)):
        for tap in itertools.product(*map(range, g.kernel)):
            steps = zip(place, g.stride, tap, g.dilation, g.padding, strict=True)
            at = [p * s + t * d - pad for p, s, t, d, pad in steps]
            if not all(0 <= a < size for a, size in zip(at, g.size, strict=True)):
                continue
            for o in range(outputs):
                first = o // of_group * per_group
                seen = x[(slice(None), slice(first, first + per_group), *at)]
                y[(slice(None), o, *place)] += seen @ weight[(o, slice(None), *tap)]
    return y


def geometries(rank: int) -> list[tuple[int, int, Geometry]]:
    """Channels, outputs and geometry: random, every kind of group among them."""
    rng = np.random.default_rng(rank)
    found = []
    while len(found) < 60:
        groups = int(rng.integers(1, 4))
        channels = groups * int(rng.integers(1, 3))
        outputs = groups * int(rng.integers(1, 3))
        size, kernel, stride = (tuple(rng.integers(1, n, rank).tolist()) for n in (7, 4, 4))
        padding = tuple(rng.integers(0, 4, rank).tolist())
        dilation = tuple(rng.integers(1, 3, rank).tolist())
        numbers = zip(size, kernel, stride, padding, dilation, strict=True)
        out = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in numbers)
        if min(out) > 0:
            g = Geometry(size, out, kernel, stride, padding, dilation, groups)
            found.append((channels, outputs, g))
    return found


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_every_geometry_is_that_of_the_loops(rank: int) -> None:
    rng = np.random.default_rng(9)
    for channels, outputs, g in geometries(rank):
        x = rng.standard_normal((2, channels, *g.size))
        weight = rng.standard_normal((outputs, channels // g.groups, *g.kernel))
        expected = reference(x, weight, g)
        last = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
        for array in (x, last, np.asfortranarray(x)):
            np.testing.assert_allclose(correlate(array, weight, g), expected, atol=1e-12)
        got = correlate(x.astype(np.float32), weight.astype(np.float32), g)
        assert got.dtype == np.float32
        assert got.flags.c_contiguous
        np.testing.assert_allclose(got, expected, atol=1e-4)


def test_more_channels_than_a_block_holds() -> None:
    g = Geometry((300, 300), (300, 300), (3, 1), (1, 1), (1, 0), (1, 1), 3)
    rng = np.random.default_rng(1)
    x, weight = rng.standard_normal((1, 3, 300, 300)), rng.standard_normal((3, 1, 3, 1))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    expected = sum(padded[:, :, k : k + 300] * weight[:, 0, k, 0, None, None] for k in range(3))
    np.testing.assert_allclose(correlate(x, weight, g), expected, atol=1e-12)
