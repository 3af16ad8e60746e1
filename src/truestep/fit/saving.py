"""When a run is saved, and how it ends early: checkpoints that cost the loop little, signals that lose no step."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from truestep.core.batch import Batch
from truestep.core.errors import ConfigError
from truestep.data.batches import DatasetSource, TensorSource
from truestep.fit.signals import Interrupted, Signals

if TYPE_CHECKING:
    from truestep.core.outcome import StepOut
    from truestep.fit.loop import Loop
    from truestep.fit.moments import Moments
    from truestep.fit.resume import Found
    from truestep.fit.writing import Writer

PERIOD = 600.0  # seconds between two checkpoints within an epoch, where nobody says how often


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Where the whole state of a run is kept, and how often.

    Args:
        folder: a folder of this run alone; it is made.
        every: updates between two checkpoints. None: at the end of each epoch and every ten minutes within one, and
            never so often that writing takes more than a twentieth of the time. A run that ends, or that SIGINT or
            SIGTERM ends, is saved in any case.
        last: how many are kept; the last one with finite numbers is never dropped.

    Raises:
        ConfigError: for numbers below 1.
    """

    folder: str | Path
    every: int | None = None
    last: int = 3

    def __post_init__(self) -> None:
        if not isinstance(self.folder, str | Path) or not str(self.folder):
            raise ConfigError(f"checkpoint takes a folder or ts.Checkpoints(folder), and not {self.folder!r}.")
        for name in ("every", "last"):
            number = getattr(self, name)
            whole = isinstance(number, int) and not isinstance(number, bool) and number >= 1
            if not whole and (name, number) != ("every", None):
                raise ConfigError(f"{name} of ts.Checkpoints is a whole number of at least 1, and not {number!r}.")


