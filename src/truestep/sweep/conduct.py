"""How a study is gone through: groups, chunks, what is said, and what is kept in the run folder."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from truestep.core.batch import Batch, leaves, rows
from truestep.core.gradients import Metric
from truestep.fit.evaluate import EVALUATED_BYTES
from truestep.sweep.alone import train_alone
from truestep.sweep.chunks import Group, Layout, groups, layouts, most_at_once
from truestep.sweep.found import Chunk, Schedule
from truestep.sweep.grid import Variant
from truestep.sweep.hyper import columns_of, options_of
from truestep.sweep.keep import Kept
from truestep.sweep.progress import Progress
from truestep.sweep.settings import Maker
from truestep.sweep.study import Study
from truestep.sweep.tryout import CannotStack, refuse_misfits, refuse_unstackable, variant_bytes
from truestep.sweep.work import Stacker, Work
from truestep.sweep.worth import Pass, Scale, Verdict, step_seconds, verdict


@dataclass(frozen=True)
class Request:
    """What was asked of a study."""

    maker: Maker
    variants: Sequence[Variant]
    data: Batch
    valid: Batch | None
    metrics: Mapping[str, Metric]
    plan: Schedule
    compile: Any
    chunk: int | None
    device: torch.device
    executor: str | None = None
    stack: Any = "auto"


class Conductor:
    """One study under way."""

    def __init__(self, request: Request, run_dir: str | Path | None, progress: bool) -> None:
        self.request = request
        self.study = Study(request.maker, list(request.variants), request.plan, request.valid is not None)
        self.progress = Progress(progress, sys.stderr)
        self.kept = None if run_dir is None else Kept(Path(run_dir).expanduser().absolute(), request)

    def run(self) -> Study:
        """Train whatever is not trained yet, group by group and chunk by chunk."""
        began = time.perf_counter()
        if self.kept is not None:
            for variants, chunk in self.kept.found():
                self.study.add(variants, chunk)
        done = self.study.trained
        if done:
            self.say(f"{len(done)} of {len(self.study.variants)} variants are in {self._folder} already.")
        self.progress.begin(len(self.request.variants) - len(done), self.request.plan.epochs)
        try:
            with warnings.catch_warnings():
                # Torch's own advice to itself about batching rules that it lacks.
                warnings.filterwarnings("ignore", message=".*performance drop.*")
                for group in groups(self.request.maker, self.request.variants, self.request.plan.batch_size):
                    if rest := tuple(variant for variant in group.variants if variant.index not in done):
                        self._group(replace(group, variants=rest), group)
        finally:
            self.progress.end()
        self.study.seconds = time.perf_counter() - began
        return self.study

    @property
    def _folder(self) -> Path:
        assert self.kept is not None
        return self.kept.folder

    def say(self, sentence: str) -> None:
        """Tell the person who waits, once a sentence."""
        if sentence not in self.study.notes:
            self.study.notes.append(sentence)
            self.progress.line(f"note: {sentence}")

    def _group(self, group: Group, whole: Group) -> None:
        """Train what is left of a group: stacked, or one after another where that is quicker, or the only way."""
        try:
            work, most, seen = self._work(group)
            chunks = layouts(group.variants, most)
            stacker = Stacker(work, self.say, self._steps(group) * len(chunks), self.request.compile)
            found = self._decided(stacker, chunks, seen, whole)
            if found.stacks:
                stacker.try_out(group.variants[0])
        except CannotStack as error:
            self.say(
                f"{len(group.variants)} variants are trained one after another, since they cannot be stacked: {error}"
            )
            self._one_by_one(group, self.request.maker.make(group.variants[0]))
            return
        planned = f"{len(group.variants)} variants of {self.request.plan.epochs} epochs"
        if not found.stacks:
            self._planned(f"{planned} one after another, {found.why}")
            self._one_by_one(group, work.model)
            return
        sizes = sorted({len(each.variants) for each in chunks}, reverse=True)
        self._planned(f"{planned} in {len(chunks)} chunk(s) of {' or '.join(map(str, sizes))}")
        self._chunks(stacker, chunks)

    def _planned(self, sentence: str) -> None:
        self.study.planned.append(sentence)
        self.progress.line(sentence)

    def _decided(self, stacker: Stacker, chunks: Sequence[Layout], seen: Pass, whole: Group) -> Verdict:
        """Stack or not: as the user says, as this study began, or as it turns out to be quicker."""
        key, request = str(whole.variants[0].index), self.request
        if request.stack != "auto":
            return Verdict(request.stack, "as asked")
        if self.kept is not None and key in self.kept.decided:
            return Verdict(self.kept.decided[key], "as it began")
        if seen.counter.draws:  # alone they would be drawn otherwise
            return Verdict(True)
        if request.compile is True or request.executor or request.device.type != "cpu":  # this clock tells nothing
            return Verdict(True)
        found = self._judged(stacker, chunks, seen, whole)
        if self.kept is not None:
            self.kept.decide(key, found.stacks)
        return found

    def _judged(self, stacker: Stacker, chunks: Sequence[Layout], seen: Pass, whole: Group) -> Verdict:
        work, first = stacker.work, chunks[0].variants[0]
        scale = Scale(len(whole.variants), self._steps(whole), len(chunks[0].variants))
        alone = partial(step_seconds, work.maker, first, seen.batch)
        return verdict(scale, seen, work.model, alone, partial(stacker.seconds, chunks[0]))

    def _chunks(self, stacker: Stacker, chunks: Sequence[Layout]) -> None:
        if self.request.executor is not None:
            from truestep.sweep.cluster import spread

            for layout, chunk in spread(stacker, chunks):
                self.progress.chunk(len(layout.variants))(self.request.plan.epochs)
                self._add(layout.variants, chunk)
            return
        for layout in chunks:
            told = self.progress.chunk(len(layout.variants))
            self._add(layout.variants, stacker.run(layout, told))

    def _add(self, variants: Sequence[Variant], chunk: Chunk) -> None:
        self.study.add(variants, chunk)
        if self.kept is not None:
            self.kept.add(variants, chunk)

    def _one_by_one(self, group: Group, model: nn.Module) -> None:
        request = self.request
        plan = replace(request.plan, batch_size=group.batch_size)
        for variant in group.variants:  # what is refused is refused before anything is trained
            request.maker.make_optimizer(model, variant.settings)
        for variant in group.variants:
            told = self.progress.chunk(1)
            rest = (request.data, request.valid, request.metrics, plan, request.device, told)
            self._add([variant], train_alone(request.maker, [variant], *rest))

    def _steps(self, group: Group) -> int:
        return self.request.plan.epochs * -(-rows(self.request.data[0]) // group.batch_size)

    def _work(self, group: Group) -> tuple[Work, int, Pass]:
        """What the chunks of a group share, how many of its variants fit, and a pass over the first batch."""
        request = self.request
        model = request.maker.make(group.variants[0]).to(request.device)
        model.train()
        objective = request.maker.objective
        refuse_unstackable(objective, model)
        sides = {"train": request.data, "validate": request.valid}
        seen = refuse_misfits(model, objective, request.metrics, sides, group.batch_size)
        rule, options = options_of(request.maker, group.variants, model)
        size = variant_bytes(model, seen, bool(request.plan.evaluate_every))
        weights = sum(each.nbytes for each in model.parameters())
        most = most_at_once(size, weights, request.chunk, request.device)
        if request.executor is not None:
            from truestep.sweep.cluster import EACH, workers

            most = min(most, -(-len(group.variants) // (EACH * workers())))
        places = {variant.index: place for place, variant in enumerate(group.variants)}
        plan = replace(request.plan, batch_size=group.batch_size)
        evaluated = self._evaluated(min(most, len(group.variants)))
        own = (request.maker, request.data, request.valid, request.metrics, plan, evaluated)
        return Work(*own, rule, columns_of(options), places, request.device, model), most, seen

    def _evaluated(self, variants: int) -> int:
        """Samples a forward pass of validation, of all variants together."""
        if self.request.valid is None:
            return 1
        inputs = self.request.valid[0]
        each = sum(leaf.nbytes for _, leaf in leaves(inputs)) // rows(inputs)
        return max(1, 64 * EVALUATED_BYTES // max(1, each * variants))
