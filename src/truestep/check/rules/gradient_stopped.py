"""The gradient is stopped on its way to parameters that an optimizer holds.

What: parameters take part in the forward pass of the training, an optimizer holds them and steps, and no backward pass
ever reaches them: their way to the loss runs through `detach()`, `.data`, `no_grad`, `item()` or numpy.

Or an optimizer steps, and nobody ever computes gradients for it, or puts those of torch.func into `.grad`.

Why: these parameters keep their random start, and the others learn on top of random features.

A term of the loss that is added as a number (`item()`), is cut off by `detach()`, or is made of what argmax, a
comparison or a rounding gave, is the same mistake: it moves nothing. So is a loss that is put together as a new tensor,
`torch.tensor(losses, requires_grad=True)`: backward() runs, and ends there. And a sample that is cut off, as by
`sample()` for `rsample()`, leaves its mean and spread with their penalty alone. So does a code that is chosen for what
was encoded: without `z + (code - z).detach()` the encoder learns its distance to the code alone. And what is rounded
(`round()`, `floor()`, `sign()`) is attached, but has no slope: the weights behind it get a gradient of zeros.

Evidence: the steps that found no gradient and left every bit; the call at which the result stopped being
differentiable; and that what came out of it went into the loss (for a number: the calls that it went into, step after
step, in one proportion to what was read from a tensor that could be differentiated; for a new tensor: that a line read
what the model gave, and that its number is another one each time). Of a term that is cut off: that the steps moved
weights behind it, and no pass ever went through it. Of a sample: that no term reaches its mean and spread but one that
is made of these two and of constants. Of a code: that each term that reaches what encodes compares what was encoded
with what was chosen for it, of parameters and constants, while the code goes on to where data meet it.

False alarms: a branch that is cut on purpose (targets, stop-gradient, a detached encoder for one of two losses)
receives gradients from another loss; frozen parameters say so with requires_grad; loaded weights may be left alone,
and codebooks that a moving average moves do move. None of these is a finding. The spread of a sample (mean + spread *
noise) that is cut off learns from other terms, if any: of that a word of advice.

Mend: take the stop out of the way; parameters that are to stay fixed say so with `requires_grad_(False)`.

Wrong:
    features = self.encoder(x)
    return self.head(features.detach())

Right:
    features = self.encoder(x)
    return self.head(features)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from truestep.check.changes import Backward, Step
from truestep.check.events import Number, Op
from truestep.check.finding import Finding, Rule
from truestep.check.mode import NUMBERS
from truestep.check.rules import found
from truestep.check.rules._chains import SHAPES, origin
from truestep.check.rules._cut_terms import cut_terms
from truestep.check.rules._empty_steps import empty_steps
from truestep.check.rules._facts import loaded
from truestep.check.rules._new_terms import renewed_terms
from truestep.check.rules._noise import DRAWS
from truestep.check.rules._numbered import ADDS, numbered
from truestep.check.rules._own_code import own_codes
from truestep.check.rules._penalties import dead_derivatives, dead_penalties
from truestep.check.rules._rounded import rounded
from truestep.check.rules._sampled import penalised
from truestep.check.rules._stepped_terms import stepped_terms
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS204", "gradient_stopped", "the gradient never reaches parameters that are in use", "error", "parameters")
OFTEN = 4  # steps
LOOKED = 4  # updates in which the way is followed
MOST = 4000  # calls followed from one use: each step of an episode, or of a sequence, has its own


def look(trace: Trace) -> Iterator[Finding]:
    """Find held parameters without any gradient, and follow their results to where the gradient stops."""
    idle = _idle(trace)
    uses: dict[int, dict[int, list[Op]]] = {number: defaultdict(list) for number in idle}
    for op in trace.of(Op):
        for each in op.inputs:
            if each.number in uses and len(uses[each.number]) <= LOOKED:
                uses[each.number][op.update].append(op)
    stops: dict[tuple[str, int], list[tuple[int, Op]]] = defaultdict(list)
    went: dict[tuple[tuple[str, int], str, int], bool] = {}
    for number, updates in uses.items():
        ways = [_first(trace, ops, went) for ops in list(updates.values())[:LOOKED]]
        cuts = [cut for cut in ways if cut is not None]
        places = Counter(cut.site.place for cut in cuts)
        if places and places.most_common(1)[0][1] >= min(3, LOOKED):
            place = places.most_common(1)[0][0]
            stops[place].append((number, next(cut for cut in cuts if cut.site.place == place)))
    for hits in stops.values():
        number, cut = hits[0]
        names = ", ".join(trace.name(each) for each, _ in hits[:3]) + (", ..." if len(hits) > 3 else "")
        how = "a call under no_grad" if not cut.grad else f"{cut.name}()"
        yield found(
            RULE,
            cut.site,
            f"{how} stops the gradient, and {plural(len(hits), 'parameter')} that the optimizer holds never get "
            f"one: {names}",
            f"{trace.name(number)} was used at every update, found no gradient at any of {idle[number]} steps and kept "
            "every bit; what came out here went on into the loss",
            "these parameters keep their random start",
            "leave the result attached; what is to stay fixed says so with requires_grad_(False)",
        )
    yield from (found(RULE, *told) for told in rounded(trace))
    if not stops:
        if any(len(updates) >= LOOKED for updates in uses.values()):
            yield from _renewed(trace, set(idle))
        yield from _terms(trace, set(idle))
        sampled = penalised(trace)
        more = (*sampled, *own_codes(trace), *renewed_terms(trace), *empty_steps(trace))
        yield from (found(RULE, *told) for told in more)
        yield from (found(RULE, *told) for told in stepped_terms(trace))
        yield from () if sampled else _spreads(trace)


def _renewed(trace: Trace, idle: set[int]) -> Iterator[Finding]:
    """Passes that end at a new tensor each time, before steps that find no gradient at all."""
    ends: dict[tuple[str, int], dict[int, tuple[Backward, int]]] = defaultdict(dict)
    for update in trace.updates():
        step, passes = update.step, update.backwards
        if step is None or not step.close or len(passes) != 1 or not passes[0].close:
            continue
        event = passes[0]
        reached = {leaf.number for leaf in event.leaves if not leaf.parameter}
        bare = len(event.roots) == 1 and not event.roots[0].shape and len(reached) == len(event.leaves) == 1
        mine = {one.number for one in step.moved if one.needs_grad}
        if bare and mine and mine <= idle and event.how == "backward":
            ends[event.site.place][reached.pop()] = event, len(mine)
    for seen in ends.values():
        if len(seen) >= OFTEN:
            number, (event, held) = next(iter(seen.items()))
            root = event.roots[0]
            makers = trace.ops("tensor", "as_tensor", "requires_grad_", "requires_grad=")
            ends_at = (op for op in makers if number in {each.number for each in (*op.out, *op.inputs)})
            made = next((op for op in ends_at if op.n < event.n), None)
            yield found(
                RULE,
                event.site if made is None else made.site,
                "the loss is a new tensor made of numbers: no gradient gets past it, to any of the "
                f"{plural(held, 'parameter')} that the optimizer holds",
                f"{len(seen)} passes looked at ended at a new leaf each ({root.maker or 'the loss itself'} at the "
                f"root), and the steps after them found no gradient of {trace.name(min(idle))} or any other, and moved "
                "none of them",
                "requires_grad=True on a new tensor makes backward() run, and nothing is learned",
                "put the losses together with torch.stack(losses).mean() or sum(losses), without item() or tensor()",
            )
            return


def _terms(trace: Trace, idle: set[int]) -> Iterator[Finding]:
    """Terms that were added to the loss and have no gradient, or what it is made of."""
    for site, message, evidence in numbered(trace, _tied):
        yield found(
            RULE, site, message, evidence, "a number added to a loss changes what is printed and no gradient",
            "add the tensor itself, made of attached tensors by torch alone",
        )  # fmt: skip
    for site, message, evidence in cut_terms(trace):
        yield found(
            RULE, site, message, evidence, "a term without a gradient changes what is printed, and moves nothing",
            "add the tensor itself; what is only to be shown is summed up beside the loss", "warning",
        )  # fmt: skip
    for site, message, evidence in dead_penalties(trace):
        yield found(
            RULE, site, message, evidence, "a penalty without a gradient changes what is printed, and holds nothing",
            "torch.autograd.grad(..., create_graph=True)", "warning",
        )  # fmt: skip
    for site, message, evidence in dead_derivatives(trace, idle):
        mend = "torch.autograd.grad(..., create_graph=True)"
        yield found(RULE, site, message, evidence, "these parameters keep their random start", mend)


def _spreads(trace: Trace) -> Iterator[Finding]:
    """The spread of a sample, mean + spread * noise, that is cut off: only other terms of the loss train it then."""
    lines: dict[tuple[str, int], dict[int, tuple[Op, Op]]] = defaultdict(dict)
    for op in trace.ops("detach", "data"):
        if op.inputs and op.inputs[0].needs_grad and not op.inputs[0].leaf and op.grad:
            draw = _sampled(trace, op)
            if draw is not None:
                lines[op.site.place].setdefault(op.update, (op, draw))
    for seen in lines.values():
        if len(seen) >= OFTEN:
            op, draw = next(iter(seen.values()))
            yield found(
                RULE,
                op.site,
                f"{op.name}() stops the gradient of what scales the noise of a sample",
                f"at {len(seen)} updates its result was multiplied by what {draw.name}() drew and added to a term that "
                "is differentiated; no error of the sample reaches what it came from",
                "the spread learns from other terms of the loss alone: the sample's error never makes it smaller",
                "leave it attached: mean + spread * noise passes the gradient to both",
                "advice",
            )


def _sampled(trace: Trace, cut: Op) -> Op | None:
    """The draw that a cut-off tensor scales, where the product is added to something else that is differentiated."""
    own = {each.number for op in trace.chain(cut.inputs[0], cut.n) for each in (*op.inputs, *op.out)}
    waiting = [(each, cut.n) for each in cut.out]
    for _ in range(8):
        if not waiting:
            break
        tensor, since = waiting.pop(0)
        for user in trace.users(tensor, since):
            others = [each for each in user.inputs if each.number != tensor.number]
            if user.update != cut.update or len(others) > 1:
                continue
            draw = origin(trace, others[0], user.n) if others and user.name in ("mul", "mul_") else None
            if draw is not None and draw.name in DRAWS and draw.out[0].shape == tensor.shape:
                sums = [use for out in user.out for use in trace.users(out, user.n) if use.name in ADDS]
                means = [each for use in sums for each in use.inputs if each.needs_grad and not each.leaf]
                return draw if means and all(each.number not in own for each in means) else None
            if not others or user.name in SHAPES:
                waiting += [(out, user.n) for out in user.out]
    return None


def _idle(trace: Trace) -> dict[int, int]:
    """Parameters without a gradient at any step, that nobody moved: number -> steps."""
    steps: Counter[int] = Counter()
    bits: dict[int, set[int]] = defaultdict(set)
    out = loaded(trace) | trace.trained
    for step in trace.of(Step):
        for one in step.moved:
            if one.grad is not None or not one.needs_grad or one.before is None or one.after is None:
                out.add(one.number)
            else:
                steps[one.number] += 1
                bits[one.number] |= {one.before.mark, one.after.mark}
    return {number: n for number, n in steps.items() if n >= OFTEN and number not in out and len(bits[number]) == 1}


def _first(trace: Trace, ops: list[Op], went: dict[tuple[tuple[str, int], str, int], bool]) -> Op | None:
    """The call at which the gradient stops, on a way that leads back into what is differentiated.

    `went` keeps, for a line's readings in an update, whether they went on.
    """
    waiting, known = [(op, None if op.grad else op) for op in ops], set[int]()
    while waiting and len(known) < MOST:
        op, cut = waiting.pop(0)
        if op.n in known:
            continue
        known.add(op.n)
        if op.name in NUMBERS:
            key = op.site.place, op.name, op.update
            if key not in went:
                went[key] = _went_on(trace, op)
            if went[key]:
                return cut or op
            continue
        if cut is None and not any(each.needs_grad for each in op.out):
            cut = op
        elif cut is not None and op.grad and any(each.needs_grad for each in op.out):
            return cut
        for each in op.out or op.inputs[:1] * (op.name == "__setitem__"):
            waiting += [(user, cut) for user in trace.users(each, op.n) if user.update == op.update]
    return None


def _went_on(trace: Trace, op: Op) -> bool:
    """Whether the array or number that was read here goes back into tensors."""
    if op.name in ("numpy", "__array__", "tolist"):
        makes = trace.ops("from_numpy", "tensor", "as_tensor")
        return any(each.update == op.update and each.n > op.n and each.grad for each in makes)
    read = {each.update: each for each in trace.of(Number) if each.site.place == op.site.place and each.value}
    shares: dict[tuple[tuple[str, int], int], dict[int, tuple[float, float]]] = defaultdict(dict)
    for each in trace.of(Op):
        number = read.get(each.update)
        if number is not None and each.n > number.n and any(made.needs_grad for made in each.out):
            for place, one in enumerate((*each.args, *each.words.values())):
                if isinstance(one, float) and number.value:
                    shares[each.site.place, place][each.update] = (number.value, one / number.value)
    return any(_tied(list(pairs.values())) for pairs in shares.values())


def _tied(pairs: list[tuple[float, float]]) -> bool:
    """Whether numbers went with what was read: always in one ratio to it, or the very number, and no round one."""
    values, ratios = {value for value, _ in pairs}, [ratio for _, ratio in pairs]
    if len(pairs) < 3 or max(ratios) - min(ratios) > 1e-6 * abs(max(ratios)):
        return False
    return len(values) >= 3 or (ratios[0] == 1 and not (1e4 * pairs[0][0]).is_integer())
