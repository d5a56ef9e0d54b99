"""Convolution layers: printing, sizes, and what misfits say."""

import pytest

import qrs
from qrs import nn


def test_repr_lists_what_differs_from_the_defaults():
    assert repr(nn.Conv2d(1, 2, 3)) == "Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))"
    layer = nn.Conv1d(2, 2, 3, 2, 1, 2, 2, bias=False, padding_mode="circular")
    assert repr(layer) == (
        "Conv1d(2, 2, kernel_size=(3,), stride=(2,), padding=(1,), dilation=(2,), groups=2, "
        "bias=False, padding_mode=circular)"
    )
    layer = nn.ConvTranspose1d(1, 1, 3, stride=2, output_padding=1)
    assert repr(layer).endswith("stride=(2,), output_padding=(1,))")


def test_output_size_chooses_the_output_padding():
    layer = nn.ConvTranspose2d(1, 1, 3, stride=2)
    assert layer(qrs.zeros(1, 1, 4, 4), output_size=(10, 9)).shape == (1, 1, 10, 9)
    with pytest.raises(qrs.ShapeError, match="expected 9 to 10 in spatial axis 0"):
        layer(qrs.zeros(1, 1, 4, 4), output_size=(12, 9))


def test_float64_and_unbatched_inputs_are_computed():
    layer = nn.Conv2d(2, 3, 3).double()
    assert layer(qrs.zeros(2, 5, 5, dtype=qrs.float64)).dtype is qrs.float64
    assert layer(qrs.zeros(2, 5, 5, dtype=qrs.float64)).shape == (3, 3, 3)


def test_empty_batch_gives_an_empty_output():
    for layer in (nn.Conv2d(2, 3, 3), nn.Conv2d(2, 2, 3, groups=2)):
        assert layer(qrs.zeros(0, 2, 5, 5)).shape == (0, layer.out_channels, 3, 3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: nn.Conv2d(3, 4, 3)(qrs.zeros(1, 2, 5, 5)),
            r"shape \(1, 2, 5, 5\) came, expected \(N, 3, H, W\) or \(3, H, W\)$",
        ),
        (lambda: nn.Conv2d(3, 4, 3)(qrs.zeros(5, 5)), r"expected \(N, 3, H, W\) or \(3, H, W\)$"),
        (lambda: nn.Conv1d(3, 4, 3)(qrs.zeros(1, 3, 5, 5)), r"expected \(N, 3, W\) or \(3, W\)$"),
        (
            lambda: qrs.nn.functional.conv2d(
                qrs.zeros(1, 2, 5, 5), qrs.zeros(3, 1, 2, 2), groups=2
            ),
            r"weight of shape \(3, 1, 2, 2\) came for 2 groups",
        ),
        (lambda: nn.Conv2d(3, 4, 7)(qrs.zeros(1, 3, 5, 9)), "at least the kernel's reach of 7"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), "kernel_size .* expected one integer or 2"),
        (
            lambda: nn.ConvTranspose2d(3, 4, 3, output_padding=1)(qrs.zeros(1, 3, 5, 5)),
            "less than stride",
        ),
        (lambda: nn.ConvTranspose1d(1, 1, 1, padding=3)(qrs.zeros(1, 1, 2)), "less padding"),
    ],
)
def test_shapes_that_do_not_fit_are_explained(call, words):
    with pytest.raises(qrs.ShapeError, match=words):
        call()


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Conv2d(3, 4, 3, groups=2),
        lambda: nn.Conv2d(0, 4, 3),
        lambda: nn.quantized.ConvTranspose2d(4, -4, 3),
        lambda: nn.Conv2d(3, 4, 3, padding="full"),
        lambda: nn.Conv2d(3, 4, 3, padding="same", stride=2),
        lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"),
        lambda: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"),
    ],
)
def test_settings_that_do_not_fit_are_refused(make):
    with pytest.raises(ValueError, match="came"):
        make()


def test_dtypes_must_agree():
    with pytest.raises(qrs.DtypeError, match="input float64, weight float32"):
        nn.Conv2d(1, 1, 1)(qrs.zeros(1, 1, 2, 2, dtype=qrs.float64))


@pytest.mark.parametrize("quantize", [False, True])
@pytest.mark.parametrize(
    ("rank", "channels", "shape", "mend"),
    [
        (2, 3, (8, 6, 5, 3), lambda x: x.permute(0, 3, 1, 2)),
        (2, 3, (6, 5, 3), lambda x: x.permute(2, 0, 1)),
        (1, 3, (8, 6, 3), lambda x: x.permute(0, 2, 1)),
        (3, 2, (8, 6, 5, 4, 2), lambda x: x.permute(0, 4, 1, 2, 3)),
        (2, 1, (8, 6, 5), lambda x: x.unsqueeze(1)),
        (2, 1, (6, 5), lambda x: x.unsqueeze(0)),
    ],
)
def test_images_of_another_layout_are_told_how_to_become_right(
    rank, channels, shape, mend, quantize
):
    layer = getattr(nn.quantized if quantize else nn, f"Conv{rank}d")(channels, 4, 1)
    x = qrs.zeros(*shape)
    if quantize:
        x = qrs.quantize_per_tensor(x, 0.1, 0, qrs.quint8)
    with pytest.raises(qrs.ShapeError, match=r"use x\.\w+\([\d, ]+\)$") as info:
        layer(x)
    advice = str(info.value).rpartition("use ")[2]
    assert tuple(eval(advice, {"x": x}).shape) == tuple(mend(x).shape)
    assert layer(mend(x)).shape[-rank - 1] == 4
