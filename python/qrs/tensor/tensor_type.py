"""`Tensor`: a NumPy array with a place in the graph, and PyTorch's methods.

A method that is also a function (`x.sum()`, `qrs.sum(x)`) is one object, defined in the module of
its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np

from qrs import dtypes
from qrs.autograd.engine import backward
from qrs.autograd.graph import Variable, set_result_class
from qrs.autograd.rules import elementwise as elementwise_rules
from qrs.dtypes import dtype as Dtype
from qrs.errors import DtypeError, GradientError, ShapeError
from qrs.tensor import (
    arithmetic,
    comparison,
    elementwise,
    extremes,
    indexing,
    joining,
    linalg,
    reductions,
    shaping,
)
from qrs.tensor.core import apply, array_of, integers
from qrs.tensor.creation import plain_dtype, tensor
from qrs.tensor.inplace import InPlace
from qrs.tensor.operators import Operators
from qrs.tensor.printing import format_tensor
from qrs.tensor.size import Size, channels_last, contiguous_format, device, memory_format

__all__ = ["Tensor"]

_CPU = device("cpu")


class _Handle:
    """Removes a hook; what `register_hook` returns."""

    __slots__ = ("_remove",)

    def __init__(self, remove: Callable[[], None]) -> None:
        self._remove = remove

    def remove(self) -> None:
        """Take the hook away."""
        self._remove()


class Tensor(Operators, InPlace, Variable):
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

    # --- what it is -------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The extent of each dimension."""
        return Size(self._array.shape)

    @property
    def dtype(self) -> Dtype:
        """The type of the elements."""
        return dtypes.from_numpy_dtype(self._array.dtype)

    @property
    def device(self) -> device:
        """Always the CPU."""
        return _CPU

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it."""
        return self._node is None

    @property
    def grad_fn(self) -> Any:
        """The recorded operation that made it, or None."""
        return self._node

    @property
    def is_quantized(self) -> bool:
        """False: quantized tensors are `QTensor`."""
        return False

    @property
    def is_cuda(self) -> bool:
        """Always False."""
        return False

    @property
    def itemsize(self) -> int:
        """Bytes in an element."""
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes in all elements."""
        return self._array.nbytes

    @property
    def T(self) -> Tensor:  # noqa: N802 (PyTorch's name)
        """All dimensions in reverse order, a view."""
        return shaping.permute(self, tuple(range(self._array.ndim))[::-1])

    @property
    def mT(self) -> Tensor:  # noqa: N802 (PyTorch's name)
        """The last two dimensions exchanged, a view."""
        return shaping.transpose(self, -2, -1)

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

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the extent of one dimension."""
        if dim is None:
            return Size(self._array.shape)
        try:
            return self._array.shape[dim]
        except IndexError:
            raise ShapeError(
                f"size: dim {dim} came for a tensor of {self._array.ndim} dimensions"
            ) from None

    def dim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    def numel(self) -> int:
        """The number of elements."""
        return self._array.size

    nelement = numel
    ndimension = dim

    def element_size(self) -> int:
        """Bytes in an element."""
        return self._array.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """Elements between neighbours along each dimension, or one."""
        steps = tuple([s // self._array.itemsize for s in self._array.strides])
        return steps if dim is None else steps[dim]

    def is_contiguous(self, memory_format: memory_format = contiguous_format) -> bool:
        """Whether the elements lie in memory in order."""
        array = self._array
        if memory_format == channels_last:
            return array.ndim == 4 and bool(array.transpose(0, 2, 3, 1).flags.c_contiguous)
        return bool(array.flags.c_contiguous)

    def is_floating_point(self) -> bool:
        """Whether the type is a float type."""
        return self._array.dtype.kind == "f"

    # --- leaving for Python and NumPy -------------------------------------------------------

    def item(self) -> Any:
        """The one element as a Python number."""
        if self._array.size != 1:
            raise ShapeError(
                f"item: a tensor of shape {self._array.shape} came, one element was expected; use "
                "tolist() for more"
            )
        return self._array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self._array.tolist()

    def numpy(self) -> Any:
        """The array itself, sharing memory."""
        if self.requires_grad:
            raise GradientError(
                "numpy: a tensor that requires a gradient came, and the array would leave the "
                "graph; use detach().numpy()"
            )
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, **options: Any) -> Any:
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        # (1, 0) is DLPack's number for the CPU.
        return (1, 0)

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise ShapeError(
                f"bool: a tensor of shape {self._array.shape} came, only one element has a truth "
                "value; use any() or all()"
            )
        return bool(self._array.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iub":
            raise DtypeError(
                f"index: a tensor of {self._array.dtype} came, an integer one was expected"
            )
        return int(self.item())

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise DtypeError("len: a tensor without dimensions came, at least one was expected")
        return len(self._array)

    def __iter__(self) -> Iterator[Tensor]:
        if self._array.ndim == 0:
            raise DtypeError("iter: a tensor without dimensions came, at least one was expected")
        return iter(joining.unbind(self, 0))

    def __contains__(self, value: Any) -> bool:
        return bool((self._array == array_of(value)).any())

    def __format__(self, spec: str) -> str:
        if spec and self._array.ndim == 0:
            return format(self._array.item(), spec)
        return format(repr(self), spec)

    def __repr__(self) -> str:
        meta = self._meta
        made_by = None if meta is None or meta.node is None else meta.node.name
        return format_tensor(self._array, self.requires_grad, made_by)

    def __dir__(self) -> list[str]:
        return sorted(set(object.__dir__(self)))

    # --- copies and files -------------------------------------------------------------------

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        known: Tensor | None = memo.get(id(self))
        if known is not None:
            return known
        if not self.is_leaf:
            raise GradientError(
                "deepcopy: the result of a recorded operation came; copy detach() of it, or "
                "clone() it to stay in the graph"
            )
        copied = type(self)._wrap(self._array.copy(), self.requires_grad)
        if self.grad is not None:
            copied.grad = self.grad.clone()
        memo[id(self)] = copied
        return copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        if not self.is_leaf:
            raise GradientError("pickle: the result of a recorded operation came; use detach()")
        return _rebuilt, (type(self), self._array, self.requires_grad)

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

    # --- types ------------------------------------------------------------------------------

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        """Converted to a dtype, the type of another tensor, or a device (the CPU)."""
        wanted = kwargs.get("dtype")
        for arg in (*args, kwargs.get("device")):
            if isinstance(arg, Dtype):
                wanted = arg
            elif isinstance(arg, Variable):
                wanted = dtypes.from_numpy_dtype(arg._array.dtype)
            elif isinstance(arg, (str, device)):
                device(arg)
        result = self if wanted is None else self._cast(wanted)
        layout = kwargs.get("memory_format")
        if layout is not None:
            result = shaping.contiguous(result, layout)
        return shaping.clone(result) if kwargs.get("copy") and result is self else result

    def _cast(self, dtype: Dtype) -> Tensor:
        wanted = plain_dtype("to", dtype)
        if self._array.dtype == wanted:
            return self
        return apply(elementwise_rules.CAST, self, dtype=wanted)

    def type(self, dtype: Dtype | None = None) -> Any:
        """The name of the type, or this tensor converted to another one."""
        return repr(self.dtype) if dtype is None else self._cast(dtype)

    def type_as(self, other: Tensor) -> Tensor:
        """Converted to the type of `other`."""
        return self._cast(other.dtype)

    def cpu(self) -> Self:
        """Itself."""
        return self

    def float(self) -> Tensor:
        """Converted to float32."""
        return self._cast(dtypes.float32)

    def double(self) -> Tensor:
        """Converted to float64."""
        return self._cast(dtypes.float64)

    def half(self) -> Tensor:
        """Converted to float16."""
        return self._cast(dtypes.float16)

    def long(self) -> Tensor:
        """Converted to int64."""
        return self._cast(dtypes.int64)

    def int(self) -> Tensor:
        """Converted to int32."""
        return self._cast(dtypes.int32)

    def short(self) -> Tensor:
        """Converted to int16."""
        return self._cast(dtypes.int16)

    def char(self) -> Tensor:
        """Converted to int8."""
        return self._cast(dtypes.int8)

    def byte(self) -> Tensor:
        """Converted to uint8."""
        return self._cast(dtypes.uint8)

    def bool(self) -> Tensor:
        """Converted to bool: whether each element is nonzero."""
        return self._cast(dtypes.bool)

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

    broadcast_to = shaping.broadcast_to
    chunk = joining.chunk
    clone = shaping.clone
    contiguous = shaping.contiguous
    diag = shaping.diag
    diagonal = shaping.diagonal
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
    tril = shaping.tril
    triu = shaping.triu
    unbind = joining.unbind
    unflatten = shaping.unflatten
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


def _rebuilt(cls: type[Tensor], array: Any, requires_grad: bool) -> Tensor:
    return cls._wrap(array, requires_grad)


set_result_class(Tensor)
