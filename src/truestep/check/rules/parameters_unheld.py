"""Parameters of the model receive gradients and no optimizer was ever given them.

What: parameters of a module that is called in training, or an `nn.Parameter` of its own, receive gradients at every
pass, belong to no optimizer, and keep every bit while the optimizer moves others; or they were frozen when it was made
of those that need a gradient, and are thawed later without being given to it. Or a plain tensor with `requires_grad`
that all samples share, a temperature or a gate, takes part in the model, and nobody moves it.

Why: that part of the model keeps its random start, and the rest must make do with random features.

Evidence: their gradients' norms, the optimizers' lists, and their bits at the first and the last pass.

False alarms: weights that were loaded or trained before are left alone on purpose (fine-tuning a head, optimising an
input), and so are parameters that need no gradient. Both are no finding, nor are data that require gradients: what is
given to a model, differentiated for, or has a row for each sample; nor a tensor whose gradient somebody reads.

Mend: give the optimizer all parameters, `model.parameters()`; or say that they are fixed with
`requires_grad_(False)`.

Wrong:
    optimizer = torch.optim.Adam(model.decoder.parameters())

Right:
    optimizer = torch.optim.Adam(model.parameters())
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import OptimizerMade, StateLoaded, Step
from truestep.check.finding import Finding, Rule
from truestep.check.mends.updates import Held
from truestep.check.rules import found
from truestep.check.rules._loose import loose
from truestep.check.rules._thawed import thawed
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS201", "parameters_unheld", "parameters that no optimizer holds", "error", "parameters")
MENDING = Held()
OFTEN = 5


def look(trace: Trace) -> Iterator[Finding]:
    """Compare who receives gradients with who is held."""
    held = set().union(*(trace.held(optimizer) for optimizer in trace.optimizers()))
    moving = [step for step in trace.of(Step) if any(one.change > 0 for one in step.moved)]
    if len(moving) < OFTEN:
        return
    idle, norms = _left_out(trace, held)
    plain = {} if idle else loose(trace, held)
    if plain:
        idle, norms = sorted(plain), plain
    if idle:
        made = trace.of(OptimizerMade)
        what = "plain tensor" if plain else "parameter"
        names = ", ".join(trace.name(number) for number in idle[:3]) + (", ..." if len(idle) > 3 else "")
        yield found(
            RULE,
            made[0].site,
            f"{plural(len(idle), *(f'{what} receives', f'{what}s receive'))} gradients and "
            f"{'is' if len(idle) == 1 else 'are'} in no optimizer: {names}",
            f"{trace.name(idle[0])} received {len(norms[idle[0]])} gradients (norm {norms[idle[0]][0]:.3g} at first) "
            f"while {len(moving)} steps moved others, and kept every bit",
            f"this part of the model keeps its {'' if plain else 'random '}start",
            "make it an nn.Parameter of the model, or give it to the optimizer beside the model's own"
            if plain
            else "give the optimizer all parameters that are to learn; the others say so with requires_grad_(False)",
            facts={"parameters": idle},
        )
    else:
        yield from _thawed(trace)


def _left_out(trace: Trace, held: set[int]) -> tuple[list[int], dict[int, list[float]]]:
    """Parameters beside those held that receive gradients and keep every bit, and the norms of these gradients."""
    owned = {number for facts in trace.modules.values() for number in facts.parameters.values()}
    marks: dict[int, set[int]] = {}
    norms: dict[int, list[float]] = {}
    mates: dict[int, int] = {}
    for event in trace.backwards():
        trained = any(leaf.number in held for leaf in event.leaves)
        for leaf in event.leaves if trained else ():
            own = leaf.parameter or leaf.number in owned
            if own and leaf.number not in held and leaf.after is not None and leaf.after.norm and leaf.weight:
                marks.setdefault(leaf.number, set()).add(leaf.weight.mark)
                norms.setdefault(leaf.number, []).append(leaf.after.norm)
                mates[leaf.number] = event.n
    loaded = _loaded(trace)
    idle = [
        number for number, seen in marks.items()
        if len(seen) == 1 and len(norms[number]) >= OFTEN and loaded.get(number, mates[number]) >= mates[number]
    ]  # fmt: skip
    return idle, norms


def _thawed(trace: Trace) -> Iterator[Finding]:
    for made, thawn, without, under in thawed(trace):
        yield found(
            RULE,
            made.site,
            f"{plural(len(thawn), 'parameter was', 'parameters were')} thawed and given to no optimizer: "
            f"{', '.join(trace.name(number) for number in thawn[:3])}{', ...' if len(thawn) > 3 else ''}",
            f"{without} passes looked at under this optimizer did not reach {trace.name(thawn[0])}, {under} later ones "
            "gave it gradients, and it kept every bit",
            "it was to learn on, and stays as it was",
            "give it to the optimizer as it is thawed, with add_param_group, or make a new one",
            facts={"parameters": thawn},
        )
        return


def _loaded(trace: Trace) -> dict[int, int]:
    """The parameters that were loaded from a state, with the place of the first time."""
    loads = [event for event in trace.of(StateLoaded) if event.of == "module" and event.matched]
    return {number: load.n for load in reversed(loads) if load.owner in trace.modules
            for number in trace.modules[load.owner].parameters.values()}  # fmt: skip
