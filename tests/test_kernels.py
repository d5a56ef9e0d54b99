"""The door to the compiled module: layouts, errors, threads."""

import inspect
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import qrs
from qrs import _kernels
from qrs.errors import DtypeError, NonFiniteError, QrsError, ShapeError

N, K = 5, 7


def floats(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def layer(n=N, k=K, bias=True, points=False, seed=2):
    rng = np.random.default_rng(seed)
    weight = rng.integers(-127, 128, (n, k), np.int8)
    scales = rng.uniform(0.001, 0.1, n).astype(np.float32)
    zero_points = rng.integers(-5, 5, n).astype(np.int32) if points else None
    return _kernels.PackedLinear(weight, scales, zero_points, floats(n) if bias else None)


def layouts(x):
    """The same numbers in every layout that NumPy knows."""
    read_only = x.copy()
    read_only.setflags(write=False)
    unaligned = np.frombuffer(b"x" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape)
    strided = np.repeat(x, 2, -1)[..., ::2]
    reverse = x[::-1, ..., ::-1].copy()[::-1, ..., ::-1]
    swapped = x.astype(x.dtype.newbyteorder(">"))
    return [read_only, unaligned, strided, reverse, swapped, np.asfortranarray(x)]


ELEMENTWISE = {
    "exp": (_kernels.exp, np.exp),
    "sigmoid": (_kernels.sigmoid, lambda x: 1 / (1 + np.exp(-x))),
    "tanh": (_kernels.tanh, np.tanh),
    "silu": (_kernels.silu, lambda x: x / (1 + np.exp(-x))),
    "gelu": (
        lambda x: _kernels.gelu(x, "tanh"),
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("shape", [(), (0,), (1,), (17,), (3, 5, 7), (2, 0, 3)])
def test_functions_of_one_float(name, shape):
    function, reference = ELEMENTWISE[name]
    x = np.asarray(floats(*shape) * 3)
    got = function(x)
    assert (got.shape, got.dtype) == (x.shape, np.float32)
    assert np.allclose(got, reference(x.astype(np.float64)), rtol=1e-6, atol=1e-6)


def test_erf_is_the_error_function():
    x = np.array([0.0, 0.5, 1.0, -2.0], np.float32)
    want = [0.0, 0.5204998778, 0.8427007929, -0.9953222650]
    assert np.allclose(_kernels.erf(x), want, atol=1e-6)
    gelu = 0.5 * x * (1 + _kernels.erf(x / np.float32(np.sqrt(2))))
    assert np.allclose(_kernels.gelu(x), gelu, atol=1e-6)


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 4), (1,), (5,), (2, 3, 33)])
def test_softmax_of_the_last_axis(shape):
    x = floats(*shape) * 5
    got, logarithm = _kernels.softmax(x), _kernels.log_softmax(x)
    assert got.shape == logarithm.shape == shape
    powers = np.exp(x.astype(np.float64))
    want = powers / powers.sum(-1, keepdims=True)
    assert np.allclose(got, want, rtol=1e-5, atol=0)
    assert np.allclose(logarithm, np.log(want), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("shape", [(0, 6), (1, 6), (3, 6), (2, 5, 2, 3)])
def test_layer_norm_of_the_last_axes(shape):
    x, weight, bias = floats(*shape) * 3 + 1, floats(6, seed=2), floats(6, seed=3)
    rows = x.astype(np.float64).reshape(-1, 6)
    centred = rows - rows.mean(1, keepdims=True)
    want = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
    plain = _kernels.layer_norm(x, 6, None, None, 1e-5)
    full = _kernels.layer_norm(x, 6, weight, bias, 1e-5)
    assert plain.shape == full.shape == shape
    assert np.allclose(plain, want.reshape(shape), rtol=1e-5, atol=1e-6)
    assert np.allclose(full, (want * weight + bias).reshape(shape), rtol=1e-5, atol=1e-6)


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ShapeError, match="softmax: a scalar came"):
        _kernels.softmax(np.ones((), np.float32))
    with pytest.raises(ShapeError, match="layer_norm"):
        _kernels.layer_norm(floats(2, 6), 5, None, None, 1e-5)
    with pytest.raises(ShapeError, match="layer_norm: rows of no values came"):
        _kernels.layer_norm(floats(2, 6), 0, None, None, 1e-5)
    with pytest.raises(ShapeError, match="layer_norm: number of weights is 5, expected 6"):
        _kernels.layer_norm(floats(2, 6), 6, floats(5), None, 1e-5)


