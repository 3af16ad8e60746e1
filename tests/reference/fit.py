"""Training for some epochs, by hand: lists of positions for batches, one sample after another for figures.

Independent of truestep: a batch is whole, a total and a count are plain numbers, and an update is `reference.step`'s or
a plain step of `torch.optim`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from reference import step

Update = Callable[[Any, Any], Any]
Record = dict[str, Any]


@dataclass(frozen=True)
class Term:
    """`weight * total / count`; without a count it is the sum. Both are functions of (output, target)."""

    total: Callable[[Any, Any], Tensor]
    count: Callable[[Any, Any], Any] | None
    weight: float = 1.0


Terms = dict[str, Term]


def seed_of(*numbers: int) -> int:
    """63 bits of NumPy's hash of them all."""
    return int(np.random.SeedSequence(list(numbers)).generate_state(1, np.uint64)[0]) // 2


def order(samples: int, seed: int | None, epoch: int) -> list[int]:
    if seed is None:
        return list(range(samples))
    return torch.randperm(samples, generator=torch.Generator().manual_seed(seed_of(seed, epoch))).tolist()


def windows(
    samples: int, batch_size: int, epochs: int, seed: int | None, accumulate: int = 1, tail: str = "step"
) -> list[list[list[int]]]:
    """The positions that each update of each epoch takes."""
    orders = [order(samples, seed, epoch) for epoch in range(1, epochs + 1)]
    return windows_of(
        [[one[at : at + batch_size] for at in range(0, samples, batch_size)] for one in orders], accumulate, tail
    )


def windows_of(epochs: list[list[list[int]]], accumulate: int = 1, tail: str = "step") -> list[list[list[int]]]:
    """The same from the batches of each epoch."""
    found, waiting = [], []
    for batches in epochs:
        updates = []
        for batch in batches:
            waiting.append(batch)
            if len(waiting) == accumulate:
                updates.append([position for one in waiting for position in one])
                waiting = []
        if waiting and tail == "step":
            updates.append([position for one in waiting for position in one])
        if tail != "carry":
            waiting = []
        found.append(updates)
    return found


def pick(tree: Any, positions: list[int]) -> Any:
    if isinstance(tree, dict):
        return {name: pick(value, positions) for name, value in tree.items()}
    if isinstance(tree, tuple | list):
        return tuple(pick(value, positions) for value in tree)
    return tree[positions]


def call(model: nn.Module, inputs: Any) -> Any:
    if isinstance(inputs, dict):
        return model(**inputs)
    return model(*inputs) if isinstance(inputs, tuple | list) else model(inputs)


def value(terms: Terms, output: Any, target: Any) -> Tensor | None:
    """The objective on a whole batch; a term that counts nothing is left out, None where all are."""
    found = []
    for term in terms.values():
        count = 1.0 if term.count is None else float(term.count(output, target))
        if count:
            found.append(term.weight * term.total(output, target) / count)
    return torch.stack(found).sum() if found else None


def figures(terms: Terms, model: nn.Module, x: Any, y: Any, positions: list[int]) -> dict[str, tuple[float, float]]:
    """(total, count) of each term, one sample after another."""
    found = dict.fromkeys(terms, (0.0, 0.0))
    for position in positions:
        target = pick(y, [position])
        with torch.no_grad():
            output = call(model, pick(x, [position]))
        for name, term in terms.items():
            total, count = found[name]
            more = 0.0 if term.count is None else float(term.count(output, target))
            found[name] = total + float(term.total(output, target)), count + more
    return found


def means(terms: Terms, found: list[dict[str, tuple[float, float]]]) -> dict[str, float]:
    """The mean of each term over several parts, and the objective as "loss"; NaN where nothing counted."""
    named = {}
    for name, term in terms.items():
        total, count = (sum(part[name][k] for part in found) for k in (0, 1))
        count = float(bool(found)) if term.count is None else count
        named[name] = total / count if count else float("nan")
    live = [term.weight * named[name] for name, term in terms.items() if named[name] == named[name]]
    return {"loss": sum(live) if live else float("nan"), **(named if len(terms) > 1 else {})}


def by_rule(model: nn.Module, terms: Terms, rules: Sequence[step.Rule], limit: float | None = None) -> Update:
    """An update of the whole batch by the textbook: one rule a parameter."""
    parameters: list[Any] = list(model.parameters())
    states: list[step.State] = [{} for _ in parameters]

    def update(x: Any, y: Any) -> None:
        loss = value(terms, call(model, x), y)
        assert loss is not None
        gradients = list(torch.autograd.grad(loss, parameters))
        if limit is not None:
            gradients = step.clip(gradients, limit)
        with torch.no_grad():
            for w, g, rule, state in zip(parameters, gradients, rules, states, strict=True):
                w.copy_(rule(w.clone(), g, state))

    return update


def by_optimizer(model: nn.Module, terms: Terms, optimizer: torch.optim.Optimizer) -> Update:
    """A plain step of `torch.optim` with a closure."""

    def update(x: Any, y: Any) -> None:
        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = value(terms, call(model, x), y)
            assert loss is not None
            loss.backward()
            return loss

        optimizer.step(closure)  # pyright: ignore[reportArgumentType]

    return update


def fit(
    model: nn.Module, terms: Terms, update: Update, data: tuple[Any, Any], epochs: list[list[list[int]]],
    validate: tuple[Any, Any] | None = None, after_epoch: Callable[[Record], None] = lambda record: None,
) -> list[Record]:  # fmt: skip
    """The records of all epochs; the weights of `model` move."""
    x, y = data
    history = []
    for number, updates in enumerate(epochs, start=1):
        parts, samples, skipped = [], 0, 0
        for positions in updates:
            part = figures(terms, model, x, y, positions)
            if all(count == 0 and terms[name].count for name, (_, count) in part.items()):
                skipped += 1
                continue
            update(pick(x, positions), pick(y, positions))
            parts.append(part)
            samples += len(positions)
        record: Record = {f"train_{name}": mean for name, mean in means(terms, parts).items()}
        if validate is not None:
            everything = list(range(len(next(iter(leaves(validate))))))
            seen = [figures(terms, model, *validate, everything)]
            record |= {f"valid_{name}": mean for name, mean in means(terms, seen).items()}
        record |= {"epoch": number, "samples": samples, "steps": len(parts), "skipped": skipped}
        history.append(record)
        after_epoch(record)
    return history


def leaves(tree: Any) -> list[Tensor]:
    if isinstance(tree, dict | tuple | list):
        return [leaf for value in (tree.values() if isinstance(tree, dict) else tree) for leaf in leaves(value)]
    return [tree]
