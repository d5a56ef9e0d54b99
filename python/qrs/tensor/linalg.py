"""Products of vectors and matrices.

Inner extents that differ raise ShapeError.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qrs.autograd.rules import arithmetic
from qrs.autograd.rules import linalg as rules
from qrs.errors import ShapeError
from qrs.tensor.core import Number, Operand, apply, on_tensor

if TYPE_CHECKING:
    from qrs.tensor.tensor_type import Tensor

__all__ = [
    "addbmm",
    "addmm",
    "addmv",
    "baddbmm",
    "bmm",
    "dot",
    "einsum",
    "ger",
    "inner",
    "matmul",
    "mm",
    "mv",
    "outer",
    "tensordot",
]


def _ranks(where: str, *pairs: tuple[Tensor, int]) -> None:
    for tensor, ndim in pairs:
        if tensor._array.ndim != ndim:
            raise ShapeError(
                f"{where}: a tensor of shape {tensor._array.shape} came, {ndim} dimensions were "
                "expected; matmul() takes any number"
            )


@on_tensor
def matmul(input: Tensor, other: Operand) -> Tensor:
    """The matrix product over the last two dimensions; leading ones broadcast.

    Examples
    --------
    >>> import qrs
    >>> qrs.matmul(qrs.tensor([[1.0, 2.0]]), qrs.tensor([[3.0], [4.0]]))
    tensor([[11.]])
    """
    return apply(rules.MATMUL, input, other)


@on_tensor
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices.

    Examples
    --------
    >>> import qrs
    >>> qrs.mm(qrs.ones(2, 3), qrs.ones(3, 1))
    tensor([[3.],
            [3.]])
    """
    _ranks("mm", (input, 2), (mat2, 2))
    return apply(rules.MATMUL, input, mat2)


@on_tensor
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two equally long batches of matrices.

    Examples
    --------
    >>> import qrs
    >>> qrs.bmm(qrs.ones(5, 2, 3), qrs.ones(5, 3, 1)).shape
    qrs.Size([5, 2, 1])
    """
    _ranks("bmm", (input, 3), (mat2, 3))
    if input._array.shape[0] != mat2._array.shape[0]:
        raise ShapeError(
            f"bmm: batches of {input._array.shape[0]} and {mat2._array.shape[0]} matrices came, "
            "equal numbers were expected"
        )
    return apply(rules.MATMUL, input, mat2)


@on_tensor
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector.

    Examples
    --------
    >>> import qrs
    >>> qrs.mv(qrs.ones(2, 3), qrs.ones(3))
    tensor([3., 3.])
    """
    _ranks("mv", (input, 2), (vec, 1))
    return apply(rules.MATMUL, input, vec)


@on_tensor
def dot(input: Tensor, other: Tensor) -> Tensor:
    """The inner product of two vectors.

    Examples
    --------
    >>> import qrs
    >>> qrs.dot(qrs.tensor([1.0, 2.0]), qrs.tensor([3.0, 4.0]))
    tensor(11.)
    """
    _ranks("dot", (input, 1), (other, 1))
    return apply(rules.MATMUL, input, other)


@on_tensor
def inner(input: Tensor, other: Tensor) -> Tensor:
    """The product over the last dimensions of both.

    Examples
    --------
    >>> import qrs
    >>> qrs.inner(qrs.ones(2, 3), qrs.ones(4, 3)).shape
    qrs.Size([2, 4])
    """
    if input._array.ndim == 0 or other._array.ndim == 0:
        return apply(arithmetic.MUL, input, other)
    return tensordot(input, other, ([-1], [-1]))