@pytest.mark.parametrize("index", range(6))
def test_the_layout_of_an_input_does_not_matter(index):
    x = floats(6, K)
    other = layouts(x)[index]
    assert np.array_equal(_kernels.tanh(other), _kernels.tanh(x))
    assert np.array_equal(
        _kernels.quantize(other, 0.02, 3, qrs.quint8), _kernels.quantize(x, 0.02, 3, qrs.quint8)
    )
    packed = layer()
    want = _kernels.dynamic_linear(packed, x, "qrs")
    assert np.array_equal(_kernels.dynamic_linear(packed, other, "qrs"), want)
    q = _kernels.quantize(x, 0.02, 3, qrs.qint32)
    want = _kernels.dequantize(q, 0.02, 3)
    assert np.array_equal(_kernels.dequantize(layouts(q)[index], 0.02, 3), want)


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0)])
def test_results_of_elements_lie_in_memory_as_the_input_does(order):
    x = floats(3, 4, 5)
    moved = x.transpose(order).copy().transpose(np.argsort(order))
    q = _kernels.quantize(moved, 0.02, 3, qrs.quint8)
    table = np.arange(256, dtype=np.uint8)[::-1].copy()
    for got, want in [
        (q, _kernels.quantize(x, 0.02, 3, qrs.quint8)),
        (_kernels.dequantize(q, 0.02, 3), _kernels.dequantize(np.ascontiguousarray(q), 0.02, 3)),
        (_kernels.tanh(moved), _kernels.tanh(x)),
        (_kernels.clamp(q, 1, 9), np.clip(q, 1, 9)),
        (_kernels.lookup(q, table), 255 - q),
    ]:
        assert np.array_equal(got, want)
        assert got.transpose(order).flags.c_contiguous


def test_inputs_are_not_written():
    x = floats(6, K)
    before = x.copy()
    _kernels.tanh(x)
    _kernels.dynamic_linear(layer(), x, "qrs")
    _kernels.quantize(x, 0.02, 3, qrs.quint8)
    assert np.array_equal(x, before)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, np.complex64, np.bool_])
def test_another_type_of_elements_is_refused(dtype):
    x = np.ones((6, K), dtype)
    with pytest.raises(DtypeError, match=r"tanh: input is \w+, expected float32; convert it first"):
        _kernels.tanh(x)
    with pytest.raises(DtypeError, match=r"dynamic linear: input is \w+, expected float32"):
        _kernels.dynamic_linear(layer(), x, "qrs")


def test_a_dynamic_linear_layer_keeps_leading_dimensions():
    packed = layer()
    x = floats(2, 3, 4, K)
    flat = _kernels.dynamic_linear(packed, x.reshape(-1, K), "qrs")
    assert np.array_equal(_kernels.dynamic_linear(packed, x, "qrs"), flat.reshape(2, 3, 4, N))
    assert np.array_equal(_kernels.dynamic_linear(packed, x[0, 0, 0], "qrs"), flat[0])
    assert _kernels.dynamic_linear(packed, floats(0, K), "qrs").shape == (0, N)
    assert (packed.n, packed.k) == (N, K)


def test_relu_cuts_negative_outputs():
    packed, x = layer(), floats(6, K)
    plain = packed.dynamic(x, "fbgemm", True, False)
    assert (plain < 0).any()
    assert np.array_equal(packed.dynamic(x, "fbgemm", True, True), np.maximum(plain, 0))


def test_reduce_range_matters_to_fbgemm_only():
    packed, x = layer(), floats(6, K)
    for engine in ("qrs", "fbgemm", "qnnpack"):
        full, reduced = packed.dynamic(x, engine, False), packed.dynamic(x, engine, True)
        assert np.array_equal(full, reduced) == (engine != "fbgemm")


def test_a_layer_without_inputs_or_outputs():
    no_inputs = layer(4, 0)
    assert np.array_equal(no_inputs.dynamic(floats(3, 0), "qrs"), np.tile(floats(4), (3, 1)))
    no_outputs = layer(0, 4)
    assert no_outputs.dynamic(floats(3, 4), "qrs").shape == (3, 0)


