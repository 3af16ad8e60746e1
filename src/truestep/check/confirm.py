"""Holds a finding against two more runs of the script: as it is, and with the mend of the finding in force.

`offers` asks the rules for their mends; `again.py` of the command line runs the script with one of them (or with none,
measuring the same numbers); `settled` compares what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from truestep.check.finding import Confirmation, Finding, Verdict, merged
from truestep.check.mends import Claim, Mend
from truestep.check.trace import Trace

APART = 1e-3
"""Two numbers differ where they are apart by more than this share of the larger one."""
NO_MEND = "this mend is an edit of the source, and no change of a run stands for it"


class Offer(NamedTuple):
    """A finding with the mend that is to be tried: `facts` are what the first run says of it, as plain values."""

    finding: Finding
    mend: Mend
    facts: dict[str, Any]

    @property
    def words(self) -> str:
        """What the mend does, to follow "with ..."."""
        return self.mend.said(self.facts)

    def order(self, live: bool) -> dict[str, Any]:
        """What a rerun is told of it; `live` where the mend is to be in force and not only to be measured."""
        place = [self.finding.file, self.finding.line]
        return {"slug": self.finding.name, "place": place, "facts": self.facts, "live": live}


class Rerun(NamedTuple):
    """What a rerun measured: series name -> (updates until then, value), for the run and for each trial."""

    updates: int
    findings: frozenset[tuple[str, str, int]]
    common: dict[str, list[tuple[int, float]]]
    trials: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """The runs without a mend: `first` as it is, `second` where chance needed a look; `same` as the watched run."""

    first: Rerun
    second: Rerun | None
    same: bool


def offers(findings: Iterable[Finding], trace: Trace) -> tuple[list[Offer], list[Finding]]:
    """The findings whose mend can be tried, and the others, which say that it cannot."""
    from truestep.check.rules import rules

    known, found, rest = rules(), [], []
    for finding in findings:
        mend = known[finding.name].mend
        facts = mend.offer(trace, finding) if mend is not None and not finding.facts.get("edit") else None
        if mend is None or facts is None:
            rest.append(untried(finding, NO_MEND))
        else:
            found.append(Offer(finding, mend, facts))
    return found, rest


def untried(finding: Finding, why: str) -> Finding:
    """The finding as it was, with the reason why its mend was not tried."""
    return replace(finding, confirmation=Confirmation("cannot be tried", f"cannot be tried: {why}"))


def settled(offer: Offer, place: int, mended: Rerun, ground: Ground) -> Finding:
    """The finding with what the runs say of it; a warning that its mend refutes becomes advice, an error stays."""
    finding, mend = offer.finding, offer.mend
    key = (finding.name, finding.file, finding.line)
    if key not in ground.first.findings:
        return untried(finding, "a second run of the script as it is did not show it again")
    if not mended.trials[0]["acted"]:
        return untried(finding, f"{offer.words} found nothing to change in the rerun")
    told = [_measured(claim, mended, 0, ground, place) for claim in mend.claimed(offer.facts)]
    measured = tuple(each for each in told if each is not None)
    if told[0] is None:
        return untried(finding, "no number to compare was measured in both runs")
    still = mend.silences and key in mended.findings
    verdict: Verdict = "not confirmed" if still or not told[0]["as_claimed"] else "confirmed"
    words = f"{verdict}: with {offer.words}, {'; '.join(_told(each) for each in measured)}"
    if still:
        words += "; the rule finds the same with the mend"
    words += _chance(ground)
    level = finding.level
    if verdict == "not confirmed" and finding.level == "warning":
        level, words = "advice", f"{words}. It was a warning, and is advice now"
    return replace(
        finding, level=level, confirmation=Confirmation(verdict, words, offer.words, measured, finding.level)
    )


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    """Findings in the order of their levels, which may have changed."""
    return merged(list(findings))


def same(rerun: Rerun, other: Rerun | dict[str, list[tuple[int, float]]]) -> bool:
    """Whether two runs took the same losses, as far as both went, to the last bit."""
    mine, theirs = rerun.common["all"], (other.common if isinstance(other, Rerun) else other)["all"]
    return bool(mine) and len(mine) == len(theirs) and all(
        a == b or (a[0] == b[0] and math.isnan(a[1]) and math.isnan(b[1])) for a, b in zip(mine, theirs, strict=True)
    )  # fmt: skip


def _measured(claim: Claim, mended: Rerun, own: int, ground: Ground, place: int) -> dict[str, Any] | None:
    pair = _pair(claim, _series(mended, own, claim), _series(ground.first, place, claim))
    if pair is None:
        return None
    with_mend, without = pair
    noise = 0.0
    if ground.second is not None:
        again = _pair(claim, _series(ground.second, place, claim), _series(ground.first, place, claim))
        noise = abs(again[0] - again[1]) if again is not None else 0.0
    return {
        "what": claim.words, "with": with_mend, "without": without, "noise": noise,
        "as_claimed": _holds(claim.how, with_mend, without, 3 * noise),
    }  # fmt: skip


def _series(rerun: Rerun, place: int, claim: Claim) -> list[tuple[int, float]]:
    own = rerun.trials[place]["series"]
    return own[claim.series] if claim.series in own else rerun.common.get(claim.series, [])


def _pair(claim: Claim, mine: list[tuple[int, float]], theirs: list[tuple[int, float]]) -> tuple[float, float] | None:
    """Both numbers, over the updates that both runs came to."""
    if claim.over == "sum":
        return sum(value for _, value in mine), sum(value for _, value in theirs)
    if not mine or not theirs:
        return None
    last = min(mine[-1][0], theirs[-1][0])
    if last:
        pair = [[value for update, value in series if update <= last] for series in (mine, theirs)]
    else:  # one of them made no updates at all: over the same number of passes
        count = min(len(mine), len(theirs))
        pair = [[value for _, value in series[:count]] for series in (mine, theirs)]
    return (_over(claim.over, pair[0]), _over(claim.over, pair[1])) if all(pair) else None


def _over(over: str, values: list[float]) -> float:
    if over == "first":
        return values[0]
    if over == "last":
        return values[-1]
    if over == "most":
        return max(values, key=lambda value: math.inf if math.isnan(value) else value)
    few = values if over == "mean" else values[-max(1, len(values) // 10) :]
    return math.fsum(few) / len(few) if all(map(math.isfinite, few)) else math.nan


def _holds(how: str, with_mend: float, without: float, noise: float) -> bool:
    if not math.isfinite(with_mend):
        return False
    if not math.isfinite(without):
        return how != "more"
    apart = abs(with_mend - without) > max(APART * max(abs(with_mend), abs(without)), noise)
    return apart and (how == "other" or (with_mend < without) == (how == "less"))


def _told(each: dict[str, Any]) -> str:
    one, other = f"{each['with']:.4g}", f"{each['without']:.4g}"
    return f"{each['what']} {one} " + ("with and without it" if one == other else f"instead of {other}")


def _chance(ground: Ground) -> str:
    if ground.same:
        return ""
    if ground.second is None:
        return " (the script sets no seed of its own for all that it draws: these runs were given the seed 0)"
    return " (two runs without the mend differ too, as chance is not seeded; what counts is three times beyond that)"
