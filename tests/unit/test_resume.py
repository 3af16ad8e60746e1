"""Going on with a run: what is found, what is refused, and everything that a step may read or write."""

import random
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Sampler, TensorDataset

import truestep as ts
from laws.resume_cases import Case, differences, samples, train

PLAIN = Case("momentum", 0.3, True, (1, "step"), "none", None, None)


def dies_in(step: int) -> Any:
    """An observer that ends the run as Ctrl-C would, without the word of a signal; each save before is on the disk."""

    def observer(event: Any) -> None:
        if isinstance(event, ts.events.Stepped):
            written()
            if event.step == step:
                raise KeyboardInterrupt

    return observer


def written() -> None:
    """Wait for the checkpoint in flight."""
    for thread in threading.enumerate():
        if thread.name == "truestep-checkpoint":
            thread.join()


def killed(case: Case, folder: Path, step: int, **options: Any) -> None:
    """The run of a case that dies in a step, saved in each one before."""
    with pytest.raises(KeyboardInterrupt):
        train(case, observers=[dies_in(step)], checkpoint=ts.Checkpoints(folder, every=1), **options)


def small(**options: Any) -> tuple[nn.Module, ts.Run]:
    """A run of 3 epochs of 5 steps with dropout; what is given takes the place of what it has."""
    torch.manual_seed(1)
    model = options.pop("model", None) or nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.3), nn.Linear(4, 3))
    own = {
        "train": samples(20, 1),
        "objective": nn.CrossEntropyLoss(),
        "optimizer": torch.optim.SGD(model.parameters(), 0.1, momentum=0.9) if "optimizer" not in options else None,
        "epochs": 3,
        "batch_size": None if "train" in options else 4,
        "progress": False,
    }
    return model, ts.fit(model, **{**own, **options})


def broken(folder: Path, step: int, **options: Any) -> None:
    """The same run, each step of it saved, that dies in a step."""
    with pytest.raises(KeyboardInterrupt):
        small(checkpoint=ts.Checkpoints(folder, every=1), observers=[dies_in(step)], **options)


# --- the position in the data ---------------------------------------------------------------------------------------


class Shuffled(Sampler):
    """An order that is drawn from Python's generator and from one of numpy of its own."""

    def __init__(self) -> None:
        self.own = np.random.default_rng(3)

    def __iter__(self) -> Any:
        positions = list(range(20))
        random.shuffle(positions)
        return iter(np.array(positions)[self.own.permutation(20)].tolist())

    def __len__(self) -> int:
        return 20


def loader(kind: str) -> DataLoader:
    held = TensorDataset(*samples(20, 1))
    if kind == "generator":
        return DataLoader(held, 4, shuffle=True, generator=torch.Generator().manual_seed(9))
    return DataLoader(held, 4, sampler=Shuffled())


@pytest.mark.parametrize("kind", ["generator", "sampler"])
@pytest.mark.parametrize("stop", [3, 8, 10])
def test_the_order_of_a_loader_goes_on_whoever_draws_it(tmp_path: Path, kind: str, stop: int):
    random.seed(0)
    whole, run = small(train=loader(kind))
    random.seed(0)
    broken(tmp_path, stop + 1, train=loader(kind))
    random.seed(1)
    again, other = small(train=loader(kind), checkpoint=tmp_path, resume=True)
    assert not differences(whole.state_dict(), again.state_dict())
    assert run.history["train_loss"] == other.history["train_loss"]


class Persistent(Dataset):
    def __len__(self) -> int:
        return 20

    def __getitem__(self, position: int) -> Any:
        x, y = samples(20, 1)
        return x[position], y[position]


@pytest.mark.long
def test_workers_that_stay_do_not_shift_the_order(tmp_path: Path):
    def held() -> DataLoader:
        return DataLoader(Persistent(), 4, shuffle=True, num_workers=1, persistent_workers=True)

    whole, _ = small(train=held())
    broken(tmp_path, 9, train=held())
    again, _ = small(train=held(), checkpoint=tmp_path, resume=True)
    assert not differences(whole.state_dict(), again.state_dict())


@pytest.mark.parametrize("tail", ["carry", "step", "drop"])
def test_an_epoch_that_ended_amid_a_window_goes_on(tmp_path: Path, tail: str):
    """The checkpoint is that of the end of the first epoch: one batch of ten waits in a window of three."""
    case = Case("momentum", 0.3, True, (3, tail), "none", None, None)
    whole = train(case)

    def dies(event: Any) -> None:
        if isinstance(event, ts.events.Stepped) and event.epoch == 2:
            written()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(case, observers=[dies], checkpoint=tmp_path)
    again = train(case, checkpoint=tmp_path, resume=True)
    assert any("at the start of epoch 2." in note for note in again.run.notes)
    assert not differences(whole.state(), again.state())


@pytest.mark.parametrize("tail", ["carry", "step"])
def test_a_finished_run_goes_on_when_it_is_given_more_epochs(tmp_path: Path, tail: str):
    case = Case("adamw", 0.3, True, (3, tail), "step", 0.5, None)
    whole = train(case, epochs=4)
    train(case, epochs=2, checkpoint=tmp_path)
    again = train(case, epochs=4, checkpoint=tmp_path, resume=True)
    assert not differences(whole.state(), again.state())


def test_a_finished_run_returns_at_once_with_its_history(tmp_path: Path):
    whole = train(PLAIN, checkpoint=tmp_path)
    stepped: list[Any] = []
    again = train(PLAIN, checkpoint=tmp_path, resume=True, observers=[stepped.append])
    assert not differences(whole.state(), again.state())
    assert [type(event).__name__ for event in stepped if not isinstance(event, ts.events.Said)] == [
        "Started", "Resumed", "Ended",
    ]  # fmt: skip
    fewer = train(PLAIN, checkpoint=tmp_path, resume=True, epochs=1)
    assert len(fewer.run.history) == len(whole.run.history)


def test_patience_goes_on_counting(tmp_path: Path):
    options = {"patience": 2, "epochs": 30}
    whole = train(PLAIN, **options)
    epochs = len(whole.run.history)
    assert whole.run.stopped == f"stopped after epoch {epochs}: 2 epochs without a better validation loss."
    killed(PLAIN, tmp_path, 10 * (epochs - 1) + 5, **options)
    again = train(PLAIN, checkpoint=tmp_path, resume=True, **options)
    assert not differences(whole.state(), again.state())
    at_once = train(PLAIN, checkpoint=tmp_path, resume=True, **options)
    assert not differences(whole.state(), at_once.state())
    longer = train(PLAIN, checkpoint=tmp_path, resume=True, patience=4, epochs=epochs + 1)
    assert (len(longer.run.history), longer.run.stopped) == (epochs + 1, "")
