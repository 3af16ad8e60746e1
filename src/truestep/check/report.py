"""What a check found: as text, as JSON, as SARIF 2.1.0, with what was looked at and what could not be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from truestep.check.changes import Backward, Step
from truestep.check.events import Batch, Forward, Op
from truestep.check.finding import Finding
from truestep.check.trace import Trace

FIELDS = ("rule", "name", "title", "level", "file", "line", "message", "evidence", "why", "fix", "count")
SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


class Report:
    """The findings of a watched run; empty until the run is over.

    `findings` are in order of weight. `clean` says that none is an error or a warning. `reruns` tells of the runs that
    confirmed them, `trained` whether any backward pass or step was seen.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.looked: list[str] = []
        self.blind: list[str] = []
        self.rules = 0
        self.reruns = ""
        self.done, self.trained = False, True

    @property
    def clean(self) -> bool:
        """Whether no finding is an error or a warning."""
        return all(finding.level == "advice" for finding in self.findings)

    def fill(self, trace: Trace) -> None:
        """Ask every rule."""
        from truestep.check.rules import judge, rules

        self.findings = judge(trace)
        self.rules = len(rules())
        self.looked, self.blind, self.done = looked(trace), list(trace.blind), True
        self.trained = bool(trace.of(Backward, Step))

    def __str__(self) -> str:
        if not self.done:
            return "the run is not over: the report is filled when the block is left."
        parts = [str(finding) for finding in self.findings]
        counts = Counter(finding.level for finding in self.findings)
        told = [f"{counts[level]} {level}{'s' * (counts[level] > 1 and level != 'advice')}" for level in counts]
        found = ", ".join(told) or "no findings"
        parts.append(f"{found} by {self.rules} rules{'' if self.trained else ': no training was seen'}.")
        parts.append("\n".join([f"looked at  {words}" for words in self.looked]))
        if self.reruns:
            parts.append(f"reruns     {self.reruns}")
        if self.blind:
            parts.append("\n".join(f"not seen   {words}" for words in self.blind))
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        from truestep.notebook.sheets import report_page

        return report_page(self)

    def to_json(self) -> dict[str, Any]:
        """The report as plain values."""
        return {
            "clean": self.clean,
            "trained": self.trained,
            "findings": [_told(each) for each in self.findings],
            "checked": self.looked,
            "not_seen": self.blind,
            "reruns": self.reruns,
            "rules": self.rules,
        }

    def to_sarif(self) -> dict[str, Any]:
        """The report as one run of SARIF 2.1.0; advice is a note there."""
        from truestep.check.rules import rules

        told = [
            {
                "id": known.rule.number, "name": known.rule.slug,
                "shortDescription": {"text": known.rule.title}, "fullDescription": {"text": known.page},
                "defaultConfiguration": {"level": _sarif(known.rule.level)},
            }
            for known in rules().values()
        ]  # fmt: skip
        driver = {"name": "truestep check", "rules": told}
        return {"$schema": SCHEMA, "version": "2.1.0", "runs": [{
            "tool": {"driver": driver}, "results": [_result(each) for each in self.findings],
        }]}  # fmt: skip


def _told(finding: Finding) -> dict[str, Any]:
    confirmation = finding.confirmation and finding.confirmation.to_json()
    return {name: getattr(finding, name) for name in FIELDS} | {
        "source": finding.site.text, "confirmation": confirmation,
    }  # fmt: skip


def _sarif(level: str) -> str:
    return "note" if level == "advice" else level


def _result(finding: Finding) -> dict[str, Any]:
    region: dict[str, Any] = {"startLine": finding.site.line}
    if finding.site.text:
        region["snippet"] = {"text": finding.site.text}
    words = " ".join([finding.message, finding.evidence, finding.why, finding.fix])
    confirmation = finding.confirmation
    if confirmation is not None:
        words = f"{words} {confirmation.words}"
    return {
        "ruleId": finding.rule,
        "level": _sarif(finding.level),
        "message": {"text": words},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": Path(finding.site.file).as_posix()}, "region": region}}
        ],
        **({"properties": {"confirmation": confirmation.to_json()}} if confirmation is not None else {}),
    }


def looked(trace: Trace) -> list[str]:
    """What was looked at, in words."""
    count = Counter(type(event) for event in trace.events)
    close = sum(event.close for event in trace.of(Step))
    calls = sum(event.depth == 0 for event in trace.of(Forward))
    return [
        f"{calls} calls of {len({e.module for e in trace.of(Forward) if e.depth == 0})} models",
        f"{count[Backward]} backward passes, {count[Step]} optimizer steps ({close} of them closely)",
        f"{count[Batch]} batches of {len({e.loader for e in trace.of(Batch)})} loaders",
        f"{count[Op]} calls of torch",
    ]
