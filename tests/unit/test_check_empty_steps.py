"""Optimizers that never find a gradient, and new weights of torch.func that nobody takes."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

LOOP = """
from torch.func import functional_call, grad
def distance(weights, a, b):
    return nn.functional.cross_entropy(functional_call(net, weights, (a,)), b)
for step in range(20):
    rows = torch.randperm(96)[:24]
    MOVES
    opt.step()
"""
EMPTY = {
    "no backward": "loss = nn.functional.cross_entropy(net(x[rows]), y[rows])",
    "torch.func": "slopes = grad(distance)({k: w.detach() for k, w in net.named_parameters()}, x[rows], y[rows])",
}
FILLED = """weights = dict(net.named_parameters())
    for name, slope in grad(distance)({k: w.detach() for k, w in weights.items()}, x[rows], y[rows]).items():
        weights[name].grad = slope"""
BY_HAND = """loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
    slopes = torch.autograd.grad(loss, list(net.parameters()))
    with torch.no_grad():
        for weight, slope in zip(net.parameters(), slopes):
            weight -= opt.param_groups[0]["lr"] * slope"""
RATE_ALONE = "rate = opt.param_groups[0]['lr']"
THROWN = """
from torch.func import functional_call, grad
weights = dict(net.named_parameters())
def distance(held, a, b):
    return nn.functional.cross_entropy(functional_call(net, held, (a,)), b)
for step in range(20):
    slopes = grad(distance)(weights, x, y)
    NAME = {k: weights[k] - 0.1 * slopes[k] for k in weights}
"""


@pytest.mark.parametrize("way", EMPTY)
def test_steps_that_never_find_a_gradient_are_told(found, way):
    assert "gradient_stopped" in found(LOOP.replace("MOVES", EMPTY[way]))


@pytest.mark.parametrize("way", [FILLED, BY_HAND, RATE_ALONE], ids=["filled", "by hand", "the rate alone"])
def test_an_optimizer_that_has_gradients_or_serves_a_schedule_alone_is_let_pass(found, way):
    assert "gradient_stopped" not in found(LOOP.replace("MOVES", way))


def test_new_weights_that_nobody_takes_are_told_where_the_old_ones_need_a_gradient(found):
    assert "update_rebound" in found(THROWN.replace("NAME", "new"))
    assert "update_rebound" not in found(THROWN.replace("NAME", "weights"))
