"""Groups of an optimizer whose rate is next to nothing."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from truestep.check.rules import judge
from truestep.check.watch import Watching


def judged(rate, load=False):
    x = torch.randn(80, 6)
    y = x[:, :3].argmax(1)
    with Watching(strict=True) as seen:
        body, head = nn.Sequential(nn.Linear(6, 16), nn.ReLU()), nn.Linear(16, 3)
        if load:
            body.load_state_dict({name: value.clone() for name, value in body.state_dict().items()})
        groups = [{"params": body.parameters(), "lr": rate}, {"params": head.parameters()}]
        optimizer = torch.optim.Adam(groups, lr=1e-2)
        for part in torch.arange(80).repeat(6).split(16):
            optimizer.zero_grad()
            F.cross_entropy(head(body(x[part])), y[part]).backward()
            optimizer.step()
    return judge(seen.trace, ["rate_too_small"], strict=True)


def test_a_group_whose_rate_is_nothing_beside_another_one_is_found():
    (found,) = judged(1e-9)
    assert found.message == "the rate 1e-09 of group 0 is far too small: its weights do not move"


@pytest.mark.parametrize("rate, load", [(1e-6, False), (0.0, False), (1e-9, True)])
def test_a_small_rate_of_a_group_is_sound(rate, load):
    assert not judged(rate, load)
