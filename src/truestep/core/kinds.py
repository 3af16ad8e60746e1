"""The families of torch's losses: what each adds up, what torch divides it by, and what it must not be given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from truestep.core.bare import entropy, squares
from truestep.core.errors import DataError, ShapeError
from truestep.core.loss import Count

if TYPE_CHECKING:
    from truestep.core.stock import Stock

Arguments = tuple[Any, ...]
EXACT = 2**24
"""Up to here float32 counts by ones."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one family of losses is measured.

    `takes` names the arguments in torch's order;
    `measure(loss, arguments)` gives (total, size) with `size` torch's own denominator of the mean;
    `size_of(loss, target)` gives that size from the targets alone, or None where the outputs are needed;
    `check(loss, arguments)` refuses what torch would broadcast, read past its end, or die of;
    `quick` is `measure` for those who write no operation down, where that is less work.
    """

    takes: str
    measure: Callable[[Stock, Arguments], tuple[Tensor, Count]]
    size_of: Callable[[Stock, Any], Count | None]
    check: Callable[[Stock, Arguments], None]
    quick: Callable[[Stock, Arguments], tuple[Tensor, Count]] | None = None


def as_tuple(value: Any) -> tuple[Any, ...]:
    """Several tensors as they are, one as a tuple of one, None as no tensor."""
    if value is None:
        return ()
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def with_reduction(module: nn.Module, reduction: str) -> nn.Module:
    """The same loss with another reduction; it shares weights and buffers with the user's own, which stays as it is."""
    twin = object.__new__(type(module))  # copy.copy would warn again of a class that torch has deprecated
    vars(twin).update(vars(module), reduction=reduction)
    return twin


def class_count(tensor: Tensor) -> int:
    """C of scores or probabilities of shape (C,) or (N, C, ...)."""
    return tensor.shape[1] if tensor.dim() > 1 else tensor.shape[0]


def ignored_index(stock: Stock) -> int:
    """The label that torch leaves out, -100 unless the loss says otherwise."""
    index = getattr(stock.module, "ignore_index", None)
    return -100 if index is None else int(index)


# --- elements against elements -------------------------------------------------------------------------------------


def _same_shape(stock: Stock, arguments: Arguments) -> None:
    output, target = arguments[0], arguments[1]
    if output.shape != target.shape:
        raise ShapeError(broadcast_sentence(stock.name, output, target))


def _same_type(stock: Stock, arguments: Arguments) -> None:
    _same_shape(stock, arguments)
    output, target = arguments[0], arguments[1]
    lenient = isinstance(stock.module, nn.BCEWithLogitsLoss) and target.is_floating_point()
    if target.dtype != output.dtype and not lenient:
        raise DataError(
            f"{stock.name} got {target.dtype} targets for {output.dtype} outputs: give targets.to({output.dtype})."
        )


def broadcast_sentence(name: str, output: Tensor, target: Tensor) -> str:
    """What to say, and how to mend it, when outputs and targets of unlike shape meet element by element."""
    head = f"{name} got outputs of shape {tuple(output.shape)} and targets of shape {tuple(target.shape)}"
    if output.numel() == target.numel():
        return f"{head}{_broadcast(output, target)}: give {_alike(output, target)}."
    return f"{head}: they must have the same shape; give the model's last layer as many outputs as there are targets."


def _broadcast(output: Tensor, target: Tensor) -> str:
    try:
        wide = tuple(torch.broadcast_shapes(output.shape, target.shape))
    except RuntimeError:
        return ""
    return f", which torch would broadcast to {wide} without a word"


def _alike(output: Tensor, target: Tensor) -> str:
    if output.shape == (*target.shape, 1):
        return "targets.unsqueeze(-1), or squeeze the outputs"
    if target.shape == (*output.shape, 1):
        return "targets.squeeze(-1)"
    return f"targets.reshape({tuple(output.shape)}), if that is their order"


def _sum(stock: Stock, arguments: Arguments) -> Tensor:
    return stock.summed(*arguments)


def _elementwise(stock: Stock, arguments: Arguments) -> tuple[Tensor, Count]:
    size = _elements(stock, arguments[1])
    return _sum(stock, arguments), size


