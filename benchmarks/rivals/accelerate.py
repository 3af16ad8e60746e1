"""Accelerate: `with accelerator.accumulate(model)`; by hand the recipe of its guide for samples of variable size."""

import contextlib
from collections.abc import Iterator
from itertools import islice
from typing import Any

from accelerate import Accelerator, DataLoaderConfiguration
from accelerate.state import AcceleratorState, GradientState

from rivals.problem import NotOffered, Outcome, Problem


def train(problem: Problem) -> Outcome:
    if problem.wants != "update":
        raise NotOffered("reports no loss: the loop is the user's")
    if problem.by_hand:
        problem.only_labels_counted("the recipe")
    GradientState._reset_state()
    AcceleratorState._reset_state(reset_partial_state=False)
    accelerator = Accelerator(
        cpu=True,
        gradient_accumulation_steps=problem.accumulate,
        dataloader_config=DataLoaderConfiguration(even_batches=not problem.by_hand),
    )
    model, optimizer = accelerator.prepare(problem.model, problem.optimizer())
    loader = problem.loader()
    if problem.ranks == 1 or problem.resample:
        loader = accelerator.prepare(loader)
    for _ in range(problem.epochs):
        if problem.by_hand:
            _recipe(problem, accelerator, model, optimizer, loader)
        else:
            _plain(problem, accelerator, model, optimizer, loader)
    if problem.by_hand:
        return Outcome(note="its guide's recipe: the user writes each window and its count, even_batches=False")
    return Outcome(note="with accelerator.accumulate(model)")


def _plain(problem: Problem, accelerator: Accelerator, model: Any, optimizer: Any, loader: Any) -> None:
    for inputs, targets in loader:
        with accelerator.accumulate(model):
            accelerator.backward(problem.loss(model(inputs), targets))
            optimizer.step()
            optimizer.zero_grad()


def _recipe(problem: Problem, accelerator: Accelerator, model: Any, optimizer: Any, loader: Any) -> None:
    batches: Iterator[Any] = iter(loader)
    while window := list(islice(batches, problem.accumulate)):
        counts = accelerator.gather(sum(targets.ne(-100).sum() for _, targets in window))
        count = counts.sum().item()
        for number, (inputs, targets) in enumerate(window):
            last = number == len(window) - 1
            with contextlib.nullcontext() if last or accelerator.num_processes == 1 else model.no_sync():
                total = problem.total(model(inputs), targets)
                accelerator.backward(total * problem.accumulate * accelerator.num_processes / count)
        optimizer.step()
        optimizer.zero_grad()
