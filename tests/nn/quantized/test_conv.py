"""Statically quantized convolutions against the oracle."""

import numpy as np
import pytest
from tests.golden import reference as ref

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import ShapeError
from qrs.nn import functional as F
from qrs.nn import quantized as nnq
from qrs.nn.intrinsic import quantized as nniq

from .samples import ENGINES, converted, data


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(qrs.backends.quantized, "engine", request.param)
    return request.param


def fill(layer: nnq.Conv2d, per_channel: bool) -> nnq.Conv2d:
    rng = np.random.default_rng(5)
    shape = tuple(layer.weight().shape)
    ints = rng.integers(-128, 128, shape, np.int8)
    if per_channel:
        count = shape[layer.channel_axis]
        scale = rng.uniform(0.001, 0.02, count)
        weight = qrs.QTensor.from_ints(
            ints, scale, rng.integers(-9, 9, count), qrs.qint8, axis=layer.channel_axis
        )
    else:
        weight = qrs.QTensor.from_ints(ints, 0.01, 0, qrs.qint8)
    bias = None
    if layer.bias() is not None:
        bias = qrs.from_numpy(rng.normal(size=layer.out_channels).astype(np.float32))
    layer.set_weight_bias(weight, bias)
    layer.scale, layer.zero_point = 0.7, 110
    return layer


def image(*shape: int) -> qrs.QTensor:
    ints = np.random.default_rng(6).integers(0, 256, shape, np.uint8)
    return qrs.QTensor.from_ints(ints, 0.03, 95, qrs.quint8)


def expected(
    layer: nnq.Conv2d, x: qrs.QTensor, engine: str, padding: tuple[int, ...]
) -> np.ndarray:
    weight, bias = layer.weight(), layer.bias()
    if weight.qscheme().is_per_channel:
        scale = weight.q_per_channel_scales().numpy()
        points = weight.q_per_channel_zero_points().numpy()
    else:
        scale, points = np.array([weight.q_scale()]), np.array([weight.q_zero_point()])
    geo = ref.Geometry(layer.stride, padding, layer.dilation, layer.groups)
    ints = x.int_repr().numpy()
    if layer.transposed:
        # Axis 1 of the weight; every group has the same scales and zero points.
        points = points.reshape(-1, *[1] * (weight.dim() - 2))
        acc = ref.conv_transpose_accumulate(
            ints, 95, weight.int_repr().numpy(), points, geo, layer.output_padding
        )
        if scale.size > 1:
            scale = np.tile(scale, layer.groups)
    else:
        acc = ref.conv_accumulate(ints, 95, weight.int_repr().numpy(), points, geo)
    b = None if bias is None else bias.numpy()
    q = ref.requantize(np.moveaxis(acc, 1, -1), 0.03, scale, b, (0.7, 110), engine, layer.relu)
    return np.moveaxis(q, -1, 1)


CASES = [
    (nnq.Conv1d, {"kernel_size": 3}, (2, 4, 11)),
    (nniq.ConvReLU1d, {"kernel_size": 5, "stride": 2, "padding": 2, "groups": 2}, (2, 4, 11)),
    (nnq.Conv2d, {"kernel_size": (3, 2), "padding": (1, 0), "bias": False}, (2, 4, 7, 6)),
    (nniq.ConvReLU2d, {"kernel_size": 3, "dilation": 2, "stride": (2, 1)}, (1, 4, 9, 9)),
    (nnq.Conv2d, {"kernel_size": 1, "groups": 4}, (1, 4, 3, 3)),
    (nnq.Conv2d, {"kernel_size": 3, "padding": "same", "dilation": 2}, (1, 4, 5, 6)),
    (nnq.Conv3d, {"kernel_size": 2, "stride": 2, "padding": 1}, (1, 4, 5, 4, 3)),
    (nniq.ConvReLU3d, {"kernel_size": (1, 2, 3)}, (2, 4, 2, 3, 5)),
]


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(("cls", "settings", "shape"), CASES)
def test_integers_are_those_of_the_formula(
    cls: type, settings: dict, shape: tuple[int, ...], per_channel: bool, engine: str
) -> None:
    layer = fill(cls(4, 8, **settings), per_channel)
    x = image(*shape)
    padding = (2,) * layer.rank if layer.padding == "same" else layer.padding
    y = layer(x)
    assert np.array_equal(y.int_repr().numpy(), expected(layer, x, engine, padding))


