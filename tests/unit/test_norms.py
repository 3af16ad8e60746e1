"""The norm of every sample's gradient, from one pass over the batch, is that of a pass over the sample alone."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import truestep as ts
from laws.step_cases import CLASSES, WIDTH, close, network, twin
from reference import per_sample
from truestep.explain import alone, norms
from truestep.explain.samples import Samples, sample_records
from unit.norm_cases import (
    ALONE,
    BATCHED,
    SQUARES,
    SUM,
    Calls,
    Make,
    Shifted,
    built,
    contribution,
    images,
    moved,
    recorded,
    squared,
)


def agrees(model: nn.Module, x: Any, method: str, samples: int = 5, tolerance: float = 1e-10) -> Samples:
    """Norms and losses against the loop, for a squared error to targets drawn here."""
    y = torch.randn(model(x).shape, dtype=torch.float64)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    values, _, norms = per_sample.records(model, squared, x, y, parameters, samples)
    found = recorded(model, SQUARES, x, y)
    assert found.method == method, found.notes
    assert close(found.losses, values, tolerance)
    assert close(found.norms, norms, tolerance)
    return found


@pytest.mark.parametrize("make", BATCHED.values(), ids=BATCHED)
def test_one_pass_over_the_batch_gives_the_norms_of_the_loop(make: Make):
    found = agrees(*built(make), "batched")
    assert found.notes == ()


@pytest.mark.parametrize("make, method, words", ALONE.values(), ids=ALONE)
def test_what_has_no_formula_is_found_and_done_sample_by_sample(make: Make, method: str, words: str):
    found = agrees(*built(make), method)
    assert words in " ".join(found.notes)


SMALL, SEEDS = st.integers(1, 3), st.integers(0, 999)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@given(
    axes=SMALL,
    groups=SMALL,
    kernel=SMALL,
    stride=SMALL,
    padding=st.integers(0, 2),
    dilation=SMALL,
    repeats=SMALL,
    seed=SEEDS,
)
def test_any_convolution(
    axes: int, groups: int, kernel: int, stride: int, padding: int, dilation: int, repeats: int, seed: int
):
    torch.manual_seed(seed)
    conv = CONVOLUTIONS[axes - 1](2 * groups, groups, kernel, stride, padding, dilation, groups)
    model = Calls(lambda x, one: one(x.flatten(0, 1)).unflatten(0, x.shape[:2]), conv)
    agrees(model.double(), torch.randn(2, repeats, 2 * groups, *([7] * axes), dtype=torch.float64), "batched", 2)


@given(widths=st.lists(st.integers(1, 9), min_size=2, max_size=4), length=st.integers(1, 9), samples=SMALL, seed=SEEDS)
def test_any_perceptron(widths: list[int], length: int, samples: int, seed: int):
    torch.manual_seed(seed)
    model = nn.Sequential(*(part for sizes in pairwise(widths) for part in (nn.Linear(*sizes), nn.Softplus())))
    agrees(model.double(), torch.randn(samples, length, widths[0], dtype=torch.float64), "batched", samples)


def test_frozen_and_foreign_parameters_are_left_out():
    model, x, y = network(), torch.randn(5, WIDTH, dtype=torch.float64), torch.randn(5, CLASSES, dtype=torch.float64)
    model[0].weight.requires_grad_(False)
    kept = [model[0].weight, model[0].bias, model[2].weight]
    _, _, norms = per_sample.records(model, squared, x, y, kept[1:], 5)
    assert close(recorded(model, SQUARES, x, y, kept).norms, norms, 1e-10)
    assert recorded(model, SQUARES, x, y, []).norms.tolist() == [0.0] * 5
    assert recorded(model, SQUARES, x, y, kept[:1]).norms.tolist() == [0.0] * 5


def test_a_plain_function_is_done_sample_by_sample():
    w, unused = torch.randn(3, 2, requires_grad=True), torch.randn(1, requires_grad=True)
    x, y = torch.randn(4, 3), torch.randn(4, 2)
    found = recorded(lambda x: x @ w, SQUARES, x, y, [w, unused])
    assert found.method == "loop"
    assert close(found.norms, per_sample.records(lambda x: x @ w, squared, x, y, [w], 4)[2], 1e-6)


def test_a_loss_that_reads_the_weights_itself_is_found():
    """A penalty acts past the model: neither formulas nor vmap would see it."""
    model, x, y = network(), torch.randn(4, WIDTH, dtype=torch.float64), torch.randint(CLASSES, (4,))
    penalty = ts.Term(lambda o, t: model[0].weight.square().sum(), reduction="mean", count=lambda o, t: len(t))
    objective = ts.Objective(data=nn.CrossEntropyLoss(), penalty=(0.1, penalty))
    found = recorded(model, objective, x, y)
    value = contribution(objective, {"data": 4, "penalty": 4})
    assert (found.method, found.notes[0].count("0.weight acted outside")) == ("loop", 1)
    assert close(found.norms, per_sample.records(model, value, x, y, list(model.parameters()), 4)[2], 1e-10)


def test_a_loss_with_weights_of_its_own_is_followed():
    head = nn.LinearCrossEntropyLoss(4, CLASSES).double()
    model, x, y = nn.Linear(WIDTH, 4).double(), torch.randn(4, WIDTH, dtype=torch.float64), torch.randint(CLASSES, (4,))
    parameters = [*model.parameters(), *head.parameters()]
    found = recorded(model, ts.Objective(head), x, y, parameters)
    norms = per_sample.records(model, lambda o, t: head(o, t) / 4, x, y, parameters, 4)[2]
    assert close(found.norms, norms, 1e-10)


def test_dropout_draws_once_as_the_step_does():
    model = nn.Sequential(nn.Linear(WIDTH, 20), nn.Dropout(0.5), nn.Linear(20, CLASSES)).double()
    x, y = torch.randn(6, WIDTH, dtype=torch.float64), torch.randn(6, CLASSES, dtype=torch.float64)
    torch.manual_seed(3)
    found = sample_records(model, SQUARES, x, y, list(model.parameters()), SUM)
    each = (model(x) - y).square().sum(1)  # the same draws again: the random state is as it was
    gradients = [torch.autograd.grad(one, list(model.parameters()), retain_graph=True) for one in each]
    assert (found.method, found.notes) == ("batched", ())
    assert close(found.losses, each.detach())
    assert close(found.norms, [sum(g.square().sum() for g in one) ** 0.5 for one in gradients], 1e-10)


def test_other_draws_of_single_samples_are_admitted():
    model, x = nn.Sequential(Shifted(), nn.Dropout(0.5)), torch.randn(6, 3)
    found = recorded(model, SQUARES, x, torch.randn(6, 2))
    assert found.method == "vmap"
    assert "norms are those of other draws" in found.notes[-1]


def test_samples_that_a_layer_couples_have_no_norms():
    model, x, y = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), torch.randn(6, 3), torch.randn(6, 2)
    found = recorded(model, SQUARES, x, y)
    assert found.method == "none"
    assert found.norms.isnan().all()
    assert "batch normalisation (1) takes its mean and variance from the batch" in found.notes[0]
    assert close(found.losses.sum(), SQUARES(model(x), y).total.detach(), 1e-6)
    assert recorded(model.eval(), SQUARES, x, y).method == "batched"


def test_one_sample_alone_is_coupled_with_nobody():
    model, x = nn.Sequential(nn.Conv2d(2, 3, 2), moved(nn.BatchNorm2d(3))).double(), images(2, 4, 4)[:1]
    agrees(model, x, "loop", 1)


def test_samples_that_a_function_couples_have_no_norms():
    model = Calls(lambda x, one: one(x) - one(x).mean(0), nn.Linear(3, 2))
    found = recorded(model, SQUARES, torch.randn(6, 3), torch.randn(6, 2))
    assert found.method == "none"
    assert "the loss of a sample alone is not its loss within the batch" in found.notes[0]


def slopes(output: Tensor, target: Tensor) -> Tensor:
    return output * target


@pytest.mark.parametrize("scale", [1e-25, 1e25])
@pytest.mark.parametrize(
    "name", ["linear", "long sequence", "short sequence of wide", "conv2d", "embedding", "layer norm"]
)
def test_squares_neither_overflow_nor_vanish_in_float32(scale: float, name: str):
    model, x = built(BATCHED[name])
    y = scale * torch.randn(model(x).shape, dtype=torch.float64)
    single = x.float() if x.is_floating_point() else x
    found = recorded(twin(model).float(), ts.Objective(ts.Term(slopes, reduction="sum")), single, y.float())
    norms = per_sample.records(model, lambda o, t: slopes(o, t).sum(), x, y, list(model.parameters()), 5)[2]
    assert found.method == "batched"
    assert close(found.norms, norms, 1e-5)


@pytest.mark.parametrize("half", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", ["linear", "long sequence", "short sequence of wide", "conv2d"])
def test_half_precision_is_that_of_the_step(name: str, half: str):
    model, x = built(BATCHED[name])
    y = torch.randn(model(x).shape, dtype=torch.float64)
    norms = per_sample.records(model, squared, x, y, list(model.parameters()), 5)[2]
    single = twin(model).float()
    parameters = list(single.parameters())
    precision = ts.TrainStep(single, SQUARES, torch.optim.SGD(parameters, 0.1), amp=half).precision
    found = sample_records(single, SQUARES, x.float(), y.float(), parameters, SUM, precision)
    assert found.method == "batched"
    assert [note[:30] for note in found.notes] == (["In float16 gradients below 6e-"] if half == "float16" else [])
    assert not close(found.norms, norms, 1e-6)
    assert close(found.norms, norms, 0.05)


@pytest.mark.parametrize(
    "make", [BATCHED["conv2d"], BATCHED["long sequence"], BATCHED["embedding"], ALONE["attention"][0]]
)
def test_chunks_change_nothing(make: Make, monkeypatch: pytest.MonkeyPatch):
    model, x = built(make)
    y = torch.randn(model(x).shape, dtype=torch.float64)
    whole = recorded(model, SQUARES, x, y)
    monkeypatch.setattr(norms, "ROOM", 1)
    monkeypatch.setattr(alone, "ROOM", 1000)
    parts = recorded(model, SQUARES, x, y)
    assert parts.method == whole.method
    assert close(parts.norms, whole.norms)


def test_a_checkpoint_that_hides_its_layers_is_named():
    layers = [nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2)]
    model = Calls(lambda x, one, two, three: three(checkpoint(two, one(x), use_reentrant=True)), *layers)
    found = recorded(model, SQUARES, torch.randn(4, 3), torch.randn(4, 2))
    assert found.method == "none"
    assert "checkpoint is incompatible with .grad()" in found.notes[0]
