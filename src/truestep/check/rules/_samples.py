"""Which sample each element of a tensor belongs to, followed through the calls of a run by their shapes and arguments.

Nothing of the user's is run again: the record holds the shapes and arguments of every call seen closely, and the calls
that only move elements about (views, transposes, slices, stacks) are made here on small tensors of sample numbers.
What a call does to samples that this module does not know, it forgets: an unknown label is never a finding.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor

from truestep.check.events import Op
from truestep.check.looks import Seen

LARGEST = 400_000
MOVES = {
    "view", "reshape", "flatten", "transpose", "permute", "t", "T", "mT", "unsqueeze", "squeeze", "movedim", "swapaxes",
    "swapdims", "unflatten", "expand", "select", "narrow", "unbind", "split", "chunk", "flip", "repeat", "__getitem__",
}  # fmt: skip
LIKE = {"view_as", "reshape_as", "expand_as"}
JOINS = {"stack", "cat", "concat", "hstack", "vstack"}
SAME = {"contiguous", "clone", "detach", "float", "double", "to", "type", "type_as", "requires_grad_", "cuda", "cpu"}
PLAIN = SAME | {
    "add", "sub", "mul", "div", "neg", "pow", "exp", "log", "sqrt", "abs", "square", "relu", "relu_", "tanh", "sigmoid",
    "gelu", "silu", "elu", "leaky_relu", "softplus", "dropout", "layer_norm", "rms_norm", "log_softmax", "softmax",
    "clamp", "sin", "cos", "add_", "mul_", "normalize", "softsign", "hardtanh", "relu6", "where", "masked_fill",
}  # fmt: skip
"""Calls that keep every element's place, or mix it with others of its row only."""
ROWS = {"linear", "embedding", "matmul", "gru_cell", "lstm_cell", "rnn_tanh_cell", "rnn_relu_cell", "one_hot"}
"""Calls that make each row (along the last dimension) of the same row."""
LAYERS = {
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "max_pool1d", "max_pool2d", "avg_pool1d",
    "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "batch_norm", "group_norm",
    "instance_norm", "pad",
}  # fmt: skip
"""Calls that make each entry along dimension 0 of the same entry."""
RECURRENT = {"lstm", "gru", "rnn_tanh", "rnn_relu"}
PRODUCTS = {"bmm", "scaled_dot_product_attention"}
ATTENTION = "multi_head_attention_forward"
FOLDS = {"mean", "sum", "amax", "amin", "max", "min", "logsumexp", "norm"}


def rows_of(shape: tuple[int, ...]) -> Tensor | None:
    """Labels of a tensor whose dimension 0 counts the samples."""
    size = torch.Size(shape).numel()
    if not shape or not 0 < size <= LARGEST:
        return None
    return torch.arange(shape[0], device="cpu").view(-1, *[1] * (len(shape) - 1)).expand(shape).contiguous()


def alone(labels: Tensor) -> list[int]:
    """The dimensions by whose index alone the sample is told."""
    found = []
    for dim in range(labels.dim()):
        others = [each for each in range(labels.dim()) if each != dim]
        moved = labels.movedim(dim, 0).flatten(1) if others else labels.unsqueeze(1)
        if bool((moved == moved[:, :1]).all()):
            found.append(dim)
    return found


def follow(op: Op, known: dict[int, Tensor]) -> list[Tensor | None]:
    """The labels of what a call put out, from those of what went in; None where they are not known."""
    labels = [known.get(each.number) for each in op.inputs]
    first = labels[0] if labels else None
    if op.name in RECURRENT and first is None:
        return _packed(op)
    if all(each is None for each in labels):
        return [None] * len(op.out)
    try:
        made = _made(op, known, labels, first)
    except (RuntimeError, IndexError, TypeError, ValueError):
        return [None] * len(op.out)
    made = [*made, *[None] * len(op.out)][: len(op.out)]
    return [
        each.contiguous() if each is not None and tuple(each.shape) == out.shape and each.numel() <= LARGEST else None
        for each, out in zip(made, op.out, strict=True)
    ]


def _made(op: Op, known: dict[int, Tensor], labels: list[Tensor | None], first: Tensor | None) -> list[Tensor | None]:
    shape = op.out[0].shape if op.out else ()
    if op.name in JOINS:
        parts = [_beside(op, place, labels) for place in range(len(labels))]
        whole = [part for part in parts if part is not None]
        return [_call(op.name)(whole, *_words(op)[0], **_words(op)[1])] if len(whole) == len(labels) else [None]
    if op.name in PLAIN:
        return [_joined(labels, shape)]
    if first is None:
        return [None]
    if op.name in LIKE:
        return [first.expand(shape) if op.name == "expand_as" else first.reshape(shape)]
    if op.name in MOVES:
        return _moved(op, first)
    if op.name == "index_select":  # of samples: as packed sequences are put back into their order
        dim = op.arg(1, "dim")
        count = [1] * len(shape)
        if isinstance(dim, int) and dim in alone(first):
            count[dim] = -1
            return [torch.arange(shape[dim]).view(count).expand(shape)]
        return [None]
    if op.name in ROWS:
        return [_by_row(op, first, labels, shape)] * len(op.out)
    if op.name in LAYERS and 0 in alone(first):
        return [first.flatten(1)[:, :1].reshape(-1, *[1] * (len(shape) - 1)).expand(shape)]
    if op.name in RECURRENT:
        return _recurrent(op, first)
    if op.name in PRODUCTS:
        return [_front(labels, shape)]
    if op.name == ATTENTION and first.dim() == 3 and 1 in alone(first):
        return [first.expand(shape)]
    return [_folded(op, first)] if op.name in FOLDS else [None]


