"""ReduceLROnPlateau looks the wrong way.

What: the scheduler is given an accuracy with `mode="min"`, or a loss with `mode="max"`.

Why: the better the model becomes, the worse the scheduler thinks it is: it cuts the rate while training goes well.

Evidence: what the numbers that it was given are made of: counts of hits (an `==` of predictions and labels, their
overlap as in Dice, IoU and F1), or values of a loss, in a fixed proportion over all steps; and how often a minus sign
turned them round on the way.

False alarms: a metric whose making was not seen is left alone. `1 - accuracy` falls as hits rise, `-loss` and
`1 - residuals / variance` rise as a loss falls.

Mend: `mode="max"` for what should rise, `mode="min"` for what should fall.

Wrong:
    scheduler = ReduceLROnPlateau(optimizer)        # mode="min"
    scheduler.step(accuracy)

Right:
    scheduler = ReduceLROnPlateau(optimizer, mode="max")
    scheduler.step(accuracy)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.changes import SchedulerStep
from truestep.check.events import Number
from truestep.check.finding import Finding, Rule
from truestep.check.mends.schedules import OtherMode
from truestep.check.rules import found
from truestep.check.rules._called import argument, rises
from truestep.check.rules._courses import courses
from truestep.check.rules._meaning import figure, lines, made_of
from truestep.check.rules._metrics import formula
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS744", "plateau_mode", "a plateau scheduler that looks the wrong way", "error", "schedules")
MENDING = OtherMode()
NEAR = 1e-5
Series = dict[tuple[str, int], list[list[float]]]


def look(trace: Trace) -> Iterator[Finding]:
    """Look at what plateau schedulers are given."""
    for course in courses(trace):
        mode = course.made.settings.get("mode")
        steps = [step for step in course.steps if step.metric is not None]
        if course.made.kind != "ReduceLROnPlateau" or len(steps) < 3 or mode not in ("min", "max"):
            continue
        kind = _kind(trace, steps)
        if not kind:  # the last ones of those read on a line, where others go before them
            told = figure(lines(trace), [(step.n, step.metric or 0.0) for step in steps])
            kind = "" if told is None else "hits" if told.rises else "loss"
        named = not kind and mode == "min" and _rising(steps)
        if named or kind == ("hits" if mode == "min" else "loss"):
            cuts = sum(step.after < step.before for step in steps)
            metrics = [step.metric or 0.0 for step in steps]
            what = "what falls as the model gets better" if kind == "loss" else "what rises as the model gets better"
            made = (
                f"called {argument(steps[0].site, 'step')}" if named else "made of counts of hits or values of a loss"
            )
            yield found(
                RULE,
                course.made.site,
                f'the plateau scheduler has mode="{mode}" and is given {what}',
                f"its {len(metrics)} metrics, {metrics[0]:.4g} to {metrics[-1]:.4g}, are {made}; the rate was cut "
                f"{plural(cuts, 'time')}, from {course.start:.4g} to {course.rates[-1]:.4g}",
                "the better the model becomes, the sooner its rate is cut",
                f'set mode="{"max" if mode == "min" else "min"}"',
                "warning" if named else None,
                facts={"optimizer": course.made.optimizer},
            )


def _rising(steps: list[SchedulerStep]) -> bool:
    """Whether metrics bear the name of a score, and rise."""
    metrics = [step.metric or 0.0 for step in steps]
    return metrics[-1] > metrics[0] and rises(argument(steps[0].site, "step"))


def _kind(trace: Trace, steps: list[SchedulerStep]) -> str:
    """What the metrics are made of: "hits", "loss", or "" where that was not seen."""
    metrics = [step.metric or 0.0 for step in steps]
    if max(metrics) - min(metrics) <= NEAR * max(map(abs, metrics)):
        return ""
    series, samples = _series(trace, steps)
    near = ""
    for place, groups in series.items():
        if len(groups) != len(metrics) or not all(groups):
            continue
        kind = made_of(trace, samples[place])
        if kind and _proportional(metrics, groups):
            return kind
        if kind == "loss" and _beside(metrics, groups):
            near = kind
    counts = {
        place: [sum(group) for group in groups] for place, groups in series.items() if len(groups) == len(metrics)
    }
    for place, hits in counts.items() if not near else ():
        others = {other: values for other, values in counts.items() if other != place}
        if made_of(trace, samples[place]) == "hits" and formula(metrics, hits, others):
            return "hits"
    return near


def _series(trace: Trace, steps: list[SchedulerStep]) -> tuple[Series, dict[tuple[str, int], Number]]:
    """The numbers read at each line before each step, and one of each line that was seen closely."""
    series: Series = defaultdict(list)
    samples: dict[tuple[str, int], Number] = {}
    places = {step.n: count for count, step in enumerate(steps)}
    count = 0
    for event in trace.of(Number, SchedulerStep):
        if isinstance(event, SchedulerStep):
            count = places.get(event.n, count - 1) + 1
        elif event.value is not None and count < len(steps):
            groups = series[event.site.place]
            groups += [[] for _ in range(count + 1 - len(groups))]
            groups[count].append(event.value)
            if event.close:
                samples[event.site.place] = event
    return {place: groups for place, groups in series.items() if place in samples}, samples


def _proportional(metrics: list[float], groups: list[list[float]]) -> bool:
    for told in (sum, lambda group: sum(group) / len(group), lambda group: group[-1]):
        values = [told(group) for group in groups]
        if all(values):
            shares = [metric / value for metric, value in zip(metrics, values, strict=True)]
            if min(shares) > 0 and max(shares) - min(shares) <= NEAR * max(shares):
                return True
    return False


def _beside(metrics: list[float], groups: list[list[float]]) -> bool:
    """Whether the metrics follow the means of what was read, as weighted means of them do."""
    means = [sum(group) / len(group) for group in groups]
    inside = all(
        min(g) <= m <= max(g) and abs(m - a) < 0.15 * abs(a) for m, g, a in zip(metrics, groups, means, strict=True)
    )
    return inside and len(groups[0]) > 1 and (metrics[-1] - metrics[0]) * (means[-1] - means[0]) > 0
