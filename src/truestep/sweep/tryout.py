"""What is tried before a study begins: whether model, data and losses belong together, and what a variant takes."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from truestep.core.batch import Batch, leaves, rows, take
from truestep.core.errors import DataError, TruestepError
from truestep.core.gradients import Metric
from truestep.core.model import forward
from truestep.core.objective import Objective
from truestep.sweep.worth import Counter, Pass

COPIES = 8
"""Tensors of the size of the weights that are alive at once: weights, gradients, state, and what they become."""


class CannotStack(Exception):
    """Says why the variants of a group have to be trained one after another."""


def refuse_unstackable(objective: Objective, model: nn.Module) -> None:
    """Raise for what is known not to be stackable before it is tried.

    Raises:
        CannotStack: with the reason.
    """
    if any(True for _ in objective.parameters()):
        raise CannotStack("the loss has parameters of its own.")
    if lazy := [n for n, each in model.named_parameters() if isinstance(each, nn.UninitializedParameter)]:
        raise CannotStack(f"{lazy[0]} has no shape before its first forward pass.")


def refuse_misfits(
    model: nn.Module, objective: Objective, metrics: Mapping[str, Metric], sides: Mapping[str, Batch | None], size: int
) -> Pass:
    """One ordinary pass over the first batch of each side, and over as many samples as the last one of training has.

    Returns the pass over the first batch of training.

    Raises:
        DataError: where the model cannot take them, in one sentence; what the losses refuse they say themselves.
    """
    passes = []
    for side, data in sides.items():
        if data is None:
            continue
        whole, tail = min(size, rows(data[0])), rows(data[0]) % size
        for samples in (whole, tail) if side == "train" and tail not in (0, whole) else (whole,):
            twin = copy.deepcopy(model).train(side == "train")
            batch = take(data, slice(0, samples))
            try:
                passes.append(passed(twin, batch, objective, metrics))
            except TruestepError:
                raise
            except Exception as error:
                shapes = ", ".join(f"{leaf.dtype} of shape {tuple(leaf.shape)}" for _, leaf in leaves(batch[0]))
                raise DataError(
                    f"{type(model).__name__} cannot take a batch of {side} inputs ({shapes}): {first_sentence(error)}"
                ) from error
    return passes[0]


def passed(model: nn.Module, batch: Batch, objective: Objective, metrics: Mapping[str, Metric]) -> Pass:
    """One forward pass, losses and metrics; a model that trains may move its buffers."""
    kept = [leaf.nbytes for _, leaf in leaves(batch)]

    def note(module: nn.Module, inputs: Any, output: Any) -> None:
        kept.extend(leaf.nbytes for _, leaf in leaves(output) if isinstance(leaf, Tensor))

    for module in model.modules():
        module.register_forward_hook(note)
    with torch.random.fork_rng(), torch.no_grad(), Counter() as counter:
        output = forward(model, batch[0])
        objective.parts(output, batch[1])
        for metric in metrics.values():
            metric(output, batch[1])
    return Pass(batch, sum(kept), counter)


def variant_bytes(model: nn.Module, seen: Pass, keeps_best: bool) -> int:
    """What one variant takes while it trains: copies of its weights, and what forward keeps for backward.

    That is the outputs of all modules, each once forward and twice as gradients.
    """
    held = [*model.parameters(), *model.buffers()]
    return sum(tensor.nbytes for tensor in held) * (COPIES + 2 * keeps_best) + 3 * seen.kept


def first_sentence(error: BaseException) -> str:
    """What an error says, up to the end of its first sentence."""
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return re.split(r"(?<=[.!?])\s", first)[0].rstrip(".:, ") + "."
