"""Two findings for one mistake: what follows from another finding is left to that one, or becomes a word of advice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from truestep.check.finding import Finding

Asked = Callable[[str], list[Finding]]

LARGER = (
    "accumulation_not_divided", "never_cleared", "closure_not_clearing", "sum_with_mean_rate", "clip_after_step",
    "clip_scaled",
)  # fmt: skip
"""What makes the updates of a run larger than its rate says."""
BEHIND: dict[str, tuple[str, ...]] = {
    "rate_too_large": LARGER,
    "nonfinite": (*LARGER, "rate_too_large"),
    "dead_units": (*LARGER, "rate_too_large"),
    "cleared_before_step": ("tail_window",),
    "functional_dropout": ("hidden_in_list",),
    "parameters_unheld": ("hidden_in_list", "made_in_forward", "optimizer_strangers"),
    "rate_too_small": ("schedule_by_batch", "plateau_mode"),
}
"""Rules, and those whose findings may be behind theirs."""


def _parameters(finding: Finding, causes: list[Finding]) -> bool:
    """Whether all its parameters are those of the causes."""
    return set(finding.facts["parameters"]) <= {each for cause in causes for each in cause.facts["parameters"]}


def _modules(finding: Finding, causes: list[Finding]) -> bool:
    """Whether it lies, in every call, inside a module that a cause speaks of."""
    hidden = {each for cause in causes for each in cause.facts["modules"]}
    return bool(finding.facts["within"]) and all(hidden & set(within) for within in finding.facts["within"])


def _line(finding: Finding, causes: list[Finding]) -> bool:
    """Whether a cause stands on the same line."""
    return any(cause.site.place == finding.site.place for cause in causes)


def _rates(finding: Finding, causes: list[Finding]) -> bool:
    """Whether it is about the rates that a cause says its schedule brought down too fast."""
    return finding.facts.get("optimizer", 0) in [cause.facts.get("optimizer") for cause in causes]


SAME: dict[str, Callable[[Finding, list[Finding]], bool]] = {
    "cleared_before_step": _line, "functional_dropout": _modules, "parameters_unheld": _parameters,
    "rate_too_small": _rates,
}  # fmt: skip
"""What asks whether a finding says nothing but what its causes say."""


def left(findings: list[Finding], asked: Asked, optimizers: int) -> list[Finding]:
    """The findings without those that say of the same parameters, modules, line or rates what their cause says.

    Of weights that are thrown about, blown up or dead after updates that were too large, the finding is advice: it may
    be gone with the cause. `asked` gives the findings of a rule. Of several `optimizers` nobody tells whose they are.
    """
    found: list[Finding] = []
    for finding in findings:
        causes = [each for slug in BEHIND.get(finding.name, ()) for each in asked(slug) if each.level != "advice"]
        if finding.name in SAME:
            if not SAME[finding.name](finding, causes):
                found.append(finding)
        elif causes and optimizers <= 1 and _follows(finding, causes[0]):
            first = f"mend that first ({causes[0].name} on line {causes[0].line}), and see whether this is left"
            found.append(replace(finding, level="advice", fix=first))
        else:
            found.append(finding)
    return found


def _follows(finding: Finding, cause: Finding) -> bool:
    """Whether what was found came up in the course of updates, and none but them explains it."""
    if finding.name == "nonfinite" and cause.name == "rate_too_large":
        return bool(finding.facts["overflow"])
    whole = finding.name == "rate_too_large" or cause.name == "closure_not_clearing"  # many passes in one update
    return whole or finding.facts["since"] > 1
