"""The target network, or the teacher, is the trained network itself, or stays at its start for ever.

What: `target = policy`, or parameters that share their memory, give one set of weights two names; what should lag
behind moves with every update, and copying or averaging the weights copies them onto themselves.

Why: a bootstrap target that moves with the network diverges easily, and the distance to a teacher that is oneself
teaches nothing.

Evidence: a module loads its own state, or mixes its own parameters with themselves, updates apart; or two modules that
are both called have all their parameters' memory in common; or one module goes by the name of a target and another, and
moves between the calls whose outputs, without a graph, are what others are trained towards; or the distance to what a
call without a graph gave is 0 each time, as one module gave both, with the same weights and of the same input. And a
copy that was made before the training and keeps its weights to the end, while all that the network is trained by is
made of what the copy says, and that is compared with what the network says of other inputs: it should follow. Or a
share of the best value that the network itself gives of other inputs is the target, beside data, and has a gradient.
And weights that were detached and not copied, kept over many updates and then taken anew, or named as a target, give
the targets of those that share their memory.

False alarms: tied layers share some of their memory, a wrapped model has a second name, and a teacher that was trained
before, by whatever name, moves no more while it teaches. A start that is kept to be taken away from every output, or to
be kept near to, is asked of the same inputs, and stays as it is. A program whose words are of the residual means to
move both sides. Weights that are detached anew for each target are the network's own. None is a finding.

Mend: `target = copy.deepcopy(policy)`, and `tp.data.copy_(p.data)` to update it.

Wrong:
    target_net = policy_net

Right:
    target_net = copy.deepcopy(policy_net)
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import StateLoaded
from truestep.check.events import Forward, Names, Op
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._aliased import aliased
from truestep.check.rules._batches import ends
from truestep.check.rules._chains import reaches
from truestep.check.rules._itself import says_itself
from truestep.check.rules._left_behind import left_behind
from truestep.check.rules._own_bootstrap import own_bootstrap
from truestep.check.rules._states import aliases, around, steps_on, taken_before
from truestep.check.site import Site
from truestep.check.trace import Trace

RULE = Rule("TS673", "target_is_same", "the target network is the network, or never follows it", "error", "reporting")
WORDS = ("target", "teacher", "ema", "momentum", "slow", "averaged", "average")


def look(trace: Trace) -> Iterator[Finding]:
    """The first of six proofs; or a copy that never follows."""
    for proof in (_loads_itself, _mixes_itself, _shares_all, _goes_by_two_names, says_itself, aliased):
        told = next(proof(trace), None)
        if told is not None:
            site, message, evidence = told
            yield found(
                RULE, site, message, evidence, "what should lag behind moves with every update",
                "make it a module of its own: target = copy.deepcopy(network), updated by tp.data.copy_(p.data)",
            )  # fmt: skip
            return
    for site, message, evidence in left_behind(trace):
        yield found(
            RULE, site, message, evidence, "the network learns towards what random weights say",
            "copy the weights now and then, target.load_state_dict(network.state_dict()), or a share at each update",
            "warning",
        )  # fmt: skip
    for site, message, evidence in own_bootstrap(trace):
        yield found(
            RULE, site, message, evidence, "a value is drawn towards its target and the target towards the value",
            "make the target under torch.no_grad(), or detach it, and let a copy of the network give it", "warning",
        )  # fmt: skip


def _loads_itself(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    for load in trace.of(StateLoaded):
        if load.of != "module" or not load.matched or load.shared < load.matched:
            continue
        names = around(trace, load)
        both = aliases(names, load.owner) if names else []
        taken = taken_before(trace, load)
        if len(both) < 2 or not taken or steps_on(trace, load.owner, taken, load.n):
            continue
        steps = steps_on(trace, load.owner, 0, load.n)
        if steps:
            yield (
                load.site,
                f"{both[0]} and {both[1]} are one module, and it loads its own state",
                f"{load.shared} of {load.matched} tensors were its own memory, after {steps} updates",
            )


def _mixes_itself(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    weights = {storage: number for facts in trace.modules.values()
               for name, storage in facts.storages.items() for number in [facts.parameters[name]]}  # fmt: skip
    scaled: dict[int, float] = {}
    times: dict[tuple[str, int], list[Op]] = {}
    for op in trace.ops("mul_", "__imul__", "add_", "__iadd__", "lerp_", "copy_"):
        if not op.inputs or op.inputs[0].storage not in weights:
            continue
        own = op.inputs[0].storage
        if op.name in ("mul_", "__imul__"):
            factor = op.arg(1, "other")
            scaled[own] = factor if isinstance(factor, float) else 0.0
        elif len(op.inputs) > 1 and (_same(op, own, scaled.pop(own, 0.0)) or _blend(trace, op, own)):
            times.setdefault(op.site.place, []).append(op)
    for ops in times.values():
        if len({op.update for op in ops}) > 1:
            number = weights[ops[0].inputs[0].storage]
            yield (
                ops[0].site,
                "the weights of the target are mixed with themselves",
                f"both operands of {len(ops)} in-place updates share their memory, that of {trace.name(number)} first",
            )


def _same(op: Op, own: int, factor: float) -> bool:
    """A weighted mean of a parameter and itself: the two weights add up to one."""
    if op.inputs[1].storage != own:
        return False
    alpha = op.words.get("alpha")
    return op.name in ("lerp_", "copy_") or (
        isinstance(alpha, float) and factor != 0 and abs(factor + alpha - 1) < 1e-9
    )


def _blend(trace: Trace, op: Op, own: int) -> bool:
    """`t.copy_(a * t + b * s)`, or `t.mul_(a).add_(b * s)`, where t and s are one."""
    made = trace.maker(op.inputs[1], op.n)
    if op.name != "copy_" or made is None or made.name not in ("add", "lerp") or len(made.inputs) < 2:
        return False
    parts = [trace.maker(each, made.n) for each in made.inputs]
    return all(
        part is not None and part.name == "mul" and part.inputs and part.inputs[0].storage == own for part in parts
    )


def _shares_all(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    called: dict[int, Forward] = {}
    for event in trace.of(Forward):
        if event.depth == 0:
            called[event.module] = event
    for first, one in called.items():
        mine = trace.modules.get(first)
        for second in called:
            other = trace.modules.get(second)
            if first >= second or mine is None or other is None or mine.kind != other.kind or not mine.storages:
                continue
            apart = not set(mine.parameters.values()) & set(other.parameters.values())
            if apart and mine.storages == other.storages and steps_on(trace, first, 0, one.n):
                shared = next((op.site for op in trace.ops("data=") if len(op.inputs) > 1), called[second].site)
                yield (
                    shared,
                    f"two modules of {mine.kind} share all their memory",
                    f"all {len(mine.storages)} parameters of one stand in the memory of the other while it is trained",
                )


def _goes_by_two_names(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    quiet: dict[int, list[Forward]] = {}
    for event in trace.of(Forward):
        if not event.grad and event.close and event.outputs and ends(trace, event.outputs[0], event.n)[1]:
            quiet.setdefault(event.module, []).append(event)  # what it says is what another call is trained towards
    loud = {event.module for event in trace.of(Forward) if event.grad}
    for event in reversed(trace.of(Names)):
        for name, value in event.held.items():
            words = name.rpartition(".")[2].lower().split("_")
            if not (isinstance(value, tuple) and value and value[0] == "module" and set(words) & set(WORDS)):
                continue
            number = value[1]
            plain = [other for other in aliases(event, number)
                     if not set(other.rpartition(".")[2].lower().split("_")) & set(WORDS)]  # fmt: skip
            calls = quiet.get(number, [])
            steps = steps_on(trace, number, calls[0].n, calls[-1].n) if calls else 0
            if plain and steps and number in loud and _learns_from_itself(trace, number):
                yield (
                    calls[-1].site,
                    f"{name} and {plain[0]} are one module",
                    f"{steps} updates moved both between calls of it that gave targets, and it is trained itself",
                )


def _learns_from_itself(trace: Trace, number: int) -> bool:
    """Whether what the module gave without a graph went into a loss that its own weights were trained by."""
    own = set(trace.modules[number].parameters.values()) if number in trace.modules else set()
    roots = {root.number for event in trace.backwards() for root in event.roots
             if own & {leaf.number for leaf in event.leaves}}  # fmt: skip
    calls = (event for event in trace.of(Forward) if event.module == number and event.close and not event.grad)
    return any(reaches(trace, event.outputs, event.n)[1] & roots for event in calls)
