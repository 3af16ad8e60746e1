"""Units that are alike in weights made by hand, however these are multiplied."""

import pytest
import torch

from truestep.check.rules import judge
from truestep.check.watch import Watching

X = torch.randn(60, 5, generator=torch.Generator().manual_seed(2))
Y = (X[:, 0] * X[:, 1] > 0).float()
FORWARDS = {
    "columns": lambda a, b: torch.tanh(X.mm(a)).mm(b),
    "rows": lambda a, b: (b.T @ torch.sigmoid(a.T @ X.T)).T,
    "einsum": lambda a, b: torch.einsum("nh,ho->no", torch.einsum("ni,ih->nh", X, a).tanh(), b),
}


def _said(forward, a, b):
    a, b = a.clone().requires_grad_(), b.clone().requires_grad_()
    with Watching(strict=True) as seen:
        for _ in range(15):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(forward(a, b)[:, 0], Y)
            loss.backward()
            with torch.no_grad():
                for each in (a, b):
                    each -= 0.5 * each.grad
                    each.grad = None
    return [each.message for each in judge(seen.trace, ["identical_units"], strict=True)]


def _random(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("forward", FORWARDS.values(), ids=FORWARDS)
@pytest.mark.parametrize("zeros", [True, False], ids=["zeros", "one column repeated"])
def test_units_that_never_part_are_named(forward, zeros):
    a = torch.zeros(5, 8) if zeros else _random(5, 1).repeat(1, 8)
    (said,) = _said(forward, a, torch.zeros(8, 1) if zeros else torch.full((8, 1), 0.3))
    assert "the 8 units" in said


@pytest.mark.parametrize("forward", FORWARDS.values(), ids=FORWARDS)
def test_units_that_part_at_the_first_update_are_left_alone(forward):
    assert not _said(forward, torch.full((5, 8), 0.2), _random(8, 1))
    assert not _said(forward, _random(5, 8), torch.zeros(8, 1))
    assert not _said(lambda a, b: forward(a, b) * 0 + X.mm(a)[:, :1], _random(5, 1).repeat(1, 8), torch.zeros(8, 1))
