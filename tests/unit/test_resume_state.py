"""Everything that a step may read or write comes back, and what cannot is said."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

import truestep as ts
from laws.resume_cases import differences, samples


class Odd(nn.Module):
    """Buffers that no `state_dict` holds, one that grows, one that is an expanded view, a state that is no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 3)
        self.linear.weight = nn.Parameter(self.linear.weight.t().contiguous().t())  # laid out by columns
        self.register_buffer("calls", torch.zeros(()), persistent=False)
        self.register_buffer("seen", torch.zeros(0))
        self.register_buffer("mask", torch.tensor(-torch.inf).expand(2, 3))
        self.register_buffer("late", None)
        self.words: dict[str, Any] = {"count": 0, "pair": (1, 2.5)}

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
            self.seen = torch.cat([self.seen, x.detach().sum().view(1)])[-7:]
            self.late = self.calls.clone()
            self.words = {**self.words, "count": self.words["count"] + 1}
        return self.linear(x) * (1 + self.calls / 100) + self.seen.sum() / 100 + self.words["count"] / 100

    def get_extra_state(self) -> Any:
        return self.words

    def set_extra_state(self, state: Any) -> None:
        self.words = state


class Wide(torch.optim.Optimizer):
    """Momentum in float64 for weights in float32: torch casts such a state when it is loaded."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"lr": 0.1})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                moment = state.setdefault("moment", torch.zeros_like(p, dtype=torch.float64))
                moment.mul_(0.9).add_(p.grad)
                p -= (group["lr"] * moment).to(p.dtype)


class Learned(nn.Module):
    """A loss with a weight and a running mean of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.register_buffer("mean", torch.zeros(()))

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            self.mean.mul_(0.9).add_(output.mean())
        return nn.functional.cross_entropy(output * self.scale - self.mean, target, reduction="none")


def plain(amp: Any = None) -> dict[str, Any]:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.3), nn.Linear(4, 3))
    return {"model": model, "optimizer": torch.optim.Adam(model.parameters(), 0.01), "amp": amp}


def odd() -> dict[str, Any]:
    torch.manual_seed(1)
    model = Odd()
    return {"model": model, "optimizer": Wide(model.parameters())}


def function() -> dict[str, Any]:
    w = torch.full((6, 3), 0.1, requires_grad=True)
    return {"model": lambda x: x @ w, "params": [w], "optimizer": torch.optim.Adagrad([w], 0.1)}


def learned() -> dict[str, Any]:
    loss, options = Learned(), plain()
    parameters = [*options["model"].parameters(), *loss.parameters()]
    return {**options, "objective": loss, "optimizer": torch.optim.NAdam(parameters, 0.01)}


def halves() -> dict[str, Any]:
    """Gradients so large that float16 overflows until the loss scale has been halved a few times."""
    return {**plain("float16"), "objective": ts.Objective(ts.Term(nn.CrossEntropyLoss(), 100.0))}


MAKE = {"float16": halves, "bfloat16": lambda: plain("bfloat16"), "odd": odd, "function": function,
        "learned": learned}  # fmt: skip


def fit(own: dict[str, Any], **options: Any) -> dict[str, Any]:
    """A run of 3 epochs of 5 steps, and all that it left."""
    own = {"objective": nn.CrossEntropyLoss(), "train": samples(20, 1), "epochs": 3, "progress": False, **own}
    if not isinstance(own["train"], DataLoader):
        own["batch_size"] = 4
    run = ts.fit(**{**own, **options})
    tensors = [*run.parameters, *run.of_losses]
    if isinstance(own["model"], nn.Module):
        tensors += [*own["model"].parameters(), *own["model"].buffers()]
    state = {"tensors": [tensor.detach().clone() for tensor in tensors], "extra": getattr(own["model"], "words", None)}
    if isinstance(own["optimizer"], torch.optim.Optimizer):
        state["optimizer"] = own["optimizer"].state_dict()
    return {**state, "loss": run.history["train_loss"], "notes": run.notes}


