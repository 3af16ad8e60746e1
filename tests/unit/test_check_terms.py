"""Terms of a loss that are made by way of a step, and those that only look so."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from truestep.check.rules import judge
from truestep.check.watch import Watching


def judged(loss_of):
    """What the rule says of a loss of scores (N, 3), labels and a real target (N,)."""
    x = torch.randn(64, 6)
    real, labels = 2 * x[:, 0], torch.randint(0, 3, (64,))
    net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    with Watching(strict=True) as seen:
        for part in torch.arange(64).repeat(2).split(16):
            loss = loss_of(net(x[part]), labels[part], real[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return judge(seen.trace, ["gradient_stopped"], strict=True)


WRONG = {
    "argmax": lambda out, labels, real: (
        F.cross_entropy(out, labels) + F.mse_loss(out.argmax(1).float(), labels.float())
    ),
    "max": lambda out, labels, real: F.cross_entropy(out, labels) + (out.max(1)[1] - labels).abs().float().mean(),
    "round": lambda out, labels, real: F.mse_loss(out[:, 0], real) + 0.5 * F.l1_loss(out[:, 0].round(), real),
    "gt": lambda out, labels, real: (
        F.mse_loss(out[:, 0], real) + 2 * ((out[:, 0] > 1).float() - (real > 1).float()).abs().mean()
    ),
}
SOUND = {
    "expected": lambda out, labels, real: F.cross_entropy(out, labels) + (out.softmax(1) @ torch.arange(3.0)).mean(),
    "weights": lambda out, labels, real: (F.cross_entropy(out, labels, reduction="none") * (out[:, 0] > 0)).mean(),
    "straight through": lambda out, labels, real: (
        F.cross_entropy(out, labels) + F.l1_loss(out[:, 0] + (out[:, 0].round() - out[:, 0]).detach(), real)
    ),
    "balance": lambda out, labels, real: (
        F.cross_entropy(out, labels) + (F.one_hot(out.argmax(1), 3).float().mean(0) * out.softmax(1).mean(0)).sum()
    ),
    "cut on purpose": lambda out, labels, real: (
        F.cross_entropy(out, labels)
        + ((out[:, 0] > 0).float().mean() - out[:, 0].sigmoid().mean()).detach()
        + out[:, 0].sigmoid().mean()
    ),
    "of data": lambda out, labels, real: F.cross_entropy(out, labels) + (real > 0).float().mean(),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_term_behind_a_step_is_found(name):
    (found,) = judged(WRONG[name])
    assert f"is made of what {name}() gave" in found.message
    assert found.level == "warning"


@pytest.mark.parametrize("name", SOUND)
def test_a_step_beside_a_way_for_the_gradient_is_sound(name):
    assert not judged(SOUND[name])