def _squares(stock: Stock, arguments: Arguments) -> tuple[Tensor, Count]:
    total = squares(stock.module, *arguments)
    return _sum(stock, arguments) if total is None else total, _elements(stock, arguments[1])


def _elements(stock: Stock, target: Any) -> Count:
    first = target if isinstance(target, Tensor) else as_tuple(target)[0]
    if stock.reduction == "batchmean":
        return first.shape[0] if first.dim() else 1
    return first.numel()


# --- classes -------------------------------------------------------------------------------------------------------


def scores_shape(stock: Stock, output: Tensor) -> tuple[int, ...]:
    """(C,) or (N, C, ...): the shape of the scores, which one loss makes by itself from features of shape (N, F)."""
    if isinstance(stock.module, nn.LinearCrossEntropyLoss):
        return (*output.shape[:-1], stock.module.num_classes, *stock.module.out_features)
    return tuple(output.shape)


def _class_targets(stock: Stock, arguments: Arguments) -> None:
    output, target = arguments[0], arguments[1]
    if target.dtype == torch.int64 and target.dim() < output.dim():  # as nearly always
        return
    shape, why = scores_shape(stock, output), ""
    if target.is_floating_point():
        if isinstance(stock.module, nn.NLLLoss):
            why = "class labels are integers, give targets.long()"
        elif target.shape != shape:
            why = "give class labels, targets.long(), or probabilities of the shape of the scores"
    elif target.dtype not in (torch.int64, torch.uint8):
        why = "give targets.long()"
    elif target.dim() > 1 and target.dim() == len(shape) and target.shape[1] == 1:
        raise ShapeError(f"{_got_classes(stock, target, shape)}: give targets.squeeze(1).")
    elif target.shape == shape:
        mend = "give class labels, targets.argmax(1), or probabilities, targets.float()"
        raise ShapeError(f"{_got_classes(stock, target, shape)}: {mend}.")
    if why:
        raise DataError(f"{_got_classes(stock, target, shape)}: {why}.")


def _got_classes(stock: Stock, target: Tensor, shape: tuple[int, ...]) -> str:
    # Only where it is said: to spell it takes longer than to look.
    return f"{stock.name} got {target.dtype} targets of shape {tuple(target.shape)} for scores of shape {shape}"


def _class_size(stock: Stock, target: Any) -> Count:
    labels = as_tuple(target)[0]
    if labels.is_floating_point():
        return labels.numel() // class_count(labels)
    if stock.reduction == "none":
        return labels.numel()
    labels = labels.long()  # bytes would choose weights as a mask, and wrap an ignored -100 to 156
    counted = labels != ignored_index(stock)
    weight = getattr(stock.module, "weight", None)
    if not isinstance(weight, Tensor):
        return counted.sum()
    return torch.where(counted, weight[torch.where(counted, labels, 0)], 0).sum()


def _by_class(stock: Stock, arguments: Arguments) -> tuple[Tensor, Count]:
    return _sum(stock, arguments), _class_size(stock, arguments[1])


def _by_class_noted(stock: Stock, arguments: Arguments) -> tuple[Tensor, Count]:
    """The same with the number of labels that torch has noted in the graph: it has counted them for its own mean."""
    total = entropy(stock.module, *arguments)
    if total is None:
        total = _sum(stock, arguments)
    noted = getattr(total.grad_fn, "_saved_total_weight", None)
    if noted is None or stock.module.weight is not None or stock.reduction == "none" or arguments[1].numel() > EXACT:
        return total, _class_size(stock, arguments[1])
    return total, float(noted) if noted.is_cpu else noted


# --- one element a row ---------------------------------------------------------------------------------------------


def _rows_of_scores(stock: Stock, target: Any) -> Count:
    first = as_tuple(target)[0]
    return first.numel() // first.shape[-1]


def _rows_of_labels(stock: Stock, target: Any) -> Count:
    return as_tuple(target)[-1].numel()


def _by_row(stock: Stock, arguments: Arguments) -> tuple[Tensor, Count]:
    size = stock.kind.size_of(stock, arguments[1])
    assert size is not None
    return _sum(stock, arguments), size


# --- losses of several inputs: their elements are counted as torch returns them ------------------------------------


def _unreduced(stock: Stock, arguments: Arguments) -> tuple[Tensor, Count]:
    elements = with_reduction(stock.module, "none")(*arguments)
    return elements.sum(), elements.numel()


