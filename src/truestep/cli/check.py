"""`truestep check`: silent training errors in any script, module or notebook, named with evidence."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import truestep as ts
from truestep.check.confirm import untried
from truestep.check.report import Report
from truestep.check.trace import Trace
from truestep.check.watch import Watching
from truestep.cli import CLEAN, FAILED, FINDINGS, INTERRUPTED
from truestep.cli.confirm import Surroundings, confirm
from truestep.cli.options import whole
from truestep.cli.script import Program, cut, start
from truestep.cli.show import say, show_json
from truestep.store import atomic

TAKES = {"--steps": 1, "--confirm": 0, "--json": 0, "--sarif": 1, "--rules": 0, "--rule": 1, "-h": 0, "--help": 0}
EPILOG = """examples:
  truestep check train.py --epochs 3            what follows our options is the script's own
  truestep check train.py --steps 200           stop after 200 updates
  truestep check train.py -- --steps 5          the script's own, where an option of it is named as one of ours
  truestep check --steps 200 -m package.train   a module, as python -m finds it
  truestep check lesson.ipynb                   the cells of a notebook, in order
  truestep check train.py --confirm             run it again with the mend of each finding, and compare
  truestep check train.py --sarif found.sarif   for the tools that show findings in a review
  truestep check --rules                        every rule in a line; --rule TS101 is the page of one

The script runs as it is, with its own arguments; nothing that it computes is changed. A line that ends in
`# truestep: ignore TS101` is left alone. Under torchrun every rank is watched, and the first one tells.

--confirm runs the script once more for each finding that can be mended in a run, with that mend in force, and then as
it is, each in a new process with the same arguments, folder and input; nothing of these runs is shown. They write their
files where the script writes them, the last one as the script does. A warning that its mend refutes becomes advice.

exit status: 0 clean or advice alone, 1 findings, 2 usage, 3 the script failed, 130 interrupted."""


def add_to(commands: Any) -> None:
    """Add this command to the parser."""
    words = {"help": "silent training errors in any script, with evidence", "epilog": EPILOG}
    parser = commands.add_parser("check", description="Watch a script train, and say what is wrong with it.", **words)
    parser.usage = (
        "truestep check SCRIPT_OR_NOTEBOOK [--steps N] [--confirm] [--json] [--sarif FILE] [arguments of the script]"
    )
    parser.add_argument("--steps", metavar="N", type=whole(1), help="stop after N updates (default: run to the end)")
    words = "run the script again with the mend of each finding, and tell both numbers (writes its files again)"
    parser.add_argument("--confirm", action="store_true", help=words)
    parser.add_argument("--json", action="store_true", help="print one JSON object, after what the script prints")
    parser.add_argument("--sarif", metavar="FILE", help="write the findings as SARIF 2.1.0 too")
    parser.add_argument("--rules", action="store_true", help="list the rules, and run nothing")
    parser.add_argument("--rule", metavar="RULE", help="print the page of a rule, by number or name, and run nothing")
    parser.set_defaults(parser=parser)


def cut_off(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words that are ours, and those of the program that is checked."""
    return cut(words, TAKES, lambda name: False)


def run(found: argparse.Namespace) -> int:
    """Check the program that was asked for."""
    if found.rules or found.rule is not None:
        return _manual(found.rule, found.json)
    if not found.program:
        raise ts.ConfigError("name a script, a notebook or -m MODULE, as in truestep check train.py.")
    name, *args = found.program
    program = Program(args[0], tuple(args[1:]), True) if name == "-m" else Program(name, tuple(args))
    seen, report = Watching(found.steps), Report()
    around, began = Surroundings(program, found.steps), time.monotonic()
    ranks = int(os.environ.get("WORLD_SIZE") or 1)
    interrupted = False
    with around.stdin.kept() if found.confirm else nullcontext(), seen:
        try:
            status = start(program, seen.ended)
        except KeyboardInterrupt:
            if ranks > 1:  # the others may be gone, and hand nothing over
                raise
            status, interrupted = INTERRUPTED, True
    seconds = time.monotonic() - began
    left = "was interrupted" if interrupted else f"left with status {status}" if status else ""
    report.fill(seen.trace)
    if found.confirm:
        _confirm(report, seen.trace, around, seconds, left)
    first = ranks < 2 or int(os.environ.get("RANK") or 0) == 0
    if first:
        _tell(found, report, status, left and f"{program} {left}")
    if ranks > 1:
        from truestep.check.ranks import hand_over

        hand_over(first)
    if left:
        return INTERRUPTED if interrupted else FAILED
    return CLEAN if report.clean else FINDINGS


def _tell(found: argparse.Namespace, report: Report, status: int, left: str) -> None:
    """What was found, where it was asked to be told."""
    if found.sarif is not None:
        atomic.write_text(Path(found.sarif), json.dumps(report.to_sarif(), indent=1))
    if found.json:
        told = report.to_json() | {"version": ts.__version__, "sarif": found.sarif}
        show_json({"program": " ".join(found.program), "status": status, **told})
    else:
        print(report, flush=True)
    if left:
        say(f"{left}: what is told above is what it did until then.")


def _confirm(report: Report, trace: Trace, around: Surroundings, seconds: float, left: str) -> None:
    """Run the script again, where there is anything to confirm."""
    if left:
        why = f"the script {left}"
        report.findings = [untried(finding, why) for finding in report.findings]
    elif report.findings:
        confirm(report, trace, around, seconds)


def _manual(which: str | None, as_json: bool) -> int:
    """The page of one rule, or a line for each."""
    from truestep.check.rules import rules

    known = {name: one for one in rules().values() for name in (one.rule.number.lower(), one.rule.slug)}
    if which is not None and which.lower() not in known:
        near = difflib.get_close_matches(which.lower(), known, n=1)
        raise ts.ConfigError(f"there is no rule {which!r}; {f'did you mean {near[0]}?' if near else 'see --rules.'}")
    chosen = rules().values() if which is None else [known[which.lower()]]
    if as_json:
        show_json({"rules": [one.rule._asdict() | {"page": one.page} for one in chosen]})
        return CLEAN
    for one in chosen:
        number, slug, title, level, _ = one.rule
        print(
            f"{number}  {level:<8} {slug:<26} {title}" if which is None else f"{number} {slug}: {level}\n\n{one.page}"
        )
    return CLEAN
