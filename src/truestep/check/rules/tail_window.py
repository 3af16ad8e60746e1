"""The last batches of an epoch do not fill a window of accumulation, and their gradients are dropped or carried over.

What: the passes of an epoch do not divide into whole windows. What is left at its end is wiped by the next clearing,
or waits in `.grad` and is added to the first window of the next epoch. Or losses are collected for a window and
differentiated together, and those that are left at the end never are.

Why: dropped batches never reach the weights; carried ones are older than the weights that they are applied to, and that
window holds more passes than its losses were divided by.

Evidence: the sizes of the windows, how many passes were wiped and how often; or the window with more passes, and the
divisor that stayed the same. For losses: the calls of the model by one line, so many for each pass and some more
where an epoch ended, whose losses no pass reached.

False alarms: windows that simply go on over the end of an epoch have the same size everywhere. A batch that is skipped
for its NaN is wiped in the middle of an epoch. Windows of changing size have changing divisors. Calls of another line,
or by another caller, as of an evaluation, are no part of a window.

Mend: step at the last batch of an epoch too, and divide by the number of passes that the window really has.

Wrong:
    if (i + 1) % 4 == 0:
        optimizer.step()

Right:
    if (i + 1) % 4 == 0 or i + 1 == len(loader):
        optimizer.step()
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from truestep.check.changes import Step
from truestep.check.events import LoaderEnd, LoaderStart
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._facts import Window, scale, stepping, windows
from truestep.check.rules._tails import tails
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS112", "tail_window", "the last window of an epoch is dropped or carried over", "error", "updates")
WHOLE, OFTEN = 3, 2
MEND = "step at the last batch of an epoch too, and divide by the passes that this window has"


def look(trace: Trace) -> Iterator[Finding]:
    """Compare the sizes of an optimizer's windows, and how often a model is called for each pass."""
    yield from _collected(trace)
    for optimizer in stepping(trace, WHOLE):
        found_here = windows(trace, optimizer)
        stepped = [one for one in found_here if one.step is not None and one.passes]
        sizes = Counter(len(one.passes) for one in stepped)
        if not sizes or len({event.site.place for one in found_here for event in one.passes}) != 1:
            continue
        k, often = sizes.most_common(1)[0]
        least = min(sizes)  # the first window alone, where what is left of every epoch is as much as goes on
        if 1 < least < k and len(sizes) == 2 and k < 2 * least and _divided(trace, stepped, least):
            k, often = least, WHOLE
        if k < 2 or often < WHOLE:
            continue
        dropped = [one for one in found_here if one.clear is not None and len(one.passes) < k and _unused(trace, one)]
        at_end = all(one.clear and _ends(trace, one.passes[-1].n, one.clear.n) for one in dropped)
        same = len({len(one.passes) for one in dropped}) == 1 and not trace.of(LoaderStart)
        if len(sizes) == 1 and dropped and (at_end or (len(dropped) > OFTEN and same)):
            yield _dropped(k, often, dropped)
        longer = [one for one in stepped if k < len(one.passes) < 2 * k]
        if len(longer) >= OFTEN and len(sizes) == 2 and all(_carried(trace, one, k) for one in longer):
            event, m = longer[0].passes[0], len(longer[0].passes)
            yield found(
                RULE,
                event.site,
                f"what is left of an epoch waits in .grad: some windows hold {plural(m, 'pass', 'passes')}, the "
                f"others {k}",
                f"{len(longer)} of {len(stepped)} windows hold {m} passes, each divided as in those of {k}",
                f"old gradients move newer weights, and that step is {m / k:.3g} times too large",
                MEND,
            )


def _collected(trace: Trace) -> Iterator[Finding]:
    for site, k, often, m, times in tails(trace):
        yield found(
            RULE,
            site,
            f"the losses of {plural(m, 'call')} at the end of an epoch are computed and never differentiated",
            f"{plural(often, 'pass', 'passes')} had {k} calls of the model on this line each; {plural(times, 'time')} "
            f"{m} more came before, whose losses reached no pass",
            "this data is computed and thrown away in every epoch",
            "call backward() and step() for what is left at the end of an epoch too",
        )


def _unused(trace: Trace, one: Window) -> bool:
    """Whether no other optimizer has stepped with these passes before they were wiped: a generator's reach both."""
    return one.clear is not None and not trace.between(one.passes[0].n, one.clear.n, Step)


def _dropped(k: int, often: int, dropped: list[Window]) -> Finding:
    one = dropped[0]
    where = one.clear or one.passes[-1]
    norms = [norm for _, norm in one.clear.held if norm] if one.clear else []
    size = f" (a gradient of norm {max(norms):.3g} at first)" if norms else ""
    return found(
        RULE,
        where.site,
        f"{plural(len(one.passes), 'batch', 'batches')} at the end of an epoch never "
        f"{'reaches' if len(one.passes) == 1 else 'reach'} the weights",
        f"{plural(often, 'step')} used {k} passes each; {plural(len(dropped), 'time')} "
        f"{plural(len(one.passes), 'pass was', 'passes were')} left over and "
        f"wiped here{size}",
        "these batches are computed and thrown away in every epoch",
        MEND,
    )


def _ends(trace: Trace, first: int, last: int) -> bool:
    """Whether a pass over a loader came to its end in between."""
    return bool(trace.between(first, last, LoaderEnd))


def _carried(trace: Trace, one: Window, k: int) -> bool:
    """Whether this window lies over the end of an epoch: by the loader, or by a divisor that stayed at k."""
    if trace.of(LoaderStart):
        return _ends(trace, one.passes[0].n, one.passes[-1].n)
    return _divided(trace, [one], k)


def _divided(trace: Trace, several: list[Window], k: int) -> bool:
    """Whether the loss of each pass was divided by k."""
    passes = [event for one in several for event in one.passes if event.close]
    told = [scale(trace, event.roots[0], event.n) for event in passes if event.roots]
    factors = [each.factor for each in told if each is not None]
    known = len(factors) == (len(passes) if len(several) > 1 else len(several[0].passes))
    return known and all(abs(each * k - 1) < 1e-6 for each in factors)
