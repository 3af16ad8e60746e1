"""How a run stands, in the words that a person reads: the same for the live picture, its HTML and its plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from truestep.board.curves import number
from truestep.board.parts import looks, span
from truestep.cli.show import figure

NOTES = 8  # sentences that are shown at once


@dataclass(slots=True)
class State:
    """How a run stands now.

    `epoch` is under way or the last that ended, `done` of `per_epoch` steps of it are made (0: nobody knows how many);
    `began` is the share of the run that was done already when this process took it up; `best` a record, or None.
    """

    status: str = "running"
    epoch: int = 0
    epochs: int = 0
    done: int = 0
    per_epoch: int = 0
    began: float = 0.0
    seconds: float = 0.0
    rate: float | None = None
    last: Mapping[str, Any] | None = None
    best: Mapping[str, Any] | None = None
    reason: str = ""
    notes: Sequence[str] = ()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status in ("running", "preparing")

    @property
    def share(self) -> float | None:
        """How much of the planned epochs is done; None where nobody knows."""
        if self.status == "finished":
            return 1.0
        if not self.epochs:
            return None
        whole = max(0, self.epoch - 1) if self.last is None else max(int(number(self.last["epoch"])), self.epoch - 1)
        part = self.done / self.per_epoch if self.per_epoch and self.epoch > whole else 0.0
        return min(1.0, (whole + min(1.0, part)) / self.epochs)

    @property
    def headline(self) -> str:
        """Where it is."""
        whole = f" of {self.epochs:,}" if self.epochs else ""
        if not self.running:
            done = 0 if self.last is None else int(number(self.last["epoch"]))
            verb = "finished" if self.status == "finished" else f"{self.status.partition(':')[0]} after"
            ended = (
                f"{done:,} epoch{'' if done == 1 else 's'}" if self.status == "finished" else f"epoch {done:,}{whole}"
            )
            return f"{verb} {ended}"
        if not self.epoch:
            return "about to begin"
        steps = f"/{self.per_epoch:,}" if self.per_epoch else ""
        return f"epoch {self.epoch:,}{whole}" + (f", step {self.done:,}{steps}" if self.done else "")

    def words(self) -> list[str]:
        """What else one wants to know: time, speed, the learning rate."""
        found = [time_words(self.seconds)]
        share = self.share
        if self.running and share is not None and share > self.began and self.seconds >= 1:
            found.append(f"about {time_words(self.seconds * (1 - share) / (share - self.began))} left")
        if self.last is not None and number(self.last.get("seconds")) > 0:
            found.append(f"{number(self.last.get('samples')) / number(self.last['seconds']):,.0f} samples/s")
        if self.rate is not None:
            found.append(f"learning rate {figure('lr', self.rate)}")
        return found

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Heads, and the figures of the last and of the best epoch."""
        if self.last is None:
            return [], []
        names = [name for name in self.last if name.startswith(("train_", "valid_"))]
        if self.best is not None:
            names += [name for name in self.best if name.startswith("valid_") and name not in names]
        rows = [[f"epoch {self.last['epoch']}", *(_figure(name, self.last.get(name)) for name in names)]]
        if self.best is not None and self.best["epoch"] == self.last["epoch"]:
            rows[0][0] += " ★"
        elif self.best is not None:
            rows.append([f"epoch {self.best['epoch']} ★", *(_figure(name, self.best.get(name)) for name in names)])
        heads = [name.replace("_", " ") for name in names]
        return ["", *(heads if len({*heads}) == len(names) else names)], rows

    def said(self) -> list[str]:
        """The sentences, the last ones where there are many, and why it ended."""
        left_out = len(self.notes) - NOTES
        more = [f"… and {left_out:,} before"] if left_out > 0 else []
        return [*more, *self.notes[-NOTES:], *([self.reason] if self.reason else [])]


def facts(state: State) -> dict[str, Any]:
    """The state as plain data for the page."""
    kind, sign = looks(state.status)
    heads, rows = state.table()
    return {
        "kind": kind,
        "sign": sign,
        "headline": state.headline,
        "share": state.share,
        "words": state.words(),
        "best": None if state.best is None else state.best["epoch"],
        "heads": heads,
        "rows": rows,
        "notes": state.said(),
    }


def text(state: State) -> str:
    """The state in one line of plain text."""
    heads, rows = state.table()
    figures = [f"{head} {value}" for head, value in zip(heads[1:], rows[0][1:], strict=True)] if rows else []
    best = f"best epoch {state.best['epoch']}" if state.best is not None else ""
    return ", ".join(part for part in (state.headline, *state.words()[:1], *figures, best) if part)


def time_words(seconds: float) -> str:
    """A span of time; what is below a minute needs no digits behind the tenths."""
    return span(round(seconds, 1 if seconds < 10 else 0))


def _figure(name: str, value: Any) -> str:
    """A figure of a record, which may hold anything where it was read from a file."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return "–" if value is None else str(value)
    return figure(name, value)
