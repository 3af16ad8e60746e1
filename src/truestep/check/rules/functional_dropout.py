"""Dropout goes on in eval mode, because it does not know the mode.

What: a model in eval mode drops units all the same: `F.dropout` without `training=self.training`, a Dropout module that
is built inside forward or kept where `eval()` does not reach it, a `dropout_p` of attention that is always there, or a
mask of the model's own, `(torch.rand_like(x) > p) * x / (1 - p)`.
Or a model is evaluated in train mode with an `F.dropout` that is told nothing of the mode, or in a plain function or a
method beside `forward`, which drops as in training.

Why: answers differ from call to call, and every score is that of a crippled network.

Evidence: the model's mode at the forward, and the probability with which the call inside it dropped.

False alarms: Monte Carlo dropout says what it does with `training`, and runs the same inputs several times; or it puts
the model's own Dropout modules in train mode. Neither is a finding, and where the call says `True` outright, a score
must have come of it.

Mend: `F.dropout(x, p, training=self.training)`, or an `nn.Dropout` built in `__init__`.

Wrong:
    x = F.dropout(x, 0.4)

Right:
    x = F.dropout(x, 0.4, training=self.training)
"""

from __future__ import annotations

import ast
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator

from truestep.check.events import Forward, Op
from truestep.check.finding import Finding, Rule
from truestep.check.mends.modes import ToldTheMode
from truestep.check.rules import found
from truestep.check.rules._chains import reaches, statement
from truestep.check.rules._evaluations import Call, evaluated, scored
from truestep.check.rules._outside_modules import Drop, outside
from truestep.check.rules._own_dropout import own_dropout
from truestep.check.rules._words import plural
from truestep.check.trace import LOSSES, Trace

RULE = Rule("TS540", "functional_dropout", "dropout that ignores the mode", "error", "modes")
MENDING = ToldTheMode()
ATTENTION = "scaled_dot_product_attention"
DROPS = (
    "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", ATTENTION,
)  # fmt: skip
SCORES = LOSSES | {"eq", "sub"}
SAMPLES = 5  # passes of the same inputs


def look(trace: Trace) -> Iterator[Finding]:
    """Look at what drops inside models in eval mode."""
    lines: dict[tuple[str, int], list[tuple[Op, Forward]]] = defaultdict(list)
    waiting: list[Op] = []
    again, by_hand = _again(trace), own_dropout(trace)
    for event in trace.of(Op, Forward):
        if isinstance(event, Op):
            if event.n in by_hand or (event.name in DROPS and _drops(event)):
                waiting.append(event)
        elif event.depth == 0:
            for op in waiting:
                if op.n > event.began and not event.training and _deaf(trace, op, event, again, op.n in by_hand):
                    lines[op.site.place].append((op, event))
            waiting.clear()
    if not lines:
        yield from _never(trace)
        yield from _outside(trace)
    for calls in lines.values():
        op, event = calls[0]
        p = by_hand[op.n] if op.n in by_hand else _drops(op)
        yield found(
            RULE,
            op.site,
            f"{event.kind} is in eval mode, and dropout goes on inside it",
            f"in {plural(len(calls), 'call')} in eval mode {op.name} dropped with p = {p:g}; the first was "
            f"the forward of {event.kind} on line {event.site.line}",
            "answers differ from call to call, and every score is that of a network with units missing",
            "pass training=self.training (or ask it), or build the nn.Dropout in __init__ so that eval() reaches it",
            facts={"within": [op.within for op, _ in calls]} | ({"edit": True} if op.n in by_hand else {}),
        )


def _never(trace: Trace) -> Iterator[Finding]:
    """Dropout that is told nothing of the mode, in the evaluation of a model that was never put in eval mode."""
    for calls in evaluated(trace, _deaf_calls(trace)):
        event = calls[0].event
        op = next(op for op in trace.ops(*DROPS) if event.began < op.n < event.n and _silent(trace, op))
        if any(scored(trace, call.event) for call in calls):
            yield found(
                RULE,
                op.site,
                f"{event.kind} is evaluated with dropout going on inside it",
                f"in {plural(len(calls), 'pass', 'passes')} whose output was compared and ended in numbers {op.name} "
                f"dropped with p = {_drops(op):g}; it is told nothing of the mode, and eval() would not stop it",
                "answers differ from call to call, and every score is that of a network with units missing",
                "pass training=self.training, and call model.eval() before the evaluation",
                facts={"within": []},
            )


