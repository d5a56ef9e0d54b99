"""Arrays as they come: strided, swapped, read-only, empty, without dimensions."""

import numpy as np
import pytest

import qrs

PLAIN = np.arange(24, dtype=np.float32).reshape(4, 6) - 10


def unaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def read_only(array):
    copied = array.copy()
    copied.flags.writeable = False
    return copied


LAYOUTS = {
    "fortran": np.asfortranarray(PLAIN),
    "transposed": PLAIN.T.copy().T,
    "strided": np.repeat(PLAIN, 2, axis=1)[:, ::2],
    "negative strides": PLAIN[::-1, ::-1].copy()[::-1, ::-1],
    "big-endian": PLAIN.astype(">f4"),
    "unaligned": unaligned(PLAIN),
    "read-only": read_only(PLAIN),
    "subclass": PLAIN.view(np.recarray),
}

USES = {
    "arithmetic": lambda x: x * 2 + 1,
    "reduction": lambda x: x.sum(1),
    "mean": lambda x: x.mean(0),
    "matmul": lambda x: x @ x.t(),
    "softmax": lambda x: x.softmax(-1),
    "reshape": lambda x: x.reshape(-1, 2),
    "view": lambda x: x.contiguous().view(-1),
    "index": lambda x: x[[3, 1], ::2],
    "cat": lambda x: qrs.cat([x, x], 1),
    "sort": lambda x: x.sort(1).values,
    "where": lambda x: qrs.where(x > 0, x, 0.0),
    "clone": lambda x: x.clone().add_(1),
    "tolist": lambda x: qrs.tensor(x.tolist()),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_in_memory_does_not_change_the_result(layout, use):
    x, plain = qrs.from_numpy(LAYOUTS[layout]), qrs.from_numpy(PLAIN)
    got, expected = USES[use](x), USES[use](plain)
    assert got.dtype is expected.dtype
    np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gradient_through_any_layout(layout):
    x = qrs.from_numpy(LAYOUTS[layout]).requires_grad_()
    (x * x).sum().backward()
    assert np.array_equal(x.grad.numpy(), 2 * PLAIN)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
def test_empty_tensors_pass_through(shape):
    x = qrs.zeros(*shape, requires_grad=True)
    y = ((x * 2).exp().relu() + 1).reshape(-1)
    y.sum().backward()
    assert y.shape == (0,)
    assert x.grad.shape == shape
    assert qrs.cat([x, x]).numel() == 0
    assert x.clone().sum().item() == 0.0


def test_tensor_without_dimensions_passes_through():
    x = qrs.tensor(2.0, requires_grad=True)
    y = (x * x + 1).exp().log().sqrt().reshape(1).squeeze().clamp(0, 9)
    y.backward()
    assert y.shape == ()
    assert x.grad.shape == ()
    assert isinstance(y.detach().numpy(), np.ndarray)


@pytest.mark.parametrize(
    "bad", [np.ones(2, "c16"), np.array(["a"]), np.array([None]), np.ones(2, "u4")]
)
def test_types_that_qrs_does_not_have_are_refused_by_name(bad):
    with pytest.raises(qrs.DtypeError, match="came"):
        qrs.from_numpy(bad)
    with pytest.raises(qrs.DtypeError, match="came"):
        qrs.ones(2) + bad
