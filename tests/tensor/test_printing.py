import pytest

import qrs

NAN, INF = float("nan"), float("inf")


@pytest.fixture
def restored_options():
    yield
    qrs.set_printoptions(precision=4, threshold=1000, edgeitems=3, linewidth=80)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ([1.0, 2.0], "tensor([1., 2.])"),
        ([[1.5, -2.0], [3.0, 4.0]], "tensor([[ 1.5000, -2.0000],\n        [ 3.0000,  4.0000]])"),
        (3.0, "tensor(3.)"),
        (7, "tensor(7)"),
        (True, "tensor(True)"),
        ([1, 200, -3], "tensor([  1, 200,  -3])"),
        ([True, False], "tensor([ True, False])"),
        ([1e-8, 1.0], "tensor([1.0000e-08, 1.0000e+00])"),
        ([1e10, 1.0], "tensor([1.0000e+10, 1.0000e+00])"),
        ([0.1, 1000.5], "tensor([1.0000e-01, 1.0005e+03])"),
        ([1.5, NAN], "tensor([1.5000,    nan])"),
        ([1.0, INF], "tensor([1., inf])"),
        ([NAN, INF], "tensor([nan, inf])"),
        ([-0.0, 1.0], "tensor([-0., 1.])"),
        ([], "tensor([])"),
        (
            [[[1.0], [2.0]], [[3.0], [4.0]]],
            "tensor([[[1.],\n         [2.]],\n\n        [[3.],\n         [4.]]])",
        ),
    ],
)
def test_elements_are_aligned(data, text):
    assert repr(qrs.tensor(data)) == text


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (qrs.tensor([1.0], dtype=qrs.float64), "tensor([1.], dtype=qrs.float64)"),
        (qrs.tensor([1], dtype=qrs.int32), "tensor([1], dtype=qrs.int32)"),
        (qrs.zeros(0, dtype=qrs.int64), "tensor([], dtype=qrs.int64)"),
        (qrs.zeros(0, 3), "tensor([], size=(0, 3))"),
        (qrs.ones(1, requires_grad=True), "tensor([1.], requires_grad=True)"),
        (qrs.ones(1, requires_grad=True) * 2, "tensor([2.], grad_fn=<mul>)"),
    ],
)
def test_what_is_not_evident_follows_the_elements(tensor, text):
    assert repr(tensor) == text
    assert str(tensor) == text


def test_long_dimensions_are_cut():
    assert repr(qrs.arange(2000)) == "tensor([   0,    1,    2,  ..., 1997, 1998, 1999])"
    lines = repr(qrs.zeros(40, 40)).splitlines()
    assert len(lines) == 7
    assert lines[3].strip() == "...,"


def test_long_rows_are_broken():
    text = repr(qrs.arange(40))
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[1].startswith("        ")


def test_options(restored_options):
    qrs.set_printoptions(precision=2)
    assert repr(qrs.tensor([0.125])) == "tensor([0.12])"
    qrs.set_printoptions(threshold=3, edgeitems=1)
    assert repr(qrs.arange(5)) == "tensor([0,  ..., 4])"


@pytest.mark.parametrize("bad", [-1, 2.5, "4"])
def test_options_must_be_counts(bad):
    with pytest.raises(qrs.DtypeError, match="precision"):
        qrs.set_printoptions(precision=bad)


def test_format_of_one_element():
    assert f"{qrs.tensor(2.5):.2f}" == "2.50"
    assert f"{qrs.tensor([1.0])}" == "tensor([1.])"
