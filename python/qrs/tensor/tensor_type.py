"""`Tensor`: a NumPy array with a place in the graph, and PyTorch's methods.

A method that is also a function (`x.sum()`, `qrs.sum(x)`) is one object, defined in the module of
its kind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np

from qrs import dtypes
from qrs.autograd.engine import backward
from qrs.autograd.graph import Variable, set_result_class
from qrs.dtypes import dtype as Dtype
from qrs.errors import DtypeError, GradientError
from qrs.tensor import (
    arithmetic,
    comparison,
    diagonals,
    elementwise,
    extremes,
    indexing,
    joining,
    linalg,
    reductions,
    shaping,
    strided,
)
from qrs.tensor.conversion import Conversion
from qrs.tensor.core import integers
from qrs.tensor.creation import plain_dtype, tensor
from qrs.tensor.exchange import Exchange
from qrs.tensor.facts import Facts
from qrs.tensor.inplace import InPlace
from qrs.tensor.operators import Operators

__all__ = ["Tensor"]


class _Handle:
    """Removes a hook; what `register_hook` returns."""

    __slots__ = ("_remove",)

    def __init__(self, remove: Callable[[], None]) -> None:
        self._remove = remove

    def remove(self) -> None:
        """Take the hook away."""
        self._remove()


class Tensor(Operators, InPlace, Facts, Exchange, Conversion, Variable):
    """A multi-dimensional array of one type, with reverse-mode gradients.

    `Tensor(data)` converts data to the default float type and `Tensor(2, 3)` gives zeros of that
    shape; `qrs.tensor` keeps the type of the data and is the usual way.

    Parameters
    ----------
    *args : data, or sizes

    Attributes
    ----------
    shape : Size
    dtype : dtype
    requires_grad : bool
        Whether operations on it are recorded.
    grad : Tensor or None
        The gradient that `backward` left.

    Examples
    --------
    >>> import qrs
    >>> x = qrs.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ()

    # Above NumPy's: `array * tensor` is the tensor's business.
    __array_priority__ = 1000

    def __new__(cls, *args: Any) -> Self:
        """Convert data, or make zeros of a shape."""
        default = dtypes.get_default_dtype()
        if args and all(isinstance(a, int) for a in args):
            return cls._wrap(np.zeros(args, default.numpy))
        if len(args) > 1:
            raise DtypeError(
                f"Tensor: {len(args)} arguments came, sizes or one piece of data were expected"
            )
        data: Any = args[0] if args else []
        return cls._wrap(tensor(data, dtype=default)._array)

    @property
    def data(self) -> Tensor:
        """The same memory outside the graph; assigning replaces the memory."""
        return Tensor._wrap(self._array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Variable):
            raise DtypeError(f"data: a {type(value).__name__} came, a Tensor was expected")
        self._array = array = value._array
        self._counter = None
        self._view = None
        if self._meta is not None:
            self._meta.shape, self._meta.dtype = array.shape, array.dtype

    # --- the graph --------------------------------------------------------------------------

    def backward(
        self, gradient: Any = None, retain_graph: bool = False, create_graph: bool = False
    ) -> None:
        """Add gradients to the leaves this tensor depends on; see `qrs.autograd.backward`."""
        backward(self, gradient, retain_graph, create_graph)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set `requires_grad`."""
        self.requires_grad = requires_grad
        return self

    def detach(self) -> Tensor:
        """The same memory outside the graph; in-place changes are still noticed."""
        result = Tensor._wrap(self._array)
        result._counter = self._version_counter()
        return result

    def detach_(self) -> Self:
        """Leave the graph."""
        if self._view is not None and self._meta is not None:
            raise GradientError("detach_: a view came; use detach()")
        self._meta = None
        return self

    def retain_grad(self) -> None:
        """Keep the gradient of this tensor in `grad`, though it is not a leaf."""
        meta = self._meta
        if meta is None or not meta.requires_grad:
            raise GradientError("retain_grad: a tensor that does not require a gradient came")
        if meta.node is not None:
            meta.retain()

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> _Handle:
        """Have `hook` see the gradient of this tensor; what it returns replaces the gradient."""
        meta = self._meta
        if meta is None or not meta.requires_grad:
            raise GradientError("register_hook: a tensor that does not require a gradient came")

        def on_array(grad: Any) -> Any:
            replaced = hook(Tensor._wrap(grad))
            return None if replaced is None else replaced._array

        return _Handle(meta.add_hook(on_array))

    # --- methods that are functions too -----------------------------------------------------

    __getitem__ = indexing.get_item
    __setitem__ = indexing.set_item

    add = arithmetic.add
    addcdiv = arithmetic.addcdiv
    addcmul = arithmetic.addcmul
    atan2 = arithmetic.atan2
    div = arithmetic.div
    divide = arithmetic.divide
    floor_divide = arithmetic.floor_divide
    fmod = arithmetic.fmod
    lerp = arithmetic.lerp
    maximum = arithmetic.maximum
    minimum = arithmetic.minimum
    mul = arithmetic.mul
    multiply = arithmetic.multiply
    neg = arithmetic.neg
    negative = arithmetic.negative
    pow = arithmetic.pow
    remainder = arithmetic.remainder
    rsub = arithmetic.rsub
    sub = arithmetic.sub
    subtract = arithmetic.subtract
    true_divide = arithmetic.true_divide

    all = comparison.all
    allclose = comparison.allclose
    any = comparison.any
    eq = comparison.eq
    equal = comparison.equal
    ge = comparison.ge
    gt = comparison.gt
    isclose = comparison.isclose
    isfinite = comparison.isfinite
    isinf = comparison.isinf
    isnan = comparison.isnan
    le = comparison.le
    logical_and = comparison.logical_and
    logical_not = comparison.logical_not
    logical_or = comparison.logical_or
    logical_xor = comparison.logical_xor
    lt = comparison.lt
    ne = comparison.ne

    abs = elementwise.abs
    absolute = elementwise.absolute
    acos = elementwise.acos
    asin = elementwise.asin
    atan = elementwise.atan
    ceil = elementwise.ceil
    clamp = elementwise.clamp
    clamp_max = elementwise.clamp_max
    clamp_min = elementwise.clamp_min
    clip = elementwise.clip
    cos = elementwise.cos
    erf = elementwise.erf
    exp = elementwise.exp
    expm1 = elementwise.expm1
    floor = elementwise.floor
    frac = elementwise.frac
    log = elementwise.log
    log1p = elementwise.log1p
    log2 = elementwise.log2
    log10 = elementwise.log10
    masked_fill = elementwise.masked_fill
    nan_to_num = elementwise.nan_to_num
    reciprocal = elementwise.reciprocal
    relu = elementwise.relu
    round = elementwise.round
    rsqrt = elementwise.rsqrt
    sigmoid = elementwise.sigmoid
    sign = elementwise.sign
    sin = elementwise.sin
    sqrt = elementwise.sqrt
    square = elementwise.square
    tan = elementwise.tan
    tanh = elementwise.tanh
    trunc = elementwise.trunc

    amax = extremes.amax
    amin = extremes.amin
    aminmax = extremes.aminmax
    argmax = extremes.argmax
    argmin = extremes.argmin
    count_nonzero = reductions.count_nonzero
    cumprod = reductions.cumprod
    cumsum = reductions.cumsum
    log_softmax = reductions.log_softmax
    logsumexp = reductions.logsumexp
    max = extremes.max
    mean = reductions.mean
    median = extremes.median
    min = extremes.min
    norm = reductions.norm
    prod = reductions.prod
    softmax = reductions.softmax
    std = reductions.std
    sum = reductions.sum
    var = reductions.var
    var_mean = reductions.var_mean

    as_strided = strided.as_strided
    broadcast_to = shaping.broadcast_to
    chunk = joining.chunk
    clone = shaping.clone
    contiguous = shaping.contiguous
    diag = diagonals.diag
    diagonal = diagonals.diagonal
    expand = shaping.expand
    expand_as = shaping.expand_as
    flatten = shaping.flatten
    flip = joining.flip
    movedim = shaping.movedim
    narrow = joining.narrow
    permute = shaping.permute
    repeat = joining.repeat
    repeat_interleave = joining.repeat_interleave
    reshape = shaping.reshape
    reshape_as = shaping.reshape_as
    roll = joining.roll
    select = joining.select
    split = joining.split
    squeeze = shaping.squeeze
    swapaxes = shaping.swapaxes
    t = shaping.t
    tile = joining.tile
    transpose = shaping.transpose
    tril = diagonals.tril
    triu = diagonals.triu
    unbind = joining.unbind
    unflatten = shaping.unflatten
    unfold = strided.unfold
    unsqueeze = shaping.unsqueeze
    view = shaping.view
    view_as = shaping.view_as

    argsort = indexing.argsort
    gather = indexing.gather
    index_add = indexing.index_add
    index_select = indexing.index_select
    masked_select = indexing.masked_select
    nonzero = indexing.nonzero
    scatter = indexing.scatter
    scatter_add = indexing.scatter_add
    sort = indexing.sort
    take_along_dim = indexing.take_along_dim
    topk = indexing.topk
    unique = indexing.unique

    addbmm = linalg.addbmm
    addmm = linalg.addmm
    addmv = linalg.addmv
    baddbmm = linalg.baddbmm
    bmm = linalg.bmm
    dot = linalg.dot
    ger = linalg.ger
    inner = linalg.inner
    matmul = linalg.matmul
    mm = linalg.mm
    mv = linalg.mv
    outer = linalg.outer
    tensordot = linalg.tensordot

    def where(self, condition: Tensor, other: Any) -> Tensor:
        """Itself where `condition` holds, `other` elsewhere."""
        result: Tensor = elementwise.where(condition, self, other)
        return result

    def new_tensor(self, data: Any, *, dtype: Dtype | None = None) -> Tensor:
        """`qrs.tensor(data)` with this type."""
        return tensor(data, dtype=dtype or self.dtype)

    def new_zeros(self, *size: Any, dtype: Dtype | None = None) -> Tensor:
        """Zeros of a shape, with this type."""
        return self.new_full(integers("new_zeros", size), 0, dtype=dtype)

    def new_ones(self, *size: Any, dtype: Dtype | None = None) -> Tensor:
        """Ones of a shape, with this type."""
        return self.new_full(integers("new_ones", size), 1, dtype=dtype)

    def new_full(self, size: Any, fill_value: Any, *, dtype: Dtype | None = None) -> Tensor:
        """One value everywhere, with this type."""
        kind = plain_dtype("new_full", dtype or self.dtype)
        return Tensor._wrap(np.full(integers("new_full", (size,)), fill_value, kind))

    def new_empty(self, *size: Any, dtype: Dtype | None = None) -> Tensor:
        """Memory of a shape, with this type."""
        kind = plain_dtype("new_empty", dtype or self.dtype)
        return Tensor._wrap(np.empty(integers("new_empty", size), kind))


# What is called on a tensor need not check that it is one: methods are the functions underneath.
for _name, _method in list(vars(Tensor).items()):
    if hasattr(_method, "__wrapped__"):
        setattr(Tensor, _name, _method.__wrapped__)

set_result_class(Tensor)
