"""Layers or parameters in a plain list or dict, where the module that uses them does not know them.

What: the forward of a module uses parameters that are not among its `parameters()`, that no optimizer holds, and that
receive gradients at every pass.

Why: `nn.Module` registers modules and parameters that are its attributes, not what lies in a plain list, tuple or dict.
So `parameters()`, `to()`, `eval()` and `state_dict()` leave them out, and the optimizer never moves them.

Evidence: which parameters, that they are used inside that module's forward and missing in its `parameters()`, the
gradients that they received, and that they kept every bit while others moved.

False alarms: a frozen teacher or feature extractor is hidden in a list on purpose; it is called under no_grad, is in
eval mode, or needs no gradient. Tensors that are given to forward (inputs, prompts) belong to the caller.

Mend: `nn.ModuleList`, `nn.ModuleDict`, `nn.ParameterList`.

Wrong:
    self.layers = [nn.Linear(8, 8) for _ in range(3)]

Right:
    self.layers = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.events import Forward, ModuleMade, Op
from truestep.check.finding import Finding, Rule
from truestep.check.mends.updates import Held
from truestep.check.rules import found
from truestep.check.rules._facts import held, loaded
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS206", "hidden_in_list", "layers that their module does not know", "error", "parameters")
MENDING = Held()
OFTEN = 4


def look(trace: Trace) -> Iterator[Finding]:
    """Compare the parameters that a forward uses with those that its module has."""
    calls = [event for event in trace.of(Forward) if event.depth == 0]
    outer = {event.module for event in calls if event.module in trace.modules}
    known = {number for module in outer for number in trace.modules[module].parameters.values()}
    known |= held(trace) | loaded(trace) | {each.number for event in calls for each in event.inputs}
    passes, moved = _passes(trace)
    strangers = {number for number, count in passes.items() if count >= OFTEN and number not in known | moved}
    uses: dict[int, Op] = {}
    for op in trace.of(Op) if strangers else ():
        for each in op.inputs:
            if each.number in strangers and op.within and op.within[0] in outer:
                uses.setdefault(each.number, op)
    quiet = _quiet(trace)
    yield from _attributes(trace, passes, strangers - set(uses), moved)
    hidden: dict[int, list[tuple[int, Op]]] = defaultdict(list)
    for number, op in uses.items():
        parameters = parameters_of(trace, op.within[0])
        layer = set(op.within[1:]) - _below(trace, op.within[0])
        if (layer or _bare(trace, op, number)) and not quiet & set(op.within[1:]) and parameters & moved:
            hidden[op.within[0]].append((number, op))
    for module, hits in hidden.items():
        number, op = hits[0]
        yield found(
            RULE,
            op.site,
            f"{trace.modules[module].kind} uses {plural(len(hits), 'parameter')} here that parameters() does not list",
            f"{trace.name(number)} (shape {_shape(op, number)}) received {passes[number]} gradients, is in no "
            f"optimizer and kept every bit, while {len(parameters_of(trace, module) & moved)} registered ones moved",
            "a plain list or dict hides layers from parameters(), to(), eval() and state_dict()",
            "keep them in nn.ModuleList, nn.ModuleDict or nn.ParameterList",
            facts={
                "parameters": [number for number, _ in hits],
                "modules": sorted({each for _, op in hits for each in op.within} - _below(trace, module)),
            },
        )


def _attributes(trace: Trace, passes: dict[int, int], strangers: set[int], moved: set[int]) -> Iterator[Finding]:
    """Parameters in a plain list of a module that is never called: other methods of it are."""
    for module, facts in trace.modules.items():
        hits = [number for number in facts.hidden if number in strangers]
        if not hits:
            continue
        use = next((op for op in trace.of(Op) if any(each.number in hits for each in op.inputs)), None)
        learned = parameters_of(trace, module) & moved
        if use is not None and learned and not use.within:
            first = next(each.number for each in use.inputs if each.number in hits)
            yield found(
                RULE,
                use.site,
                f"{facts.kind} keeps {plural(len(hits), 'parameter')} in a plain list or dict, and registers none",
                f"the first (shape {_shape(use, first)}) received {passes[first]} gradients, is in no optimizer and "
                f"kept every bit, while {len(learned)} registered ones moved",
                "a plain list or dict hides parameters from parameters(), to() and state_dict()",
                "keep them in nn.ParameterList, nn.ParameterDict or nn.ModuleList",
                facts={"parameters": hits, "modules": []},
            )


def parameters_of(trace: Trace, module: int) -> set[int]:
    """The parameters that a module registers."""
    return set(trace.modules[module].parameters.values())


def _below(trace: Trace, module: int) -> set[int]:
    """The modules that a module registers, at any depth."""
    found, waiting = set[int](), [module]
    while waiting:
        facts = trace.modules.get(waiting.pop())
        new = set(facts.children.values()) - found if facts else set()
        found |= new
        waiting += new
    return found


def _bare(trace: Trace, op: Op, number: int) -> bool:
    """Whether this is an nn.Parameter: a leaf that no call made; one that asks for a gradient was made by a call."""
    return trace.maker(next(each for each in op.inputs if each.number == number), op.n) is None


def _passes(trace: Trace) -> tuple[dict[int, int], set[int]]:
    """How many passes reached each leaf, and the leaves whose bits changed."""
    counts: dict[int, int] = defaultdict(int)
    bits: dict[int, set[int]] = defaultdict(set)
    for event in trace.backwards():
        for leaf in event.leaves:
            if leaf.after is not None and leaf.weight is not None:
                counts[leaf.number] += 1
                bits[leaf.number].add(leaf.weight.mark)
    return counts, {number for number, marks in bits.items() if len(marks) > 1}


def _quiet(trace: Trace) -> set[int]:
    """Modules that were made inside a forward, or ran in eval mode inside one that trains."""
    made = {event.module for event in trace.of(ModuleMade) if event.inside}
    return made | {event.module for event in trace.of(Forward) if event.grad and not event.training}


def _shape(op: Op, number: int) -> tuple[int, ...]:
    return next(each.shape for each in op.inputs if each.number == number)
