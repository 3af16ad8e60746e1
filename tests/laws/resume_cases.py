"""Runs that can be interrupted and gone on with, in every combination of what a step reads and writes."""

import itertools
import os
import random
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, Dataset

import truestep as ts

SAMPLES, BATCH = 40, 4  # ten batches an epoch
LONG = os.environ.get("TRUESTEP_LONG") == "1"
STEPS = 50 if LONG else 14


class Momentum:
    """An updater written by hand that says what it keeps."""

    def __init__(self, parameters: list[Tensor]) -> None:
        self.parameters = parameters
        self.moments = [torch.zeros_like(p) for p in parameters]
        self.calls = 0

    def __call__(self, batch_size: float) -> None:
        self.calls += 1
        for p, moment in zip(self.parameters, self.moments, strict=True):
            assert p.grad is not None
            moment.mul_(0.9).add_(p.grad / batch_size)
            p -= 0.05 * moment / self.calls**0.1

    def state_dict(self) -> dict[str, Any]:
        return {"moments": self.moments, "calls": self.calls}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.calls = state["calls"]
        for moment, value in zip(self.moments, state["moments"], strict=True):
            moment.copy_(value)


def _halves(model: nn.Sequential) -> list[optim.Optimizer]:
    first, second = list(model[0].parameters()), [p for part in model[1:] for p in part.parameters()]
    return [optim.SGD(first, 0.05, momentum=0.9, nesterov=True), optim.RMSprop(second, 0.003, momentum=0.5)]


OPTIMIZERS = {
    "sgd": lambda model: optim.SGD(model.parameters(), 0.1),
    "momentum": lambda model: optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=0.01),
    "adamw": lambda model: optim.AdamW(ts.decay_groups(model, 0.05), 0.01, amsgrad=True),
    "several": _halves,
    "lbfgs": lambda model: optim.LBFGS(model.parameters(), 0.2, max_iter=3, history_size=4),
    "by hand": lambda model: Momentum(list(model.parameters())),
}


def _first(optimizer: Any) -> optim.Optimizer:
    return optimizer[0] if isinstance(optimizer, list) else optimizer


SCHEDULES = {
    "none": lambda optimizer: None,
    "step": lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(_first(optimizer), 7),
    "epoch": lambda optimizer: ts.per_epoch(lr_scheduler.ReduceLROnPlateau(_first(optimizer), patience=0, factor=0.7)),
    "several": lambda optimizer: [
        lr_scheduler.SequentialLR(
            _first(optimizer),
            [lr_scheduler.LinearLR(_first(optimizer), 0.1), lr_scheduler.MultiStepLR(_first(optimizer), [9, 9, 20])],
            [8],
        )
    ],
}

AXES: dict[str, tuple[Any, ...]] = {
    "optimizer": tuple(OPTIMIZERS),
    "dropout": (0.0, 0.3),
    "shuffle": (True, False),
    "window": ((1, "step"), (3, "carry"), (4, "step"), (3, "drop")),
    "schedule": tuple(SCHEDULES),
    "clip": (None, 0.5),
    "workers": (None, "set", 0, 2) if LONG else (None, "set", 0),  # starting a worker takes longer than such a run
}


