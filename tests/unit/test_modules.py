"""What a watch says of a module is what its output and gradient are, and watching changes nothing."""

import dataclasses
import gc
import math
import weakref
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from laws.step_cases import identical, snapshot
from truestep.explain.modules import ModuleRecord, ModuleWatch


def watched(model: nn.Module, *inputs: Tensor) -> list[ModuleRecord]:
    with ModuleWatch(model) as watch:
        output = model(*inputs)
        if output.requires_grad:
            output.sum().backward()
    return watch.records


def one(module: nn.Module, values: Any) -> ModuleRecord:
    (record,) = watched(module, torch.as_tensor(values, dtype=torch.float32))
    return record


@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    seed=st.integers(0, 99),
    scale=st.sampled_from([0.0, 1e-30, 1.0, 1e30]),
)
def test_figures_are_those_of_the_output(shape: list[int], seed: int, scale: float):
    x = scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    record, numbers = one(nn.Identity(), x), x.double().flatten().tolist()
    mean = sum(numbers) / len(numbers)
    assert record.shape == tuple(shape)
    assert record.mean == pytest.approx(mean, rel=1e-12, abs=1e-12 * scale)
    assert record.std == pytest.approx((sum((n - mean) ** 2 for n in numbers) / len(numbers)) ** 0.5, abs=1e-12 * scale)
    assert record.largest == max(map(abs, numbers))
    assert (record.dead, record.saturated, record.nans, record.infinities) == (None, None, 0, 0)


def test_gradients_are_those_with_respect_to_the_outputs():
    model, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), torch.randn(5, 3)
    hidden = model[0](x).detach().requires_grad_()
    active = hidden.tanh()
    active.retain_grad()
    model[2](active).sum().backward()
    model.zero_grad()
    gradients = [hidden.grad.norm(), active.grad.norm(), math.sqrt(10)]
    assert [record.gradient for record in watched(model, x)] == pytest.approx([float(g) for g in gradients], rel=1e-6)


@pytest.mark.parametrize(
    "module, values, dead",
    [
        (nn.ReLU(), [[-1.0, 2.0, -1.0], [-3.0, -1.0, 5.0]], 1 / 3),
        (nn.ReLU(), [[-1.0, -2.0], [-3.0, -1.0]], 1.0),
        (nn.ReLU(), [[[-1.0, 1.0], [-1.0, -1.0]], [[-1.0, -1.0], [-1.0, 1.0]]], 0.5),
        (nn.ReLU6(), [[-1.0, 9.0], [-3.0, 1.0]], 0.5),
        (nn.LeakyReLU(), [[-1.0], [-1.0]], None),
        (nn.Identity(), [[0.0], [0.0]], None),
    ],
)
def test_dead_units_are_zero_for_every_sample(module: nn.Module, values: Any, dead: float | None):
    assert one(module, values).dead == pytest.approx(dead)


@pytest.mark.parametrize(
    "module, values, saturated",
    [
        (nn.Sigmoid(), [-10.0, 0.0, 4.0, 10.0, 4.6], 0.6),
        (nn.Tanh(), [-3.0, 0.0, 2.0, 3.0], 0.5),
        (nn.Hardtanh(), [-3.0, -1.0, 0.0, 0.999], 0.5),
        (nn.Hardtanh(0.0, 2.0), [-3.0, 1.0, 1.5, 3.0], 0.5),
        (nn.Hardsigmoid(), [-4.0, 0.0, 1.0, 4.0], 0.5),
        (nn.ReLU6(), [-4.0, 0.0, 1.0, 7.0], 0.25),
        (nn.ReLU(), [-4.0, 0.0, 1.0, 7.0], None),
        (nn.Softsign(), [-4e9, 4e9], None),
    ],
)
def test_saturated_entries_are_at_a_limit(module: nn.Module, values: Any, saturated: float | None):
    assert one(module, values).saturated == pytest.approx(saturated)


def test_what_is_not_finite_is_counted():
    record = one(nn.Identity(), [math.nan, math.inf, -math.inf, 1.0, math.nan])
    assert (record.nans, record.infinities) == (2, 2)
    assert math.isnan(record.mean)
    assert math.isnan(record.largest)


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.last, self.first = nn.ReLU(), nn.Linear(2, 2)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(self.last(self.first(x))))


def test_records_come_in_forward_order_and_calls_are_counted():
    records = watched(Twice(), torch.randn(3, 2))
    assert [(r.name, r.type, r.call) for r in records] == [
        ("first", "Linear", 1), ("last", "ReLU", 1), ("first", "Linear", 2), ("last", "ReLU", 2),
    ]  # fmt: skip
    assert all(record.gradient is not None for record in records)


