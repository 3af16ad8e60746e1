"""What is drawn twice to differ and is the same to the bit: two views of a batch, and the members of an ensemble."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from truestep.check.changes import Step
from truestep.check.events import Batch, Forward, Op
from truestep.check.mode import DRAWS
from truestep.check.rules._samples import RECURRENT
from truestep.check.rules._words import plural
from truestep.check.site import Site
from truestep.check.trace import Trace

LEAST = 3
JOINS = {"stack", "cat", "concat", "hstack", "vstack"}
RATES = {"multi_head_attention_forward": 10, "scaled_dot_product_attention": 4, **dict.fromkeys(RECURRENT, 5)}
"""Where calls of several parts are told how much they drop."""
SUMS = JOINS | {"add", "add_", "__iadd__", "__radd__"}
Told = tuple[Site, str, str]


def twin_views(trace: Trace) -> Iterator[Told]:
    """Loaders whose batches hold one tensor twice, as two, where one model is trained on both."""
    batches: dict[int, list[tuple[Batch, tuple[int, int] | None]]] = {}
    for batch in trace.of(Batch):
        if any(each.rows for each in batch.tensors):
            batches.setdefault(batch.loader, []).append((batch, _pair(batch)))
    given = _given(trace)
    for seen in batches.values():
        twins = [(batch, pair) for batch, pair in seen if pair is not None]
        calls = [(given.get(one), given.get(other), batch) for batch, (one, other) in twins]
        used = [(one.module, batch) for one, other, batch in calls if one and other and one.module == other.module]
        if len(used) >= LEAST and len(twins) == len(seen):
            module, batch = used[0]
            first = next(event for event in trace.of(Forward) if event.module == module and event.n > batch.n)
            if model_draws(trace, first):  # one sample under two drawn masks: two views that the model makes itself
                continue
            yield (
                first.site, "the two views of each sample are one and the same",
                f"all {len(seen)} batches looked at hold two tensors of shape {batch.tensors[0].shape} with the same "
                f"rows, bit for bit, and {trace.name(module)} is trained on both in {len(used)} of them",
            )  # fmt: skip
            return


def _pair(batch: Batch) -> tuple[int, int] | None:
    """Two tensors of a batch, of several numbers a sample, with the same rows, which differ from one another."""
    views = [each for each in batch.tensors if each.dtype.startswith("float") and len(each.shape) > 1 and each.rows]
    for one, other in combinations(views, 2):
        same = one.shape == other.shape and one.rows == other.rows and len(set(one.rows)) > 1
        if same and one.number != other.number and one.storage != other.storage:
            return one.number, other.number
    return None


def _given(trace: Trace) -> dict[int, Forward]:
    """The call by which a module was trained on a tensor, alone or joined with others sample by sample."""
    joined = {op.out[0].number: op for op in trace.ops(*JOINS) if op.out}
    found: dict[int, Forward] = {}
    for event in trace.of(Forward):
        for each in event.inputs if event.depth == 0 and event.grad and len(event.inputs) == 1 else ():
            join = joined.get(each.number)
            parts = join.inputs if join is not None and each.shape[0] > join.inputs[0].shape[0] else ()
            found |= dict.fromkeys((each.number, *(part.number for part in parts)), event)
    return found


def model_draws(trace: Trace, call: Forward) -> bool:
    """Whether a model draws anything itself: dropout, noise."""
    for op in trace.between(call.began, call.n, Op):
        masked = op.name.endswith("dropout") and op.arg(2, "training", True) and op.arg(1, "p", 0.5)
        if op.name in DRAWS or masked or (op.name in RATES and op.arg(RATES[op.name], "dropout_p", 0)):
            return True
    return False


def twin_members(trace: Trace) -> Iterator[Told]:
    """Models that were each trained by an optimizer of its own, are equal to the bit, and whose answers are joined.

    Two that are asked side by side may be compared on purpose; three that one line asks in turn are an ensemble.
    """
    movers: dict[int, set[int]] = {}
    for step in trace.of(Step):
        for one in step.moved:
            if one.change > 0:
                movers.setdefault(one.number, set()).add(step.optimizer)
    answers: dict[tuple[int, int], dict[int, Forward]] = {}
    for event in trace.of(Forward):
        if event.depth == 0 and not event.grad and event.weights and event.inputs:
            answers.setdefault((event.weights, event.inputs[0].number), {})[event.module] = event
    for members in answers.values():
        trained = {number: _movers(trace, number, movers) for number in members}
        alone = [number for number, own in trained.items() if len(own) == 1]
        apart = len({next(iter(trained[number])) for number in alone}) == len(alone) > 1
        joins = [user for number in alone for out in members[number].outputs for user in trace.users(out)]
        first = members[alone[0]] if alone else None
        listed = len(alone) >= LEAST and len({members[number].site.place for number in alone}) == 1
        if first and apart and (listed or sum(user.name in SUMS for user in joins) >= len(alone)):
            yield (
                first.site, f"{plural(len(alone), 'model')} that answer together are one and the same",
                "each was trained by an optimizer of its own, and all of them have the same weights, bit for bit, when "
                "this line asks them: their draws at the start and in training were the same",
            )  # fmt: skip
            return


def _movers(trace: Trace, module: int, movers: dict[int, set[int]]) -> set[int]:
    facts = trace.modules.get(module)
    own = facts.parameters.values() if facts is not None else ()
    return set().union(*(movers.get(number, set()) for number in own))
