"""Every layer, in every form, on inputs that do not fit it: a clear error, or an answer.

Layers and good inputs are those of the comparisons with PyTorch and of the tests of static layers,
so a layer that is added there is tested here.
"""

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import qrs
from qrs import nn
from qrs import quantization as Q
from qrs.errors import DtypeError, InternalError, NonFiniteError
from qrs.quantization.swaps import SWAPS
from tests.nn.float_cases import CASES, F, sines
from tests.nn.quantized.samples import SAMPLES, converted

Array = np.ndarray[Any, Any]
Layer = tuple[nn.Module, list[Array]]


def _float_makers() -> dict[str, Callable[[], Layer]]:
    """The first case of each layer."""

    def maker(case: Any) -> Callable[[], Layer]:
        name, args, kwargs, inputs, _ = case
        arrays = [i.array if isinstance(i, F) else np.asarray(i) for i in inputs]
        return lambda: (getattr(nn, name)(*args, **kwargs).eval(), arrays)

    layers = [case for case in CASES if not case[0].endswith("Loss")]
    return {case[0]: maker(case) for case in reversed(layers)}


def _dynamic(make: Callable[[], Layer], dtype: qrs.dtype) -> Layer:
    module, arrays = make()
    return Q.quantize_dynamic(module, dtype=dtype), arrays


def _static(make: Callable[[], nn.Module], shape: tuple[int, ...]) -> Layer:
    x = sines(shape)
    return converted(make(), qrs.from_numpy(x)), [x]


FLOAT = _float_makers()
LAYERS: dict[str, Callable[[], Layer]] = {
    **{f"float {name}": make for name, make in FLOAT.items()},
    **{
        f"{dtype.name} {row.float.__name__}": functools.partial(
            _dynamic, FLOAT[row.float.__name__], dtype
        )
        for row in SWAPS
        if row.dynamic and row.float.__name__ in FLOAT
        for dtype in row.dynamic.weight_dtypes
    },
    **{
        f"static {float_class.__name__}": functools.partial(_static, *sample)
        for float_class, sample in SAMPLES.items()
    },
}


@functools.cache
def layer(name: str) -> Layer:
    qrs.manual_seed(1)
    return LAYERS[name]()


def leaves(output: Any) -> list[Any]:
    if isinstance(output, tuple | list):
        return [leaf for item in output for leaf in leaves(item)]
    return [] if output is None else [output]


def run(module: nn.Module, first: Any, others: list[Array]) -> list[Any]:
    with qrs.no_grad():
        return leaves(module(first, *(qrs.from_numpy(other.copy()) for other in others)))


def changed(x: Array, value: float) -> Array:
    y = x.copy()
    y.reshape(-1)[y.size // 2] = value
    return y


SHAPES: dict[str, Callable[[Array], Array]] = {
    "no dimensions": lambda x: x.reshape(-1)[0],
    "three dimensions more": lambda x: x[None, None, None],
    "one dimension less": lambda x: x.reshape(-1, *x.shape[2:]),
    "wider": lambda x: np.concatenate([x, x, x[..., :1]], -1),
    "more channels": lambda x: np.concatenate([x, x, x[:, :1]], min(1, x.ndim - 1)),
    "no samples": lambda x: x[:0],
    "no channels": lambda x: x[:, :0] if x.ndim > 1 else x[:0],
    "no columns": lambda x: x[..., :0],
    "nothing": lambda x: x[(slice(0, 0),) * x.ndim],
}

TYPES: dict[str, Callable[[Array], Any]] = {
    "float64": lambda x: qrs.from_numpy(x.astype(np.float64)),
    "float16": lambda x: qrs.from_numpy(x.astype(np.float16)),
    "int64": lambda x: qrs.from_numpy(x.astype(np.int64)),
    "bool": lambda x: qrs.from_numpy(x > 0),
    "quint8": lambda x: qrs.quantize_per_tensor(
        qrs.from_numpy(x.astype(np.float32)), 0.1, 3, qrs.quint8
    ),
    "None": lambda x: None,
    "number": lambda x: 3.5,
    "list": lambda x: x.tolist(),
    "ndarray": lambda x: x,
    "str": lambda x: "abc",
}


def assert_clear(error: BaseException) -> None:
    """A sentence of ours: what came, was expected or does not fit."""
    assert not isinstance(error, InternalError)
    text = str(error)
    assert re.search(r"(expected|came|do not fit together|smaller than)", text), text


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("name", LAYERS)
def test_shape_that_does_not_fit(name: str, kind: str) -> None:
    module, (x, *others) = layer(name)
    try:
        run(module, qrs.from_numpy(np.array(SHAPES[kind](x))), others)
    except (ValueError, IndexError) as error:
        assert_clear(error)


# Their inputs have no batch in front, or one that another input has too.
BATCHES = sorted(
    name
    for name in LAYERS
    if not name.endswith(("LSTM", "GRU", "RNN", "Bilinear", "CosineSimilarity", "Attention"))
)


@pytest.mark.parametrize("name", BATCHES)
def test_batch_of_no_samples_gives_no_results(name: str) -> None:
    module, (x, *others) = layer(name)
    full = run(module, qrs.from_numpy(x.copy()), others)
    none = run(module, qrs.from_numpy(x[:0].copy()), others)
    for some, empty in zip(full, none, strict=True):
        assert (empty.shape[0], empty.dim(), empty.dtype) == (0, some.dim(), some.dtype)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_type_that_does_not_fit(name: str, kind: str) -> None:
    module, (x, *others) = layer(name)
    try:
        run(module, TYPES[kind](x), others)
    except TypeError as error:
        assert isinstance(error, DtypeError), error
        assert_clear(error)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", LAYERS)
def test_values_that_are_not_finite(name: str, value: float) -> None:
    module, (x, *others) = layer(name)
    if x.dtype.kind != "f":
        pytest.skip("indices are finite")
    bad = qrs.from_numpy(changed(x, value))
    if name.startswith("qint8"):
        # There is no grid that reaches to infinity.
        with pytest.raises(NonFiniteError) as caught:
            run(module, bad, others)
        assert_clear(caught.value)
        return
    with np.errstate(all="ignore"):
        outputs = run(module, bad, others)
    if name.startswith("static"):
        # Stored as the zero point, or at an end of the range.
        assert all(np.isfinite(y.numpy()).all() for y in outputs)


def read_only(x: Array) -> Array:
    y = x.copy()
    y.setflags(write=False)
    return y


def unaligned(x: Array) -> Array:
    return np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "read-only": read_only,
    "Fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, -1)[..., ::2],
    "reversed": lambda x: x[..., ::-1].copy()[..., ::-1],
    "unaligned": unaligned,
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", LAYERS)
def test_layout_in_memory_changes_nothing_and_the_input_stays(name: str, layout: str) -> None:
    module, (x, *others) = layer(name)
    given = LAYOUTS[layout](x)
    before = given.copy()
    expected = run(module, qrs.from_numpy(x.copy()), others)
    got = run(module, qrs.from_numpy(given), others)
    assert np.array_equal(given, before)
    for a, b in zip(got, expected, strict=True):
        if name.startswith("float"):
            # NumPy sums in the order of the memory.
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)
        else:
            assert np.array_equal(a.numpy(), b.numpy())