def no_size(stock: Stock, target: Any) -> Count | None:
    """Targets alone do not decide the count."""
    return None


def _three_alike(stock: Stock, arguments: Arguments) -> None:
    _same_shape(stock, (arguments[0], arguments[1]))
    _same_shape(stock, (arguments[0], arguments[2]))


def _as_torch_does(stock: Stock, arguments: Arguments) -> None:
    """Torch itself refuses what does not fit, in words that `Stock` passes on."""


# --- CTC: the mean divides each sample by its own target length ----------------------------------------------------


def _ctc_labels(stock: Stock, arguments: Arguments) -> None:
    """Torch reads past the end of a row for a label that is no class, and returns whatever lies there."""
    targets, classes, lengths = arguments[1], arguments[0].shape[-1], torch.as_tensor(arguments[3])
    if targets.dim() > 1:  # beyond a sample's own length anything may lie
        ticks = torch.arange(targets.shape[1], device=targets.device)
        targets = targets[ticks < lengths.to(targets.device).reshape(-1, 1)]
    if targets.numel() and not 0 <= int(targets.min()) <= int(targets.max()) < classes:
        raise DataError(label_sentence(stock.name, targets, classes))


def label_sentence(name: str, labels: Tensor, classes: int) -> str:
    """What to say, and how to mend it, when labels are no classes."""
    return (
        f"{name} got labels from {int(labels.min())} to {int(labels.max())} for {classes} classes: labels must lie in "
        f"0 to {classes - 1}; subtract the first label, or widen the model's last layer."
    )


def _ctc(stock: Stock, arguments: Arguments) -> tuple[Tensor, Count]:
    each = with_reduction(stock.module, "none")(*arguments)
    if stock.reduction == "mean":
        lengths = torch.as_tensor(arguments[3], device=each.device).reshape(each.shape).clamp(min=1)
        return (each / lengths.to(each.dtype)).sum(), each.numel()
    return each.sum(), each.numel()


def _ctc_size(stock: Stock, target: Any) -> Count | None:
    return torch.as_tensor(as_tuple(target)[-1]).numel()


ELEMENTS = Kind("output, target", _elementwise, _elements, _same_shape)
TYPED = Kind("output, target", _elementwise, _elements, _same_type)
CLASSES = Kind("output, target", _by_class, _class_size, _class_targets, _by_class_noted)
SCORES = Kind("output, target", _by_row, _rows_of_scores, _same_shape)
TRIPLETS = Kind("anchor, positive, negative", _unreduced, no_size, _as_torch_does)

KINDS: dict[type[nn.Module], Kind] = {
    nn.L1Loss: ELEMENTS,
    nn.MSELoss: Kind("output, target", _squares, _elements, _same_shape),
    nn.SmoothL1Loss: ELEMENTS,
    nn.HuberLoss: TYPED,
    nn.KLDivLoss: ELEMENTS,
    nn.PoissonNLLLoss: ELEMENTS,
    nn.BCELoss: TYPED,
    nn.BCEWithLogitsLoss: TYPED,
    nn.HingeEmbeddingLoss: ELEMENTS,
    nn.SoftMarginLoss: ELEMENTS,
    nn.GaussianNLLLoss: Kind("output, target, var", _elementwise, _elements, _same_shape),
    nn.CrossEntropyLoss: CLASSES,
    nn.NLLLoss: CLASSES,
    nn.LinearCrossEntropyLoss: CLASSES,
    nn.MultiLabelMarginLoss: SCORES,
    nn.MultiLabelSoftMarginLoss: SCORES,
    nn.MultiMarginLoss: Kind("output, target", _by_row, _rows_of_labels, _as_torch_does),
    nn.CosineEmbeddingLoss: Kind("input1, input2, target", _unreduced, _rows_of_labels, _as_torch_does),
    nn.MarginRankingLoss: Kind("input1, input2, target", _unreduced, _rows_of_labels, _three_alike),
    nn.TripletMarginLoss: TRIPLETS,
    nn.TripletMarginWithDistanceLoss: TRIPLETS,
    nn.CTCLoss: Kind("log_probs, targets, input_lengths, target_lengths", _ctc, _ctc_size, _ctc_labels),
}
