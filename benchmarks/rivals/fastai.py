"""fastai: `Learner` with the callback `GradientAccumulation`, whose n_acc counts samples."""

import contextlib
from typing import Any

import torch
from fastai.basics import DataLoader, DataLoaders, Learner, OptimWrapper
from fastai.callback.training import GradientAccumulation
from fastai.metrics import AccumMetric

from rivals.problem import NotOffered, Outcome, Problem, by_hand_only_for


def train(problem: Problem) -> Outcome:
    by_hand_only_for(problem, "valid_loss")
    if problem.ranks > 1 and not problem.resample:
        raise NotOffered("its loaders are always shared out again")
    loaders = DataLoaders(_loader(problem), _valid(problem), device=torch.device("cpu"))
    learner = Learner(
        loaders,
        problem.model,
        loss_func=problem.loss,
        lr=problem.lr,
        opt_func=lambda groups, lr: OptimWrapper(groups, torch.optim.SGD, lr=lr),
        cbs=[GradientAccumulation(problem.micro * problem.accumulate)] if problem.accumulate > 1 else None,
        metrics=[AccumMetric(problem.loss, flatten=False, to_np=False)] if problem.by_hand else None,
        train_bn=True,
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(learner.no_logging())
        stack.enter_context(learner.no_bar())
        if problem.ranks > 1:
            from fastai import distributed  # noqa: F401 - adds distrib_ctx to Learner

            stack.enter_context(learner.distrib_ctx(cpu=True))
        learner.fit(problem.epochs)
    figures = [float(value) for value in learner.recorder.values[-1] if value is not None]
    note = "AccumMetric over all predictions" if problem.by_hand else "Recorder"
    note = "GradientAccumulation(n_acc=samples)" if problem.accumulate > 1 else note
    return Outcome(figures[0], figures[-1] if problem.valid is not None else None, note)


def _loader(problem: Problem) -> Any:
    if problem.batches is not None:
        return DataLoader(problem.batches, bs=None, num_workers=0)
    return DataLoader(problem.data, bs=problem.micro, num_workers=0)


def _valid(problem: Problem) -> Any:
    return DataLoader(problem.valid or [], bs=problem.micro, num_workers=0)
