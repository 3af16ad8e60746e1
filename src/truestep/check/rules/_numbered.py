"""Terms that are added to a loss and cannot move anything: tensors that were cut off, and plain numbers."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from truestep.check.changes import Backward, Leaf, OptimizerMade
from truestep.check.events import Number, Op
from truestep.check.looks import Seen
from truestep.check.rules._attached import differentiated
from truestep.check.site import Site
from truestep.check.trace import Trace

ADDS = {"add", "add_", "__add__", "__radd__", "__iadd__"}
OFTEN = 4  # passes
DEEP = 60  # calls between a root and its terms, and behind a term
MOVED = 1e-3  # share by which a number has to change for its ratio to another one to say anything
Told = tuple[Site, str, str]
SIZES: dict[str, Callable[[Sequence[float]], float]] = {
    "the sum of the squares of": lambda norms: sum(norm**2 for norm in norms),
    "the sum of the norms of": sum,
    "the norm of": lambda norms: math.sqrt(sum(norm**2 for norm in norms)),
}


def numbered(trace: Trace, tied: Callable[[list[tuple[float, float]]], bool]) -> Iterator[Told]:
    """Such terms of the passes looked at, the first kind that there is; `tied` tells whether ratios are one."""
    passes = [event for event in trace.backwards() if event.close and len(event.roots) == 1 and not event.seeded]
    if len(passes) >= OFTEN:
        yield from _cut_off(trace, passes) or _read(trace, passes, tied) or _measured(trace, passes)


def _cut_off(trace: Trace, passes: Sequence[Backward]) -> list[Told]:
    """Terms that are tensors without a gradient, made of what has one; always, and of nothing that decays anyway."""
    lines: dict[tuple[str, int], dict[int, tuple[Op, Op]]] = defaultdict(dict)
    other: set[tuple[str, int]] = set()
    for event in passes:
        for add, term in _terms(trace, event):
            cut = None if term is None or math.prod(term.shape) != 1 else _cut(trace, term, add)
            if cut is None:
                other.add(add.site.place)
            else:
                lines[add.site.place][event.n] = add, cut
    for place, seen in lines.items():
        add, cut = next(iter(seen.values()))
        if len(seen) >= OFTEN and place not in other and not (cut.inputs[0].leaf and _decays(trace)):
            what = trace.name(cut.inputs[0].number) if cut.inputs[0].leaf else "what the model computed"
            how = f"{cut.name}" if cut.grad else "no_grad"
            return [(
                cut.site, f"a term of the loss is made of {what} behind {how}: it has no gradient",
                f"at {len(seen)} passes looked at it was added to the loss on line {add.site.line}, and what it is "
                "made of could be differentiated until here",
            )]  # fmt: skip
    return []


def _terms(trace: Trace, event: Backward) -> Iterator[tuple[Op, Seen | None]]:
    """The sums on the way to a root, each with the term that has no gradient, or None where all have one."""
    waiting, known = [(event.roots[0], event.n)], set[int]()
    while waiting and len(known) < DEEP:
        tensor, before = waiting.pop(0)
        op = trace.maker(tensor, before)
        if op is None or op.n in known or op.name not in ADDS | {"sub", "mul", "div"}:
            continue
        known.add(op.n)
        learned = [each for each in op.inputs if each.needs_grad]
        if op.name not in ("mul", "div") or len(learned) == 1:  # what is added to a factor counts
            waiting += [(each, op.n) for each in learned]
        if op.name in ADDS and len(op.inputs) == 2:
            yield op, next((each for each in op.inputs if not each.needs_grad), None)


def _cut(trace: Trace, term: Seen, add: Op) -> Op | None:
    """Where a term was cut off from parameters, or from what the model has just computed.

    A loss or another single number that is cut off may be there to be shown, or be trained by a pass of its own.
    """
    for _, op in trace.back([term], add.n, DEEP):
        if op is not None and op.update == add.update and (op.name in ("detach", "data") or not op.grad):
            given = next((each for each in op.inputs if each.needs_grad), None)
            if given is not None and math.prod(given.shape) > 1 and not _shown(trace, op):
                return op
    return None


def _shown(trace: Trace, cut: Op) -> bool:
    """Whether what is cut off is a difference: a way to give a result another value and keep the gradient of one."""
    made = trace.maker(cut.inputs[0], cut.n)
    return made is not None and made.name == "sub"


def _decays(trace: Trace) -> bool:
    """Whether an optimizer decays weights, and a loss may show as a number what that stands for."""
    groups = (group for made in trace.of(OptimizerMade) for group in made.groups)
    return any(group.get("weight_decay") for group in groups)


def _read(
    trace: Trace, passes: Sequence[Backward], tied: Callable[[list[tuple[float, float]]], bool]
) -> list[Told]:  # fmt: skip
    """Numbers read from what could be differentiated, or from what was cut off it, and added to the loss that is."""
    read: dict[tuple[str, int], dict[int, Number]] = defaultdict(dict)
    for number in trace.of(Number):
        if number.value and number.how in ("item", "__float__") and _had_gradient(trace, number):
            read[number.site.place][number.update] = number
    added = {event.update: list(plain_terms(trace, event)) for event in passes} if read else {}
    for numbers in read.values():
        pairs = [(number.value or 0.0, added[update][0]) for update, number in numbers.items()
                 if len(added.get(update, ())) == 1]  # fmt: skip
        shares = [(value, one / value) for value, one in pairs]
        if len({value for value, _ in pairs}) >= OFTEN and tied(shares) and shares[0][1] > 0:
            number = next(iter(numbers.values()))
            return [(
                number.site, f"a term of the loss is added as a number: {number.how}() takes its gradient away",
                f"{shares[0][1]:.4g} times what was read here was added to the loss at {len(pairs)} of {len(added)} "
                f"passes looked at ({pairs[0][1]:.4g} at first); it could be differentiated, and the loss was",
            )]  # fmt: skip
    return []


def _had_gradient(trace: Trace, number: Number) -> bool:
    """Whether it could be differentiated, and no pass ever went through it: one may have had a pass of its own."""
    if number.of.needs_grad:
        return not number.of.leaf and not differentiated(trace, number.of, number.n)
    made = trace.back([number.of], number.n, DEEP)
    cuts = (op for _, op in made if op is not None and (op.name in ("detach", "data") or not op.grad))
    given = [(each, op) for op in cuts for each in op.inputs if each.needs_grad and op.update == number.update]
    single = [(each, op) for each, op in given if op.name in ("detach", "data") and not each.leaf]
    return bool(given) and not any(differentiated(trace, each, op.n) for each, op in single)


def plain_terms(trace: Trace, event: Backward) -> Iterator[float]:
    """The plain numbers that were added on the way from the loss's terms to its root."""
    for op in trace.chain(event.roots[0], event.n):
        plain = [one for one in op.args if isinstance(one, int | float)]
        if op.name not in ADDS | {"sub", "mul", "div"}:
            return
        if op.name.startswith(("add", "__")) and plain:
            yield plain[0]
        elif op.name not in ADDS and not plain:
            return


