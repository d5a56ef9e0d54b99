"""The contract of observers as code: `check_observer(factory)` runs it on any class, yours
included.

A factory is a callable that builds a new observer and takes its keywords, such as the class itself.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import qrs
from qrs.errors import DtypeError, NonFiniteError, NotCalibratedError

Factory = Callable[..., Any]


def batches() -> list[np.ndarray]:
    """Three batches with both signs, different ranges and a first axis of six."""
    rng = np.random.default_rng(7)
    return [rng.normal(0.3, 1 + k, (6, 5, 4)).astype(np.float32) for k in range(3)]


def fed(factory: Factory, data: list[np.ndarray], **kwargs: Any) -> Any:
    """A new observer that has seen the data."""
    return fed_further(factory(**kwargs), data)


def fed_further(observer: Any, data: list[np.ndarray]) -> Any:
    """The observer itself, after more data."""
    for batch in data:
        observer(qrs.from_numpy(batch.copy()))
    return observer


def qparams(observer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scale and zero point as arrays."""
    scale, zero_point = observer.calculate_qparams()
    return scale.numpy(), zero_point.numpy()


def assert_same(left: Any, right: Any) -> None:
    """Two observers answer alike."""
    for a, b in zip(qparams(left), qparams(right), strict=True):
        assert np.array_equal(a, b)


def check_returns_its_input(factory: Factory) -> None:
    x = qrs.from_numpy(batches()[0])
    before = x.numpy().copy()
    assert factory()(x) is x
    assert np.array_equal(x.numpy(), before)


def check_without_data_raises(factory: Factory) -> None:
    observer = factory()
    observer.owner = "block.conv1"
    try:
        observer.calculate_qparams()
    except NotCalibratedError as error:
        assert "block.conv1" in str(error)
    else:
        raise AssertionError("an observer without data gave quantization parameters")


def check_empty_is_no_data(factory: Factory) -> None:
    observer = factory()
    empty = qrs.zeros(0, 5)
    assert observer(empty) is empty
    try:
        observer.calculate_qparams()
    except NotCalibratedError:
        return
    raise AssertionError("an empty tensor counted as data")


def check_result(factory: Factory) -> None:
    observer = fed(factory, batches())
    scale, zero_point = qparams(observer)
    assert scale.dtype == np.float32
    assert scale.shape == zero_point.shape
    assert scale.shape == ((6,) if observer.qscheme.is_per_channel else (1,))
    assert (scale > 0).all() and np.isfinite(scale).all()
    if not observer.qscheme.has_float_qparams:
        assert zero_point.dtype == np.int64
        assert (zero_point >= observer.quant_min).all()
        assert (zero_point <= observer.quant_max).all()


def check_is_deterministic(factory: Factory) -> None:
    observer = fed(factory, batches())
    assert_same(observer, fed(factory, batches()))
    assert_same(observer, observer)


def check_input_kinds(factory: Factory) -> None:
    """Other types, layouts and byte orders of the same values give the same answer."""
    values = np.round(batches()[0] * 4)
    expected = fed(factory, [values])
    padded = np.zeros((6, 5, 8), np.float32)
    padded[..., ::2] = values
    reversed_twice = values[::-1, ::-1].copy()[::-1, ::-1]
    for other in (
        values.astype(np.float64),
        values.astype(np.float16),
        values.astype(np.int64),
        padded[..., ::2],
        np.asfortranarray(values),
        reversed_twice,
    ):
        observer = factory()
        observer(qrs.as_tensor(other))
        assert_same(observer, expected)


def check_nonfinite_raises(factory: Factory) -> None:
    for bad in (np.nan, np.inf, -np.inf):
        batch = batches()[0]
        batch[0, 1, 2] = bad
        observer = factory()
        observer.owner = "fc"
        try:
            observer(qrs.from_numpy(batch))
        except NonFiniteError as error:
            assert "fc" in str(error)
        else:
            raise AssertionError(f"{bad} was recorded without a word")
        assert_same(fed_further(observer, batches()), fed(factory, batches()))


