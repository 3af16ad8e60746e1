"""Which calls of a model training came from."""

import torch
from torch import nn

from truestep.check.rules._batches import split
from truestep.check.watch import Watching


def test_an_evaluation_with_gradients_between_a_step_and_the_next_pass_is_no_training():
    torch.manual_seed(0)
    x, held = torch.randn(40, 4), torch.randn(15, 4)
    net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with Watching(strict=True) as seen:
        for _ in range(5):
            net.train()
            net(x).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
            net.eval()
            net(held).square().mean().item()
        held_in_pass = net(held)  # a pass in evaluation beside one in training, and both lead to the update
        net.train()
        (net(x).mean() + held_in_pass.mean()).backward()
        optimizer.step()
    trained, others = split(seen.trace)
    assert [call.inputs[0].shape[0] for call in trained] == [40] * 5 + [15, 40]
    assert [call.inputs[0].shape[0] for call in others] == [15] * 5
