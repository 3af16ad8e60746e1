"""Decay groups hold every trained parameter once, and spare biases and normalisation."""

import pytest
import torch
from torch import nn

import truestep as ts


def network():
    tied = nn.Linear(4, 4)
    return nn.ModuleDict(
        {
            "conv": nn.Conv2d(1, 2, 3),
            "norm": nn.BatchNorm2d(2),
            "layer": nn.LayerNorm((2, 2)),
            "group": nn.GroupNorm(1, 2),
            "rms": nn.RMSNorm((2, 2)),
            "attention": nn.MultiheadAttention(4, 2),
            "embedding": nn.Embedding(5, 4),
            "tied": tied,
            "again": tied,
        }
    )


def test_weights_decay_and_biases_and_normalisation_do_not():
    model = network()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decayed, spared = ts.decay_groups(model, 0.1)
    assert {names[id(p)] for p in decayed["params"]} == {
        "conv.weight",
        "attention.in_proj_weight",
        "attention.out_proj.weight",
        "embedding.weight",
        "tied.weight",
    }
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0.0)


def test_every_trained_parameter_is_held_once():
    model = network()
    model["conv"].requires_grad_(False)
    held = [id(p) for group in ts.decay_groups(model, 0.1) for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters() if p.requires_grad)


def test_options_reach_both_groups_and_empty_groups_are_left_out():
    (only,) = ts.decay_groups(nn.Linear(2, 2, bias=False), 0.1, lr=0.5)
    assert only["lr"] == 0.5
    torch.optim.SGD(ts.decay_groups(network(), 0.1, momentum=0.9), lr=0.1)


def test_a_spared_bias_does_not_move_without_a_gradient():
    model = nn.Linear(2, 2)
    before = model.bias.detach().clone()
    optimizer = torch.optim.SGD(ts.decay_groups(model, 0.5), lr=0.1)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    weight = model.weight.detach().clone()
    optimizer.step()
    assert torch.equal(model.bias, before)
    torch.testing.assert_close(model.weight, weight * 0.95)


def test_bad_groups_are_refused():
    with pytest.raises(ts.ConfigError, match=r"weight_decay is a strength of at least 0, and not -1"):
        ts.decay_groups(nn.Linear(2, 2), -1)
    with pytest.raises(ts.ConfigError, match=r"ReLU has no parameters to train, so there is nothing to group"):
        ts.decay_groups(nn.ReLU(), 0.1)