def dies(event: Any) -> None:
    if isinstance(event, ts.events.Stepped):
        for thread in threading.enumerate():
            if thread.name == "truestep-checkpoint":
                thread.join()
        if event.step == 9:
            raise KeyboardInterrupt


def through(make: Any, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the run leaves uninterrupted, and after it died in the ninth step and went on from the eighth."""
    whole = fit(make())
    with pytest.raises(KeyboardInterrupt):
        fit(make(), checkpoint=ts.Checkpoints(folder, every=1), observers=[dies])
    return whole, fit(make(), checkpoint=folder, resume=True)


@pytest.mark.parametrize("name", list(MAKE))
def test_all_that_a_step_reads_or_writes_comes_back(tmp_path: Path, name: str):
    whole, again = through(MAKE[name], tmp_path)
    assert any("after 8 steps, at epoch 2, after 3 of its batches." in note for note in again["notes"])
    assert not differences({**whole, "notes": []}, {**again, "notes": []})
    assert not any("no checkpoint" in note for note in again["notes"])


def test_a_run_goes_on_with_the_very_objects_of_the_run_that_was_interrupted(tmp_path: Path):
    """In a notebook the cell is run again with the same model and optimizer, whose rate a schedule has moved."""

    def make() -> dict[str, Any]:
        own = plain()
        return {**own, "schedule": torch.optim.lr_scheduler.ExponentialLR(own["optimizer"], 0.9)}

    whole, own = fit(make()), make()
    with pytest.raises(KeyboardInterrupt):
        fit(own, checkpoint=ts.Checkpoints(tmp_path, every=1), observers=[dies])
    again = fit(own, checkpoint=tmp_path, resume=True)
    assert not differences({**whole, "notes": []}, {**again, "notes": []})


# --- what cannot be held --------------------------------------------------------------------------------------------


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear, self.calls, self.eps = nn.Linear(6, 3), 0, 1e-5

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.linear(x)


def counting() -> dict[str, Any]:
    model = Counting()
    return {"model": model, "optimizer": torch.optim.SGD(model.parameters(), 0.1)}


def by_hand(stateful: bool) -> dict[str, Any]:
    w = torch.zeros(6, 3, requires_grad=True)
    velocity, rate = [torch.zeros(6, 3)], 0.1

    def updater(batch_size: float) -> None:
        assert w.grad is not None
        if stateful:
            velocity[0].mul_(0.9).add_(w.grad / batch_size)
        w.sub_(rate * (velocity[0] if stateful else w.grad / batch_size))

    return {"model": lambda x: x @ w, "params": [w], "optimizer": updater}


class Stream(IterableDataset):
    def __iter__(self) -> Any:
        return iter(list(zip(*samples(20, 1), strict=True)))


def stream() -> dict[str, Any]:
    return {**plain(), "train": DataLoader(Stream(), 4)}


class Strange(torch.optim.SGD):
    """An optimizer with an object in its state."""

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "path": Path("here")}


def strange() -> dict[str, Any]:
    model = nn.Linear(6, 3)
    return {"model": model, "optimizer": Strange(model.parameters(), 0.1)}


SENTENCES = {
    "counting": (
        counting,
        "model.calls changes while the model trains and is no buffer, so no checkpoint holds it: register_buffer makes "
        "it one.",
    ),
    "by hand": (
        lambda: by_hand(True),
        "the updater keeps velocity to itself, so no checkpoint holds it: give the updater state_dict() and "
        "load_state_dict(state).",
    ),
    "strange": (
        strange,
        "updates.0.path is of type PosixPath, which a checkpoint cannot hold: a resumed run begins with a new one.",
    ),
    "stateless": (lambda: by_hand(False), None),
    "stream": (
        stream,
        "a resumed run goes over Stream again from the start of its epoch: if it draws at random between two batches, "
        "num_workers=1 makes these draws come back.",
    ),
}


@pytest.mark.parametrize("name", list(SENTENCES))
def test_what_a_checkpoint_cannot_hold_is_said_at_the_first_save(tmp_path: Path, name: str):
    make, sentence = SENTENCES[name]
    notes = fit(make(), checkpoint=tmp_path)["notes"]
    assert notes == ([] if sentence is None else [sentence])