@dataclass(frozen=True)
class Case:
    """`workers`: None for tensors, "set" for a map-style data set, else those of a loader."""

    optimizer: str
    dropout: float
    shuffle: bool
    window: tuple[int, str]
    schedule: str
    clip: float | None
    workers: Any

    def __str__(self) -> str:
        return "-".join(str(getattr(self, axis)).replace(" ", "") for axis in AXES)

    @property
    def epochs(self) -> int:
        """As many as make `STEPS` steps, or a few more."""
        each, tail = self.window
        batches = SAMPLES // BATCH
        if tail == "carry":
            return STEPS * each // batches
        return -(-STEPS // (batches // each if tail == "drop" else -(-batches // each)))


def allowed(case: dict[str, Any]) -> bool:
    """A hand-written updater has no rate that a schedule could move; the second step of LBFGS needs no plateau."""
    return case["optimizer"] != "by hand" or case["schedule"] == "none"


def covering(axes: dict[str, tuple[Any, ...]] = AXES) -> list[Case]:
    """Cases in which every pair of values of two axes that may meet does, found greedily."""
    names = list(axes)
    pairs = {
        ((a, x), (b, y))
        for a, b in itertools.combinations(names, 2)
        for x, y in itertools.product(axes[a], axes[b])
        if not {"by hand"} & {x, y} or "schedule" not in (a, b) or "none" in (x, y)
    }
    draw, found = random.Random(0), []
    while pairs:
        best, most = None, 0
        for _ in range(60):
            start = dict(draw.choice(sorted(pairs, key=repr)))
            case = {name: start.get(name, draw.choice(axes[name])) for name in names}
            if not allowed(case):
                continue
            new = len(pairs & set(itertools.combinations(case.items(), 2)))
            if new > most:
                best, most = case, new
        assert best is not None
        pairs -= set(itertools.combinations(best.items(), 2))
        found.append(Case(**best))
    return found


class Noisy(Dataset):
    """Samples with noise that is drawn when they are loaded, from three generators, one of them its own."""

    def __init__(self, data: tuple[Tensor, Tensor]) -> None:
        self.data, self.own = data, torch.Generator().manual_seed(5)

    def __len__(self) -> int:
        return len(self.data[0])

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        noise = torch.rand(()) + random.random() + torch.rand((), generator=self.own)
        return self.data[0][position] + 0.01 * noise, self.data[1][position]


def samples(count: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 6, generator=generator), torch.randint(0, 3, (count,), generator=generator)


def data(case: Case) -> tuple[Any, dict[str, Any]]:
    """The data of a case, and what `fit` is told about them."""
    held = samples(SAMPLES, 1)
    if case.workers is None:
        return held, {"batch_size": BATCH, "shuffle": case.shuffle}
    if case.workers == "set":
        return Noisy(held), {"batch_size": BATCH, "shuffle": case.shuffle}
    loader = DataLoader(Noisy(held), BATCH, shuffle=case.shuffle, num_workers=case.workers)
    return loader, {}


@dataclass
class Ended:
    """What a run left: everything that must be equal to the bit."""

    model: nn.Module
    optimizer: Any
    schedule: Any
    run: ts.Run

    def state(self) -> dict[str, Any]:
        several = self.optimizer if isinstance(self.optimizer, list) else [self.optimizer]
        schedulers = getattr(self.schedule, "schedulers", self.schedule if isinstance(self.schedule, list) else [])
        if isinstance(self.schedule, lr_scheduler.LRScheduler):
            schedulers = [self.schedule]
        history = [{name: value for name, value in record.items() if name != "seconds"} for record in self.run.history]
        return {
            "weights": self.model.state_dict(),
            "optimizers": [one.state_dict() for one in several],
            "schedulers": [_plain(one.state_dict()) for one in schedulers],
            "history": history,
            "best": (None if self.run.best is None else self.run.best["epoch"], self.run.kept.weights),
            "steps": self.run.steps,
            "stopped": self.run.stopped,
        }


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in state.items() if not name.startswith("_schedulers") and not callable(value)}


def train(case: Case, stop: int | None = None, **options: Any) -> Ended:
    """The run of a case from its beginning, or as the options say; SIGINT reaches it in the step `stop`."""
    torch.manual_seed(3)
    random.seed(4)
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Dropout(case.dropout), nn.Linear(5, 3))
    optimizer = OPTIMIZERS[case.optimizer](model)
    schedule = SCHEDULES[case.schedule](optimizer)
    given, told = data(case)
    each, tail = case.window

    def interrupt(event: Any) -> None:
        if isinstance(event, ts.events.Stepped) and event.step == stop:
            signal.raise_signal(signal.SIGINT)

    own = {"validate": samples(9, 2), "metrics": {"accuracy": ts.metrics.accuracy}, "schedule": schedule}
    own |= {"accumulate": each, "tail": tail, "clip_norm": case.clip, "epochs": case.epochs, "progress": False, **told}
    own["observers"] = [interrupt] if stop else []
    run = ts.fit(model, given, nn.CrossEntropyLoss(label_smoothing=0.1), optimizer, **{**own, **options})
    return Ended(model, optimizer, schedule, run)


def halted(case: Case, folder: Path, stop: int, **options: Any) -> None:
    """The same run, ended by a signal in the step `stop`, its state saved in `folder`."""
    try:
        train(case, stop, checkpoint=folder, **options)
    except KeyboardInterrupt:
        return
    raise AssertionError("the signal did not end the run")


def differences(a: Any, b: Any, path: str = "") -> list[str]:
    """Where two states differ in a bit, a type or a key."""
    if type(a) is not type(b):
        return [f"{path}: {type(a).__name__} and {type(b).__name__}"]
    if isinstance(a, Tensor):
        same = a.dtype == b.dtype and a.shape == b.shape and a.device == b.device and _bytes(a) == _bytes(b)
        return [] if same else [f"{path}: {a} and {b}"]
    if isinstance(a, dict):
        keys = [f"{path}: keys {list(a)} and {list(b)}"] if list(a) != list(b) else []
        return keys or [line for key in a for line in differences(a[key], b[key], f"{path}.{key}")]
    if isinstance(a, list | tuple):
        sizes = [f"{path}: {len(a)} and {len(b)} items"] if len(a) != len(b) else []
        return sizes or [line for k in range(len(a)) for line in differences(a[k], b[k], f"{path}.{k}")]
    return [] if repr(a) == repr(b) else [f"{path}: {a!r} and {b!r}"]


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
