"""Embedding tables."""

from __future__ import annotations

from typing import Any

from qrs.autograd import no_grad
from qrs.errors import ShapeError
from qrs.nn import init
from qrs.nn.functional import lookup as functions
from qrs.nn.module import Module
from qrs.nn.parameter import Parameter
from qrs.tensor import Tensor, empty

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """What both tables share: the weight, its first values, and the row of padding."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        weight: Tensor | None,
    ) -> None:
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(
                    f"{type(self).__name__}: padding_idx {padding_idx} came, expected "
                    f"{-num_embeddings} to {num_embeddings - 1}"
                )
            padding_idx %= num_embeddings
        self.padding_idx = padding_idx
        if weight is None:
            self.weight = Parameter(empty(num_embeddings, embedding_dim))
            self.reset_parameters()
            return
        if tuple(weight.shape) != (num_embeddings, embedding_dim):
            raise ShapeError(
                f"{type(self).__name__}: _weight of shape {tuple(weight.shape)} came, expected "
                f"{(num_embeddings, embedding_dim)}"
            )
        self.weight = Parameter(weight)

    def reset_parameters(self) -> None:
        """Draw the rows from the normal distribution; the row of padding is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)


class Embedding(_Table):
    """A table of rows that are looked up by number.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        V rows of width D.
    padding_idx : int, optional
        A row of zeros that gets no gradient.
    max_norm, norm_type, scale_grad_by_freq, sparse
        As in `qrs.nn.functional.embedding`.
    _weight : Tensor, shape (V, D), optional
        First values.

    Attributes
    ----------
    weight : Parameter, float32, shape (V, D)

    Raises
    ------
    ValueError, ShapeError
        If ``padding_idx`` or ``_weight`` does not fit the table.

    Examples
    --------
    >>> import qrs
    >>> tuple(qrs.nn.Embedding(10, 3)(qrs.tensor([[1, 2], [4, 9]])).shape)
    (2, 2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, _weight)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        **settings: Any,
    ) -> Embedding:
        """Make a table with given rows.

        Parameters
        ----------
        embeddings : Tensor, float, shape (V, D)
        freeze : bool
            Whether the table is not trained.
        padding_idx : int, optional
        **settings
            As the constructor.

        Raises
        ------
        ShapeError
            If the rows are no matrix.

        Examples
        --------
        >>> import qrs
        >>> table = qrs.nn.Embedding.from_pretrained(qrs.tensor([[1.0, 2.0]]))
        >>> table(qrs.tensor([0]))
        tensor([[1., 2.]])
        """
        if embeddings.dim() != 2:
            raise ShapeError(
                f"Embedding.from_pretrained: shape {tuple(embeddings.shape)} came, expected (rows, "
                "width)"
            )
        rows, width = embeddings.shape
        table = cls(rows, width, padding_idx, _weight=embeddings, **settings)
        table.weight.requires_grad_(not freeze)
        return table

    def forward(self, input: Tensor) -> Tensor:
        """Look up ``input``, integers of any shape; returns shape (*, D)."""
        return functions.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        """List the sizes, and what differs from the defaults."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        for name, default in (
            ("padding_idx", None),
            ("max_norm", None),
            ("norm_type", 2),
            ("scale_grad_by_freq", False),
            ("sparse", False),
        ):
            value = getattr(self, name)
            if value != default:
                text += f", {name}={value}"
        return text


class EmbeddingBag(_Table):
    """A table whose rows are looked up in bags, each reduced to one row.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        V rows of width D.
    max_norm, norm_type, scale_grad_by_freq, mode, sparse, include_last_offset, padding_idx
        As in `qrs.nn.functional.embedding_bag`.
    _weight : Tensor, shape (V, D), optional
        First values.

    Attributes
    ----------
    weight : Parameter, float32, shape (V, D)

    Raises
    ------
    ValueError, ShapeError
        If ``padding_idx`` or ``_weight`` does not fit the table, or the mode is unknown.

    Examples
    --------
    >>> import qrs
    >>> bags = qrs.nn.EmbeddingBag(10, 3, mode="sum")
    >>> tuple(bags(qrs.tensor([1, 2, 4]), qrs.tensor([0, 2])).shape)
    (2, 3)
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> None:
        super().__init__(num_embeddings, embedding_dim, padding_idx, _weight)
        if mode not in ("mean", "sum", "max"):
            raise ValueError(f"EmbeddingBag: mode {mode!r} came, expected 'mean', 'sum' or 'max'")
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """Look up bags; arguments as `qrs.nn.functional.embedding_bag`, returns shape (B, D)."""
        return functions.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        """List the sizes, and what differs from the defaults."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        for name, default in (
            ("max_norm", None),
            ("norm_type", 2),
            ("scale_grad_by_freq", False),
        ):
            value = getattr(self, name)
            if value != default:
                text += f", {name}={value}"
        text += f", mode={self.mode!r}"
        return text if self.padding_idx is None else f"{text}, padding_idx={self.padding_idx}"
