"""What a quantized tensor is made of, and its conversions."""

import numpy as np
import pytest

import qrs
from qrs.errors import DtypeError, ShapeError


def per_tensor(kind=qrs.quint8):
    x = qrs.tensor([[-1.0, 0.0, 0.25], [0.5, 1.0, 2.0]])
    return qrs.quantize_per_tensor(x, 0.25, 5, kind)


def per_channel(kind=qrs.qint8):
    x = qrs.tensor([[-1.0, 0.0, 0.25], [0.5, 1.0, 2.0]])
    scales, points = qrs.tensor([0.25, 0.5]), qrs.tensor([0, 3])
    return qrs.quantize_per_channel(x, scales, points, 0, kind)


def test_the_facts_of_a_tensor():
    q = per_tensor()
    assert q.shape == (2, 3) == tuple(q.size())
    assert (q.size(1), q.size(-2), q.dim(), q.ndim, q.numel(), len(q)) == (3, 2, 2, 2, 6, 2)
    assert (q.element_size(), q.nbytes, q.stride(), q.stride(0)) == (1, 6, (3, 1), 3)
    assert per_tensor(qrs.qint32).element_size() == 4
    assert q.is_quantized
    assert qrs.is_tensor(q)
    assert not q.is_floating_point()
    assert not q.requires_grad
    assert q.is_contiguous()
    assert q.device == qrs.device("cpu")


def test_the_parameters_of_the_other_scheme_are_refused():
    for name in ("q_scale", "q_zero_point"):
        with pytest.raises(DtypeError, match=f"{name}: a tensor with a scale for each channel"):
            getattr(per_channel(), name)()
    for name in ("q_per_channel_scales", "q_per_channel_zero_points", "q_per_channel_axis"):
        with pytest.raises(DtypeError, match=f"{name}: a tensor with one scale came"):
            getattr(per_tensor(), name)()


def test_what_is_given_out_is_a_copy():
    q, c = per_tensor(), per_channel()
    before_q, before_c = q.dequantize(), c.dequantize()
    q.int_repr().fill_(0)
    c.int_repr().fill_(0)
    c.q_per_channel_scales().fill_(9)
    c.q_per_channel_zero_points().fill_(9)
    np.asarray(q)[:] = 7
    assert q.dequantize().equal(before_q)
    assert c.dequantize().equal(before_c)


@pytest.mark.parametrize("kind", [qrs.quint8, qrs.qint8, qrs.qint32, qrs.quint4x2])
def test_from_ints_gives_back_the_tensor(kind):
    for q in (per_tensor(kind), per_channel(kind)):
        ints = q.int_repr()
        if q.qscheme() is qrs.per_tensor_affine:
            scale, point, axis = q.q_scale(), q.q_zero_point(), None
        else:
            scale, point = q.q_per_channel_scales(), q.q_per_channel_zero_points()
            axis = q.q_per_channel_axis()
        again = qrs.QTensor.from_ints(ints, scale, point, kind, axis=axis, shape=tuple(q.shape))
        assert again.equal(q)
        assert np.array_equal(again.dequantize().numpy(), q.dequantize().numpy())


def test_from_ints_refuses_what_does_not_fit():
    make = qrs.QTensor.from_ints
    with pytest.raises(DtypeError, match="integers of int8 came, expected uint8"):
        make(np.zeros(3, np.int8), 0.1, 0, qrs.quint8)
    with pytest.raises(ShapeError, match=r"3 integers came for shape \(2, 2\)"):
        make(np.zeros(3, np.uint8), 0.1, 0, qrs.quint8, shape=(2, 2))
    with pytest.raises(ShapeError, match=r"3 integers came for shape .* expected 2"):
        make(np.zeros(3, np.uint8), 0.1, 0, qrs.quint4x2, shape=(3,))
    with pytest.raises(ValueError, match="scale"):
        make(np.zeros(3, np.uint8), 0.0, 0, qrs.quint8)
    with pytest.raises(ValueError, match="zero point"):
        make(np.zeros(3, np.uint8), 0.1, 256, qrs.quint8)


def test_from_ints_copies():
    ints = np.array([1, 2], np.uint8)
    q = qrs.QTensor.from_ints(ints, 1.0, 0, qrs.quint8)
    ints[0] = 9
    assert q.int_repr().tolist() == [1, 2]


def test_four_bit_tensors_hold_two_elements_in_a_byte():
    x = qrs.arange(15).float().reshape(3, 5)
    q = qrs.quantize_per_tensor(x, 1.0, 0, qrs.quint4x2)
    assert (q.nbytes, q.numel(), tuple(q.shape)) == (8, 15, (3, 5))
    assert q.int_repr().tolist() == [0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0x0E]
    assert np.array_equal(q.dequantize().numpy(), x.numpy())
    assert q.t()[1].tolist() == [1.0, 6.0, 11.0]
    assert qrs.QTensor.zeros((3, 5), 1.0, 2, qrs.quint4x2).dequantize().tolist() == [[0.0] * 5] * 3


def test_zeros_are_zero():
    q = qrs.QTensor.zeros((2, 3), 0.5, 7, qrs.quint8)
    assert q.int_repr().tolist() == [[7] * 3] * 2
    assert q.dequantize().tolist() == [[0.0] * 3] * 2


def test_one_element_is_a_number():
    q = qrs.quantize_per_tensor(qrs.tensor([[1.3]]), 0.1, 3, qrs.quint8)
    assert q.item() == float(q) == float(np.float32(13) * np.float32(0.1))
    assert int(q) == 1
    assert bool(q)
    assert not qrs.quantize_per_tensor(qrs.tensor(0.0), 0.1, 3, qrs.quint8)
    for convert in (float, int, bool, type(q).item):
        with pytest.raises((ValueError, TypeError, RuntimeError)):
            convert(per_tensor())


def test_arrays_of_it_hold_the_values():
    q = per_tensor()
    expected = q.dequantize().numpy()
    assert np.array_equal(np.asarray(q), expected)
    assert np.asarray(q).dtype == np.float32
    assert np.array_equal(q.numpy(), expected)
    assert np.asarray(q, dtype=np.float64).dtype == np.float64
    assert q.tolist() == expected.tolist()
    with pytest.raises(ValueError, match="always a copy"):
        np.asarray(q, copy=False)


def test_it_cannot_be_called_as_a_constructor():
    with pytest.raises(TypeError, match=r"use qrs\.quantize_per_tensor"):
        qrs.QTensor([1.0])
