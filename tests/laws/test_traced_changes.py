"""Steps that no program may take, and programs that no longer stand for their step."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

from laws.test_traced import MODELS, OPTIMIZERS, Shared, batch, both_take, network, pair, programs

WITHOUT = {"Adadelta": optim.Adadelta, "Rprop": optim.Rprop}
CHANGES: dict[str, Any] = {
    "evaluation mode": lambda step, optimizer: step.model[1].eval(),
    "a frozen layer": lambda step, optimizer: step.model[0].requires_grad_(False),
    "another dropout": lambda step, optimizer: setattr(step.model[1], "p", 0.9),
    "momentum begins": lambda step, optimizer: optimizer.param_groups[0].update(momentum=0.9),
    "decay begins": lambda step, optimizer: optimizer.param_groups[0].update(weight_decay=0.5),
    "momentum from elsewhere": lambda step, optimizer: optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict())),
    "a hook": lambda step, optimizer: step.model[0].register_forward_hook(lambda m, a, out: out * 2),
    "another limit": lambda step, optimizer: setattr(step, "clip_norm", 0.01),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_between_steps_changes_the_program(change: str):
    steps = pair(MODELS["dropout"], OPTIMIZERS["momentum" if "elsewhere" in change else "SGD"])
    for seed in range(3):
        assert both_take(steps, batch(6, seed, torch.float32))
    assert programs(steps[1][0]) == 1
    for step, optimizer in steps:
        CHANGES[change](step, optimizer)
    for seed in range(3, 7):
        assert both_take(steps, batch(6, seed, torch.float32))


class _Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.calls = nn.Linear(3, 5), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(x) * (1 if self.calls < 5 else 2)


class _Smoothed(nn.Module):
    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 5)
        self.register_buffer("mean", torch.zeros(5))

    def forward(self, x: Tensor) -> Tensor:
        out = self.inner(x)
        self.mean.mul_(0.9).add_(out.detach().mean(0), alpha=0.1)
        return out - self.mean


class _Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) * (2.0 if float(x.sum()) > 0 else 1)


REFUSED: dict[str, Any] = {
    "changes an attribute of a module": _Counting,
    "moves the buffer mean": _Smoothed,
    "reads a number from a tensor": _Branching,
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_model_that_no_program_could_repeat_is_stepped_as_ever_and_told(words: str):
    steps = pair(REFUSED[words], OPTIMIZERS["momentum"])
    for seed in range(6):
        assert both_take(steps, batch(6, seed, torch.float32))
    assert words in " ".join(steps[1][0].notes)


def test_what_only_the_bits_show_keeps_programs_away():
    """A method of this one optimizer was exchanged: nothing tells but where the step ends."""
    steps = pair(MODELS["one weight twice"], OPTIMIZERS["momentum"])
    for _, optimizer in steps:
        plain = optimizer.step
        optimizer.step = lambda plain=plain, optimizer=optimizer: (
            plain(), [p.data.mul_(1 + 1e-6) for group in optimizer.param_groups for p in group["params"]]
        )  # fmt: skip
    for seed in range(5):
        assert both_take(steps, batch(6, seed, torch.float32))
    assert "does not end on the same bits" in " ".join(steps[1][0].notes)


def test_a_gradient_that_two_weights_share_is_clipped_once_for_each():
    steps = pair(Shared, OPTIMIZERS["momentum"], clip_norm=0.01)
    for seed in range(5):
        assert both_take(steps, batch(6, seed, torch.float32))
    assert programs(steps[1][0]) == 1


class _Steep(nn.Module):
    """Finite gradients of 1e25, whose squares are no float32, beside statistics that move."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.norm = nn.Linear(2, 5), nn.BatchNorm1d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.norm(x[:, 1:])) * x[:, :1]


def test_statistics_move_once_where_the_step_itself_takes_over():
    """A norm that overflows is taken again in float64, by the step itself, which is no reason to refuse it."""
    steps = pair(_Steep, lambda p: optim.SGD(p, 1e-30), nn.L1Loss())
    for seed in range(3):
        assert both_take(steps, batch(6, seed, torch.float32))
    assert programs(steps[1][0]) == 1
    steep = batch(6, 7, torch.float32)
    steep[0][:, 0] = 1e25
    assert both_take(steps, steep)
    assert both_take(steps, batch(6, 8, torch.float32))


@pytest.mark.parametrize("name", WITHOUT)
def test_an_optimizer_without_a_rule_for_programs_steps_itself(name: str):
    steps = pair(network, lambda p: WITHOUT[name](p, 0.01), dtype=torch.float64)
    for seed in range(4):
        assert both_take(steps, batch(6, seed, torch.float64))
    assert "the steps are taken without a program of their own" in " ".join(steps[1][0].notes)


def test_radam_goes_back_to_the_formula_of_its_first_steps_where_its_average_becomes_short():
    steps = pair(network, OPTIMIZERS["RAdam"], dtype=torch.float64)
    for seed in range(8):
        assert both_take(steps, batch(6, seed, torch.float64))
    assert programs(steps[1][0]) == 1
    for betas in ((0.9, 0.5), (0.9, 0.99)):
        for _, optimizer in steps:
            optimizer.param_groups[0]["betas"] = betas
        for seed in range(8, 12):
            assert both_take(steps, batch(6, seed, torch.float64))
