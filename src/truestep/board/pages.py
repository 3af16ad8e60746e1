"""The pages of the board as text: the list, one run, several runs side by side."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from truestep.board.facts import best_of, state_of
from truestep.board.parts import address, link, many, moment, page, pairs, span, sparkline, status, table, written
from truestep.board.shelf import Book, Shelf, StudyInfo
from truestep.cli.show import figure
from truestep.store.export import TEXTS
from truestep.store.rundb import RunRecord
from truestep.store.runs import run_info

SHOWN = 200  # runs in the list, before one asks for all
ROWS = 60  # epochs in the table of a run
EVENTS = 100
COMPARED = 16  # runs on one page: as many looks as their lines have
_WORDS, _FIGURE = "words", "figure"


def list_page(shelf: Shelf, root: Path, every: bool = False) -> str:
    """The runs, the studies, and what was left out."""
    shown = shelf.runs if every else shelf.runs[:SHOWN]
    more = len(shelf.runs) - len(shown)
    older = f'<a href="/?all=1">{more:,} older runs</a>' if more else ""
    parts = [
        "<h1>Runs</h1>",
        f'<p data-live="count">{_count(shelf, root)}</p>',
        f'<form action="/compare">{_runs(shown)}{_button(shown)}</form>',
        f'<p data-live="more">{older}</p>',
        _studies(shelf.studies),
        _said(shelf.said),
    ]
    return page("truestep board", "\n".join(part for part in parts if part), "list.js")


def _count(shelf: Shelf, root: Path) -> str:
    place = escape(str(root))
    if not shelf.runs:
        return f"There are no runs in {place} yet: <code>truestep train lenet5</code> makes one."
    running = sum(book.info.status == "running" for book in shelf.runs)
    return f"{many(len(shelf.runs), 'run')} in {place}" + (f", {running:,} of them running." if running else ".")


def _button(shown: Sequence[Book]) -> str:
    button = "<button>Compare the chosen runs</button>" if len(shown) > 1 else ""
    return f'<p data-live="button">{button}</p>'


def _runs(shown: Sequence[Book]) -> str:
    heads = {
        "choose": "choose",
        "name": "name",
        "when": _WORDS,
        "status": _WORDS,
        "epochs": _FIGURE,
        "best valid loss": _FIGURE,
        "valid accuracy": _FIGURE,
        "loss by epoch": "picture",
    }
    rows = [(book.info.name, _row(book)) for book in shown]
    return table(heads, rows, "Runs, the newest first", "runs") if rows else '<div data-live="runs"></div>'


def _row(book: Book) -> list[str]:
    info = book.info
    name = escape(info.name)
    return [
        f'<input type="checkbox" name="runs" value="{name}" aria-label="choose {name}">',
        link("runs", info.name),
        moment(info.started),
        status(info.status),
        epochs_words(info.epochs, book.planned),
        written("loss", info.best_valid_loss),
        written("accuracy", info.last.get("valid_accuracy")),
        sparkline(book.losses),
    ]


def epochs_words(done: int, planned: int | None) -> str:
    """How many epochs are done, and of how many."""
    return f"{done:,} of {planned:,}" if planned and planned > done else f"{done:,}" if done else "–"


def _studies(studies: Sequence[StudyInfo]) -> str:
    if not studies:
        return '<section data-live="studies"></section>'
    heads = {"name": "name", "when": _WORDS, "variants": _FIGURE, "page": _WORDS}
    rows = []
    for study in studies:
        when = moment(datetime.fromtimestamp(study.changed, UTC).isoformat())
        parts = f"{many(study.chunks, 'part')} trained, no page yet"
        own = link("studies", study.name, "figure, curves and table") if study.page else parts
        rows.append((study.name, [escape(study.name), when, written("", study.variants), own]))
    inner = table(heads, rows, "Studies, the newest first")
    return f'<section data-live="studies"><h2>Studies</h2>\n{inner}</section>'


def _said(said: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in said)
    return f'<div data-live="said">{f"<h2>Left out</h2><ul>{items}</ul>" if said else ""}</div>'


def run_page(folder: Path, run: RunRecord) -> str:
    """One run; its curves are drawn by the page itself."""
    name = escape(folder.name)
    files = " · ".join(
        f'<a href="/runs/{address(folder.name)}/{file}" download="{name}-{file}">{file}</a>' for file in TEXTS
    )
    parts = [
        f'<h1 data-run="{name}">{name}</h1>',
        f'<div data-state="{escape(state_of(run))}" id="state">{run_pairs(folder, run)}</div>',
        '<h2>Curves</h2>\n<div id="charts" class="charts"><p>The curves are read …</p></div>',
        "<noscript><p>Curves need JavaScript; the figures are in the table and in the files below.</p></noscript>",
        f"<h2>Epochs</h2>\n{epochs_table(run.epochs)}",
        f"<p>All of it as files: {files}</p>",
        f"<h2>Notes and events</h2>\n{_events(run)}",
        f"<h2>Settings</h2>\n{_settings(run)}",
    ]
    return page(folder.name, "\n".join(parts), "run.js")


def run_pairs(folder: Path, run: RunRecord) -> str:
    """What one wants to know of a run first."""
    info, planned = run_info(folder, run), run.config.get("epochs")
    found = {
        "status": status(run.status),
        "started": moment(run.started),
        "worked for": f'<span data-fact="seconds">{span(run.seconds)}</span>',
        "last step": '<span data-fact="step">–</span>',
        "epochs": epochs_words(info.epochs, planned if isinstance(planned, int) else None),
        "best valid loss": written("loss", info.best_valid_loss),
    }
    found |= {
        name.replace("_", " "): written(name, value)
        for name, value in info.last.items()
        if name.startswith(("train_", "valid_")) and isinstance(value, float)
    }
    return pairs(found, "facts")


def epochs_table(epochs: Sequence[Mapping[str, Any]]) -> str:
    """The records of a run as a table, the last first, thinned out where they are many."""
    if not epochs:
        return '<p data-live="epochs">No epoch has ended yet.</p>'
    names = list(dict.fromkeys(name for record in epochs for name in record))
    best = best_of(epochs)
    count = len(epochs)
    every = -(-count // ROWS)
    places = [n for n in range(count) if (n + 1) % every == 0 or n in (0, best, count - 1)]
    rows = []
    for place in reversed(places):
        record = epochs[place]
        cells = [written(name, record.get(name)) for name in names]
        cells[0] += ' <b title="least valid loss">★</b>' if place == best else ""
        rows.append((str(place), cells))
    told = f"{many(count, 'epoch')}, the last first"
    told += "; ★ has the least valid loss" if best is not None else ""
    told += f"; 1 in {every:,}, the first, the last and ★ are shown" if every > 1 else ""
    return table({name.replace("_", " "): _FIGURE for name in names}, rows, told, "epochs")


def _events(run: RunRecord) -> str:
    if not run.events:
        return '<p data-live="events">None.</p>'
    rows = [
        (f"{event.time} {n}", [moment(event.time), escape(event.kind), escape(event.text)])
        for n, event in reversed(list(enumerate(run.events))[-EVENTS:])
    ]
    told = f"{many(len(run.events), 'event')}, the last first"
    told += f"; the last {EVENTS} are shown, run.json has all" if len(run.events) > EVENTS else ""
    return table({"when": _WORDS, "kind": _WORDS, "what": "text"}, rows, told, "events")


def _settings(run: RunRecord) -> str:
    rows = [(key, [escape(key), written("", run.config[key])]) for key in sorted(run.config)]
    return table({"setting": _WORDS, "value": "text"}, rows, "Settings of the run", "settings")


def compare_page(runs: Sequence[tuple[Path, RunRecord]], said: Sequence[str]) -> str:
    """Several runs side by side: their figures, the settings in which they differ, and their curves in one picture."""
    heads = {"run": "name", "status": _WORDS, "epochs": _FIGURE, "best valid loss": _FIGURE, "valid accuracy": _FIGURE}
    rows = []
    for n, (folder, run) in enumerate(runs):
        info = run_info(folder, run)
        name = f'<span class="swatch c{n % 8} {"dashed" if n >= 8 else ""}" aria-hidden="true"></span> '
        accuracy = written("accuracy", info.last.get("valid_accuracy"))
        best = figure("loss", info.best_valid_loss)
        cells = [name + link("runs", info.name), status(info.status), f"{info.epochs:,}", best, accuracy]
        rows.append((info.name, cells))
    names = "".join(f'<li data-run="{escape(folder.name)}"></li>' for folder, _ in runs)
    parts = [
        "<h1>Runs side by side</h1>",
        f'<ul id="compared" hidden>{names}</ul>',
        table(heads, rows, "The runs that are compared", "compared") if rows else "",
        "".join(f'<p class="told">{escape(sentence)}</p>' for sentence in said),
        '<h2>Curves</h2>\n<div id="charts" class="charts"><p>The curves are read …</p></div>' if rows else "",
        f"<h2>Settings that differ</h2>\n{_differing(runs)}" if len(runs) > 1 else "",
    ]
    return page("Runs side by side", "\n".join(part for part in parts if part), "compare.js" if rows else "")


def _differing(runs: Sequence[tuple[Path, RunRecord]]) -> str:
    keys = sorted({key for _, run in runs for key in run.config})
    differing = [key for key in keys if len({repr(run.config.get(key)) for _, run in runs}) > 1]
    if not differing:
        return "<p>None: all settings are the same.</p>"
    heads = {"setting": _WORDS} | {folder.name: "text" for folder, _ in runs}
    rows = [(key, [escape(key), *(written("", run.config.get(key)) for _, run in runs)]) for key in differing]
    return table(heads, rows, "Settings that differ", "settings")