def test_an_input_of_the_wrong_shape_is_refused():
    with pytest.raises(ShapeError, match=r"dynamic linear: input has 3 features .* expected 7"):
        _kernels.dynamic_linear(layer(), floats(2, 3), "qrs")
    with pytest.raises(ShapeError, match="dynamic linear: a scalar came"):
        _kernels.dynamic_linear(layer(), np.ones((), np.float32), "qrs")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("engine", ["qrs", "fbgemm", "qnnpack"])
def test_values_that_are_not_finite_are_refused(bad, engine):
    x = floats(3, K)
    x[1, 2] = bad
    with pytest.raises(NonFiniteError, match="dynamic linear: row 1 of the input holds NaN"):
        _kernels.dynamic_linear(layer(), x, engine)


def test_an_unknown_engine_is_refused():
    with pytest.raises(ValueError, match="`foo` is unknown, expected one of qrs, fbgemm, qnnpack"):
        _kernels.dynamic_linear(layer(), floats(2, K), "foo")


def test_parts_of_a_layer_must_fit():
    pack = _kernels.PackedLinear
    weight, scales = np.ones((N, K), np.int8), np.ones(N, np.float32)
    with pytest.raises(ShapeError, match="weight has 1 dimensions, expected 2"):
        pack(weight[0], scales)
    with pytest.raises(ShapeError, match="number of weight scales is 4, expected 5"):
        pack(weight, scales[:4])
    with pytest.raises(ShapeError, match="number of biases is 4, expected 5"):
        pack(weight, scales, None, scales[:4])
    with pytest.raises(ShapeError, match="number of weight zero points is 4, expected 5"):
        pack(weight, scales, np.ones(4, np.int32))
    with pytest.raises(DtypeError, match="weight is uint8, expected int8"):
        pack(weight.view(np.uint8), scales)
    with pytest.raises(ShapeError, match="could overflow 32 bits"):
        pack(np.zeros((1, 70_000), np.int8), scales[:1])


def test_no_room_for_the_output_is_a_memory_error():
    # 2 ** 40 rows without columns take no memory; their outputs would.
    x = np.empty((1 << 40, 0), np.float32)
    with pytest.raises(MemoryError):
        layer(4, 0).dynamic(x, "qrs")


def test_many_threads_may_use_one_layer():
    packed = layer(64, 128)
    inputs = [floats(40, 128, seed=i) for i in range(8)]
    expected = [packed.dynamic(x, "qrs") for x in inputs]
    wrong = []

    def work(i):
        for _ in range(50):
            if not np.array_equal(packed.dynamic(inputs[i], "qrs"), expected[i]):
                wrong.append(i)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_an_input_that_changes_during_the_call_does_no_harm():
    x = floats(200, 256)
    packed = layer(64, 256)
    done = threading.Event()

    def change():
        while not done.is_set():
            x[:] = -x

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for _ in range(20):
            assert np.isfinite(packed.dynamic(x, "qrs")).all()
    finally:
        done.set()
        changer.join()


def anything():
    """Arrays of any type and shape, mostly wrong ones."""
    kinds = st.sampled_from([np.float32, np.float64, np.int8, np.uint8, np.int32, np.int64])
    shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)
    return st.one_of(
        st.tuples(kinds, shapes).flatmap(lambda pair: arrays.arrays(*pair)),
        st.integers(-(2**40), 2**40),
        st.floats(),
        st.sampled_from(["quint8", "qint32", "qrs", "fbgemm", "tanh", ""]),
        st.none(),
        st.booleans(),
    )


def callables():
    """Every function of the compiled module but those that change the process."""
    module = _kernels._qrs
    skipped = {"set_num_threads"}
    return [f for name, f in inspect.getmembers(module) if callable(f) and name not in skipped]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_wrong_arguments_raise_and_never_panic(data):
    function = data.draw(st.sampled_from(callables()))
    arguments = data.draw(st.lists(anything(), max_size=6))
    try:
        function(*arguments)
    except (QrsError, ValueError, TypeError, OverflowError) as error:
        assert not isinstance(error, qrs.InternalError)


@pytest.mark.parametrize("name", ["squared_errors", "divergences"])
def test_losses_of_ranges_name_themselves_in_errors(name):
    counts, centres = np.zeros(3, np.int64), np.zeros(3)
    with pytest.raises(ShapeError, match=f"{name}: candidates of 3 numbers in all came"):
        getattr(_kernels, name)(counts, centres, centres, 0, 255)
