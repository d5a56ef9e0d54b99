"""Loss layers: each calls the function of the same purpose in `qrs.nn.functional`."""

from __future__ import annotations

from qrs.nn.functional import class_loss
from qrs.nn.functional import loss as functions
from qrs.nn.module import Module
from qrs.tensor import Tensor

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class _Loss(Module):
    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        allowed = ("mean", "sum", "none", "batchmean")[: 4 if isinstance(self, KLDivLoss) else 3]
        if reduction not in allowed:
            raise ValueError(
                f"{type(self).__name__}: reduction {reduction!r} came, expected one of "
                f"{', '.join(allowed)}"
            )
        self.reduction = reduction


class MSELoss(_Loss):
    """Compute the squared difference.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.MSELoss()(qrs.tensor([1.0, 3.0]), qrs.tensor([1.0, 1.0]))
    tensor(2.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare two tensors of equal shape."""
        return functions.mse_loss(input, target, self.reduction)


class L1Loss(_Loss):
    """Compute the absolute difference.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.L1Loss()(qrs.tensor([1.0, 3.0]), qrs.tensor([1.0, 1.0]))
    tensor(1.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare two tensors of equal shape."""
        return functions.l1_loss(input, target, self.reduction)


class SmoothL1Loss(_Loss):
    """Compute ``d² / (2 beta)`` for differences d below ``beta`` and ``|d| - beta / 2`` above.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
    beta : float

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.SmoothL1Loss()(qrs.tensor([0.0, 3.0]), qrs.tensor([1.0, 0.0]))
    tensor(1.5000)
    """

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare two tensors of equal shape."""
        return functions.smooth_l1_loss(input, target, self.reduction, self.beta)


class HuberLoss(_Loss):
    """Compute d²/2 for differences d below ``delta`` and ``delta (|d| - delta / 2)`` above.

    Parameters
    ----------
    reduction : {"mean", "sum", "none"}
    delta : float

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.HuberLoss()(qrs.tensor([0.0, 3.0]), qrs.tensor([1.0, 0.0]))
    tensor(1.5000)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare two tensors of equal shape."""
        return functions.huber_loss(input, target, self.reduction, self.delta)


class _WeightedLoss(_Loss):
    """A loss with weights of classes or elements, kept as a buffer."""

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)


class NLLLoss(_WeightedLoss):
    """Compute minus the log-probability of the target class.

    Parameters
    ----------
    weight : Tensor, float, shape (C,), optional
        Weights of the classes.
    ignore_index : int
        A class number that counts for nothing.
    reduction : {"mean", "sum", "none"}

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.NLLLoss()(qrs.tensor([[-1.0, -2.0]]), qrs.tensor([1]))
    tensor(2.)
    """

    def __init__(
        self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare log-probabilities (N, C, *) with class numbers (N, *)."""
        return class_loss.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class CrossEntropyLoss(_WeightedLoss):
    """Compute `NLLLoss` of ``log_softmax(input)``.

    Parameters
    ----------
    weight : Tensor, float, shape (C,), optional
        Weights of the classes.
    ignore_index : int
        A class number that counts for nothing.
    reduction : {"mean", "sum", "none"}
    label_smoothing : float
        Move this share of each target evenly to all classes.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.CrossEntropyLoss()(qrs.zeros(1, 2), qrs.tensor([1]))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare scores (N, C, *) with class numbers (N, *) or probabilities (N, C, *)."""
        return class_loss.cross_entropy(
            input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


class BCELoss(_WeightedLoss):
    """Compute ``-(t log x + (1 - t) log(1 - x))``.

    Parameters
    ----------
    weight : Tensor, optional
        Factor of each element; broadcasts.
    reduction : {"mean", "sum", "none"}

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.BCELoss()(qrs.tensor([0.5]), qrs.tensor([1.0]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare probabilities with targets of equal shape."""
        return functions.binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """Compute `BCELoss` of ``sigmoid(input)`` without overflow.

    Parameters
    ----------
    weight : Tensor, optional
        Factor of each element; broadcasts.
    reduction : {"mean", "sum", "none"}
    pos_weight : Tensor, optional
        Factor of the positive term; broadcasts.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.BCEWithLogitsLoss()(qrs.tensor([0.0]), qrs.tensor([1.0]))
    tensor(0.6931)
    """

    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare scores with targets of equal shape."""
        return functions.binary_cross_entropy_with_logits(
            input, target, self.weight, self.reduction, self.pos_weight
        )


class KLDivLoss(_Loss):
    """Compute the Kullback-Leibler divergence ``t (log t - input)``.

    Parameters
    ----------
    reduction : {"mean", "batchmean", "sum", "none"}
    log_target : bool
        Whether targets are logarithms too.

    Examples
    --------
    >>> import qrs
    >>> qrs.nn.KLDivLoss(reduction="batchmean")(qrs.zeros(1, 2), qrs.ones(1, 2))
    tensor(0.)
    """

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Compare log-probabilities with targets of equal shape."""
        return functions.kl_div(input, target, self.reduction, self.log_target)
