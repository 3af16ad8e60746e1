"""decay_groups: weights decay, biases and normalisation do not, and no parameter is lost or listed twice."""

import pytest
import torch
from torch import nn

import truestep as ts


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.norm = nn.LayerNorm(3)
        self.batch_norm = nn.BatchNorm1d(3)
        self.scale = nn.Parameter(torch.ones(3))
        self.head = nn.Linear(3, 5)
        self.head.weight = self.embed.weight


def names(model: nn.Module, groups: list[dict]) -> list[set[str]]:
    by_id = {id(p): name for name, p in model.named_parameters()}
    return [{by_id[id(p)] for p in group["params"]} for group in groups]


def test_biases_and_normalisation_are_left_alone():
    model = Tied()
    groups = ts.decay_groups(model, 0.1, lr=0.5)
    assert names(model, groups) == [
        {"embed.weight"},
        {"norm.weight", "norm.bias", "batch_norm.weight", "batch_norm.bias", "scale", "head.bias"},
    ]
    assert [group["weight_decay"] for group in groups] == [0.1, 0.0]
    assert all(group["lr"] == 0.5 for group in groups)


def test_every_trained_parameter_is_in_one_group():
    model = Tied()
    model.head.bias.requires_grad_(False)
    found = [id(p) for group in ts.decay_groups(model, 0.1) for p in group["params"]]
    assert sorted(found) == sorted({id(p) for p in model.parameters() if p.requires_grad})


def test_what_is_called_a_bias_is_one_whatever_its_shape():
    model = nn.Module()
    model.register_parameter("in_proj_bias", nn.Parameter(torch.ones(2, 2)))
    model.register_parameter("table", nn.Parameter(torch.ones(2, 2)))
    assert names(model, ts.decay_groups(model, 0.1)) == [{"table"}, {"in_proj_bias"}]


def test_the_groups_move_as_they_say():
    model = nn.Linear(2, 2)
    step = ts.TrainStep(model, nn.MSELoss(), torch.optim.SGD(ts.decay_groups(model, 0.5), lr=0.1))
    weight, bias = model.weight.detach().clone(), model.bias.detach().clone()
    out = step(torch.zeros(1, 2), bias[None].clone())  # no error, so decay alone moves
    assert out.grad_norm == 0
    assert torch.equal(model.weight, weight - 0.1 * (0.5 * weight))
    assert torch.equal(model.bias, bias)


def test_an_empty_group_is_left_out():
    assert len(ts.decay_groups(nn.LayerNorm(3), 0.1)) == 1


@pytest.mark.parametrize("strength", [-0.1, float("nan")])
def test_a_negative_strength_is_refused(strength: float):
    with pytest.raises(ts.ConfigError, match=rf"^weight_decay is a strength of at least 0, and not {strength}\.$"):
        ts.decay_groups(nn.Linear(1, 1), strength)


@pytest.mark.parametrize("model", [nn.ReLU(), nn.Linear(1, 1).requires_grad_(False)])
def test_a_model_without_parameters_is_refused(model: nn.Module):
    with pytest.raises(
        ts.ConfigError, match=rf"^{type(model).__name__} has no parameters to train, so there is nothing"
    ):
        ts.decay_groups(model, 0.1)
