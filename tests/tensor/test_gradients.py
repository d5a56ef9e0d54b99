"""Every public function and method of tensors against finite differences, found by introspection.

What is called with a float tensor and gives float tensors must be differentiable, unless it is
listed with a reason. A new function that no attempt fits fails until it gets a case or a reason.
"""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import qrs
from qrs.autograd import gradcheck

# Values that do not depend on the input's, or that differences cannot see.
OUTSIDE = {
    *("bernoulli", "normal", "multinomial", "rand", "randn", "rand_like", "randn_like"),
    *("empty", "empty_like", "eye", "full", "full_like", "linspace", "logspace", "ones"),
    *("ones_like", "arange", "randperm", "tensor", "zeros", "zeros_like", "randint"),
    *("new_empty", "new_full", "new_ones", "new_tensor", "new_zeros", "detach", "unique"),
    *("from_dlpack", "from_numpy", "numpy", "item", "tolist"),
    *("bernoulli_", "normal_", "random_", "uniform_", "fill_", "zero_"),
    *("detach_", "requires_grad_", "register_hook", "retain_grad", "backward"),
    # Other types: `test_casts_pass_the_gradient`.
    *("float", "half", "type", "to"),
    # Refuses.
    "cuda",
    # Its first argument is an equation: `test_einsum`.
    "einsum",
    # The switches, seeds and files of the package.
    *("get_default_dtype", "get_num_threads", "initial_seed", "is_grad_enabled", "load", "save"),
    *("manual_seed", "seed", "set_default_dtype", "set_num_threads", "set_printoptions"),
    # Quantized tensors are constants.
    *("int_repr", "q_per_channel_axis", "q_per_channel_scales", "q_per_channel_zero_points"),
    *("q_scale", "q_zero_point", "quantize_per_channel", "quantize_per_tensor", "dequantize"),
    *("fake_quantize_per_channel_affine", "fake_quantize_per_tensor_affine"),
}
RNG = np.random.default_rng(0)


def some(*shape: int) -> qrs.Tensor:
    """Float64 values inside every function's domain and away from its kinks."""
    return qrs.from_numpy(RNG.uniform(0.2, 0.9, shape))


INDEX = qrs.tensor([0, 2, 1])
PLACES = INDEX.expand(3, 3)
MASK = qrs.tensor([[True, False, True]] * 3)

# Arguments after a tensor of shape (3, 3), in the order in which they are tried.
ATTEMPTS: list[tuple[Any, ...]] = [
    (),
    (some(3, 3),),
    (0,),
    (1, 0),
    (0, 1, 1),
    (2.0,),
    ((9,),),
    (0, INDEX),
    (0, PLACES),
    (PLACES, 0),
    (some(3, 3), some(3, 3)),
    (INDEX,),
    (MASK, 2.0),
    (MASK,),
    (0, PLACES, some(3, 3)),
]
# Where the tensor must have another shape.
CASES: dict[str, tuple[qrs.Tensor, tuple[Any, ...]]] = {
    "addbmm": (some(2, 3), (some(4, 2, 5), some(4, 5, 3))),
    "addcdiv": (some(3), (some(3), some(3))),
    "addcdiv_": (some(3), (some(3), some(3))),
    "addmv": (some(2), (some(2, 3), some(3))),
    "as_strided": (some(3, 4), ((3, 3), (1, 2))),
    "baddbmm": (some(4, 2, 3), (some(4, 2, 5), some(4, 5, 3))),
    "bmm": (some(4, 2, 5), (some(4, 5, 3),)),
    "broadcast_to": (some(1, 3), ((4, 2, 3),)),
    "dot": (some(3), (some(3),)),
    "expand": (some(1, 3), (2, 3)),
    "ger": (some(3), (some(2),)),
    "index_add": (some(3, 3), (0, INDEX, some(3, 3))),
    "index_add_": (some(3, 3), (0, INDEX, some(3, 3))),
    "meshgrid": (some(3), (some(2),)),
    "mv": (some(3, 2), (some(2),)),
    "outer": (some(3), (some(2),)),
    "unflatten": (some(2, 6), (1, (3, 2))),
}


