"""Parameters are frozen or thawed in name only.

What: `requires_grad` is assigned on a module, which only gives the module an attribute; or the flag of parameters is
spelt in another way, as `require_grad`; or parameters that were frozen after some training still hold a gradient and
the optimizer goes on moving them; or one line freezes trained parameters and others at their random start.

Why: `module.requires_grad = True` thaws nothing and `= False` freezes nothing: the flag belongs to the parameters. And
an optimizer moves whatever has a gradient: with an old one, even of zeros, momentum and weight decay go on.

Evidence: the module's attribute against its parameters' flags, and what the steps did to them; or the change that steps
made to parameters that need no gradient, after backward passes had trained them. Of a line that freezes: that some of
its parameters had been trained or loaded, and that others had not, are random, held and used at every pass: `"enc" in
name` finds `decoder.enc_attn` too.

False alarms: parameters whose gradients are written by hand never needed one. A frozen part that the optimizer holds
and never moves is no mistake; a group of its own, given beside others and frozen at every step, is worth a word of
advice. An optimizer that holds nothing else, while no other one trains, is an error.

Mend: `module.requires_grad_(True)`; after freezing, `p.grad = None` for each frozen parameter, or give the optimizer
those only that are trained.

Wrong:
    model.backbone.requires_grad = True

Right:
    model.backbone.requires_grad_(True)
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import Moved, OptimizerMade, Step
from truestep.check.events import Forward, Op
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._caught import caught
from truestep.check.rules._facts import held
from truestep.check.rules._words import plural
from truestep.check.site import Site
from truestep.check.trace import Trace

RULE = Rule("TS210", "optimizer_frozen", "frozen or thawed in name only", "error", "parameters")
NEARLY = re.compile(r"(need|require|required|requires)_?(grad|grads|gradient|gradients)_?")
OFTEN = 2
LONG = 5


def look(trace: Trace) -> Iterator[Finding]:
    """Compare flags of modules with those of their parameters, and frozen parameters over the steps."""
    yield from _attributes(trace)
    yield from _misspelt(trace)
    yield from _groups(trace)
    yield from _caught(trace)
    moves: dict[int, list[tuple[Step, Moved]]] = defaultdict(list)
    for step in trace.of(Step):
        for one in step.moved:
            moves[one.number].append((step, one))
    drifting = {}
    for number, seen in moves.items():
        trained = next((at for at, (_, one) in enumerate(seen) if one.needs_grad and one.grad and one.grad.norm), None)
        after = [(step, one) for step, one in seen[trained:] if not one.needs_grad] if trained is not None else []
        if sum(one.change > 0 and one.grad is not None for _, one in after) >= OFTEN:
            drifting[number] = after
    if drifting:
        number, after = next(iter(drifting.items()))
        step, one = next((step, one) for step, one in after if one.change > 0)
        total = sum(one.change for _, one in after)
        yield found(
            RULE,
            _frozen_at(trace, number, step) or step.site,
            f"{plural(len(drifting), 'parameter was', 'parameters were')} frozen and still "
            f"{'moves' if len(drifting) == 1 else 'move'} at each step: {trace.name(number)}",
            f"it needs no gradient since; {len(after)} steps seen found an old one on it (norm "
            f"{one.grad.norm if one.grad else 0.0:.3g}) and moved it by {total:.3g} in all",
            "momentum and weight decay move whatever has a gradient, even one of zeros",
            "set p.grad = None when freezing, or give the optimizer only what is trained",
        )


def _attributes(trace: Trace) -> Iterator[Finding]:
    """Modules with an attribute `requires_grad` that their parameters contradict."""
    mine = held(trace)
    used = {event.module: event for event in trace.of(Forward)}
    for number, facts in trace.modules.items():
        flag, parameters = facts.settings.get("requires_grad"), set(facts.parameters.values())
        against = parameters & facts.frozen if flag else (parameters - facts.frozen) & mine
        if not isinstance(flag, bool) or not against or not used:
            continue
        moved = sum(one.change for step in trace.of(Step) for one in step.moved if one.number in against)
        word = "frozen" if flag else "trained"
        where = used.get(number, next(iter(used.values())))
        yield found(
            RULE,
            where.site,
            f"requires_grad = {flag} was set on the module {trace.name(number)}, which is no flag of its parameters",
            f"{len(against)} of its {plural(len(parameters), 'parameter')} are still {word}; steps moved them by "
            f"{moved:.3g}",
            "assigning to a module only gives it an attribute",
            f"call requires_grad_({flag}) on the module, or set the flag of each of its parameters",
        )


def _misspelt(trace: Trace) -> Iterator[Finding]:
    """Parameters with an attribute that is nearly named `requires_grad`, and says what their flag does not."""
    used = {event.module: event for event in trace.of(Forward) if event.depth == 0}
    for number, event in used.items():
        facts = trace.modules.get(number)
        if facts is None:
            continue
        told = [(*key.rpartition(".")[::2], value) for key, value in facts.settings.items() if "." in key]
        wrong = [(name, own, value) for name, own, value in told if NEARLY.fullmatch(own) and own != "requires_grad"]
        against = [each for each in wrong if (facts.parameters[each[0]] in facts.frozen) == each[2]]
        if against:
            name, own, value = against[0]
            yield found(
                RULE,
                event.site,
                f"{own} = {value} was set on {plural(len(against), 'parameter')}, first {name}: a flag of that name is "
                "unknown",
                f"requires_grad is {not value} for all of them; no part of torch reads {own}",
                "a tensor takes any attribute that it is given, and says nothing",
                f"set requires_grad = {value}, or call module.requires_grad_({value})",
            )
            return


def _groups(trace: Trace) -> Iterator[Finding]:
    """Groups of an optimizer whose parameters need no gradient at any step."""
    steps: dict[int, int] = defaultdict(int)
    alive: set[int] = set()
    for step in trace.of(Step):
        for one in step.moved:
            steps[one.number] += 1
            alive |= {one.number} if one.needs_grad or one.change > 0 else set()
    frozen = {number for number, count in steps.items() if count >= LONG} - alive
    whole = {number for number in trace.optimizers() if trace.held(number) and trace.held(number) <= frozen}
    yield from (_nothing(trace, number) for number in sorted(whole))
    for made in trace.of(OptimizerMade):
        groups = made.groups if (len(made.groups) > 1 or made.added) and made.optimizer not in whole else ()
        for place, group in enumerate(groups):
            numbers = list(group["params"])
            if numbers and set(numbers) <= frozen:
                yield found(
                    RULE,
                    made.site,
                    f"all that group {place} holds is frozen: {plural(len(numbers), 'parameter')}, first "
                    f"{trace.name(numbers[0])}",
                    f"none of them needed a gradient at any of {steps[numbers[0]]} steps looked at, and none moved",
                    "a group with a rate of its own that never learns may be a thaw that was forgotten",
                    "call requires_grad_(True) on them when they are to learn, or leave them out",
                    "advice",
                )


def _caught(trace: Trace) -> Iterator[Finding]:
    """Fresh parameters that a line froze together with trained ones."""
    for one in caught(trace):
        count, names = len(one.fresh), ", ".join(trace.name(number) for number in one.fresh[:3])
        yield found(
            RULE,
            one.op.site,
            f"{plural(count, 'parameter is', 'parameters are')} frozen here at the random start, together with what "
            f"was trained: {names}{', ...' if count > 3 else ''}",
            f"{plural(len(one.ready), 'other')} that this line froze had been trained or loaded, as "
            f"{trace.name(one.ready[0])}; these had not, are used at every pass, and an optimizer held them at "
            f"{one.steps} steps seen",
            "a name that is looked for as a part of others finds more than was meant",
            "freeze by the module, model.encoder.requires_grad_(False), or by the start of the name with its dot",
            "warning",
        )


def _nothing(trace: Trace, optimizer: int) -> Finding:
    """An optimizer that holds nothing but frozen parameters; beside another one that trains this is advice."""
    made = trace.optimizers()[optimizer][0]
    steps = [step for step in trace.of(Step) if step.optimizer == optimizer]
    others = [s for s in trace.of(Step) if steps[0].n < s.n < steps[-1].n and any(one.change > 0 for one in s.moved)]
    numbers = sorted(trace.held(optimizer))
    return found(
        RULE,
        made.site,
        f"all that this {made.kind} holds is frozen: {plural(len(numbers), 'parameter')}, first "
        f"{trace.name(numbers[0])}",
        f"none of them needed a gradient at any of its {len(steps)} steps, and none moved",
        "its steps do nothing: what is to learn keeps its start",
        "call requires_grad_(True) on what is to learn, and give the optimizer that",
        "advice" if others else None,
    )


def _frozen_at(trace: Trace, number: int, step: Step) -> Site | None:
    """The last line before this step that set the flag of this parameter."""
    sets = [op for op in trace.of(Op) if op.name in ("requires_grad_", "requires_grad=") and op.n < step.n]
    return next((op.site for op in reversed(sets) if any(each.number == number for each in op.inputs)), None)
