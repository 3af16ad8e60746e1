"""NaN and infinity in data, loss, one gradient or one moment, at any step: never in the weights or a checkpoint.

The short form tries the first, a middle and the last step of 12, the long form every one of 50.
"""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import truestep as ts
from laws.resume_cases import LONG, differences, samples
from truestep.store.checkpoint import read
from truestep.store.keep import Kept

STEPS = 50 if LONG else 12
BAD = [float("nan"), float("inf"), -float("inf")]


class Poison:
    """Puts one bad number in one place at one step of a run of 5 steps an epoch; keeps the weights after each step."""

    def __init__(self, where: str, bad: float, at: int) -> None:
        self.where, self.bad, self.at = where, bad, at
        torch.manual_seed(1)
        self.model = nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.2), nn.Linear(4, 3))
        self.optimizer = torch.optim.Adam(self.model.parameters(), 0.01)
        self.data, self.step = samples(20, 1), 1
        self.after: list[dict[str, Tensor]] = [self._weights()]
        self.model[2].weight.register_hook(self._gradient)
        self._put()

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.model.state_dict().items()}

    def _now(self, where: str) -> bool:
        return (where, self.at) == (self.where, self.step)

    def _put(self) -> None:
        """What is spoiled before a step begins."""
        if self._now("data"):
            self.data[0][4 * ((self.step - 1) % 5) + 2, 3] = self.bad
        if self._now("moment") and self.optimizer.state:
            self.optimizer.state[self.model[0].weight]["exp_avg"][1, 2] = self.bad

    def loss(self, output: Tensor, target: Tensor) -> Tensor:
        found = nn.functional.cross_entropy(output, target, reduction="none")
        return found * torch.tensor([1.0, self.bad, 1.0, 1.0]) if self._now("loss") else found

    def _gradient(self, gradient: Tensor) -> Tensor:
        if self._now("gradient"):
            gradient = gradient.clone()
            gradient[0, 1] = self.bad
        return gradient

    def observe(self, event: Any) -> None:
        if isinstance(event, ts.events.Stepped):
            for thread in threading.enumerate():
                if thread.name == "truestep-checkpoint":
                    thread.join()
            self.after.append(self._weights())
            self.step += 1
            self._put()

    def fit(self, folder: Path, **options: Any) -> ts.Run:
        own = {"epochs": -(-STEPS // 5), "batch_size": 4, "shuffle": False, "progress": False}
        keep = ts.Checkpoints(folder, every=1, last=STEPS + 1)
        loss = ts.Term(self.loss)
        return ts.fit(self.model, self.data, loss, self.optimizer, checkpoint=keep, observers=[self.observe],
                      **{**own, **options})  # fmt: skip


def kept(folder: Path) -> list[int]:
    """The steps whose checkpoints are there, each of them read and found finite."""
    found = []
    for path in Kept(folder).paths():
        state = read(path)
        bad = [name for name, tensor in state.tensors.items() if not tensor.double().isfinite().all()]
        assert not bad, f"{path.name} holds {bad}"
        found.append(int(path.name[5:15]))
    return sorted(found)


@pytest.mark.parametrize("at", range(1, STEPS + 1) if LONG else (1, 7, 12))
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("where", ["data", "loss", "gradient", "moment"])
def test_a_bad_number_reaches_neither_the_weights_nor_a_checkpoint(tmp_path: Path, where: str, bad: float, at: int):
    if where == "moment" and at == 1:
        pytest.skip("there is no moment before the first step")
    poison = Poison(where, bad, at)
    run = poison.fit(tmp_path)
    assert run.stopped.startswith(f"stopped: step {at}: ")
    assert "the weights are as they were before this step" in run.stopped
    assert len(poison.after) == at
    assert not differences(poison.after[-1], dict(poison.model.state_dict()))
    assert all(weight.isfinite().all() for weight in poison.model.parameters())
    assert kept(tmp_path) == list(range(1, at - (where == "moment")))
    if where == "moment":
        assert "exp_avg of 0.weight in the optimizer is not finite" in run.stopped


def test_a_run_that_a_bad_moment_stopped_goes_on_from_the_last_good_state(tmp_path: Path):
    """The state after step 6 has a NaN in it: it is not saved, which is said, and step 5 is gone on from."""
    whole = Poison("nowhere", 0.0, 0)
    whole.fit(tmp_path / "whole")
    run = Poison("moment", float("nan"), 7).fit(tmp_path / "saved")
    assert run.notes == [
        "no checkpoint of step 6: updates.0.state.0.exp_avg is not finite; that of step 5 stays the newest, and none "
        "follows until it is."
    ]
    assert run.stopped == (
        "stopped: step 7: exp_avg of 0.weight in the optimizer is not finite; the weights are as they were before this "
        "step; step 5 was saved last."
    )
    again = Poison("nowhere", 0.0, 0)
    again.fit(tmp_path / "saved", resume=True)
    assert not differences(whole.model.state_dict(), again.model.state_dict())


def test_what_was_infinite_from_the_start_is_saved(tmp_path: Path):
    poison = Poison("nowhere", 0.0, 0)
    poison.model[0].register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    run = poison.fit(tmp_path)
    assert run.notes == []
    assert len(Kept(tmp_path).paths()) >= STEPS
