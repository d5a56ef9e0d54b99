"""Random tensors and the state of their generators.

The numbers are NumPy's PCG64, not those that PyTorch draws from the same seed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from qrs import dtypes
from qrs.dtypes import dtype as Dtype
from qrs.errors import DtypeError
from qrs.tensor.core import array_of, integers, wrap
from qrs.tensor.size import device as Device

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = [
    "Generator",
    "bernoulli",
    "default_generator",
    "generator_of",
    "initial_seed",
    "manual_seed",
    "multinomial",
    "normal",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randn_like",
    "randperm",
    "seed",
]


class Generator:
    """A source of random numbers with a state of its own.

    Parameters
    ----------
    device : str
        Only "cpu".

    Examples
    --------
    >>> import qrs
    >>> g = qrs.Generator().manual_seed(1)
    >>> a = qrs.rand(2, generator=g)
    >>> bool((a == qrs.rand(2, generator=g.manual_seed(1))).all())
    True
    """

    __slots__ = ("_seed", "_source")

    def __init__(self, device: Any = "cpu") -> None:
        Device(device)
        self._seed = 0
        self._source: np.random.Generator | None = None

    def manual_seed(self, seed: int) -> Generator:
        """Start the sequence that belongs to `seed`."""
        self._seed = int(seed)
        self._source = None
        return self

    def initial_seed(self) -> int:
        """The seed that was set last."""
        return self._seed

    def seed(self) -> int:
        """Start a sequence that nobody can predict; returns its seed."""
        fresh = int.from_bytes(os.urandom(8)) >> 1
        return self.manual_seed(fresh).initial_seed()

    def get_state(self) -> dict[str, Any]:
        """Where in its sequence the generator stands."""
        return dict(self._numpy().bit_generator.state)

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to where `get_state` said."""
        self._numpy().bit_generator.state = state

    def _numpy(self) -> np.random.Generator:
        """The generator itself, made when it is first needed: importing numpy.random takes long."""
        if self._source is None:
            # Negative seeds are allowed, as in PyTorch: they wrap around 64 bits.
            self._source = np.random.default_rng(self._seed % 2**64)
        return self._source


default_generator = Generator()
default_generator.seed()


def generator_of(generator: Generator | None) -> np.random.Generator:
    """The NumPy generator behind `generator`, or behind the default one."""
    return (default_generator if generator is None else generator)._numpy()


