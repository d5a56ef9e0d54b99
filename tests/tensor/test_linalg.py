import numpy as np
import pytest

import qrs

RNG = np.random.default_rng(0)


def draw(*shape):
    return RNG.standard_normal(shape)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 4), (4, 2)),
        ((2, 3, 4), (4, 2)),
        ((2, 3, 4), (2, 4, 5)),
        ((5, 1, 3, 4), (2, 4, 2)),
        ((4,), (4,)),
        ((4,), (4, 2)),
        ((3, 4), (4,)),
        ((0, 4), (4, 2)),
        ((3, 0), (0, 2)),
    ],
)
def test_matmul_agrees_with_numpy(a, b):
    x, y = draw(*a), draw(*b)
    got = qrs.from_numpy(x) @ qrs.from_numpy(y)
    assert got.shape == (x @ y).shape
    np.testing.assert_allclose(got.numpy(), x @ y)


def test_float32_stays_float32():
    assert (qrs.ones(2, 3) @ qrs.ones(3)).dtype is qrs.float32
    assert (qrs.ones(2, 3) @ qrs.ones(3, dtype=qrs.int64)).dtype is qrs.float32


@pytest.mark.parametrize(
    "equation",
    ["ij,jk->ik", "ij,jk", "bij,bjk->bik", "ii->i", "ii", "ij->ji", "ij->", "i,j->ij", "ij,ij->i"],
)
def test_einsum_agrees_with_numpy(equation):
    extents = dict(zip("ijkb", (3, 4, 5, 2), strict=True))
    terms = equation.split("->")[0].split(",")
    arrays = [draw(*(extents[c] for c in term)) for term in terms]
    got = qrs.einsum(equation, *map(qrs.from_numpy, arrays))
    np.testing.assert_allclose(got.numpy(), np.einsum(equation, *arrays))


def test_einsum_with_an_ellipsis_and_a_list_of_operands():
    x, y = draw(2, 5, 3, 4), draw(4, 6)
    got = qrs.einsum("...ij,jk->...ik", [qrs.from_numpy(x), qrs.from_numpy(y)])
    np.testing.assert_allclose(got.numpy(), x @ y)
    implicit = qrs.einsum("...ij,...jk", qrs.from_numpy(x), qrs.from_numpy(y))
    np.testing.assert_allclose(implicit.numpy(), x @ y)


def test_special_products():
    m, v = qrs.from_numpy(draw(3, 4)), qrs.from_numpy(draw(4))
    batch = qrs.from_numpy(draw(2, 4, 5))
    np.testing.assert_allclose(m.mv(v).numpy(), m.numpy() @ v.numpy())
    np.testing.assert_allclose(v.dot(v).item(), v.numpy() @ v.numpy())
    np.testing.assert_allclose(v.outer(v).numpy(), np.outer(v.numpy(), v.numpy()))
    np.testing.assert_allclose(m.inner(m).numpy(), np.inner(m.numpy(), m.numpy()))
    both = qrs.tensordot(m, batch, ([1], [1]))
    np.testing.assert_allclose(both.numpy(), np.tensordot(m.numpy(), batch.numpy(), ([1], [1])))
    last = qrs.tensordot(m, batch.permute(1, 0, 2), 1)
    np.testing.assert_allclose(last.numpy(), np.tensordot(m.numpy(), batch.numpy(), ([1], [1])))


def test_products_with_a_sum():
    a, b, c = qrs.ones(2), qrs.from_numpy(draw(3, 4)).float(), qrs.from_numpy(draw(4, 2)).float()
    product = b.numpy() @ c.numpy()
    got = qrs.addmm(a, b, c, beta=0.5, alpha=2)
    np.testing.assert_allclose(got.numpy(), 0.5 + 2 * product, rtol=1e-6)
    vector = qrs.addmv(qrs.ones(3), b, c[:, 0])
    np.testing.assert_allclose(vector.numpy(), 1 + product[:, 0], rtol=1e-6)
    batches = qrs.baddbmm(a, b[None], c[None])
    np.testing.assert_allclose(batches.numpy(), 1 + product[None], rtol=1e-6)
    summed = qrs.addbmm(a, b.expand(2, 3, 4), c.expand(2, 4, 2))
    np.testing.assert_allclose(summed.numpy(), 1 + 2 * product, rtol=1e-6)


def test_beta_zero_ignores_nan_in_the_base():
    base = qrs.full((2, 2), float("nan"))
    assert qrs.addmm(base, qrs.ones(2, 3), qrs.ones(3, 2), beta=0).tolist() == [[3.0, 3.0]] * 2


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: qrs.ones(2, 3) @ qrs.ones(2, 3), r"matmul\(float32\[2, 3\], float32\[2, 3\]\)"),
        (lambda: qrs.ones(2) @ qrs.tensor(1.0), "matmul"),
        (lambda: qrs.ones(2).mm(qrs.ones(2, 2)), "mm: a tensor of shape"),
        (lambda: qrs.ones(1, 2, 3).bmm(qrs.ones(2, 3, 4)), "equal numbers"),
        (lambda: qrs.ones(2, 2).mv(qrs.ones(2, 2)), "mv"),
        (lambda: qrs.ones(2, 2).dot(qrs.ones(2)), "dot"),
        (lambda: qrs.einsum("ij,jk", qrs.ones(2, 2)), "one for each term"),
        (lambda: qrs.einsum("ijk", qrs.ones(2, 2)), "2 dimensions came for term 'ijk'"),
        (lambda: qrs.einsum("ij,jk->ik", qrs.ones(2, 3), qrs.ones(2, 3)), "einsum"),
    ],
)
def test_extents_that_do_not_fit_are_refused(function, message):
    with pytest.raises(qrs.ShapeError, match=message):
        function()