def _outside(trace: Trace) -> Iterator[Finding]:
    """Dropout outside of every `forward`, which drops in evaluation as in training."""
    drops = {op.n: op for op in trace.ops(*DROPS[:-1]) if op.inputs and _drops(op) and not _told(statement(op.site))}
    told = (Drop(n, n, op.site, op.site.place, op.inputs[0], op.out, op.grad, not op.within) for n, op in drops.items())
    for calls in outside(trace, told):
        op = drops[calls[0].n]
        yield found(
            RULE,
            op.site,
            f"{op.name} drops in evaluation as in training",
            f"in {plural(len(calls), 'call')} without gradients, whose results were read as numbers, it dropped with "
            f"p = {_drops(op):g}; it is told nothing of the mode, and stands in no forward",
            "answers differ from call to call, and every score is that of a network with units missing",
            "pass training=self.training, or an argument that says whether this is training",
            facts={"within": []},
        )
        return


def _deaf_calls(trace: Trace) -> Iterator[Call]:
    waiting: list[Op] = []
    for event in trace.of(Op, Forward):
        if isinstance(event, Op):
            if event.name in DROPS and event.name != ATTENTION and _drops(event) and _silent(trace, event):
                waiting.append(event)
        elif event.depth == 0:
            given = {each.number for each in event.inputs}  # what drops of the input itself may be its corruption
            inside = [op for op in waiting if op.n > event.began and op.inputs[0].number not in given]
            waiting.clear()
            if event.training and event.close and inside:
                yield Call(event, inside[0].name)


def _silent(trace: Trace, op: Op) -> bool:
    """Whether a module of the user's own calls this dropout and says nothing of training."""
    facts = trace.modules.get(op.module)
    return facts is not None and not facts.torch and bool(_drops(op)) and not _told(statement(op.site))


def _drops(op: Op) -> float:
    """The probability with which a call dropped; 0 where it did not."""
    if op.name == ATTENTION:
        p = op.arg(4, "dropout_p", 0.0)
    else:
        p = op.arg(1, "p", 0.5) if op.arg(2, "training", True) is True else 0.0
    return float(p) if isinstance(p, int | float) else 0.0


def _deaf(trace: Trace, op: Op, root: Forward, again: set[int], by_hand: bool) -> bool:
    """Whether this dropout cannot know the model's mode, and nobody means it to go on."""
    if by_hand:
        return root.module not in again and _scored(trace, root)
    if op.name == ATTENTION:
        return True
    facts = trace.modules.get(op.module)
    if facts is None:  # a module that nobody describes: it was built during the forward, and is gone
        return op.module != 0
    if facts.torch and "Dropout" in facts.kind:
        return op.module not in _below(trace, root.module)
    told = "" if facts.torch else _told(statement(op.site))
    meant = bool(told) and (root.module in again or (told == "True" and not _scored(trace, root)))
    return not facts.torch and not meant


def _told(text: str) -> str:
    """What a call of dropout is told of training, as it is written; empty where it is told nothing."""
    try:
        tree = ast.parse(textwrap.dedent(text))
    except SyntaxError:  # a part of a statement
        return "True" if "training" in text else ""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and "dropout" in ast.unparse(call.func):
            named = [word.value for word in call.keywords if word.arg in ("training", "train")]
            for value in [*named, *call.args[2:3]]:
                return ast.unparse(value)
    return ""


def _again(trace: Trace) -> set[int]:
    """Modules that were given the same inputs several times in eval mode, as Monte Carlo dropout does."""
    seen: Counter[tuple[int, int, tuple[int, ...]]] = Counter()
    found: set[int] = set()
    inner: list[Forward] = []
    for event in trace.of(Forward):
        if event.depth:
            inner.append(event)
            continue
        if event.training or not event.close:
            inner.clear()
            continue
        rows = event.inputs[0].rows if event.inputs else ()
        seen[event.module, event.update, rows] += 1
        calls = Counter((each.module, each.inputs[0].number) for each in inner if each.n > event.began and each.inputs)
        repeated = seen[event.module, event.update, rows], max(calls.values(), default=0)
        if max(repeated) >= SAMPLES or (rows and SAMPLES * len(set(rows)) <= len(rows)):
            found.add(event.module)
        inner.clear()
    return found


def _scored(trace: Trace, root: Forward) -> bool:
    """Whether what came out was compared with something, and nothing was learned from that."""
    ops = [op for op in reaches(trace, root.outputs, root.n)[0] if op.name in SCORES and op.update == root.update]
    return any(not each.needs_grad for op in ops for each in op.out)


def _below(trace: Trace, root: int) -> set[int]:
    known, waiting = {root}, [root]
    while waiting:
        facts = trace.modules.get(waiting.pop())
        fresh = set(facts.children.values()) - known if facts is not None else set()
        known |= fresh
        waiting += fresh
    return known
