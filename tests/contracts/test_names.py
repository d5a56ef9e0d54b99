"""Every name that PyTorch's page lists is here, under its path, with its parameters."""

import importlib
import inspect
from typing import Any

import pytest

import qrs
from qrs.absent import ABSENT
from tests.contracts.names import NAMES
from tests.contracts.operators import OPERATORS


def found(path: str) -> Any:
    """What a dotted path below qrs names; a method stays on its class."""
    value: Any = qrs
    for name in path.split(".") if path else []:
        value = getattr(value, name)
    return value


def parameters(owner: str, name: str) -> list[inspect.Parameter]:
    """The parameters of a function, of a class's constructor, or of a method without self."""
    value = found(f"{owner}.{name}".lstrip("."))
    listed = list(inspect.signature(value).parameters.values())
    is_method = inspect.isclass(found(owner)) and inspect.isfunction(value)
    return listed[1:] if is_method else listed


def wanted(signature: str) -> list[inspect.Parameter]:
    """The parameters that a table's entry says."""
    names = {name: getattr(qrs, name) for name in dir(qrs)}
    return list(inspect.signature(eval(f"lambda {signature}: 0", names)).parameters.values())


ENTRIES = [(owner, name, text) for owner, names in NAMES.items() for name, text in names.items()]


@pytest.mark.parametrize(
    ("owner", "name", "signature"),
    ENTRIES,
    ids=[f"{owner}.{name}".lstrip(".") for owner, name, _ in ENTRIES],
)
def test_name_and_parameters(owner: str, name: str, signature: str | None) -> None:
    assert hasattr(found(owner), name)
    if signature is None:
        return
    ours, theirs = parameters(owner, name), wanted(signature)
    for mine, other in zip(ours, theirs, strict=False):
        assert (mine.name, mine.kind) == (other.name, other.kind)
        # A default where PyTorch has none takes nothing from a caller.
        assert other.default in (inspect.Parameter.empty, mine.default)
    assert len(ours) >= len(theirs)
    for more in ours[len(theirs) :]:
        assert more.default is not inspect.Parameter.empty or more.kind is more.VAR_KEYWORD


def test_public_names_of_modules_are_listed_by_them() -> None:
    for owner, names in NAMES.items():
        module = found(owner)
        if inspect.ismodule(module):
            missing = set(names) - set(module.__all__)
            assert not missing, f"{module.__name__}.__all__ lacks {sorted(missing)}"


@pytest.mark.parametrize(
    ("module", "name"),
    [(module, name) for module, names in ABSENT.items() for name in names],
    ids=lambda text: text,
)
def test_absent_names_say_what_to_use(module: str, name: str) -> None:
    owner = importlib.import_module(module)
    assert not hasattr(owner, name)
    with pytest.raises(
        AttributeError, match=rf"no attribute '{name}': .*(use|write|leave|call|set) "
    ):
        getattr(owner, name)


def test_other_names_are_unknown() -> None:
    for module in (qrs, qrs.quantization):
        with pytest.raises(AttributeError, match=r"no attribute 'frobnicate'$"):
            module.frobnicate  # noqa: B018


def test_importing_the_graph_mode_says_what_to_use() -> None:
    with pytest.raises(ImportError, match=r"FX graphs.*fuse_modules, prepare and convert"):
        importlib.import_module("qrs.quantization.quantize_fx")
    with pytest.raises(ImportError, match="FX graphs"):
        exec("from qrs.quantization import quantize_fx")
    with pytest.raises(ImportError, match="FX graphs"):
        exec("from qrs.quantization.quantize_fx import prepare_fx")


@pytest.mark.parametrize("operator", OPERATORS)
def test_operator_has_a_home(operator: str) -> None:
    assert callable(found(OPERATORS[operator]))