def _measured(trace: Trace, passes: Sequence[Backward]) -> list[Told]:
    """Numbers in one ratio to the size of the weights, pass by pass: a penalty that was reckoned outside of torch."""
    seen = [(event, plain) for event in passes for plain in [list(plain_terms(trace, event))]]
    if _decays(trace) or len([event for event, plain in seen if len(plain) == 1]) < max(OFTEN, len(seen)):
        return []
    for least, whose in ((0, "all weights"), (2, "the weights without biases")):
        norms = [_norms(event.leaves, least) for event, _ in seen]
        if not all(norms):
            continue
        for words, size in SIZES.items():
            pairs = [(size(held), plain[0]) for held, (_, plain) in zip(norms, seen, strict=True)]
            if _one_ratio(pairs):
                event = seen[0][0]
                site = next((op.site for op in trace.chain(event.roots[0], event.n) if op.name in ADDS), event.site)
                return [(
                    site, f"{words} {whose} is added to the loss as a number: it has no gradient",
                    f"{pairs[0][1] / pairs[0][0]:.4g} times it was added at each of {len(pairs)} passes looked at "
                    f"({pairs[0][1]:.4g} at first, {pairs[-1][1]:.4g} at last)",
                )]  # fmt: skip
    return []


def _norms(leaves: Sequence[Leaf], least: int) -> list[float]:
    held = [leaf for leaf in leaves if leaf.parameter and len(leaf.shape) >= least]
    return [leaf.weight.norm for leaf in held if leaf.weight is not None]


def _one_ratio(pairs: Sequence[tuple[float, float]]) -> bool:
    """Whether numbers that change go in one ratio, to the digits that single precision has."""
    sizes = [size for size, _ in pairs]
    if min(sizes) <= 0 or max(sizes) - min(sizes) < MOVED * max(sizes):
        return False
    ratios = [plain / size for size, plain in pairs]
    return min(ratios) > 0 and max(ratios) - min(ratios) < 1e-5 * max(ratios)
