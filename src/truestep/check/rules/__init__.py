"""The rules: one a file, found by themselves, judged on a finished record.

A rule file `rules/SLUG.py` holds

- a docstring, which is its manual page: a first line, then the sections `What:`, `Why:`, `Evidence:`, `False alarms:`,
  `Mend:`, `Wrong:` and `Right:` (the last two are short programs, indented);
- `RULE = Rule("TS101", "SLUG", "one line", "error", "updates")`;
- `def look(trace: Trace) -> Iterator[Finding]`, which yields `found(RULE, site, message, evidence, why, fix)`;
- `MENDING = ...` where the mend can be done to a run of the script (see `mends/`): what `--confirm` tries.

Numbers: TS1xx updates, TS2xx parameters and ranks, TS3xx losses, TS4xx data, TS5xx modes, TS6xx reporting, TS7xx
schedules, TS9xx advice. Levels: an error is certain from the numbers, a warning almost so, advice is a matter of taste
and never changes the exit status. Where a rule cannot be sure it says nothing.

A finding needs numbers as proof: what the trace holds. The user's source (`finding.site.text`) may support a finding
and place it, never prove it. A rule must be quiet where its evidence was not looked at: only events with `close` carry
digests, values and `Op`s, and neighbours must both be close. What it could not look at it tells with `trace.note(...)`.

Programs that any rule must let pass: several losses with a backward each, accumulation, GANs, EMA, frozen parts,
hand-written SGD, MC dropout, gradient penalties, MAML, LBFGS, checkpoints, weight tying: `tests/corpus/correct`.
From tests/, `python -m corpus.gate SLUG` runs a rule on its wrong programs and their twins, and with `--all` on all
programs that must stay silent; `TRACES=FOLDER` keeps the records there, so that a rule is judged anew in no time.
`GATE=SLUG python -m pytest tests/corpus/test_gate.py` does the same as tests.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from truestep.check.finding import Finding, Level, Rule, ignored, merged
from truestep.check.mends import Mend
from truestep.check.rules._causes import left
from truestep.check.site import Site
from truestep.check.trace import Trace

Look = Callable[[Trace], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Known:
    """A rule with the function that looks, its manual page, and its mend where a run can be mended."""

    rule: Rule
    look: Look
    page: str
    mend: Mend | None


def rules() -> dict[str, Known]:
    """Every rule by its slug, in the order of their numbers."""
    found = []
    for entry in pkgutil.iter_modules(__path__):
        if not entry.name.startswith("_"):
            module = import_module(f"{__name__}.{entry.name}")
            mend = getattr(module, "MENDING", None)
            found.append(Known(module.RULE, module.look, module.__doc__ or "", mend))
    return {known.rule.slug: known for known in sorted(found, key=lambda known: known.rule.number)}


def judge(trace: Trace, slugs: Collection[str] | None = None, strict: bool = False) -> list[Finding]:
    """All that the rules find, without what the user's comments silence; a rule that fails is noted, never raised."""
    known, told = rules(), dict[str, list[Finding]]()

    def asked(slug: str) -> list[Finding]:
        if slug not in told:
            told[slug] = []
            try:
                told[slug] = [finding for finding in known[slug].look(trace) if finding.site.file]
            except Exception as error:
                if strict:
                    raise
                trace.note(f"the rule {slug} failed ({type(error).__name__}: {error})")
        return told[slug]

    found = [finding for slug in known if slugs is None or slug in slugs for finding in asked(slug)]
    found = left(found, asked, len(trace.optimizers()))
    return merged([finding for finding in found if not ignored(finding)])


def found(
    rule: Rule, site: Site, message: str, evidence: str, why: str, fix: str, level: Level | None = None,
    facts: dict[str, Any] | None = None,
) -> Finding:  # fmt: skip
    """A finding of a rule, at its own level unless another one is given; `facts` are for its mend.

    `edit` among them says that the rule's mend does not fit this finding.
    """
    return Finding(rule, level or rule.level, site, message, evidence, why, fix, facts=facts or {})
