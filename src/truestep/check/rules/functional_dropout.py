"""Dropout goes on in eval mode, because it does not know the mode.

What: a model in eval mode drops units all the same: `F.dropout` without `training=self.training`, a Dropout module that
is built inside forward or kept where `eval()` does not reach it, or a `dropout_p` of attention that is always there.

Why: answers differ from call to call, and every score is that of a crippled network.

Evidence: the model's mode at the forward, and the probability with which the call inside it dropped.

False alarms: Monte Carlo dropout says so: its call names `training`, or puts the model's own Dropout modules in train
mode. Neither is a finding.

Mend: `F.dropout(x, p, training=self.training)`, or an `nn.Dropout` built in `__init__`.

Wrong:
    x = F.dropout(x, 0.4)

Right:
    x = F.dropout(x, 0.4, training=self.training)
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from truestep.check.events import Forward, Op
from truestep.check.finding import Finding, Rule
from truestep.check.mends.modes import ToldTheMode
from truestep.check.rules import found
from truestep.check.rules._chains import statement
from truestep.check.trace import Trace

RULE = Rule("TS540", "functional_dropout", "dropout that ignores the mode", "error", "modes")
MENDING = ToldTheMode()
ATTENTION = "scaled_dot_product_attention"
DROPS = (
    "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", ATTENTION,
)  # fmt: skip
SAID = re.compile(r"training|dropout\w*\((?:[^(),]|\([^()]*\))+,[^(),]+,\s*True")


def look(trace: Trace) -> Iterator[Finding]:
    """Look at what drops inside models in eval mode."""
    lines: dict[tuple[str, int], list[tuple[Op, Forward]]] = defaultdict(list)
    waiting: list[Op] = []
    for event in trace.of(Op, Forward):
        if isinstance(event, Op):
            if event.name in DROPS and _drops(event):
                waiting.append(event)
        elif event.depth == 0:
            for op in waiting:
                if op.n > event.began and not event.training and _deaf(trace, op, event):
                    lines[op.site.place].append((op, event))
            waiting.clear()
    for calls in lines.values():
        op, event = calls[0]
        yield found(
            RULE,
            op.site,
            f"{event.kind} is in eval mode, and dropout goes on inside it",
            f"in {len(calls)} calls in eval mode {op.name} dropped with p = {_drops(op):g}; the first was the forward "
            f"of {event.kind} on line {event.site.line}",
            "answers differ from call to call, and every score is that of a network with units missing",
            "pass training=self.training, or build the nn.Dropout in __init__ so that eval() reaches it",
        )


def _drops(op: Op) -> float:
    """The probability with which a call dropped; 0 where it did not."""
    if op.name == ATTENTION:
        p = op.arg(4, "dropout_p", 0.0)
    else:
        p = op.arg(1, "p", 0.5) if op.arg(2, "training", True) is True else 0.0
    return float(p) if isinstance(p, int | float) else 0.0


def _deaf(trace: Trace, op: Op, root: Forward) -> bool:
    """Whether this dropout cannot know the model's mode, and nobody says that it should not."""
    if op.name == ATTENTION:
        return True
    facts = trace.modules.get(op.module)
    if facts is None:  # a module that nobody describes: it was built during the forward, and is gone
        return op.module != 0
    if facts.torch and "Dropout" in facts.kind:
        return op.module not in _below(trace, root.module)
    return not facts.torch and SAID.search(statement(op.site)) is None


def _below(trace: Trace, root: int) -> set[int]:
    known, waiting = {root}, [root]
    while waiting:
        facts = trace.modules.get(waiting.pop())
        fresh = set(facts.children.values()) - known if facts is not None else set()
        known |= fresh
        waiting += fresh
    return known