def check_nonfinite_ignored(factory: Factory) -> None:
    batch = batches()[0]
    expected = fed(factory, [batch])
    spoiled = np.concatenate([batch, np.full((6, 5, 1), np.nan, np.float32)], axis=2)
    spoiled[:, 0, -1] = np.inf
    observer = fed(factory, [spoiled], nonfinite="ignore")
    assert observer.nonfinite_count == 30
    assert_same(observer, expected)
    loaded = factory(nonfinite="ignore")
    loaded.load_state_dict(observer.state_dict())
    assert loaded.nonfinite_count == 30
    # States without the entry, such as PyTorch's, are states without such values.
    loaded.load_state_dict(expected.state_dict())
    assert loaded.nonfinite_count == 0
    if not depends_on_order(factory):
        loaded.merge(observer)
        loaded.merge(observer)
        assert loaded.nonfinite_count == 60
    nothing = factory(nonfinite="ignore")
    nothing(qrs.full((6, 2), float("nan")))
    assert nothing.nonfinite_count == 12
    try:
        nothing.calculate_qparams()
    except NotCalibratedError:
        return
    raise AssertionError("NaN alone counted as data")


def check_refuses_other_objects(factory: Factory) -> None:
    for thing in (3.0, None, [1.0], np.ones(2, np.float32)):
        try:
            factory()(thing)
        except DtypeError:
            continue
        raise AssertionError(f"{thing!r} was taken for a tensor")


def check_state_dict(factory: Factory) -> None:
    data = batches()
    observer = fed(factory, data)
    loaded = factory()
    loaded.load_state_dict(observer.state_dict())
    assert_same(loaded, observer)
    # The state is enough to go on from.
    observer(qrs.from_numpy(data[0] * 3))
    loaded(qrs.from_numpy(data[0] * 3))
    assert_same(loaded, observer)


def check_copies(factory: Factory) -> None:
    observer = fed(factory, batches()[:1])
    before = qparams(observer)
    for other in (copy.deepcopy(observer), pickle.loads(pickle.dumps(observer))):
        assert_same(other, observer)
        other(qrs.from_numpy(batches()[2] * 9))
        for a, b in zip(qparams(observer), before, strict=True):
            assert np.array_equal(a, b)


def check_with_args(factory: Factory) -> None:
    made = factory.with_args(nonfinite="ignore").with_args(nonfinite="raise")
    assert made().nonfinite == "raise"
    assert made(nonfinite="ignore").nonfinite == "ignore"
    assert made() is not made()


def check_records_no_gradient(factory: Factory) -> None:
    x = qrs.ones(6, 5, 4, requires_grad=True)
    observer = factory()
    observer(x * 2)
    scale, _ = observer.calculate_qparams()
    assert not scale.requires_grad


def assert_close(left: Any, right: Any) -> None:
    """Two observers answer nearly alike."""
    (scale, zero_point), (expected_scale, expected_zero_point) = qparams(left), qparams(right)
    assert np.allclose(scale, expected_scale, rtol=0.02)
    assert (np.abs(zero_point - expected_zero_point) <= 2).all()


def depends_on_order(factory: Factory) -> bool:
    """Whether the class says that what it records depends on the order of the batches."""
    try:
        factory().merge(factory())
    except qrs.errors.QrsError as error:
        assert "order" in str(error)
        return True
    return False


def check_order_and_split(factory: Factory) -> None:
    """However the data is cut and ordered, the result is that of all at once."""
    if depends_on_order(factory):
        return
    whole = fed(factory, [np.concatenate(batches(), axis=2)])
    rng = np.random.default_rng(8)
    for _ in range(5):
        columns = rng.permutation(np.concatenate(batches(), axis=2), axis=2)
        cuts = np.sort(rng.integers(1, columns.shape[2], 4))
        parts = np.split(columns, cuts, axis=2)
        assert_close(fed(factory, parts), whole)


def check_merge(factory: Factory) -> None:
    """Merging equals seeing all, in either order; or the class says that it cannot."""
    if depends_on_order(factory):
        return
    data = batches()
    for first, second in ((data[:1], data[1:]), (data[1:], data[:1])):
        left = fed(factory, first)
        left.merge(fed(factory, second))
        assert_close(left, fed(factory, data))
    fresh = factory()
    fresh.merge(left)
    assert_same(fresh, left)
    left.merge(factory())
    assert_same(fresh, left)


def check_memory(factory: Factory) -> None:
    """What is kept does not grow with the number of samples."""
    few, many = fed(factory, batches()), fed(factory, batches() * 50)
    assert abs(len(pickle.dumps(many)) - len(pickle.dumps(few))) < 16


def checks() -> Iterator[Callable[[Factory], None]]:
    """All checks, found by name."""
    for name, value in globals().items():
        if name.startswith("check_") and name != "check_observer":
            yield value


def check_observer(factory: Factory) -> None:
    """Run the whole contract.

    Raises
    ------
    AssertionError
        At the first broken clause.
    """
    for check in checks():
        check(factory)