class Saver:
    """What `fit` does about checkpoints; without a folder nothing at all."""

    found: Found | None = None
    _loop: Loop | None = None
    _signals: Signals
    _writer: Writer | None = None
    _moments: Moments | None = None
    _settings: Mapping[str, Any]
    _began: Any = None  # the random states when the epoch began
    _now: Any = None  # and those to go on with after its first batches are passed over
    _looked: Any = None  # what lay hidden before the first step, until the first save
    _since, _next = 0, 0.0

    def __init__(self, checkpoint: Any, resume: bool) -> None:
        if checkpoint is None and resume:
            raise ConfigError("resume=True needs to know where the run was saved: give checkpoint='folder' too.")
        given = checkpoint if isinstance(checkpoint, Checkpoints) or checkpoint is None else Checkpoints(checkpoint)
        self.asked: Checkpoints | None = given
        self.resume = resume

    def find(self, loop: Loop) -> None:
        """Look for the run to go on with, before anything of this one is written.

        Raises:
            ConfigError: for a folder of another run. CheckpointError: where no checkpoint in it can be read.
        """
        if self.asked is None:
            return
        self._loop, self._signals, self._next = loop, Signals(), time.monotonic() + PERIOD
        # Loaded by those who save: importing truestep stays cheap.
        from truestep.fit import resume
        from truestep.fit.moments import Moments
        from truestep.fit.settings import identity
        from truestep.fit.writing import Writer
        from truestep.store.keep import Kept

        # Absolute, since the program may change its folder while it trains.
        self._writer = Writer(Kept(Path(self.asked.folder).expanduser().absolute(), self.asked.last))
        self._moments, self._settings = Moments(), identity(loop)
        self.found = resume.look(self._writer.kept, self.resume, loop.step.ranks)
        if self.found is not None:
            resume.check(self.found, self._settings)
        elif self.resume:
            loop.say(f"{self.asked.folder} holds no checkpoint yet: the run begins at its start.")

    def run_folder(self, asked: Path) -> Path | None:
        """The folder of the record where the run goes on: the one asked for, or with the number that it had to get."""
        if self.found is None:
            return None
        from truestep.fit.resume import folder_of

        name = folder_of(self.found) or ""
        numbered = name.removeprefix(f"{asked.name}-").isdigit() and asked.with_name(name).is_dir()
        return asked.with_name(name) if numbered else asked

    def restore(self, loop: Loop) -> bool:
        """Put the run where it was, if it goes on; say whether it does."""
        if self.asked is None:
            return False
        if self.found is not None:
            from truestep.fit import resume
            from truestep.fit.state import put_back_chances

            self._began, self._now = resume.put_back(loop, self.found)
            put_back_chances(loop, self._now)
            for sentence in resume.sentences(loop, self.found):
                loop.say(sentence)
        if self._writer is not None:
            from truestep.fit import hidden

            self._writer.spare(loop)
            self._looked = hidden.look(loop)
        return self.found is not None

    def batches(self, loop: Loop) -> Iterator[Batch | None]:
        """The batches of the epoch, after a resume those that are left of it."""
        at, source = loop.at, loop.batches
        if self.asked is None:
            return source.batches(at.epoch)
        from truestep.fit.state import chances, put_back_chances

        if not at.batch:
            self._began = chances(loop)
            return source.batches(at.epoch)
        put_back_chances(loop, self._began)
        if isinstance(source, TensorSource | DatasetSource):
            given = source.batches(at.epoch, at.batch)
        else:  # whoever made the loader has its order, and its workers have random states: it is gone over again
            given = source.batches(at.epoch)
            for _ in range(at.batch):
                next(given, None)
        put_back_chances(loop, self._now)
        return given

    def take(self, loop: Loop, window: list[Batch]) -> StepOut:
        """Take a step, unless a moment that is not finite would reach the weights.

        Raises:
            NonFiniteError: naming the first of them.
        """
        if self._moments is None or self._writer is None:
            return loop.step.window(window)
        self._moments.check(loop, self._writer.saved)
        out = loop.step.window(window)
        self._moments.trust(loop, out)
        return out

    def after_step(self, loop: Loop) -> None:
        """Save if it is time to, and end the run if a signal asked for it."""
        if self._writer is None or self.asked is None:
            return
        self._since += 1
        if self.asked.every is None:
            due = time.monotonic() >= max(self._next, self._writer.rested)
        else:
            due = self._since >= self.asked.every
        self._act(loop, self._writer, due)

    def after_epoch(self, loop: Loop, last: bool) -> None:
        """The same at the end of an epoch, where it is time unless somebody said how often; of the last one always."""
        if self._writer is None or self.asked is None:
            return
        due = self.asked.every is None and time.monotonic() >= self._writer.rested
        self._act(loop, self._writer, last or due, last)

    def validation(self, loop: Loop, batches: Iterator[Batch | None]) -> Iterator[Batch | None]:
        """The batches of a validation; a signal ends the run between two of them, saved as it was before the first.

        Several ranks go on to the end of the epoch, where they agree: one that left would have the others wait.
        """
        if self._writer is None or loop.step.ranks.size > 1:
            yield from batches
            return
        from truestep.fit.state import chances, put_back_chances

        before = chances(loop)
        for batch in batches:
            yield batch
            if self._signals.asked:
                put_back_chances(loop, before)
                self._act(loop, self._writer, due=False)

    def __enter__(self) -> Saver:
        if self.asked is not None:
            self._signals.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.asked is None:
            return
        try:
            if self._writer is not None and not isinstance(
                error, KeyboardInterrupt
            ):  # who stops at once, does not wait
                self._writer.settle()
            self._tell()
        finally:
            self._signals.__exit__(kind, error, _)

    def _act(self, loop: Loop, writer: Writer, due: bool, wait: bool = False) -> None:
        stop, due = self._signals.asked, due and (wait or not writer.busy)
        ranks = loop.step.ranks
        if ranks.size > 1:  # a signal may reach one of them alone, and only rank 0 knows how its disk keeps up
            met = ranks.add([float(bool(stop)), float(due and ranks.rank == 0)], loop.step.device)
            stop, due = (stop or "a signal to another rank") if met[0] else "", bool(met[1])
        if stop or due:
            saved = self._save(loop, writer, wait or bool(stop))
            if stop:
                self._end(loop, writer, stop, saved)
        self._tell()

    def _save(self, loop: Loop, writer: Writer, wait: bool) -> bool:
        """Take a snapshot and have it written; with `wait`, whether it is on the disk."""
        from truestep.fit import hidden
        from truestep.fit.state import capture

        if self._looked is not None:
            looked, self._looked = self._looked, None
            for sentence in hidden.sentences(loop, looked):
                loop.say(sentence)
        snapshot = capture(loop, self._settings, self._began)
        self._since, self._next = 0, time.monotonic() + PERIOD
        for path, name in snapshot.left.items():
            loop.say(f"{path} is of type {name}, which a checkpoint cannot hold: a resumed run begins with a new one.")
        if loop.step.ranks.rank:
            return True
        if wait:
            return writer.write(snapshot)
        writer.begin(snapshot)
        return False

    def _end(self, loop: Loop, writer: Writer, stop: str, saved: bool) -> NoReturn:
        if loop.step.ranks.size > 1:
            loop.step.ranks.add([0.0], loop.step.device)  # a rank that left would have the one that writes ended
        self._tell()
        words = f"interrupted by {stop} after {loop.run_state.steps} steps"
        if saved:
            raise Interrupted(f"{words}; their state is saved in {writer.kept.folder}: resume=True goes on from it.")
        before = "none was saved before" if writer.saved is None else f"step {writer.saved} was saved last"
        raise Interrupted(f"{words}; their state could not be saved, and {before}.")

    def _tell(self) -> None:
        """Say what the writer met, in the thread that trains."""
        while self._loop is not None and self._writer is not None and self._writer.sentences:
            self._loop.say(self._writer.sentences.pop(0))
