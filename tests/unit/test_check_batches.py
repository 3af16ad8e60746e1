"""What is taken of batches: whole sequences of padded targets, and the figure of the last batch as a tensor."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, TensorDataset

from truestep.check.rules import judge
from truestep.check.watch import Watching


def tagged(loss_of):
    """What the rule says of a tagger whose padded sequences are picked by numbers."""
    lengths = [3, 5, 9, 4, 7, 6, 8, 5] * 3
    net = nn.Sequential(nn.Embedding(9, 8), nn.Linear(8, 4))
    optimizer = torch.optim.Adam(net.parameters())
    with Watching(strict=True) as seen:
        rows = [torch.randint(1, 9, (each,)) for each in lengths]
        x, y = (pad_sequence(each, batch_first=True) for each in (rows, [row % 3 + 1 for row in rows]))
        for part in torch.randperm(24).split(6):
            optimizer.zero_grad()
            loss_of(net(x[part]), y[part]).backward()
            optimizer.step()
    return judge(seen.trace, ["padding_counted"], strict=True)


def test_padded_targets_that_are_picked_row_by_row_keep_their_padding():
    (found,) = tagged(lambda out, y: nn.functional.cross_entropy(out.flatten(0, 1), y.flatten()))
    assert "were padded with 0" in found.evidence
    assert not tagged(lambda out, y: nn.functional.cross_entropy(out.flatten(0, 1), y.flatten(), ignore_index=0))
    assert not tagged(lambda out, y: nn.functional.cross_entropy(out[y > 0], y[y > 0]))


def chosen(figure):
    """What the rule says of models that are kept by a figure, a tensor, of the batches' errors."""
    x = torch.randn(120, 4)
    y = 2 * x[:, :1] + torch.randn(120, 1)
    train, valid = DataLoader(TensorDataset(x[:80], y[:80]), 20), DataLoader(TensorDataset(x[80:], y[80:]), 16)
    net = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.02)
    best = float("inf")
    with Watching(strict=True) as seen:
        for _ in range(6):
            for inputs, targets in train:
                optimizer.zero_grad()
                nn.functional.mse_loss(net(inputs), targets).backward()
                optimizer.step()
            errors = []
            with torch.no_grad():
                for inputs, targets in valid:
                    error = nn.functional.mse_loss(net(inputs), targets)
                    errors.append(error)
                value = figure(errors)
            if value < best:
                best, kept = value, copy.deepcopy(net.state_dict())
    assert kept
    return judge(seen.trace, ["selected_by_batch"], strict=True)


def test_the_last_batch_that_is_compared_as_a_tensor_is_found():
    (found,) = chosen(lambda errors: errors[-1])
    assert "one validation batch" in found.message


@pytest.mark.parametrize("figure", [sum, lambda errors: torch.stack(errors).mean(), lambda errors: sum(errors) / 3])
def test_a_tensor_of_all_batches_is_sound(figure):
    assert not chosen(figure)


def fitted(batch):
    """What the rule says of a model that is kept by the loss of each update, of a domain's edge and its inside."""
    edge, inside = torch.tensor([[0.0], [1.0]]), torch.linspace(0, 1, 30)[:, None]
    net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    best, kept = float("inf"), {}
    with Watching(strict=True) as seen:
        for _ in range(30):
            optimizer.zero_grad()
            points = batch(inside)
            loss = net(edge).square().mean() + (net(points) - (3 * points).sin()).square().mean()
            if loss.item() < best:
                best, kept = loss.item(), copy.deepcopy(net.state_dict())
            loss.backward()
            optimizer.step()
    assert kept
    return judge(seen.trace, ["selected_by_batch"], strict=True)


def test_a_loss_of_all_data_in_several_calls_is_no_batch_s():
    assert not fitted(lambda inside: inside)
    assert fitted(lambda inside: inside[torch.randperm(30)[:10]])
