"""Plain tensors with gradients: what takes part in a model and what is data."""

import pytest
import torch
from torch import nn

from truestep.check.rules import judge
from truestep.check.watch import Watching

X = torch.randn(64, 6, generator=torch.Generator().manual_seed(1))
Y = X[:, :2] * torch.tensor([1.0, 5.0])


def _said(prepare, forward, held=lambda net, made: net.parameters()):
    """What the rule says of a net that is trained beside the tensors that `prepare` makes."""
    torch.manual_seed(0)
    net, made = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2)), prepare()
    with Watching(strict=True) as seen:
        optimizer = torch.optim.SGD(held(net, made), 0.01)
        for _ in range(12):
            optimizer.zero_grad()
            forward(net, made).backward()
            optimizer.step()
    return [each.message for each in judge(seen.trace, ["parameters_unheld"], strict=True)]


def _gated(net, gate):
    return (net[2](net[1](net[0](X)) * gate.sigmoid()) - Y).square().mean()


def _weighed(net, weights):
    errors = torch.stack([nn.functional.mse_loss(net(X)[:, each], Y[:, each]) for each in range(2)])
    return (torch.exp(-weights) * errors + weights).sum()


def _tempered(net, temperature):
    return nn.functional.cross_entropy(net(X) / temperature, Y.argmax(1))


@pytest.mark.parametrize(
    "shape, forward",
    [((8,), _gated), ((2,), _weighed), ((), _tempered)],
    ids=["gate", "weights of losses", "one number"],
)
def test_a_tensor_that_all_samples_share_and_nobody_holds_is_named(shape, forward):
    def start():
        return torch.ones(shape, requires_grad=True)

    (said,) = _said(start, forward)
    assert "1 plain tensor" in said
    assert not _said(start, forward, lambda net, made: [*net.parameters(), made])


def _targets(net, y):
    return (net(X) - y).square().mean()


def _given(net, x):
    return (net(x) - Y).square().mean()


def _by_hand(net, x):
    return (torch.tanh(x @ net[0].weight.T + net[0].bias) @ net[2].weight.T - Y).square().mean()


def _slope(net, x):
    out = net[2](net[1](net[0](x + 0.0)))
    (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
    return out.square().mean() + slope.square().mean()


def _read(net, gate):
    if gate.grad is not None:
        gate.grad.norm().item()
    return _gated(net, gate)


@pytest.mark.parametrize("forward", [_targets, _given, _by_hand, _slope, _read])
def test_data_that_require_gradients_and_gradients_that_are_read_are_left_alone(forward):
    start = {_targets: Y, _read: torch.zeros(8)}.get(forward, X)
    assert not _said(lambda: start.clone().requires_grad_(), forward)
