"""Two matrices start as the same numbers, or were one, and drift apart where a tie was meant.

What: the embedding of a model and its output layer, or the parameter that its outputs are multiplied by (or two layers,
one the transpose of the other), hold equal numbers before the first update, are two parameters with memory of their
own, and are trained apart. Or both held one parameter, and one of the two was given a new one. Or the output layer was
given a copy of the embedding and one of the two was filled anew after that.

Why: weight tying needs the same parameter in both places. A copy counts twice, and from the first step on the two
differ.

Evidence: both digests before the first update are equal, they share no memory, both receive gradients from the same
loss, and after the last update seen they differ. Or: the parameter that a module gave up is still another module's, and
the new one and the old one are both trained by the same passes. (Where the other module is gone and a new embedding of
the same shape has come, that is advice.)

False alarms: layers that are cloned whole (a stack of blocks, two towers, two critics) start equal on purpose; those
have the same role. So only an embedding against an output layer counts, and a layer against the transpose of another.

Mend: assign the parameter itself, `self.decoder.weight = self.encoder.weight`, after everything that replaces either;
copy a tied model as a whole with `copy.deepcopy(model)`.

Wrong:
    self.decoder.weight = nn.Parameter(self.encoder.weight.clone())

Right:
    self.decoder.weight = self.encoder.weight
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from truestep.check.changes import Step
from truestep.check.events import ModuleMade, Op, Replaced
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Digest
from truestep.check.rules import found
from truestep.check.rules._chains import SOUND, root
from truestep.check.rules._facts import constant
from truestep.check.trace import ModuleFacts, Trace

RULE = Rule("TS207", "broken_tie", "a tie of weights is broken", "warning", "parameters")
OFTEN = 3


class _Matrix(NamedTuple):
    number: int
    storage: int
    shape: tuple[int, ...]
    first: Digest
    event: int


def look(trace: Trace) -> Iterator[Finding]:
    """Compare the first digests of the matrices that layers of different roles use."""
    yield from _torn(trace)
    yield from _deserted(trace)
    matrices, last = _matrices(trace)
    yield from _refilled(trace, matrices)
    tables, layers = _roles(trace, "embedding", 1), _roles(trace, "linear", 1)
    outputs = _factors(trace) | layers
    for one in matrices.values():
        for other in matrices.values():
            if one.storage == other.storage or one.event != other.event or one.number not in outputs:
                continue
            copied = other.number in tables and _copied(one, other)
            both = one.number < other.number and {one.number, other.number} <= layers.keys()
            turned = both and one.first.mark != other.first.mark and _copied(one, other)
            ends = last[one.number], last[other.number]
            if (copied or turned) and not _equal(*ends):
                steps = len([step for step in trace.of(Step) if any(m.number == one.number for m in step.moved)])
                yield found(
                    RULE,
                    outputs[one.number].site,
                    f"{trace.name(one.number)} starts as a copy of {trace.name(other.number)} and is trained alone",
                    f"both were equal before the first update (norm {one.first.norm:.6g}) and are two parameters; "
                    f"after {steps} steps seen their norms are {ends[0].norm:.6g} and {ends[1].norm:.6g}",
                    "tied weights are one parameter in two places; a copy is counted and trained twice",
                    "assign the parameter itself, decoder.weight = encoder.weight, after all that replaces either",
                    level="advice" if turned and not copied else None,  # a start that many give to an autoencoder
                )


def _refilled(trace: Trace, matrices: dict[int, _Matrix]) -> Iterator[Finding]:
    """An output layer that was filled with a copy of the embedding, before one of the two was filled anew."""
    tables, layers = _roles(trace, "embedding", 1), _roles(trace, "linear", 1)
    for op in trace.ops("data=", "copy_"):
        if len(op.inputs) < 2 or op.update or op.inputs[0].number not in layers:
            continue
        source = root(trace, op.inputs[1], op.n, {*SOUND, "data", "detach"})
        one = matrices.get(op.inputs[0].number)
        other = next((each for each in matrices.values() if each.storage == source.storage), None)
        if one is None or other is None or other.number not in tables or one.storage == other.storage:
            continue
        if one.event == other.event and one.shape == other.shape and not _equal(one.first, other.first):
            yield found(
                RULE,
                op.site,
                f"{trace.name(one.number)} is given a copy of {trace.name(other.number)}, not the parameter itself",
                f"the two are trained by the same passes and share no memory: their norms were {one.first.norm:.6g} "
                f"and {other.first.norm:.6g} before the first update already, as one was filled anew after the copy",
                "tied weights are one parameter in two places; a copy is counted and trained twice",
                "assign the parameter itself, decoder.weight = encoder.weight",
            )
            return


def _torn(trace: Trace) -> Iterator[Finding]:
    """A parameter that two modules shared, until one of them was given another."""
    passes = [{leaf.number for leaf in event.leaves if leaf.after is not None} for event in trace.backwards()]
    for event in trace.of(Replaced):
        later = {each.after for each in trace.of(Replaced) if each.n > event.n}
        keepers = [n for n, facts in trace.modules.items() if n != event.module and not facts.children
                   and event.before in facts.parameters.values()]  # fmt: skip
        together = sum({event.before, event.after} <= numbers for numbers in passes)
        facts = trace.modules.get(event.module)
        kept = facts is not None and event.after in facts.parameters.values()
        if keepers and kept and event.before not in later and together >= OFTEN:
            yield found(
                RULE,
                event.site,
                f"{trace.name(event.module)}.{event.name} was one parameter with {trace.name(event.before)}; here it "
                "is given another one",
                f"{trace.name(keepers[0])} still has the old one, and {together} passes gave gradients to both",
                "tied weights are one parameter in two places; from here on each is trained alone",
                "fill the parameter in place (nn.init, copy_ under no_grad), or tie the weights after this",
            )
            return


def _deserted(trace: Trace) -> Iterator[Finding]:
    """A layer that was given the weight of an embedding which is gone, with another embedding in its place."""
    passes = [{leaf.number for leaf in event.leaves if leaf.after is not None} for event in trace.backwards()]
    made = trace.of(ModuleMade)
    tables = [facts for facts in trace.modules.values() if facts.kind == "Embedding" and facts.torch]
    for event in trace.of(Replaced):
        born = next((op for op in trace.ops("normal_") if event.after in {each.number for each in op.out}), None)
        owner = next((one for one in reversed(made) if born is not None and one.n < born.n), None)
        facts = trace.modules.get(event.module)
        if born is None or owner is None or owner.kind != "Embedding" or owner.module in trace.modules:
            continue
        if facts is None or event.after not in facts.parameters.values() or born.site.place != owner.site.place:
            continue
        size: dict[tuple[Any, ...], ModuleFacts] = {}
        for each in tables:
            size[each.settings.get("num_embeddings"), each.settings.get("embedding_dim")] = each
        table = size.get(born.out[0].shape)
        new = next(iter(table.parameters.values()), 0) if table is not None else 0
        later = next((one for one in made if one.kind == "Embedding" and one.n > event.n), None)
        together = sum({event.after, new} <= numbers for numbers in passes)
        if later is not None and together >= OFTEN:
            yield found(
                RULE,
                later.site,
                f"{trace.name(event.after)} was one parameter with an embedding that is gone; {trace.name(new)} is "
                "another one",
                f"line {event.site.line} gave the layer the weight of the embedding of line {owner.site.line}, which "
                f"nothing holds any more; the new one has the same shape, and {together} passes trained both",
                "tied weights are one parameter in two places; from here on each is trained alone",
                "fill the embedding in place (copy_ under no_grad), or tie the weights after this",
                "advice",
            )
            return


def _ones(look: Digest) -> bool:
    return abs(look.norm**2 - look.total) <= 1e-9 * look.norm**2


def _equal(one: Digest, other: Digest) -> bool:
    return abs(one.norm - other.norm) <= 1e-9 * one.norm and abs(one.total - other.total) <= 1e-9 * one.norm


def _copied(one: _Matrix, other: _Matrix) -> bool:
    """Whether both began as the same numbers, the one perhaps as the transpose of the other."""
    turned = one.shape == other.shape[::-1] and one.first.mark != other.first.mark and _equal(one.first, other.first)
    return (one.shape == other.shape and one.first.mark == other.first.mark) or turned


def _matrices(trace: Trace) -> tuple[dict[int, _Matrix], dict[int, Digest]]:
    """Matrices that receive gradients, as they were at first and at last.

    Those of one number, and those of ones and zeros, as an identity, may be equal and have nothing to do with each
    other.
    """
    first: dict[int, _Matrix] = {}
    last: dict[int, Digest] = {}
    for event in trace.backwards():
        for leaf in event.leaves:
            if len(leaf.shape) == 2 and leaf.weight is not None and leaf.after is not None:
                drawn = constant(leaf.weight, leaf.shape) is None and not _ones(leaf.weight)
                if drawn and min(leaf.shape) > 1:
                    made = _Matrix(leaf.number, leaf.storage, leaf.shape, leaf.weight, event.n)
                    first.setdefault(leaf.number, made)
                last[leaf.number] = leaf.weight
    return first, last


def _roles(trace: Trace, name: str, place: int) -> dict[int, Op]:
    """Who is the weight of the calls of this name: number -> the first call."""
    uses: dict[int, Op] = {}
    for op in trace.ops(name):
        weight = op.arg(place, "weight")
        if hasattr(weight, "number"):
            uses.setdefault(weight.number, op)
    return uses


def _factors(trace: Trace) -> dict[int, Op]:
    """Who is a factor of a matrix product, as it is or transposed: number -> the first call."""
    uses: dict[int, Op] = {}
    for op in trace.ops("matmul", "__matmul__", "mm", "bmm", "addmm", "einsum"):
        for each in op.inputs:
            weight = root(trace, each, op.n, SOUND)
            if weight.leaf and weight.needs_grad:
                uses.setdefault(weight.number, op)
    return uses
