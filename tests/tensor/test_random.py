import pytest

import qrs


@pytest.mark.parametrize(
    "make",
    [
        lambda: qrs.rand(3),
        lambda: qrs.randn(3),
        lambda: qrs.randint(0, 1000, (3,)),
        lambda: qrs.randperm(50),
        lambda: qrs.normal(0.0, 1.0, (3,)),
        lambda: qrs.bernoulli(qrs.full((50,), 0.5)),
        lambda: qrs.multinomial(qrs.ones(50), 5),
        lambda: qrs.rand_like(qrs.zeros(3)),
        lambda: qrs.randn_like(qrs.zeros(3)),
    ],
)
def test_equal_seeds_give_equal_numbers(make):
    qrs.manual_seed(5)
    first = make()
    second = make()
    qrs.manual_seed(5)
    assert qrs.equal(make(), first)
    assert not qrs.equal(first, second)


def test_moments_of_the_distributions():
    g = qrs.Generator().manual_seed(0)
    uniform, normal = qrs.rand(20000, generator=g), qrs.randn(20000, generator=g)
    assert abs(uniform.mean().item() - 0.5) < 0.01
    assert 0 <= uniform.min() <= uniform.max() < 1
    assert abs(normal.mean().item()) < 0.03
    assert abs(normal.std().item() - 1) < 0.03


@pytest.mark.parametrize("dtype", [qrs.float16, qrs.float32, qrs.float64])
def test_float_types(dtype):
    assert qrs.rand(2, dtype=dtype).dtype is dtype
    assert qrs.randn(2, dtype=dtype).dtype is dtype


def test_integer_type_is_refused():
    with pytest.raises(qrs.DtypeError, match=r"randn: qrs\.int64"):
        qrs.randn(2, dtype=qrs.int64)


def test_integers_of_a_range():
    x = qrs.randint(2, 5, (1000,))
    assert sorted(set(x.tolist())) == [2, 3, 4]
    assert x.dtype is qrs.int64
    assert qrs.randint(3, (2, 2)).shape == (2, 2)


def test_permutation_has_every_index_once():
    assert sorted(qrs.randperm(20).tolist()) == list(range(20))


def test_state_of_a_generator_can_be_kept():
    g = qrs.Generator()
    state = g.get_state()
    first = qrs.rand(3, generator=g)
    g.set_state(state)
    assert qrs.equal(qrs.rand(3, generator=g), first)


def test_seeds():
    assert qrs.Generator().manual_seed(-1).initial_seed() == -1
    assert qrs.manual_seed(11) is qrs.default_generator
    assert qrs.initial_seed() == 11
    assert qrs.seed() == qrs.initial_seed()


def test_multinomial_draws_only_what_has_weight():
    x = qrs.multinomial(qrs.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0]]), 2)
    assert [sorted(row) for row in x.tolist()] == [[1, 2], [0, 2]]
    assert qrs.multinomial(qrs.tensor([0.0, 1.0]), 5, replacement=True).tolist() == [1] * 5


@pytest.mark.parametrize("bad", [qrs.tensor([0.0, 0.0]), qrs.tensor([-1.0, 2.0])])
def test_multinomial_needs_weights(bad):
    with pytest.raises(ValueError, match="multinomial"):
        qrs.multinomial(bad, 1)


def test_probabilities_lie_between_zero_and_one():
    with pytest.raises(ValueError, match="bernoulli"):
        qrs.bernoulli(qrs.tensor([1.5]))


def test_normal_takes_tensors_of_parameters():
    x = qrs.normal(qrs.tensor([0.0, 1000.0]), 1e-3)
    assert x.shape == (2,)
    assert x[1] > 900
