"""Gathered samples: their memory is used again, and never while anybody holds what was in it."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import truestep as ts
from truestep.core.ranks import Ranks
from truestep.data import gather
from truestep.data.batches import TensorSource
from truestep.data.gather import Gatherer

X, Y = torch.arange(40.0).view(20, 2), torch.arange(20)
FIRST, SECOND = torch.tensor([3, 1, 4]), torch.tensor([5, 9, 2])


def test_samples_come_in_the_order_that_was_asked_for():
    gatherer = Gatherer(({"a": X, "b": (Y, None)}, Y))
    for positions in (FIRST, SECOND, FIRST[:2], torch.arange(20)):  # ragged, and more than there is room for
        inputs, targets = gatherer.take(positions)
        assert torch.equal(inputs["a"], X[positions])
        assert torch.equal(inputs["b"][0], Y[positions])
        assert inputs["b"][1] is None
        assert torch.equal(targets, Y[positions])


def test_memory_that_nobody_holds_is_used_again():
    gatherer = Gatherer((X, Y))
    found = set()
    for positions in (FIRST, SECOND, FIRST):
        inputs, targets = gatherer.take(positions)
        found.add((inputs.data_ptr(), targets.data_ptr()))
        del inputs, targets
    assert len(found) == (1 if gather._uses is not None else len(found))


@pytest.mark.parametrize("hold", [lambda x: x[1:], lambda x: x.detach(), lambda x: x.view(-1), lambda x: x.T])
def test_a_view_that_somebody_holds_stays_as_it_is(hold: Any):
    gatherer = Gatherer((X, Y))
    kept = hold(gatherer.take(FIRST)[0])
    before = kept.clone()
    gatherer.take(SECOND)
    assert torch.equal(kept, before)


def test_an_epoch_that_is_begun_keeps_its_samples_while_another_is_gone_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("truestep.data.batches.GATHERED", 10**3)
    source = TensorSource((X, Y), 5, 0, Ranks(), torch.device("cpu"))
    expected = [each[1].clone() for each in source.batches(1) if each is not None]
    begun = source.batches(1)
    first = next(begun)
    assert first is not None
    found = [first[1].clone()]
    del first
    for each in source.batches(2):
        del each
    assert all(torch.equal(a, b) for a, b in zip(expected, [*found, *(x[1] for x in begun if x)], strict=True))


class Remembers(nn.Linear):
    """Keeps all of its inputs."""

    def __init__(self) -> None:
        super().__init__(2, 1)
        self.seen: list[Tensor] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen.append(inputs)
        return super().forward(inputs)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_model_may_remember_its_inputs(monkeypatch: pytest.MonkeyPatch, accumulate: int):
    monkeypatch.setattr("truestep.data.batches.GATHERED", 1)  # a batch at a time
    model = Remembers()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    ts.fit(model, (X, Y.view(20, 1).float()), nn.MSELoss(), optimizer, 2, 3, accumulate=accumulate, progress=False)
    for epoch in (model.seen[:7], model.seen[7:]):
        assert torch.equal(torch.cat(epoch)[:, 0].sort().values, X[:, 0])


def test_epochs_of_fit_use_one_memory(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("truestep.data.batches.GATHERED", 1)
    places: list[int] = []
    model = nn.Linear(2, 1)
    model.register_forward_pre_hook(lambda module, inputs: places.append(inputs[0].data_ptr()))
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    ts.fit(model, (X, Y.view(20, 1).float()), nn.MSELoss(), optimizer, 1, 3, progress=False)
    assert len(places) == 7
    assert len(set(places)) == (1 if gather._uses is not None else len(set(places)))


def test_data_that_require_a_gradient_keep_their_graph():
    data = X.clone().requires_grad_()
    assert Gatherer((data, Y)).take(FIRST)[0].requires_grad
