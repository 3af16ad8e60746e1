"""A finding: what is wrong, where, the evidence in numbers, why it matters and how to mend it."""

from __future__ import annotations

import linecache
import math
import re
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from truestep.check.site import Site

Level = Literal["error", "warning", "advice"]
Verdict = Literal["confirmed", "not confirmed", "cannot be tried"]
FAMILIES = ("updates", "parameters", "losses", "data", "modes", "reporting", "schedules", "ranks", "advice")


class Rule(NamedTuple):
    """What a rule is called: `number` as "TS101", `slug` the name of its file, `title` one line, `level` by default."""

    number: str
    slug: str
    title: str
    level: Level
    family: str


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a run with the mend in force said of a finding: a sentence, and the numbers of both runs.

    `measured` holds for each number "what" it is, "with" and "without" the mend, the "noise" between two runs without
    it, and whether it moved "as_claimed". `before` is the finding's level until then.
    """

    verdict: Verdict
    words: str
    mend: str = ""
    measured: tuple[dict[str, Any], ...] = ()
    before: Level | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        told = {"verdict": self.verdict, "words": self.words, "mend": self.mend, "level_before": self.before}
        return told | {"measured": [{name: _finite(value) for name, value in each.items()} for each in self.measured]}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake at one line of the user's.

    `message` says what happens, `evidence` the numbers that show it, `why` why it matters, `fix` what to write.
    `count` is how often the same rule found the same line. `rule` is its number, as "TS101", `name` its other name.
    `confirmation` is what `--confirm` found out, and `facts` what the rule hands its mend, as plain values.
    """

    known: Rule
    level: Level
    site: Site
    message: str
    evidence: str
    why: str
    fix: str
    count: int = 1
    confirmation: Confirmation | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def rule(self) -> str:
        """The number of the rule, which `# truestep: ignore TS101` names."""
        return self.known.number

    @property
    def name(self) -> str:
        """The name of the rule."""
        return self.known.slug

    @property
    def title(self) -> str:
        """The mistake in a few words."""
        return self.known.title

    @property
    def file(self) -> str:
        """Where the line stands."""
        return self.site.file

    @property
    def line(self) -> int:
        """The line, counted from 1."""
        return self.site.line

    def __str__(self) -> str:
        times = f" ({self.count} times)" if self.count > 1 else ""
        lines = [f"{self.file}:{self.line}: {self.level} {self.rule} {self.name}: {self.message}{times}"]
        if self.site.text:
            lines.append(f"    {self.site.text}")
        rerun = self.confirmation.words if self.confirmation is not None else ""
        told = (("evidence", self.evidence), ("why", self.why), ("fix", self.fix), ("rerun", rerun))
        return "\n".join([*lines, *(f"  {name:<9} {words}" for name, words in told if words)])


_IGNORE = re.compile(r"#\s*truestep:\s*ignore(?P<which>[\s,]+TS\d+(?:[\s,]+TS\d+)*)?", re.IGNORECASE)


def ignored(finding: Finding) -> bool:
    """Whether the line says `# truestep: ignore`, of all rules or of this one."""
    found = _IGNORE.search(linecache.getline(finding.site.file, finding.site.line))
    if found is None:
        return False
    which = re.findall(r"TS\d+", (found["which"] or "").upper())
    return not which or finding.rule in which


def merged(findings: list[Finding]) -> list[Finding]:
    """One finding for each line and rule, the first of the most serious; errors first, then warnings, then advice."""
    order = {"error": 0, "warning": 1, "advice": 2}
    kept: dict[tuple[str, str, int], Finding] = {}
    for finding in findings:
        key = (finding.rule, *finding.site.place)
        held = kept.get(key, finding)
        worst = finding if order[finding.level] < order[held.level] else held
        kept[key] = worst if key not in kept else replace(worst, count=held.count + finding.count)
    return sorted(kept.values(), key=lambda each: (order[each.level], each.site.place, each.rule))
