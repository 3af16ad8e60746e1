"""Results as HTML for a notebook: sections with their own style, which need no script and nothing from elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from truestep.board.pages import epochs_table
from truestep.board.parts import looks, many, sparkline, table, written
from truestep.core.errors import ConfigError
from truestep.fit.showing import notebook_shell
from truestep.notebook.state import State, time_words
from truestep.plot.sheet import DAY, NIGHT

if TYPE_CHECKING:
    from truestep.check.finding import Finding
    from truestep.check.report import Report
    from truestep.fit.run import Run
    from truestep.sweep.study import Study
    from truestep.sweep.table import Table

ROWS = 60  # of a study's table
OWN = ".truestep-sheet"
# A notebook has a day and a night of its own, whatever the machine has.
NIGHTS = ':is([data-jp-theme-light="false"],.vscode-dark,.vscode-high-contrast,[theme=dark])'
DAYS = ':is([data-jp-theme-light="true"],.vscode-light,.vscode-high-contrast-light)'


def _style() -> str:
    folder = Path(__file__).parents[1]
    parts = (folder / "board" / "static" / "parts.css").read_text(encoding="utf-8")
    own = (folder / "notebook" / "static" / "sheet.css").read_text(encoding="utf-8")
    hosts = [f"{NIGHTS} {OWN}{{{NIGHT}}}", f"{DAYS} {OWN}{{{DAY}}}"]
    screen = f"@media screen and (prefers-color-scheme:dark){{{OWN}{{{NIGHT}}}}}"
    return "\n".join([f"{OWN}{{{DAY}}}", screen, *hosts, f"{OWN}{{\n{parts}}}", own])


def section(*parts: str) -> str:
    """Parts that are HTML already, in a section with our style."""
    return (
        f'<style>{_style()}</style>\n<section class="truestep-sheet">\n'
        + "\n".join(filter(None, parts))
        + "\n</section>"
    )


def run_section(state: State, losses: Mapping[str, Sequence[Any]], more: str = "") -> str:
    """How a run stands or ended, with the picture of its losses."""
    kind, sign = looks(state.status)
    heads, rows = state.table()
    figures = (
        table(dict.fromkeys(heads, ""), [(row[0], [escape(cell) for cell in row]) for row in rows], "") if rows else ""
    )
    told = "".join(f"<li>{escape(sentence)}</li>" for sentence in state.said())
    picture = sparkline(losses) if any(losses.values()) else ""
    return section(
        f'<p class="head"><span class="status {kind}"><i aria-hidden="true">{sign}</i></span> '
        f"<b>{escape(state.headline)}</b> <span>{escape(' · '.join(state.words()))}</span></p>",
        picture and f"<figure>{picture}<figcaption>{_legend(losses)}</figcaption></figure>",
        figures,
        f"<ul>{told}</ul>" if told else "",
        more,
    )


def _legend(losses: Mapping[str, Sequence[Any]]) -> str:
    names = {"train": "training", "valid": "validation"}
    return "loss by epoch: " + ", ".join(
        f'<span class="key {side}">{names[side]}</span>' for side in losses if losses[side]
    )


def run_page(run: Run) -> str:
    """A run that has ended."""
    last = run.history[-1] if len(run.history) else None
    state = State(
        status="stopped" if run.stopped else "finished",
        epoch=len(run.history), last=last, best=run.best, seconds=run.seconds, reason=run.stopped, notes=run.notes,
    )  # fmt: skip
    losses = {side: _column(run.history, f"{side}_loss") for side in ("train", "valid")}
    epochs = f"<details><summary>{many(len(run.history), 'epoch')}</summary>{epochs_table(run.history)}</details>"
    folder = f"<p>Written to <code>{escape(str(run.folder))}</code></p>" if run.folder is not None else ""
    return run_section(state, losses, (epochs if last is not None else "") + folder)


def history_page(history: Sequence[Mapping[str, Any]]) -> str:
    """The records of a run."""
    return section(epochs_table(history))


def _column(history: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    found = [record.get(name) for record in history]
    return found if any(value is not None for value in found) else []


def study_page(study: Study) -> str:
    """A study: its table, the best variant marked."""
    told = "".join(f"<li>{escape(sentence)}</li>" for sentence in study.notes)
    try:
        best = study.best()["variant"]
    except ConfigError:  # all of them diverged
        best = None
    judged = "" if best is None else f" · ★ has the best {study.judged.replace('_', ' ')}"
    return section(
        f'<p class="head"><b>{many(len(study.variants), "variant")}</b> '
        f"<span>{time_words(study.seconds)}{escape(judged)}</span></p>",
        _rows(study.table, best),
        f"<ul>{told}</ul>" if told else "",
    )


def table_page(found: Table) -> str:
    """A table of a study."""
    return section(_rows(found, None))


def _rows(found: Table, best: int | None) -> str:
    places = sorted({*range(min(len(found), ROWS)), *([] if best is None else [best])})
    rows = []
    for place in places:
        star = ' <b title="the best">★</b>' if place == best else ""
        cells = [written(name, value) for name, value in ((name, found[place][name]) for name in found.columns)]
        rows.append((str(place), [f"{place}{star}", *cells]))
    told = f"{len(places):,} of {len(found):,} rows are shown" if len(places) < len(found) else ""
    return table(dict.fromkeys(["", *found.columns], ""), rows, told)


def report_page(report: Report) -> str:
    """What a watch found, the gravest first."""
    if not report.done:
        return section(f"<p>{escape(str(report).capitalize())}</p>")
    counts = Counter(finding.level for finding in report.findings)
    told = [f"{number} {level}{'s' * (number > 1 and level != 'advice')}" for level, number in counts.items()]
    sign = '<span class="status finished"><i aria-hidden="true">✓</i></span> ' if report.clean else ""
    looked = "".join(f"<li>{escape(words)}</li>" for words in report.looked)
    blind = "".join(f"<li>not seen: {escape(words)}</li>" for words in report.blind)
    return section(
        f'<p class="head">{sign}<b>{", ".join(told) or "No findings"}</b> <span>by {report.rules} rules</span></p>',
        *(_finding(each) for each in report.findings),
        f"<p>{escape(report.reruns)}</p>" if report.reruns else "",
        f"<details><summary>What was looked at</summary><ul>{looked}{blind}</ul></details>",
    )


def _finding(found: Finding) -> str:
    times = f" ({found.count} times)" if found.count > 1 else ""
    rerun = found.confirmation.words if found.confirmation is not None else ""
    told = (("evidence", found.evidence), ("why", found.why), ("fix", found.fix), ("rerun", rerun))
    pairs = "".join(f"<dt>{name}</dt><dd>{escape(words)}</dd>" for name, words in told if words)
    source = f"<pre>{escape(found.site.text)}</pre>" if found.site.text else ""
    return (
        f'<article class="{found.level}"><p><b class="level">{found.level}</b> '
        f"<b>{escape(found.message)}</b>{times} <span>{found.rule} {escape(found.name)}</span></p>\n"
        f'<p class="where">{escape(place_of(found.file))}, line {found.line}</p>{source}<dl>{pairs}</dl></article>'
    )


def place_of(file: str) -> str:
    """A file as a person knows it: the cell of a notebook by its number."""
    named = getattr(getattr(notebook_shell(), "compile", None), "format_code_name", lambda file: None)(file)
    return f"{named[0].lower()} {named[1]}" if named else file
