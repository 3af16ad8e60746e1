"""The loop around the step: windows of batches, epochs, validation, the best weights, records for observers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from truestep.core import model as models
from truestep.core.batch import CPU, Batch
from truestep.core.errors import ConfigError, NonFiniteError
from truestep.core.outcome import StepOut
from truestep.core.ranks import agree
from truestep.core.step import TrainStep
from truestep.data.batches import source
from truestep.data.seeds import mix
from truestep.fit.chance import apart
from truestep.fit.evaluate import Evaluation, evaluate_batches, evaluation_size, label, meet, refuse_same_names, weigh
from truestep.fit.events import NOBODY, Audience, Ended, EpochEnded, Observer, Resumed, Said, Started, Stepped
from truestep.fit.history import Best, History, Record
from truestep.fit.plan import Plan
from truestep.fit.position import Position
from truestep.fit.run import Run
from truestep.fit.saving import Saver
from truestep.fit.sentences import about_average, about_schedule, about_sums
from truestep.fit.settings import settings_of, shape_of
from truestep.fit.showing import shown
from truestep.fit.signals import Interrupted
from truestep.fit.streaks import Eager, eager
from truestep.fit.trained import Trained
from truestep.fit.worth import tried

if TYPE_CHECKING:
    from truestep.core.rows import Rows
    from truestep.fit.compiled import Tiers


class Loop:
    """One run under way."""

    def __init__(
        self, step: TrainStep, train: Any, validate: Any, plan: Plan, saver: Saver, compile: Any = False
    ) -> None:
        refuse_same_names(step.objective, step.metrics)
        if plan.patience is not None and validate is None:
            raise ConfigError("patience waits for a better validation loss: give fit validate=(inputs, targets).")
        self.step, self.plan, self.saver, self.at = step, plan, saver, Position()
        self.compile = compile
        self.tiers: Tiers | Eager | None = None
        seed = plan.seed if plan.shuffle else None
        self.batches = source(train, plan.batch_size, seed, step.ranks, step.device)
        self.valid = None
        if validate is not None:
            size = evaluation_size(validate, plan.batch_size or 1)
            self.valid = source(validate, size, None, step.ranks, step.device)
        self.window: list[Batch | None] = []
        self.audience = NOBODY
        self.run_state = Run(History(), Best(), step.updates.parameters, list(step.objective.parameters()))
        self.said: set[str] = set()
        self.sums_said = False

    def run(self, observers: Sequence[Observer], progress: bool | str | None, run_dir: str | Path | None) -> Run:
        """Train until the last epoch, or until something ends the run before; the record is closed in every case.

        Where `progress` is None, nothing is written to stderr, not even why the run ended.
        """
        run, began = self.run_state, time.perf_counter()
        self.saver.find(self)
        self.audience = Audience(self._own_observers(progress, run_dir), observers, self.say)
        status, reason = "failed", ""
        try:
            with apart(self.step.device), self.saver:
                self._start()
                self._epochs()
            status, reason = ("stopped", run.stopped) if run.stopped else ("finished", "")
        except KeyboardInterrupt as stop:
            status, reason = (
                "interrupted",
                str(stop) if isinstance(stop, Interrupted) else f"interrupted after {run.steps} steps.",
            )
            raise
        except Exception as error:
            reason = f"failed after {run.steps} steps: {error}"
            raise
        finally:
            if self.tiers is not None:
                self.tiers.close()
            run.seconds = time.perf_counter() - began
            self.audience.tell(Ended(status, reason))
            self.audience.leave()
        return run

    def say(self, sentence: str) -> None:
        """Tell the person who trains, once a sentence."""
        if sentence not in self.said:
            self.said.add(sentence)
            self.run_state.notes.append(sentence)
            self.audience.tell(Said(sentence))

    def _own_observers(self, progress: bool | str | None, run_dir: str | Path | None) -> list[Observer]:
        if self.step.ranks.rank:
            return []
        own: list[Observer] = [] if progress is None else [shown(progress)]
        if run_dir is not None:
            # Loads SQLite, which a run without a folder does not need.
            from truestep.fit.recorder import Recorder, vacant

            asked = Path(run_dir).expanduser()
            goes_on = self.saver.run_folder(asked)
            folder = self.run_state.folder = goes_on or vacant(asked)
            if folder != asked and not goes_on:
                self.say(f"{asked} holds a run already, which stays as it is: this one is written to {folder}.")
            # Absolute, since the program may change its folder while it trains.
            own.append(Recorder(folder.absolute(), lambda: self.run_state.kept.weights, self.say))
        return own

    def _seed(self, number: int) -> None:
        # torch.manual_seed seeds every GPU too, which a model on the CPU does not draw from.
        (torch.default_generator if self.step.device == CPU else torch).manual_seed(number)

    def _start(self) -> None:
        step, plan = self.step, self.plan
        if isinstance(step.model, nn.Module):
            if not step.model.training:  # parts in evaluation mode inside a model in training mode were frozen so
                step.model.train()
            if step.ranks.size > 1:
                agree([*step.model.parameters(), *step.model.buffers()])
        settings = settings_of(self) if self.audience.curious else shape_of(self)
        unheard = list(self.run_state.notes)  # said before anybody listened: the record cannot be written
        self.audience.tell(Started(settings))
        for sentence in unheard:
            self.audience.tell(Said(sentence))
        if self.saver.restore(self):
            done = self.at.found.steps + self.at.found.skipped
            self.audience.tell(Resumed(self.run_state.steps, self.at.epoch, done, tuple(self.run_state.history)))
        per_epoch = settings["steps_per_epoch"]
        self.tiers = self._taker(per_epoch * (plan.epochs + 1 - self.at.epoch))
        split, several = step.micro_batch is not None or plan.accumulate > 1, step.ranks.size > 1
        caveats = models.caveats(step.model, split, several) if split or several else []
        for sentence in (*step.notes, *self.batches.notes, *caveats, *about_schedule(step.schedule, per_epoch)):
            self.say(sentence)

    def _taker(self, steps: int) -> Tiers | Eager | None:
        """Who takes so many steps."""
        if self.compile is True or (self.compile is not False and tried(steps)):
            from truestep.fit.compiled import tiers  # loaded by those who take steps so

            return tiers(self, steps)
        return eager(self)

    def _epochs(self) -> None:
        run, at = self.run_state, self.at
        over = self._over()
        while not over:
            found = at.found
            try:
                self._train(at.epoch, found)
            except NonFiniteError as error:
                if self.step.nonfinite == "raise":
                    raise
                run.stopped = f"stopped: {error}"
                return
            record = self._record(at.epoch, found, at.began)
            judged = self.valid is not None
            best = judged and run.kept.consider(record, self.step.model, run.parameters, run.of_losses)
            run.history.append(record)
            self.audience.tell(EpochEnded(record, best))
            if self.step.schedule.schedulers:
                self.step.schedule.after_epoch(record.get("valid_loss", record["train_loss"]))
            at.waited = 0 if best else at.waited + 1
            at.start(at.epoch + 1)
            over = self._over()
            self.saver.after_epoch(self, over)

    def _over(self) -> bool:
        """Whether no epoch is left, or patience is at its end, which the run then says."""
        at, patience = self.at, self.plan.patience
        self.run_state.stopped = ""
        if patience is not None and at.waited >= patience:
            words = f"{at.waited} epochs without a better validation loss."
            self.run_state.stopped = f"stopped after epoch {at.epoch - 1}: {words}"
        return bool(self.run_state.stopped) or at.epoch > self.plan.epochs

    def _train(self, epoch: int, found: Trained) -> None:
        """One epoch of updates, or what is left of it; `found` is what they add up."""
        together = self.step.ranks
        if self.tiers is not None:
            self.tiers.refresh()
        self._seed(mix(self.plan.seed, epoch, 1))
        for _ in self._fill(epoch, found):
            if self.at.batch == 0 and together.size > 1:
                # The loader has drawn its order, which all ranks share; dropout differs from rank to rank.
                self._seed(mix(self.plan.seed, epoch, 2 + together.rank))
            self.at.batch += 1
            if len(self.window) == self.plan.accumulate:
                self._update(epoch, found)
        if self.window and self.plan.tail == "step":
            self._update(epoch, found)
        elif self.window and (self.plan.tail == "drop" or epoch == self.plan.epochs):
            self.say(f"{len(self.window)} batch(es) of an incomplete window are left out (tail={self.plan.tail!r}).")
            if self.plan.tail == "drop":  # carried ones are kept for a run that is resumed for more epochs
                self.window.clear()

    def _fill(self, epoch: int, found: Trained) -> Iterator[None]:
        """Put the batches of an epoch into the window, without those that are taken several a call once that can be."""
        if not self._in_a_row():
            # Only the window holds a batch, so that its memory is free for the next one.
            for _ in map(self.window.append, self.saver.batches(self)):
                yield
                if self._in_a_row():
                    break
            else:
                return
        assert self.tiers is not None
        looked = self.audience.wants_steps
        rest = self.tiers.rest(self.batches, epoch, self.at.batch, lambda rows: self._add(epoch, found, rows), looked)
        yield from map(self.window.append, rest)

    def _in_a_row(self) -> bool:
        """Whether steps can be taken without coming back after each."""
        tiers, audience = self.tiers, self.audience
        if tiers is None:
            return False
        return tiers.several is not None or (not (audience.wants_steps and audience.guests) and tiers.steady)

    def _add(self, epoch: int, found: Trained, rows: Rows) -> None:
        """Add steps that were taken in one call."""
        found.add_rows(rows, self.step.objective.sums)
        if self.step.objective.sums and not self.sums_said:
            self._say_sums(rows.out(0))
        self.at.batch += rows.times
        if not self.audience.wants_steps:
            self.run_state.steps += rows.times
            return
        for number in range(rows.times):
            self.run_state.steps += 1
            self._tell(epoch, rows.out(number))

    def _tell(self, epoch: int, out: StepOut) -> None:
        self.audience.tell(Stepped(self.run_state.steps, epoch, out))
        if self.audience.guests and self.tiers is not None:
            self.tiers.refresh()

    def _update(self, epoch: int, found: Trained) -> None:
        window = [batch for batch in self.window if batch is not None]
        self.window.clear()
        out = self.saver.take(self, window)
        self.run_state.steps += 1
        if out.skipped:
            found.skipped += 1
            self.say(out.reason)
        else:
            found.add(out, self.step.objective.sums)
            self._say_sums(out)
        if self.audience.wants_steps:
            self._tell(epoch, out)
        self.saver.after_step(self)

    def _say_sums(self, out: StepOut) -> None:
        if not self.sums_said:
            self.sums_said = True
            for sentence in about_sums(self.step.objective, out, self.step.updates):
                self.say(sentence)

    def _record(self, epoch: int, found: Trained, began: float) -> Record:
        objective, device = self.step.objective, self.step.device
        terms, metrics = found.terms.means(objective.terms, device), {}
        if self.step.metrics:
            meet(found.metrics, self.step.metrics, frozenset(), self.step.ranks, device)
            metrics = found.metrics.means(self.step.metrics, device)
        figures: dict[str, Any] = {"epoch": epoch, "train_loss": weigh(objective, terms, found.terms.counts)}
        label(figures, "train", terms, metrics)
        averaged = dict(found.terms.averaged)
        every = self.plan.evaluate_every
        if self.valid is not None and (epoch % every == 0 or epoch == self.plan.epochs):
            seen = self._validate()
            figures["valid_loss"] = seen.loss
            label(figures, "valid", seen.terms, seen.metrics)
            averaged |= seen.averaged
        for name, reason in averaged.items():
            self.say(about_average(name, reason))
        for sentence in self.batches.notes:
            self.say(sentence)
        seconds = time.perf_counter() - began
        figures |= {"samples": found.terms.samples, "steps": found.steps, "skipped": found.skipped}
        figures |= {"seconds": seconds, "lr": found.lr, "grad_norm": found.grad_norm}
        return Record(figures)

    def _validate(self) -> Evaluation:
        step, valid = self.step, self.valid
        assert valid is not None
        batches = self.saver.validation(self, valid.batches(0))
        return evaluate_batches(step.model, batches, step.objective, step.metrics, step.precision, step.ranks)
