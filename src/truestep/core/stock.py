"""Every loss of `torch.nn` that has a `reduction`, as a total and the count that torch itself would divide by."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from truestep.core.errors import ConfigError, DataError, ShapeError
from truestep.core.kinds import (
    KINDS,
    Arguments,
    Kind,
    as_tuple,
    ignored_index,
    label_sentence,
    no_size,
    scores_shape,
    with_reduction,
)
from truestep.core.loss import Count


class Stock:
    """A torch loss, its `reduction` honoured, that can say its total and its count.

    `count_of(target)` is known before the forward pass wherever targets alone decide it.
    """

    def __init__(self, module: nn.Module, kind: Kind) -> None:
        self.module = module
        self.kind = kind
        self.name = type(module).__name__
        self.reduction: str = _checked_reduction(module)
        self.arity = kind.takes.count(", ") + 1
        self.separable = not isinstance(module, ROW_WEIGHTED)

    @functools.cached_property
    def summed(self) -> nn.Module:
        """The same loss as a sum, for those losses that are called."""
        return with_reduction(self.module, "sum")

    def arguments(self, output: Any, target: Any) -> Arguments:
        """The arguments of the loss in torch's order, from outputs and targets that may be tuples.

        `GaussianNLLLoss(input, target, var)` takes the variance from either side; every other loss takes the outputs,
        then the targets (`TripletMarginLoss`: outputs `(anchor, positive, negative)`, target None).
        """
        if isinstance(output, Tensor) and isinstance(target, Tensor):
            return output, target
        outputs, targets = as_tuple(output), as_tuple(target)
        if isinstance(self.module, nn.GaussianNLLLoss) and len(outputs) == 2 and len(targets) == 1:
            return (outputs[0], targets[0], outputs[1])
        return outputs + targets

    def __call__(self, arguments: Arguments, quick: bool = False) -> tuple[Tensor, Count]:
        """(total, size): the sum, and what the mean of these elements divides by; `quick` as in `Kind`."""
        tensors = len(arguments) == self.arity and isinstance(arguments[0], Tensor) and isinstance(arguments[1], Tensor)
        if not tensors:
            raise ShapeError(self._takes([type(given).__name__ for given in arguments]))
        kind = self.kind
        kind.check(self, arguments)
        measure = kind.quick if quick and kind.quick is not None else kind.measure
        try:
            return measure(self, arguments)
        except torch.OutOfMemoryError:
            raise
        except (IndexError, ValueError, RuntimeError) as error:
            raise DataError(self._refused(arguments, error)) from error

    def _takes(self, got: list[str]) -> str:
        takes = self.kind.takes
        return (
            f"{self.name} takes ({takes}), the model's outputs first and then the targets, and got ({', '.join(got)}): "
            f"choose them with ts.Term({self.name}(...), of=lambda output, target: ({takes}))."
        )

    @property
    def foretold(self) -> bool:
        """Whether targets alone decide the count, whatever they are."""
        return self.reduction == "sum" or self.kind.size_of is not no_size

    def count_of(self, target: Any) -> Count | None:
        """The count from the targets alone, or None where it takes the outputs to know it."""
        if self.reduction == "sum":
            return 1.0
        given = as_tuple(target)
        if not given or not isinstance(given[0], Tensor):
            raise ShapeError(self._takes(["...", *(type(one).__name__ for one in given)]))
        try:
            return self.kind.size_of(self, target)
        except IndexError as error:  # only class weights are looked up by label
            weight: Any = self.module.weight
            raise DataError(label_sentence(self.name, self._kept(given[0]), len(weight))) from error

    def alone(self, arguments: Arguments) -> str:
        """Why this loss cannot be taken apart over samples, or ""."""
        if self.separable:
            return ""
        for name in ("weight", "pos_weight"):
            weight = getattr(self.module, name, None)
            if isinstance(weight, Tensor) and weight.dim() == arguments[1].dim() and weight.shape[:1].numel() > 1:
                return (
                    f"the {name} of {self.name} has one row for each sample of the batch, so the loss cannot be split "
                    "or merged: give the weights with the targets, and multiply in a function that returns elements."
                )
        return ""

    def _refused(self, arguments: Arguments, error: Exception) -> str:
        """What torch refused: labels that are no classes in our words, anything else in torch's own."""
        output, target = arguments[:2]
        if "out of" in str(error) and not target.is_floating_point() and target.numel():
            shape = scores_shape(self, output)
            return label_sentence(self.name, self._kept(target), shape[min(1, len(shape) - 1)])
        got = ", ".join(f"{one.dtype} of shape {tuple(one.shape)}" for one in arguments if isinstance(one, Tensor))
        return f"{self.name} got {got}, and torch says: {str(error).splitlines()[0]}"

    def _kept(self, labels: Tensor) -> Tensor:
        return labels[labels != ignored_index(self)]


