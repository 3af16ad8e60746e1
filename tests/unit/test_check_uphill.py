"""An optimizer that maximises a loss, and steps inside a pass whose gradients nobody clears."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from truestep.check.rules import judge
from truestep.check.watch import Watching


def judged(train, slug):
    x = torch.randn(80, 6)
    net, y = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)), torch.randint(0, 3, (80,))
    with Watching(strict=True) as seen:
        train(net, x, y)
    return judge(seen.trace, [slug], strict=True)


def _descends(parameters, loss_of, steps=30, **words):
    optimizer = torch.optim.Adam(parameters, lr=3e-3, **words)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of().backward()
        optimizer.step()


def _climbs(net, x, y):
    _descends(net.parameters(), lambda: F.cross_entropy(net(x), y), steps=80, maximize=True)


def _negative(net, x, y):
    _descends(net.parameters(), lambda: -F.cross_entropy(net(x), y), maximize=True)


def _likelihood(net, x, y):
    chosen = torch.arange(80), y
    _descends(net.parameters(), lambda: net(x).log_softmax(1)[chosen].mean(), maximize=True)


def _attacks(net, x, y):
    change = torch.zeros_like(x, requires_grad=True)
    _descends([change], lambda: F.cross_entropy(net(x + change), y), maximize=True)


def _forgets(net, x, y):
    _descends(net.parameters(), lambda: F.cross_entropy(net(x), y))
    _descends(net.parameters(), lambda: F.cross_entropy(net(x[:20]), y[:20]), maximize=True)


def _hooked(clear):
    """Each parameter has an optimizer that steps as soon as its gradient is there."""

    def train(net, x, y):
        optimizers = {each: torch.optim.Adam([each], lr=3e-3) for each in net.parameters()}

        def step(parameter):
            optimizers[parameter].step()
            if clear == "hook":
                optimizers[parameter].zero_grad()

        for each in optimizers:
            each.register_post_accumulate_grad_hook(step)
        for part in torch.arange(80).repeat(2).split(16):
            if clear == "loop":
                net.zero_grad()
            F.cross_entropy(net(x[part]), y[part]).backward()

    return train


def test_an_optimizer_that_maximises_a_loss_is_found():
    (found,) = judged(_climbs, "rate_too_large")
    assert found.message.startswith("the optimizer has maximize=True, and what is differentiated is a loss")


@pytest.mark.parametrize("train", [_negative, _likelihood, _attacks, _forgets])
def test_what_is_maximised_on_purpose_is_sound(train):
    assert not judged(train, "rate_too_large")


def test_gradients_that_steps_inside_the_pass_have_used_and_nobody_clears_are_found():
    (found,) = judged(_hooked(""), "never_cleared")
    assert "still holds what an update has already used" in found.message


@pytest.mark.parametrize("clear", ["hook", "loop"])
def test_gradients_that_are_cleared_behind_steps_inside_the_pass_are_sound(clear):
    assert not judged(_hooked(clear), "never_cleared")