TRANSPOSED = [
    (nnq.ConvTranspose1d, {"kernel_size": 3, "stride": 2, "padding": 1}, (2, 4, 6)),
    (nnq.ConvTranspose2d, {"kernel_size": (3, 2), "stride": (1, 3)}, (2, 4, 3, 4)),
    (
        nnq.ConvTranspose2d,
        {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1, "bias": False},
        (1, 4, 3, 4),
    ),
    (nnq.ConvTranspose2d, {"kernel_size": 2, "padding": 2, "dilation": 1}, (1, 4, 6, 7)),
    (nnq.ConvTranspose2d, {"kernel_size": 3, "groups": 2, "dilation": 2}, (1, 4, 3, 4)),
    (nnq.ConvTranspose3d, {"kernel_size": 2, "stride": 2}, (1, 4, 3, 2, 3)),
    # Outputs that no tap reaches, padding that no tap reaches, groups of one channel.
    (nnq.ConvTranspose1d, {"kernel_size": 2, "stride": 5, "output_padding": 4}, (2, 4, 6)),
    (nnq.ConvTranspose2d, {"kernel_size": 3, "stride": 4, "dilation": 2}, (1, 4, 3, 4)),
    (nnq.ConvTranspose2d, {"kernel_size": 2, "stride": 2, "padding": 3}, (1, 4, 6, 7)),
    (
        nnq.ConvTranspose2d,
        {"kernel_size": 4, "stride": 2, "padding": 1, "groups": 4},
        (2, 4, 5, 3),
    ),
]


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(("cls", "settings", "shape"), TRANSPOSED)
def test_transposed_integers_are_those_of_the_formula(
    cls: type, settings: dict, shape: tuple[int, ...], per_channel: bool, engine: str
) -> None:
    layer = fill(cls(4, 8, **settings), per_channel)
    x = image(*shape)
    y = layer(x)
    assert np.array_equal(y.int_repr().numpy(), expected(layer, x, engine, layer.padding))


@pytest.mark.parametrize(("cls", "settings", "shape"), TRANSPOSED)
def test_transposed_signed_bytes_are_unsigned_ones_shifted(
    cls: type, settings: dict, shape: tuple[int, ...]
) -> None:
    layer, signed = (fill(cls(4, 8, **settings), per_channel=True) for _ in range(2))
    x = image(*shape)
    ints = (x.int_repr().numpy() ^ 128).view(np.int8)
    signed._set_output(layer.scale, layer.zero_point - 128, qrs.qint8)
    y = signed(qrs.QTensor.from_ints(ints, 0.03, 95 - 128, qrs.qint8))
    assert y.dtype is qrs.qint8
    assert np.array_equal(y.int_repr().numpy().view(np.uint8) ^ 128, layer(x).int_repr().numpy())


def test_transposed_output_size() -> None:
    layer = fill(nnq.ConvTranspose2d(4, 8, 3, stride=2), per_channel=False)
    x = image(1, 4, 3, 3)
    assert tuple(layer(x).shape[2:]) == (7, 7)
    assert tuple(layer(x, output_size=(8, 7)).shape[2:]) == (8, 7)


