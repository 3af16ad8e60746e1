"""Means of weights that go the wrong way, or nowhere: the trained ones are drawn back, or the target stands still."""

import copy

import pytest
import torch
from torch import nn

from truestep.check.rules import judge
from truestep.check.watch import Watching

X = torch.randn(80, 5, generator=torch.Generator().manual_seed(4))


def _copied(to, source, tau):
    for a, b in zip(to.parameters(), source.parameters(), strict=True):
        a.data.copy_((1 - tau) * a.data + tau * b.data)


def _lerped(to, source, tau):
    with torch.no_grad():
        for a, b in zip(to.parameters(), source.parameters(), strict=True):
            a.lerp_(b, tau)


def _added(to, source, tau):
    with torch.no_grad():
        for a, b in zip(to.parameters(), source.parameters(), strict=True):
            a.mul_(1 - tau).add_(b, alpha=tau)


def _loaded(to, source, tau):
    mine, other = to.state_dict(), source.state_dict()
    to.load_state_dict({name: mine[name] * (1 - tau) + other[name] * tau for name in mine})


def _said(mix, turned, tau, bootstrapped=True, rule="update_undone"):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
    slow = copy.deepcopy(net)
    with Watching(strict=True) as seen:
        optimizer = torch.optim.SGD(net.parameters(), 0.05)
        for _ in range(20):
            with torch.no_grad():
                aim = X[:, :1] + 0.9 * slow(X + 1) if bootstrapped else X[:, :1]
            nn.functional.mse_loss(net(X), aim).backward()
            optimizer.step()
            optimizer.zero_grad()
            mix(*(net, slow) if turned else (slow, net), tau)
        with torch.no_grad():
            slow(X).mean().item()
    return [each.message for each in judge(seen.trace, [rule], strict=True)]


@pytest.mark.parametrize("mix", [_copied, _lerped, _added, _loaded])
@pytest.mark.parametrize("tau", [0.01, pytest.param(0.995, marks=pytest.mark.long)])
def test_a_mean_into_the_trained_weights_is_named_and_one_into_the_target_is_not(mix, tau):
    (said,) = _said(mix, True, tau)
    assert "which nobody moves" in said
    assert not _said(mix, False, tau)


def test_a_small_share_of_the_weights_at_the_start_holds_the_others_near():
    assert not _said(_lerped, True, 0.01, bootstrapped=False)
    assert _said(_lerped, True, 0.9, bootstrapped=False)


def _bound(to, source, tau):
    with torch.no_grad():
        for a, b in zip(to.parameters(), source.parameters(), strict=True):
            a = (1 - tau) * a + tau * b


def _lerped_aside(to, source, tau):
    for a, b in zip(to.parameters(), source.parameters(), strict=True):
        a.data.lerp(b.data, tau)


def _kept_in_a_dict(to, source, tau):
    mine = to.state_dict()
    for name, value in source.state_dict().items():
        mine[name] = tau * value + (1 - tau) * mine[name]


@pytest.mark.parametrize("mix", [_bound, _lerped_aside, _kept_in_a_dict])
def test_a_mean_for_the_target_that_nobody_reads_is_named(mix):
    (said,) = _said(mix, False, 0.01, rule="update_rebound")
    assert "was to follow the trained weights" in said


@pytest.mark.parametrize("mix", [_copied, _lerped, _added, _loaded])
def test_a_mean_that_reaches_the_target_is_not_named(mix):
    assert not _said(mix, False, 0.01, rule="update_rebound")


def test_a_mean_that_is_looked_at_is_not_named():
    def near(to, source, tau):
        for a, b in zip(to.parameters(), source.parameters(), strict=True):
            ((1 - tau) * a.detach() + tau * b.detach()).norm()

    assert not _said(near, False, 0.5, rule="update_rebound")


def test_a_mean_that_is_loaded_into_a_third_model_is_not_named():
    third = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))

    def path(to, source, tau):
        mine, other = to.state_dict(), source.state_dict()
        third.load_state_dict({name: mine[name] * (1 - tau) + other[name] * tau for name in mine})
        third(X)

    assert not _said(path, False, 0.5, rule="update_rebound")
