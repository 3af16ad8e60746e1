"""Terms of a loss that are cut off from weights that its other terms train, and those that are cut off on purpose."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from truestep.check.rules import judge
from truestep.check.watch import Watching


def judged(loss_of):
    """What the rule says of a loss of scores (N, 3), a guess (N,), labels and a real target (N,)."""
    x = torch.randn(64, 6)
    real, labels = 2 * x[:, 0], torch.randint(0, 3, (64,))
    body, head = nn.Sequential(nn.Linear(6, 16), nn.Tanh()), nn.Linear(16, 4)
    optimizer = torch.optim.Adam([*body.parameters(), *head.parameters()], lr=0.01)
    with Watching(strict=True) as seen:
        for part in torch.arange(64).repeat(2).split(16):
            optimizer.zero_grad()
            out = head(body(x[part]))
            loss_of(F.cross_entropy(out[:, :3], labels[part]), F.mse_loss(out[:, 3], real[part])).backward()
            optimizer.step()
    return judge(seen.trace, ["gradient_stopped"], strict=True)


def _added(one, other):
    total = one
    total += 0.5 * other.data
    return total


def _two_passes(one, other):
    other.backward(retain_graph=True)
    return one + other.detach()


def _two_passes_and_a_number(one, other):
    other.backward(retain_graph=True)
    return one + other.item()


def _turns():
    """Each of two terms is trained at every other step, and the whole is shown."""
    steps = iter(range(100))
    return lambda one, other: one + other.detach() if next(steps) % 2 else one.detach() + other


WRONG = {
    "added": lambda one, other: one + 0.1 * other.detach(),
    "taken away": lambda one, other: one - 0.1 * other.detach(),
    "halved": lambda one, other: (one + other.detach()) / 2,
    "in place": _added,
    "stacked": lambda one, other: torch.stack([one, other.detach()]).mean(),
    "listed": lambda one, other: sum([one, other.detach()]),
}
SOUND = {
    "both": lambda one, other: one + 0.1 * other,
    "scaled": lambda one, other: one / one.detach() + other / other.detach(),
    "a pass of its own": _two_passes,
    "a pass of its own, and a number": _two_passes_and_a_number,
    "in turns": _turns(),
    "another value": lambda one, other: one + (other - one).detach(),
    "another value, in parts": lambda one, other: one - one.detach() + other.detach(),
    "a weight": lambda one, other: (weight := other.detach()) * one + weight,
    "factors": lambda one, other: (one + other.detach()) * (one * other + other.detach()),
    "shown": lambda one, other: (one + other.detach()) * 0 + one + other,
}


@pytest.mark.parametrize("name", WRONG)
def test_a_number_that_is_cut_off_from_the_weights_of_a_loss_is_found(name):
    (found,) = judged(WRONG[name])
    assert "a term of the loss is cut off by" in found.message
    assert found.level == "warning"


@pytest.mark.parametrize("name", SOUND)
def test_a_number_that_is_cut_off_on_purpose_is_sound(name):
    assert not judged(SOUND[name])