@pytest.mark.parametrize("groups", [1, 2, 16, 32], ids=lambda g: f"{g} groups")
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("weight", [-128, 127])
def test_the_largest_bytes_do_not_saturate(groups: int, kernel: int, weight: int) -> None:
    """Where PyTorch 1.8.1 adds products in 16 bits, as in its depthwise kernels."""
    layer = nnq.Conv2d(32, 32, kernel, groups=groups, padding=kernel // 2)
    ints = np.full(tuple(layer.weight().shape), weight, np.int8)
    scale = 0.15 / ints[0].size
    layer.set_weight_bias(qrs.QTensor.from_ints(ints, scale, 0, qrs.qint8), qrs.zeros(32))
    layer.scale, layer.zero_point = 0.7, 110
    values = np.full((1, 32, 6, 7), 255, np.uint8)
    values[..., ::3] = 0
    x = qrs.QTensor.from_ints(values, 0.03, 95, qrs.quint8)
    wanted = expected(layer, x, "qrs", (kernel // 2,) * 2)
    assert np.array_equal(layer(x).int_repr().numpy(), wanted)
    assert np.ptp(wanted) > 40


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("rank", [1, 2])
def test_padding_modes_pad_the_integers(mode: str, rank: int) -> None:
    settings = {"kernel_size": 3, "padding": 2}
    cls = getattr(nnq, f"Conv{rank}d")
    layer = fill(cls(4, 8, padding_mode=mode, **settings), per_channel=True)
    plain = fill(cls(4, 8, 3), per_channel=True)
    x = image(2, 4, *[6, 5][:rank])
    values = F.pad(qrs.from_numpy(x.int_repr().numpy().astype(np.float32)), [2] * 2 * rank, mode)
    padded = qrs.QTensor.from_ints(values.numpy().astype(np.uint8), 0.03, 95, qrs.quint8)
    assert layer(x).equal(plain(padded))


def test_lopsided_same_padding() -> None:
    layer = fill(nnq.Conv2d(4, 8, 2, padding="same"), per_channel=False)
    plain = fill(nnq.Conv2d(4, 8, 2), per_channel=False)
    x = image(1, 4, 5, 4)
    ints = np.pad(x.int_repr().numpy(), [(0, 0), (0, 0), (0, 1), (0, 1)], constant_values=95)
    y = layer(x)
    assert tuple(y.shape) == (1, 8, 5, 4)
    assert y.equal(plain(qrs.QTensor.from_ints(ints, 0.03, 95, qrs.quint8)))


@pytest.mark.parametrize("kind", [qrs.quint8, qrs.qint8], ids=str)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_outputs_are_channels_last_in_memory_and_inputs_may_lie_in_any_way(
    rank: int, kind: qrs.dtype
) -> None:
    layer = fill((nnq.Conv1d, nnq.Conv2d, nnq.Conv3d)[rank - 1](4, 8, 3), per_channel=True)
    layer._set_output(0.5, 3, kind)
    ints = np.random.default_rng(1).integers(0, 127, (2, 4, 6, 5, 7)[: rank + 2]).astype(kind.numpy)
    x = qrs.QTensor.from_ints(ints, 0.03, 95, kind)
    y = layer(x)
    assert np.moveaxis(y._ints, 1, -1).flags.c_contiguous
    first = (slice(None, None, -1), *[slice(None)] * (rank + 1))
    for other in (
        np.moveaxis(np.moveaxis(ints, 1, -1).copy(), -1, 1),
        np.asfortranarray(ints),
        np.repeat(ints, 2, -1)[..., ::2],
        np.repeat(ints, 2, 1)[:, ::2],
        ints[first].copy()[first],
    ):
        assert layer(qrs.QTensor._wrap(other, x._qparams, kind)).equal(y)


def test_images_without_a_batch() -> None:
    layer = fill(nnq.Conv2d(4, 8, 3), per_channel=True)
    x = image(1, 4, 6, 5)
    assert layer(x[0]).equal(layer(x)[0])


def test_wrong_ranks_and_channels_are_refused() -> None:
    layer = nnq.Conv2d(4, 8, 3)
    with pytest.raises(ShapeError, match=r"\(4, 6\) came, expected \(N, 4, H, W\) or \(4, H, W\)"):
        layer(image(4, 6))
    with pytest.raises(ShapeError, match=r"\(1, 3, 6, 5\) came, expected \(N, 4, H, W\)"):
        layer(image(1, 3, 6, 5))


def test_images_smaller_than_the_kernel_are_refused() -> None:
    net = nn.Sequential(nn.Identity(), nnq.Conv2d(4, 8, 5))
    with pytest.raises(ShapeError, match=r"^at 1 .*: height 3 with padding 0 .* reach of 5 .* use"):
        net(image(1, 4, 3, 7))
    with pytest.raises(ShapeError, match=r"width 1 with padding 1 and output padding 0 .* use"):
        nnq.ConvTranspose2d(4, 8, (1, 2), padding=(0, 1))(image(1, 4, 1, 1))


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="QuantizedConv2d: in_channels 3"):
        nnq.Conv2d(3, 4, 1, groups=2)
    with pytest.raises(ValueError, match="padding_mode 'mirror' came"):
        nnq.Conv2d(4, 4, 1, padding_mode="mirror")
    for settings in ({"padding": -1}, {"stride": 0}, {"dilation": 0}, {"kernel_size": 0}):
        for cls in (nnq.Conv2d, nnq.ConvTranspose2d):
            with pytest.raises(ShapeError, match="came, expected positive numbers"):
                cls(4, 4, **{"kernel_size": 3, **settings})
    for extra in (-1, 2):
        with pytest.raises(ShapeError, match="less than stride"):
            nnq.ConvTranspose2d(4, 4, 3, stride=2, output_padding=extra)
    with pytest.raises(ValueError, match="use less padding or a larger input"):
        nnq.ConvTranspose2d(4, 4, 2, padding=3)(image(1, 4, 2, 9))


def test_making_a_layer_takes_no_random_numbers() -> None:
    qrs.manual_seed(3)
    expected = qrs.rand(1).item()
    qrs.manual_seed(3)
    nnq.Conv2d(3, 4, 3)
    assert qrs.rand(1).item() == expected


def test_repr_names_what_differs_from_the_defaults() -> None:
    assert repr(nnq.Conv2d(1, 1, 1)) == (
        "QuantizedConv2d(1, 1, kernel_size=(1, 1), stride=(1, 1), scale=1.0, zero_point=0)"
    )
    text = repr(nniq.ConvReLU2d(4, 4, 3, 2, 1, 2, 2, bias=False, padding_mode="reflect"))
    assert text == (
        "QuantizedConvReLU2d(4, 4, kernel_size=(3, 3), stride=(2, 2), scale=1.0, zero_point=0, "
        "padding=(1, 1), dilation=(2, 2), groups=2, bias=False, padding_mode=reflect)"
    )
    text = repr(nnq.ConvTranspose1d(1, 1, 3, 2, output_padding=1))
    assert text.startswith("QuantizedConvTranspose1d(1, 1, ")
    assert "output_padding=(1,)" in text


def test_state_dict_of_pytorch_is_read() -> None:
    weight = qrs.quantize_per_tensor(qrs.ones(8, 4, 3, 3), 0.5, 0, qrs.qint8)
    layer = nnq.Conv2d(4, 8, 3, bias=False)
    layer.load_state_dict(
        {"weight": weight, "bias": None, "scale": qrs.tensor(0.25), "zero_point": qrs.tensor(3)}
    )
    assert layer.weight().equal(weight)
    assert (layer.scale, layer.zero_point, layer.bias()) == (0.25, 3, None)


def test_transposed_weights_have_scales_of_their_output_channels() -> None:
    layer = nn.ConvTranspose2d(3, 5, 2)
    layer.weight.data.copy_(layer.weight.data * qrs.arange(1, 6).reshape(1, 5, 1, 1))
    weight = converted(layer, data((1, 3, 4, 4)))[1].weight()
    assert weight.q_per_channel_axis() == 1
    largest = np.abs(layer.weight.detach().numpy()).max(axis=(0, 2, 3))
    assert np.allclose(weight.q_per_channel_scales().numpy(), largest / 127, rtol=1e-6)
    assert Q.get_default_qconfig().weight().ch_axis == 0


@pytest.mark.parametrize("engine", ["qrs", "fbgemm", "qnnpack"])
def test_transposed_layers_convert_under_a_qconfig_for_training(engine: str) -> None:
    """They train in float, and their weights are rounded along the output channels at the end."""
    model = nn.Sequential(Q.QuantStub(), nn.ConvTranspose2d(2, 3, 2), Q.DeQuantStub())
    model.qconfig = Q.get_default_qat_qconfig(engine)
    x = qrs.randn(4, 2, 5, 5)
    prepared = Q.prepare_qat(model)
    expected = prepared(x)
    small = Q.convert(prepared)
    assert small[1].weight().qscheme().is_per_channel == (engine != "qnnpack")
    assert (small(x) - expected).abs().max().item() < 0.03 * expected.abs().max().item()