def manual_seed(seed: int) -> Generator:
    """Start the default generator's sequence that belongs to `seed`.

    Examples
    --------
    >>> import qrs
    >>> qrs.manual_seed(0).initial_seed()
    0
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start the default generator anew, unpredictably; returns the seed.

    Examples
    --------
    >>> import qrs
    >>> qrs.seed() == qrs.initial_seed()
    True
    """
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator.

    Examples
    --------
    >>> import qrs
    >>> g = qrs.manual_seed(7)
    >>> qrs.initial_seed()
    7
    """
    return default_generator.initial_seed()


def _float_type(where: str, dtype: Dtype | None) -> Any:
    chosen = dtypes.get_default_dtype() if dtype is None else dtype
    if not chosen.is_floating_point:
        raise DtypeError(f"{where}: {chosen!r} came, a float type was expected")
    return chosen.numpy


def _drawn(array: Any, numpy_dtype: Any, requires_grad: bool = False, device: Any = None) -> Tensor:
    if device is not None:
        Device(device)
    result = wrap(np.asarray(array).astype(numpy_dtype, copy=False))
    if requires_grad:
        result.requires_grad = True
    return result


def _width(numpy_dtype: Any) -> Any:
    """NumPy draws float32 and float64; float16 is rounded from float32."""
    return np.float64 if numpy_dtype == np.float64 else np.float32


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers of the uniform distribution over [0, 1).

    Examples
    --------
    >>> import qrs
    >>> qrs.rand(2, 3).shape
    qrs.Size([2, 3])
    """
    kind = _float_type("rand", dtype)
    numbers = generator_of(generator).random(integers("rand", size), dtype=_width(kind))
    return _drawn(numbers, kind, requires_grad, device)


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: Dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers of the normal distribution with mean 0 and variance 1.

    Examples
    --------
    >>> import qrs
    >>> qrs.randn(2, 3).shape
    qrs.Size([2, 3])
    """
    kind = _float_type("randn", dtype)
    numbers = generator_of(generator).standard_normal(integers("randn", size), dtype=_width(kind))
    return _drawn(numbers, kind, requires_grad, device)


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: Dtype = dtypes.int64,
    device: Any = None,
) -> Tensor:
    """Integers of [low, high), or of [0, low) if the second argument is the size.

    Examples
    --------
    >>> import qrs
    >>> bool((qrs.randint(0, 5, (100,)) < 5).all())
    True
    """
    if size is None:
        low, high, size = 0, low, high
    numbers = generator_of(generator).integers(low, high, integers("randint", (tuple(size),)))
    return _drawn(numbers, dtype.numpy, device=device)


def randperm(
    n: int, *, generator: Generator | None = None, dtype: Dtype = dtypes.int64, device: Any = None
) -> Tensor:
    """The integers from 0 to `n - 1` in random order.

    Examples
    --------
    >>> import qrs
    >>> sorted(qrs.randperm(4).tolist())
    [0, 1, 2, 3]
    """
    return _drawn(generator_of(generator).permutation(n), dtype.numpy, device=device)


def rand_like(input: Tensor, *, dtype: Dtype | None = None, requires_grad: bool = False) -> Tensor:
    """`rand` with the shape and type of `input`.

    Examples
    --------
    >>> import qrs
    >>> qrs.rand_like(qrs.zeros(2, 3)).shape
    qrs.Size([2, 3])
    """
    return rand(*input._array.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def randn_like(input: Tensor, *, dtype: Dtype | None = None, requires_grad: bool = False) -> Tensor:
    """`randn` with the shape and type of `input`.

    Examples
    --------
    >>> import qrs
    >>> qrs.randn_like(qrs.zeros(2, 3)).shape
    qrs.Size([2, 3])
    """
    return randn(*input._array.shape, dtype=dtype or input.dtype, requires_grad=requires_grad)


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that each element says, else 0.

    Examples
    --------
    >>> import qrs
    >>> qrs.bernoulli(qrs.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    array = input._array
    if not bool(np.all((array >= 0) & (array <= 1))):
        raise ValueError(
            "bernoulli: probabilities outside [0, 1] came, numbers inside were expected"
        )
    return wrap((generator_of(generator).random(array.shape) < array).astype(array.dtype))


def normal(
    mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None
) -> Tensor:
    """Numbers of normal distributions; mean and deviation may be tensors that broadcast.

    Examples
    --------
    >>> import qrs
    >>> qrs.normal(0.0, 1.0, (2, 3)).shape
    qrs.Size([2, 3])
    """
    low, wide = array_of(mean), array_of(std)
    shape = np.broadcast_shapes(np.shape(low), np.shape(wide)) if size is None else tuple(size)
    kind = dtypes.get_default_dtype().numpy
    return _drawn(generator_of(generator).normal(low, wide, shape), kind)


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Indices drawn with probabilities in proportion to each row of `input`.

    Parameters
    ----------
    input : Tensor of shape (C,) or (N, C), nonnegative
    num_samples : int
    replacement : bool
        Whether an index may come twice in a row.

    Examples
    --------
    >>> import qrs
    >>> qrs.multinomial(qrs.tensor([0.0, 1.0]), 1)
    tensor([1])
    """
    rows = np.atleast_2d(input._array).astype(np.float64)
    if bool(np.any(rows < 0)) or not bool(np.all(rows.sum(-1) > 0)):
        raise ValueError("multinomial: each row needs weights of at least 0 and a positive sum")
    source = generator_of(generator)
    drawn = np.stack(
        [source.choice(row.size, num_samples, replacement, row / row.sum()) for row in rows]
    )
    return wrap(drawn.reshape(*input._array.shape[:-1], num_samples).astype(np.int64))