@on_tensor
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The product of each element of one vector with each of another.

    Examples
    --------
    >>> import qrs
    >>> qrs.outer(qrs.tensor([1, 2]), qrs.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    _ranks("outer", (input, 1), (vec2, 1))
    return apply(arithmetic.MUL, input.unsqueeze(1), vec2)


ger = outer


def _plus(base: Tensor, product: Tensor, beta: Number, alpha: Number) -> Tensor:
    if alpha != 1:
        product = product * alpha
    if beta == 0:
        # PyTorch: with beta 0 the base counts for its shape only, NaN in it is not carried over.
        return product
    return (base if beta == 1 else base * beta) + product


@on_tensor
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """`beta * input + alpha * (mat1 @ mat2)`.

    Examples
    --------
    >>> import qrs
    >>> qrs.addmm(qrs.ones(1), qrs.ones(2, 3), qrs.ones(3, 1))
    tensor([[4.],
            [4.]])
    """
    return _plus(input, mm(mat1, mat2), beta, alpha)


@on_tensor
def addmv(
    input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """`beta * input + alpha * (mat @ vec)`.

    Examples
    --------
    >>> import qrs
    >>> qrs.addmv(qrs.ones(2), qrs.ones(2, 3), qrs.ones(3))
    tensor([4., 4.])
    """
    return _plus(input, mv(mat, vec), beta, alpha)


@on_tensor
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """`beta * input + alpha * bmm(batch1, batch2)`.

    Examples
    --------
    >>> import qrs
    >>> qrs.baddbmm(qrs.ones(1), qrs.ones(5, 2, 3), qrs.ones(5, 3, 1)).shape
    qrs.Size([5, 2, 1])
    """
    return _plus(input, bmm(batch1, batch2), beta, alpha)


@on_tensor
def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """`beta * input + alpha * sum(bmm(batch1, batch2))`, summed over the batch.

    Examples
    --------
    >>> import qrs
    >>> qrs.addbmm(qrs.zeros(1), qrs.ones(5, 1, 3), qrs.ones(5, 3, 1))
    tensor([[15.]])
    """
    return _plus(input, bmm(batch1, batch2).sum(0), beta, alpha)


@on_tensor
def tensordot(input: Tensor, other: Tensor, dims: Any = 2) -> Tensor:
    """The sum of products over several dimensions of both.

    Parameters
    ----------
    input, other : Tensor
    dims : int or pair of sequences of int
        The last `dims` dimensions of the first with the first of the second, or the lists of both.

    Examples
    --------
    >>> import qrs
    >>> qrs.tensordot(qrs.ones(2, 3, 4), qrs.ones(3, 4, 5), 2).shape
    qrs.Size([2, 5])
    """
    n, m = input._array.ndim, other._array.ndim
    pair = (range(n - dims, n), range(dims)) if isinstance(dims, int) else dims
    left = [d % n for d in pair[0]]
    right = [d % m for d in pair[1]]
    letters = iter(string.ascii_letters)
    a = [next(letters) for _ in range(n)]
    b = [a[left[right.index(d)]] if d in right else next(letters) for d in range(m)]
    kept = [c for d, c in enumerate(a) if d not in left]
    kept += [c for d, c in enumerate(b) if d not in right]
    return einsum(f"{''.join(a)},{''.join(b)}->{''.join(kept)}", input, other)


def einsum(equation: str, *operands: Any) -> Tensor:
    """Sums of products in Einstein's notation.

    Parameters
    ----------
    equation : str
        A term of letters for each operand, perhaps with `...`, and `->` with those of the result.
    *operands : Tensor
        Or one list of them.

    Raises
    ------
    ShapeError
        The equation does not fit the operands.

    Examples
    --------
    >>> import qrs
    >>> qrs.einsum("ij,j->i", qrs.ones(2, 3), qrs.ones(3))
    tensor([3., 3.])
    """
    items: Sequence[Any] = operands
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        items = operands[0]
    terms, out = _explicit(equation, [x._array.ndim for x in items])
    return apply(rules.EINSUM, *items, terms=terms, out=out)


def _explicit(equation: str, ndims: list[int]) -> tuple[tuple[str, ...], str]:
    """The terms and the result with every letter written out, ellipses included."""
    left, arrow, out = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ShapeError(
            f"einsum: {len(ndims)} operands came for '{equation}', one for each term was expected"
        )
    free = [c for c in string.ascii_letters if c not in equation]
    widest = max(
        [n - len(t.replace("...", "")) for t, n in zip(terms, ndims, strict=True) if "..." in t],
        default=0,
    )
    batch = "".join(free[:widest])
    full = []
    for term, ndim in zip(terms, ndims, strict=True):
        extra = ndim - len(term.replace("...", ""))
        if extra != 0 and not ("..." in term and extra > 0):
            raise ShapeError(
                f"einsum: an operand of {ndim} dimensions came for term '{term}' of '{equation}'"
            )
        full.append(term.replace("...", batch[len(batch) - extra :] if extra else ""))
    if arrow:
        return tuple(full), out.replace("...", batch)
    letters = "".join(full)
    single = sorted(c for c in set(letters) if letters.count(c) == 1 and c not in batch)
    return tuple(full), batch + "".join(single)