def public(space: Any) -> dict[str, Callable[..., Any]]:
    names = getattr(space, "__all__", dir(space))
    found = {name: getattr(space, name) for name in names if not name.startswith("_")}
    return {n: f for n, f in found.items() if callable(f) and not isinstance(f, type)}


NAMES = sorted(
    (space.__name__, name) for space in (qrs, qrs.Tensor) for name in public(space).keys() - OUTSIDE
)


def floats(out: Any) -> list[qrs.Tensor]:
    if isinstance(out, qrs.Tensor):
        return [out] if out.is_floating_point() else []
    return [t for o in out for t in floats(o)] if isinstance(out, (tuple, list)) else []


def calls(space: str, name: str) -> Iterator[tuple[qrs.Tensor, Callable[..., Any], Any]]:
    """The first tensor, the call, and what it gives, of each attempt that works."""
    function = public(qrs if space == "qrs" else qrs.Tensor)[name]
    attempts = [CASES[name]] if name in CASES else [(some(3, 3), args) for args in ATTEMPTS]
    for x, args in attempts:
        # A leaf cannot be changed in place, its product with one can.
        def call(x: qrs.Tensor, *args: Any) -> Any:
            return function(x * 1 if name.endswith("_") else x, *args)

        def of_all(x: qrs.Tensor, args: tuple[Any, ...] = args) -> Any:
            return call(x, *args)

        leaf = x.clone().requires_grad_()
        try:
            out = of_all(leaf)
        except (qrs.QrsError, TypeError, ValueError, AttributeError, IndexError):
            continue
        yield leaf, of_all, out


@pytest.mark.parametrize(("space", "name"), NAMES)
def test_gradient_agrees_with_finite_differences(space: str, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = list(calls(space, name))
    assert found, f"no attempt fits {space}.{name}: give it a case, or a reason to be outside"
    for leaf, call, out in found:
        values = floats(out)
        if values:
            assert any(v.requires_grad for v in values), f"{space}.{name} leaves the graph"
            assert gradcheck(call, leaf, atol=1e-7, rtol=1e-5)
            return


def test_names_outside_exist() -> None:
    known = public(qrs).keys() | public(qrs.Tensor).keys()
    assert sorted(OUTSIDE - known) == []
    assert sorted(CASES.keys() - known) == []


@pytest.mark.parametrize("cast", [qrs.Tensor.float, qrs.Tensor.half, lambda x: x.to(qrs.float32)])
def test_casts_pass_the_gradient(cast: Callable[[qrs.Tensor], qrs.Tensor]) -> None:
    x = some(3).requires_grad_()
    (cast(x) * qrs.tensor([1.0, 2.0, 4.0])).sum().backward()
    assert x.grad.tolist() == [1.0, 2.0, 4.0]
    assert x.grad.dtype is qrs.float64


def test_einsum() -> None:
    pair = [some(2, 3).requires_grad_(), some(3, 4).requires_grad_()]
    assert gradcheck(lambda x, y: qrs.einsum("ij,jk->ki", x, y), pair, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize(
    "key",
    [0, slice(1, None), (..., 1), (None, 2), INDEX, (INDEX, INDEX), (slice(None), INDEX), MASK],
    ids=repr,
)
def test_indexing_reads_and_writes_with_gradients(key: Any) -> None:
    x = some(3, 3).requires_grad_()
    assert gradcheck(lambda x: x[key], x, atol=1e-7, rtol=1e-5)
    new = (some(*x[key].shape) * 2).requires_grad_()

    def written(x: qrs.Tensor, new: qrs.Tensor) -> qrs.Tensor:
        out = x * 1
        out[key] = new
        return out

    assert gradcheck(written, [x, new], atol=1e-7, rtol=1e-5)
