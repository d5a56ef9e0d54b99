"""How quantized tensors print."""

import qrs


def test_values_come_first_then_what_the_integers_mean():
    x = qrs.quantize_per_tensor(qrs.tensor([[-1.0, 0.0], [0.5, 2.0]]), 0.1, 10, qrs.quint8)
    assert repr(x) == (
        "tensor([[-1.0000,  0.0000],\n"
        "        [ 0.5000,  2.0000]], size=(2, 2), dtype=qrs.quint8,\n"
        "       quantization_scheme=qrs.per_tensor_affine, scale=0.1, zero_point=10)"
    )


def test_scales_of_channels_are_shown():
    scales, points = qrs.tensor([0.5, 0.25]), qrs.tensor([1, 2])
    x = qrs.quantize_per_channel(qrs.tensor([[1.0], [2.0]]), scales, points, 0, qrs.qint8)
    assert repr(x) == (
        "tensor([[1.],\n"
        "        [2.]], size=(2, 1), dtype=qrs.qint8,\n"
        "       quantization_scheme=qrs.per_channel_affine,\n"
        "       scale=tensor([0.5000, 0.2500], dtype=qrs.float64),\n"
        "       zero_point=tensor([1, 2]), axis=0)"
    )


def test_nothing_prints_as_empty_brackets():
    x = qrs.quantize_per_tensor(qrs.zeros(0, 2), 0.1, 3, qrs.quint8)
    assert repr(x).startswith("tensor([], size=(0, 2), dtype=qrs.quint8,")


def test_no_line_of_facts_is_longer_than_80():
    x = qrs.quantize_per_tensor(qrs.randn(3, 20), 0.001489339827809826, 3, qrs.quint8)
    assert max(map(len, repr(x).splitlines())) <= 80
