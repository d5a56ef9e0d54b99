"""Moving and resizing of quantized images."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import qrs
from qrs.errors import DtypeError, ShapeError
from qrs.nn import functional as F
from qrs.nn.quantized import functional as QF

from .test_functional_arithmetic import KINDS, last, random, sliced

CHANGES = [lambda x: x, last, sliced]
PADS: list[tuple[str, tuple[int, ...]]] = [
    ("constant", (1, 2)),
    ("constant", (-1, 2, 0, -2)),
    ("constant", (0, 1, 2, 0, 1, 1, 1, 0)),
    ("reflect", (2, 1, 1, 0)),
    ("replicate", (3, 1, 0, 9)),
    ("circular", (2, 3)),
]


def floats(x: qrs.QTensor) -> qrs.Tensor:
    return qrs.from_numpy(x._ints.astype(np.float32))


def same_order(x: qrs.QTensor, y: qrs.QTensor) -> bool:
    """Whether the channels of both are last in memory, or of neither."""
    return (
        x._ints.transpose(0, 2, 3, 1).flags.c_contiguous
        == y._ints.transpose(0, 2, 3, 1).flags.c_contiguous
    )


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize(("mode", "by"), PADS, ids=str)
def test_padding(kind: qrs.dtype, mode: str, by: tuple[int, ...]) -> None:
    x = random((2, 4, 5, 6), kind)
    for change in CHANGES:
        y = F.pad(change(x), by, mode)
        if mode == "constant":
            wanted = F.pad(floats(x), by, mode, float(x.q_zero_point()))
        else:
            wanted = F.pad(floats(x), by, mode)
        assert np.array_equal(y._ints, wanted.numpy())
        assert same_order(change(x), y)
    if mode == "constant":
        wanted = F.pad(x.dequantize(), by, value=0.7)
        y = QF.pad(x, by, value=0.7)
        assert y.equal(qrs.quantize_per_tensor(wanted, x.q_scale(), x.q_zero_point(), kind))


def test_padding_that_does_not_fit() -> None:
    x = random((1, 2, 3, 3), qrs.quint8)
    with pytest.raises(ShapeError, match="at most 2"):
        F.pad(x, (3, 0), "reflect")
    with pytest.raises(ValueError, match="mode 'mirror'"):
        F.pad(x, (1, 1), "mirror")
    with pytest.raises(ShapeError, match="two numbers per axis"):
        F.pad(x, (1,))
    with pytest.raises(ShapeError, match="nothing would be left"):
        F.pad(x, (-2, -2))


MOVES: list[tuple[Callable[..., Any], int, tuple[int, ...]]] = [
    (F.channel_shuffle, 3, (2, 6, 4, 8)),
    (F.channel_shuffle, 2, (2, 6, 4)),
    (F.pixel_shuffle, 2, (2, 12, 4, 6)),
    (F.pixel_shuffle, 2, (8, 4, 6)),
    (F.pixel_unshuffle, 2, (2, 3, 4, 6)),
    (F.pixel_unshuffle, 3, (3, 6, 9)),
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize(("function", "number", "shape"), MOVES)
def test_shuffles(
    kind: qrs.dtype, function: Callable[..., Any], number: int, shape: tuple[int, ...]
) -> None:
    x = random(shape, kind)
    wanted = function(floats(x), number).numpy()
    for change in CHANGES:
        y = function(change(x), number)
        assert np.array_equal(y._ints, wanted)
        assert y._qparams == x._qparams
        if len(shape) == 4:
            assert same_order(change(x), y)
    with pytest.raises(ShapeError, match=function.__name__):
        function(x, 7)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("how", [{"size": 7}, {"scale_factor": 2}, {"scale_factor": 1.7}], ids=str)
def test_nearest(kind: qrs.dtype, rank: int, how: dict[str, Any]) -> None:
    x = random((2, 3, *[5, 4, 3][:rank]), kind)
    wanted = F.interpolate(floats(x), **how).numpy()
    for change in CHANGES:
        assert np.array_equal(F.interpolate(change(x), **how)._ints, wanted)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("how", [{"size": (7, 3)}, {"scale_factor": 2}], ids=str)
def test_bilinear_is_within_half_a_step(
    kind: qrs.dtype, corners: bool, how: dict[str, Any]
) -> None:
    x = random((2, 3, 5, 4), kind)
    exact = F.interpolate(
        qrs.from_numpy(x._ints.astype(np.float64)), **how, mode="bilinear", align_corners=corners
    )
    found = [F.interpolate(f(x), **how, mode="bilinear", align_corners=corners) for f in CHANGES]
    assert np.abs(found[0]._ints - exact.numpy()).max() <= 0.5001
    assert all(y.equal(found[0]) for y in found)
    assert same_order(last(x), found[1])


@pytest.mark.parametrize(("mode", "rank"), [("linear", 1), ("bicubic", 2), ("trilinear", 3)])
def test_the_other_modes_go_through_floats(mode: str, rank: int) -> None:
    x = random((1, 2, *[5, 4, 3][:rank]), qrs.quint8)
    y = F.interpolate(x, scale_factor=2, mode=mode)
    wanted = F.interpolate(x.dequantize(), scale_factor=2, mode=mode)
    assert y.equal(qrs.quantize_per_tensor(wanted, x.q_scale(), x.q_zero_point(), qrs.quint8))


def test_area_is_adaptive_pooling() -> None:
    x = random((1, 2, 6, 4), qrs.quint8)
    assert F.interpolate(x, size=(3, 2), mode="area").equal(F.adaptive_avg_pool2d(x, (3, 2)))


def test_deprecated_names_warn() -> None:
    x = random((1, 2, 4, 4), qrs.quint8)
    with pytest.warns(UserWarning, match="use interpolate with mode='nearest'"):
        assert QF.upsample(x, 3).equal(F.interpolate(x, 3))
    with pytest.warns(UserWarning, match="upsample_nearest is deprecated"):
        assert QF.upsample_nearest(x, 3).equal(F.interpolate(x, 3))
    with pytest.warns(UserWarning, match="align_corners=True"):
        wanted = F.interpolate(x, 3, mode="bilinear", align_corners=True)
        assert QF.upsample_bilinear(x, 3).equal(wanted)


def test_floats_are_refused_by_name() -> None:
    for name, argument in [
        ("interpolate", 2),
        ("pad", (1, 1)),
        ("channel_shuffle", 2),
        ("pixel_shuffle", 1),
        ("pixel_unshuffle", 1),
    ]:
        with pytest.raises(DtypeError, match=rf"quantized\.{name}: a float tensor"):
            getattr(QF, name)(qrs.ones(1, 2, 3, 3), argument)
    with pytest.raises(ValueError, match="exactly one of size and scale_factor"):
        F.interpolate(random((1, 2, 3, 3), qrs.quint8))