def test_a_module_with_parameters_of_its_own_is_watched_beside_those_inside():
    model = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    names = [record.name for record in watched(model, torch.randn(2, 3, 4))]
    assert "self_attn" in names
    assert "" not in names


def test_what_changes_in_place_is_told_as_it_was():
    model, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2)), torch.randn(5, 3)
    twin = nn.Sequential(model[0], nn.ReLU(), model[2])
    assert watched(model, x) == watched(twin, x)


def test_torch_forgets_the_gradient_of_a_view_that_is_overwritten():
    """The output of a linear layer for sequences is a view; every other figure is told all the same."""
    model, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True)), torch.randn(5, 6, 3)
    lost, found = watched(model, x)[0], watched(nn.Sequential(model[0], nn.ReLU()), x)[0]
    assert lost == dataclasses.replace(found, gradient=None)


class Odd(nn.Module):
    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result

    def forward(self, x: Tensor) -> Any:
        return self.result(x)


@pytest.mark.parametrize(
    "result, shape",
    [
        (lambda x: (x, 2 * x), (2, 2)),
        (lambda x: {"state": None, "out": x}, (2, 2)),
        (lambda x: x.sum(), ()),
        (lambda x: x[:0], (0, 2)),
        (lambda x: x.argmax(1), (2,)),
        (lambda x: x > 0, (2, 2)),
        (lambda x: torch.complex(x, x), (2, 2)),
        (lambda x: x.bfloat16(), (2, 2)),
    ],
)
def test_outputs_of_any_kind_are_told(result: Any, shape: tuple[int, ...]):
    with ModuleWatch(Odd(result)) as watch:
        watch.model(torch.ones(2, 2))
    assert [record.shape for record in watch.records] == [shape]


@pytest.mark.parametrize("result", [lambda x: None, lambda x: "words"])
def test_what_is_no_tensor_is_left_out(result: Any):
    with ModuleWatch(Odd(result)) as watch:
        watch.model(torch.ones(2, 2))
    assert watch.records == []


def test_calls_within_vmap_are_left_out():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    with ModuleWatch(model) as watch:
        torch.func.vmap(model)(torch.ones(4, 2)).sum().backward()
    assert watch.records == []


def test_a_plain_function_has_no_modules():
    with ModuleWatch(lambda x: 2 * x) as watch:
        watch.model(torch.ones(2))
    assert watch.records == []


def test_an_output_that_no_gradient_reaches_has_none():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    with ModuleWatch(model) as watch, torch.no_grad():
        model(torch.ones(4, 2))
    assert [record.gradient for record in watch.records] == [None, None]


@pytest.mark.parametrize("train", [False, True])
def test_watching_changes_nothing(train: bool):
    def run(watch: bool) -> list[Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.Dropout(0.5)).train(
            train
        )
        with ModuleWatch(model) if watch else torch.enable_grad():
            output = model(torch.randn(4, 1, 5, 5))
            output.square().sum().backward()
        assert all(module.training == train for module in model.modules())
        gradients = [parameter.grad for parameter in model.parameters()]
        return [output.detach(), torch.get_rng_state(), *gradients, *snapshot(model)]

    assert identical(run(False), run(True))


class Broken(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise ZeroDivisionError


def test_no_hook_stays_even_where_the_model_fails():
    model = nn.Sequential(nn.Linear(2, 3), Broken())
    watch = ModuleWatch(model)
    with pytest.raises(ZeroDivisionError), watch:
        model(torch.ones(4, 2))
    assert not any(module._forward_hooks for module in model.modules())
    assert [record.name for record in watch.records] == ["0"]


def test_a_watch_is_over_at_the_end_of_its_block():
    model = nn.Linear(2, 3)
    with ModuleWatch(model) as watch:
        output = model(torch.ones(4, 2))
    output.sum().backward()
    model(torch.ones(4, 2))
    assert [record.gradient for record in watch.records] == [None]
    with watch:
        model(torch.zeros(1, 2))
    assert [record.call for record in watch.records] == [1]


def test_no_tensor_is_kept_alive():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    with ModuleWatch(model) as watch:
        output = model(torch.ones(4, 2))
        seen = weakref.ref(output)
        del output
        gc.collect()
        assert seen() is None
    assert all(not isinstance(value, Tensor) for record in watch.records for value in dataclasses.astuple(record))


def test_functions_without_a_module_are_not_seen():
    assert len(watched(Odd(lambda x: F.relu(F.relu(x))), torch.ones(2, 2))) == 1
