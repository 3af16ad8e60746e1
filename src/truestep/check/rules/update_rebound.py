"""The update makes a new tensor and leaves the parameter as it was.

What: parameter minus rate times gradient is computed at every step, and the result goes nowhere: a name is bound to it
(`p = p - lr * p.grad`), or it is thrown away (`p.sub(...)` for `p.sub_(...)`). Or a gradient is clamped or scaled so
before an optimizer's step (`p.grad.clamp(-1, 1)`). Or the new weights of a dict, made with gradients of torch.func, are
given to nobody, as those of an inner update may be; or they are trained, and the module is scored with its own. Or the
average that a target network was to become, `old = tau * new + (1 - tau) * old`, is bound to the loop's own name.

Why: binding a name changes the name, not the tensor that the model uses. The loss never falls.

Evidence: the calls that computed the new value, that nothing read it afterwards, and the parameter's bits, equal at
every backward pass. Of a gradient: that the step used the bits which the pass had left.

False alarms: rebinding is sound where the new tensor is the parameter of the next step: then another tensor is
differentiated each time. A trial point of a line search is copied back and moves the parameter.

Mend: change it in place under no_grad: `p -= lr * p.grad`, `p.sub_(...)`, `p.data.sub_(...)`.

Wrong:
    for p in model.parameters():
        p = p - lr * p.grad

Right:
    for p in model.parameters():
        p -= lr * p.grad
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import Backward
from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.rules import found
from truestep.check.rules._functional import SUMS, thrown, unmet
from truestep.check.rules._idle_averages import idle_averages
from truestep.check.rules._inner_lost import inner_lost
from truestep.check.rules._lost import lost as lost_gradients
from truestep.check.rules._mixed import unread
from truestep.check.rules._velocity import lost_states
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS104", "update_rebound", "the update is bound to a name or thrown away", "error", "updates")
OFTEN = 4
COPIES = {"detach", "clone", "requires_grad_", "data", "requires_grad="}
LOOKS = {"item", "norm", "grad", "grad="}


def look(trace: Trace) -> Iterator[Finding]:
    """Look for new values of parameters, and of their gradients, that nobody reads."""
    yield from _of_gradients(trace)
    yield from _functional(trace)
    yield from _of_averages(trace)
    yield from _idle(trace)
    for site, message, evidence in lost_states(trace):
        yield found(
            RULE, site, message, evidence, "there is no momentum: each step knows of its own gradient alone",
            "change the state in place: v.mul_(momentum).add_(p.grad)",
        )  # fmt: skip
    bits: dict[int, set[int]] = defaultdict(set)
    shapes: dict[int, tuple[int, ...]] = {}
    homes: dict[int, int] = {}
    passes: dict[int, int] = defaultdict(int)
    for event in trace.of(Backward):
        for leaf in event.leaves if not event.nested else ():
            if leaf.weight is not None:
                bits[leaf.number].add(leaf.weight.mark)
                shapes[leaf.number], homes[leaf.storage] = leaf.shape, leaf.number
                passes[leaf.number] += 1
    still = {number for number, marks in bits.items() if len(marks) == 1 and passes[number] >= OFTEN}
    lost: dict[tuple[str, int], list[tuple[int, Op]]] = defaultdict(list)
    for op in trace.ops(*SUMS) if still else ():
        number = _new_value(trace, op, still, shapes, homes)
        if number:
            lost[op.site.place].append((number, op))
    for hits in lost.values():
        numbers = {number for number, _ in hits}
        number, op = hits[0]
        if len(hits) >= OFTEN * len(numbers):
            yield found(
                RULE,
                op.site,
                f"the new value of {trace.name(number)} is computed here and never reaches it",
                f"{plural(len(hits), 'new value')} for {plural(len(numbers), 'parameter')}, each made of one and its "
                f"gradient, were read by nobody; at all {passes[number]} backward passes each bit of them was the same",
                "a name is bound to the new tensor, and the model keeps the old one",
                "change the parameter in place under torch.no_grad(): p -= lr * p.grad, or p.sub_(...)",
            )
    yield from () if lost else _inner(trace)


def _inner(trace: Trace) -> Iterator[Finding]:
    """Adapted weights, as of a task in meta-learning, that are thrown away."""
    for one in inner_lost(trace):
        yield found(
            RULE,
            one.op.site,
            "the weights of an inner update are computed here and thrown away",
            f"{plural(one.times, 'new value')} of {plural(one.tensors, 'tensor')}, each made of one and its gradient "
            "from torch.autograd.grad, were read by nobody",
            "nothing is adapted: what follows uses the old weights",
            "keep the new ones: fast = [w - lr * g for w, g in zip(fast, grads)]",
        )


def _functional(trace: Trace) -> Iterator[Finding]:
    """The same where torch.func gives the gradients, of weights in a dict."""
    for thrown_away in thrown(trace):
        yield found(
            RULE,
            thrown_away.op.site,
            "new weights are computed here from the gradients, and the old ones are used again",
            f"{plural(thrown_away.times, 'new value')} of {plural(thrown_away.tensors, 'tensor')} were read by nobody; "
            "the next pass began with the old tensors, and nothing wrote into them",
            "every pass starts from the first weights: nothing is learned",
            "give the new weights the name of the old ones, params = {...}, or return them and take what is returned",
        )
    for one in unmet(trace):
        yield found(
            RULE,
            one.call.site,
            f"{trace.name(one.call.module)} is scored with weights of its own, and others were trained",
            f"{plural(one.passes, 'pass', 'passes')} went through its forward with weights from outside, which were "
            f"made anew at each step; at {one.times} calls without a gradient it had its own, the same ones each time",
            "the score is that of the weights that the model was built with",
            "call it with the trained weights, functional_call(model, params, x), or load them into it first",
        )


def _of_averages(trace: Trace) -> Iterator[Finding]:
    """Where a module was to follow the trained one, and what it was to become is bound to a name."""
    for one in unread(trace):
        name = trace.name(one.source)
        use = f", {one.targets} of which gave the targets of passes" if one.targets else ""
        yield found(
            RULE,
            one.op.site,
            f"{name} was to follow the trained weights, and its new weights are thrown away here",
            f"at {plural(one.times, 'update')} a mean of trained weights and {one.share:.3g} of {name}'s was made and "
            f"read by nobody; {name} kept every bit through {plural(one.calls, 'call')} that were looked at{use}",
            "a name is bound to the new tensor, and the module keeps its first weights",
            "write into the weights under torch.no_grad(): old.lerp_(new, tau), or old.copy_(of the mean)",
        )


def _idle(trace: Trace) -> Iterator[Finding]:
    """Averages of the weights that are made, and thrown away with the program."""
    for one in idle_averages(trace):
        yield found(
            RULE,
            one.site,
            f"{one.name} averages the trained weights, and nothing ever asks it",
            f"after {plural(one.times, 'update')} looked at a mean of it and of trained weights was made here; the "
            f"program names {one.name} for nothing else, and what it scores at the end are the weights themselves",
            "what is scored and kept is not what the average was made for",
            "evaluate and save the average, or copy it into the model, or leave it out",
            "warning",
        )


def _of_gradients(trace: Trace) -> Iterator[Finding]:
    for hits in lost_gradients(trace):
        number, op = hits[0]
        yield found(
            RULE,
            op.site,
            f"a gradient is changed here into a new tensor, and that is thrown away: {trace.name(number)}'s first",
            f"{plural(len(hits), 'new tensor')} that {op.name} made were read by nobody, and each step that followed "
            "used the gradient with the very bits that the pass had left",
            "the step follows the whole gradient",
            "change the gradient in place: p.grad.clamp_(...), p.grad.mul_(...), or clip_grad_norm_",
            None if op.name.startswith("cl") else "warning",  # a share may have gone where torch sees nothing
        )


def _new_value(trace: Trace, op: Op, still: set[int], shapes: dict[int, tuple[int, ...]], homes: dict[int, int]) -> int:
    """The parameter of which this call makes a new value out of its gradient, where nobody reads that; else 0."""
    if len(op.inputs) < 2 or not op.out or op.out[0].storage in homes:
        return 0  # what stands in a parameter's memory has reached it
    for one in op.inputs[:2]:
        number = _source(trace, one, op.n, homes)
        others = [each for each in op.inputs if each is not one]
        if number not in still or shapes[number] != op.out[0].shape:
            continue
        if any(_from_gradient(trace, each, op.n, shapes[number]) for each in others):
            return 0 if _read(trace, op) else number
    return 0


def _read(trace: Trace, op: Op) -> bool:
    """Whether something reads what a call made, be it through a copy."""
    waiting = [(op.out[0], op.n)]
    for _ in range(8):
        if not waiting:
            return False
        seen, after = waiting.pop()
        for user in trace.users(seen, after):
            if user.name not in COPIES | LOOKS:
                return True
            waiting += [(each, user.n) for each in user.out if user.name in COPIES]
    return True


def _source(trace: Trace, tensor: Seen, before: int, homes: dict[int, int]) -> int:
    """The parameter that this tensor is, shares memory with, or is a copy of."""
    for _ in range(4):
        if tensor.storage in homes:
            return homes[tensor.storage]
        op = trace.maker(tensor, before)
        if op is None or op.name not in ("clone", "detach", "data") or not op.inputs:
            return 0
        tensor = op.inputs[0]
    return 0


def _from_gradient(trace: Trace, tensor: Seen, before: int, shape: tuple[int, ...]) -> bool:
    """Whether this is a gradient of such a shape, or made of one: read from `.grad`, or given by autograd.grad."""
    ops = list(trace.chain(tensor, before, 8))
    last = ops[-1].inputs[0] if ops and ops[-1].inputs else tensor
    if any(op.name == "grad" for op in ops):
        return True
    return (
        last.shape == shape
        and not last.needs_grad
        and trace.maker(last, before) is None
        and _differentiated(trace, before)
    )


def _differentiated(trace: Trace, before: int) -> bool:
    return any(event.how == "grad" and event.n < before for event in trace.of(Backward)[:3])
