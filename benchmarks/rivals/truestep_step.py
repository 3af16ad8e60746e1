"""truestep's `TrainStep`: the whole batch goes in, `micro_batch` says how much of it a forward pass may take."""

import torch.distributed as dist

import truestep as ts
from rivals.problem import NotOffered, Outcome, Problem
from rivals.truestep_fit import objective


def train(problem: Problem) -> Outcome:
    if problem.by_hand:
        raise NotOffered("no count has to be stated")
    if problem.wants == "train_loss":
        raise NotOffered("one step has no epoch: ts.fit reports it")
    if problem.resample:
        raise NotOffered("TrainStep takes batches: ts.fit shares out data")
    if problem.wants == "valid_loss":
        loader = problem.loader(problem.valid)
        found = ts.evaluate(problem.model, loader, objective(problem))
        return Outcome(valid_loss=found.loss, note="ts.evaluate")
    if problem.ranks > 1 and not dist.is_initialized():
        dist.init_process_group("gloo")
    step = ts.TrainStep(problem.model, objective(problem), problem.optimizer(), micro_batch=problem.micro)
    whole = problem.loader(samples=problem.micro * problem.accumulate)
    for _ in range(problem.epochs):
        for inputs, targets in whole if problem.batches is None else problem.batches:
            step(inputs, targets)
    return Outcome(note="ts.TrainStep(..., micro_batch=...)")
