"""Containers become nodes and tensors become named arrays."""

from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qrs
from qrs.errors import FormatError
from qrs.io import Limits, tree
from qrs.io.header import canonical_json, parse_json
from qrs.io.limits import DEFAULT_LIMITS
from qrs.io.tree import decode, encode

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda items: (
        st.lists(items, max_size=3)
        | st.lists(items, max_size=3).map(tuple)
        | st.dictionaries(TEXT | st.integers(-9, 9), items, max_size=3)
        | st.dictionaries(TEXT, items, max_size=3).map(OrderedDict)
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_plain_value_survives_the_text_of_its_node(value: object) -> None:
    node, arrays = encode(value)
    assert arrays == {}
    again = decode(parse_json(canonical_json(node)), {}, DEFAULT_LIMITS)
    # repr tells 1 from True and 1.0, an OrderedDict from a dict, and NaN equals NaN in it.
    assert repr(again) == repr(value)


def test_entries_of_a_state_dict_keep_their_names() -> None:
    state = {"fc.weight": qrs.tensor([1.0]), "fc.bias": qrs.tensor([2.0])}
    node, arrays = encode(state)
    assert list(arrays) == ["fc.weight", "fc.bias"]
    assert node == {
        "dict": {"fc.weight": {"tensor": "fc.weight"}, "fc.bias": {"tensor": "fc.bias"}}
    }


def test_nested_tensors_are_named_by_their_path() -> None:
    value = {"state": [{"exp_avg": qrs.tensor([1.0])}, np.zeros(1)], 3: (qrs.tensor([2.0]),)}
    assert list(encode(value)[1]) == ["state.0.exp_avg", "state.1", "3.0"]


def test_tensor_alone_has_a_name() -> None:
    assert list(encode(qrs.tensor([1.0]))[1]) == ["tensor"]


def test_name_that_is_taken_twice_gets_the_next_number() -> None:
    value = {"a.b": np.zeros(1), "a.b.2": np.zeros(1), "a": {"b": np.zeros(1)}}
    assert list(encode(value)[1]) == ["a.b", "a.b.2", "a.b.3"]


def test_more_tensors_than_can_be_loaded_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "DEFAULT_LIMITS", Limits(tensors=2))
    with pytest.raises(FormatError, match="at '2': came tensor 3, expected at most 2"):
        encode([np.full(1, i) for i in range(3)])


def test_views_that_differ_are_stored_apart() -> None:
    array = np.arange(4.0)
    views: list[Any] = [array, array[:2], array[::2], array.view(np.int64), array.reshape(2, 2)]
    assert len(encode(views)[1]) == 5


def test_empty_arrays_are_never_taken_for_one() -> None:
    array = np.zeros((0, 2))
    node, arrays = encode([array, array])
    assert node == {"list": [{"array": "0"}, {"array": "1"}]}
    assert list(arrays) == ["0", "1"]
