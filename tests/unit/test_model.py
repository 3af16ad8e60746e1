"""The walk over the modules of a model is torch's own, in less time."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

import truestep as ts
from truestep.core.model import modules_of, trained


def nested() -> nn.Module:
    inner = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sequential(nn.ReLU(), nn.Linear(4, 1)))
    inner.register_module("left out", None)
    return inner


def tied() -> nn.Module:
    """One module in two places, and one tensor in two modules."""
    inner = nested()
    first: Any = inner[0]  # pyright: ignore[reportIndexIssue]
    other = nn.Linear(3, 4)
    other.weight = first.weight
    return nn.ModuleDict({"second": inner[2], "whole": inner, "other": other})  # pyright: ignore[reportIndexIssue]


MODELS: dict[str, Any] = {
    "nested": nested,
    "tied": tied,
    "transformer": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2, enable_nested_tensor=False),
    "recurrent": lambda: nn.LSTM(3, 4, 2),
    "parametrized": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)),
    "frozen in part": lambda: nested().requires_grad_(False).append(nn.Linear(1, 1)),  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
}


@pytest.mark.parametrize("make", MODELS)
def test_modules_and_parameters_are_those_of_torch_in_its_order(make: str):
    model = MODELS[make]()
    found, own = modules_of(model), list(model.modules())
    assert [*map(id, found)] == [*map(id, own)]
    moved, theirs = trained(model, found, None, None), [p for p in model.parameters() if p.requires_grad]
    assert [*map(id, moved)] == [*map(id, theirs)]


class Chosen(nn.Module):
    """A model that says itself which parameters are to be trained."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(3, 3), nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        return self.head.parameters(recurse)


def test_a_model_that_names_its_parameters_itself_is_asked():
    model = Chosen()
    step = ts.TrainStep(model, nn.MSELoss(), torch.optim.SGD(model.parameters(), 0.1))
    assert not step.notes
    assert [id(each) for each in step._trained] == [id(each) for each in model.parameters()]