def _beside(op: Op, place: int, labels: list[Tensor | None]) -> Tensor | None:
    """The labels of one part of a join; what nothing is known of, as a token for all samples, stands beside theirs."""
    own, shape = labels[place], op.inputs[place].shape
    other = next((each for each in labels if each is not None), None)
    along = op.arg(1, "dim", 0)
    apart = op.name in ("cat", "concat", "concatenate") and isinstance(along, int) and along % len(shape) > 0
    if own is not None or other is None or not apart or 0 not in alone(other) or shape[0] != len(other):
        return own
    return other.flatten(1)[:, 0].view(-1, *[1] * (len(shape) - 1)).expand(shape)


def _call(name: str) -> Callable[..., Any]:
    return getattr(torch, name)


def _words(op: Op) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call behind its first one."""
    return tuple(op.args[1:]), {key: value for key, value in op.words.items() if not isinstance(value, Seen)}


def _moved(op: Op, labels: Tensor) -> list[Tensor | None]:
    args, words = _words(op)
    if op.name in ("T", "mT"):
        return [getattr(labels, op.name)]
    if op.name == "__getitem__":
        index = op.args[1] if isinstance(op.args[1], tuple) else (op.args[1],)
        if any(_foreign(each) for each in index):
            return [None]
        return [labels[tuple(Ellipsis if each == "ellipsis" else each for each in index)]]
    if any(isinstance(each, Seen) for each in args):
        return [None]
    moved = getattr(labels, op.name)(*args, **words)
    return list(moved) if isinstance(moved, tuple | list) else [moved]


def _foreign(index: Any) -> bool:
    """An index that the record does not hold: a tensor, an array, a list of places."""
    if isinstance(index, slice):
        return any(isinstance(each, Seen) for each in (index.start, index.stop, index.step))
    return not (index is None or index == "ellipsis" or (isinstance(index, int) and not isinstance(index, bool)))


def _joined(labels: list[Tensor | None], shape: tuple[int, ...]) -> Tensor | None:
    """The labels that all labelled inputs agree upon."""
    parts = [each.expand(shape) for each in labels if each is not None]
    same = all(bool((each == parts[0]).all()) for each in parts)
    return parts[0].contiguous() if same else None


def _by_row(op: Op, first: Tensor, labels: list[Tensor | None], shape: tuple[int, ...]) -> Tensor | None:
    if op.name in ("embedding", "one_hot"):
        return first.unsqueeze(-1).expand(shape)
    if op.name == "matmul" and (labels[1] is not None or len(op.inputs[1].shape) != 2):
        return _front(labels, shape)
    if first.dim() < 2 or not bool((first == first[..., :1]).all()):
        return None
    return first[..., :1].expand(shape)


def batch_axis(op: Op) -> int:
    """The dimension that a recurrent layer takes for the samples."""
    return 0 if op.args[-1] is True else 1


def _recurrent(op: Op, first: Tensor) -> list[Tensor | None]:
    """The outputs of all steps, and the last states, (layers, batch, units), of a recurrent layer."""
    axis = batch_axis(op)
    if first.dim() != 3 or axis not in alone(first):
        return [None]
    samples = first.select(1 - axis, 0)[:, 0]
    states = [samples.view(1, -1, 1).expand(out.shape) for out in op.out[1:]]
    return [first[..., :1].expand(op.out[0].shape), *states]


def _packed(op: Op) -> list[Tensor | None]:
    """The last states of a recurrent layer, whatever it was given: of packed sequences only they are in one piece."""
    found: list[Tensor | None] = [None]
    for out in op.out[1:]:
        whole = len(out.shape) == 3 and prod(out.shape) <= LARGEST
        found.append(torch.arange(out.shape[1]).view(1, -1, 1).expand(out.shape).contiguous() if whole else None)
    return found


def _front(labels: list[Tensor | None], shape: tuple[int, ...]) -> Tensor | None:
    """A product of batches of matrices: each entry along dimension 0 is made of the same entries."""
    fronts = [each.flatten(1)[:, 0] for each in labels if each is not None and each.dim() > 2 and 0 in alone(each)]
    if len(fronts) < len(labels) or not all(torch.equal(each, fronts[0]) for each in fronts):
        return None
    return fronts[0].view(-1, *[1] * (len(shape) - 1)).expand(shape)


def _folded(op: Op, first: Tensor) -> Tensor | None:
    dim = op.arg(2 if op.name == "norm" else 1, "dim")
    dims = [dim] if isinstance(dim, int) else dim
    if not isinstance(dims, list | tuple) or not dims or not all(isinstance(each, int) for each in dims):
        return None
    keep = op.arg(2, "keepdim", False) is True
    found = first
    for each in sorted((each % first.dim() for each in dims), reverse=True):
        one = found.narrow(each, 0, 1)
        if not bool((found == one).all()):
            return None
        found = one if keep else one.squeeze(each)
    return found