def refuse_no_loss(given: Any) -> None:
    """Refuse what cannot be called as a loss.

    Raises:
        ConfigError: saying what was probably meant.
    """
    if callable(given) and not isinstance(given, type):
        return
    words = f"{given!r} is not"
    if isinstance(given, type):
        words = f"{given.__name__} is a class: give {given.__name__}()"
    elif isinstance(given, dict):
        words = f"{given!r} is a dict: give ts.Objective(name=loss, ...)"
    elif isinstance(given, tuple | list):
        words = f"{given!r} is a {type(given).__name__}: a term with a weight is a pair (weight, loss)"
    raise ConfigError(f"a loss must be callable as loss(output, target), and {words}.")


def recognise(loss: Any) -> Stock | None:
    """The stock loss behind a `torch.nn` module, a function of `torch.nn.functional` or a partial of one, or None."""
    module = _from_function(loss) if not isinstance(loss, nn.Module) else loss
    if module is None:
        return None
    for cls in type(module).__mro__:
        if cls in KINDS and type(module).forward is cls.forward and "forward" not in vars(module):
            return Stock(module, KINDS[cls])
    return None


def _from_function(loss: Any) -> nn.Module | None:
    keywords: Mapping[str, Any] = {}
    if isinstance(loss, functools.partial) and not loss.args:
        loss, keywords = loss.func, loss.keywords
    cls = FUNCTIONS.get(loss) if callable(loss) and getattr(loss, "__hash__", None) else None
    if cls is None:
        return None
    try:
        return cls(**keywords)
    except TypeError:
        return None


def _checked_reduction(module: nn.Module) -> str:
    reduction = module.reduction
    known = ("mean", "sum", "none", "batchmean") if isinstance(module, nn.KLDivLoss) else ("mean", "sum", "none")
    if reduction not in known:
        hint = f": did you mean {str(reduction).lower()!r}" if str(reduction).lower() in known else ""
        raise ConfigError(f"{type(module).__name__} has no reduction {reduction!r}{hint}? It knows {', '.join(known)}.")
    return str(reduction)


ROW_WEIGHTED = (nn.BCELoss, nn.BCEWithLogitsLoss, nn.MultiLabelSoftMarginLoss)

FUNCTIONS: dict[Any, type[nn.Module]] = {
    F.l1_loss: nn.L1Loss,
    F.mse_loss: nn.MSELoss,
    F.smooth_l1_loss: nn.SmoothL1Loss,
    F.huber_loss: nn.HuberLoss,
    F.kl_div: nn.KLDivLoss,
    F.poisson_nll_loss: nn.PoissonNLLLoss,
    F.binary_cross_entropy: nn.BCELoss,
    F.binary_cross_entropy_with_logits: nn.BCEWithLogitsLoss,
    F.hinge_embedding_loss: nn.HingeEmbeddingLoss,
    F.soft_margin_loss: nn.SoftMarginLoss,
    F.gaussian_nll_loss: nn.GaussianNLLLoss,
    F.cross_entropy: nn.CrossEntropyLoss,
    F.nll_loss: nn.NLLLoss,
    F.multilabel_margin_loss: nn.MultiLabelMarginLoss,
    F.multilabel_soft_margin_loss: nn.MultiLabelSoftMarginLoss,
    F.multi_margin_loss: nn.MultiMarginLoss,
    F.cosine_embedding_loss: nn.CosineEmbeddingLoss,
    F.margin_ranking_loss: nn.MarginRankingLoss,
    F.triplet_margin_loss: nn.TripletMarginLoss,
    F.triplet_margin_with_distance_loss: nn.TripletMarginWithDistanceLoss,
    F.ctc_loss: nn.CTCLoss,
}
