"""What a run must not lose or change: the losses' own weights, an older run's folder, the draws that follow."""

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import nn

import truestep as ts
from truestep.fit.loop import Loop

X, Y = torch.randn(24, 4, generator=torch.Generator().manual_seed(0)), torch.arange(24) % 3


def trained(model: nn.Module, **options: Any) -> ts.Run:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return ts.fit(model, (X, Y), nn.CrossEntropyLoss(), optimizer, 2, 8, (X, Y), progress=False, **options)


def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 3)


def test_the_best_weights_hold_those_of_the_losses_too():
    model, loss = linear(), nn.LinearCrossEntropyLoss(3, 3)
    optimizer = torch.optim.SGD([*model.parameters(), *loss.parameters()], lr=3.0)
    run = ts.fit(model, (X, Y), loss, optimizer, 6, 8, (X, Y), progress=False)
    assert run.best is not None
    assert run.best is not run.history[-1]
    run.load_best(model)
    assert ts.evaluate(model, (X, Y), loss).loss == pytest.approx(run.best.valid_loss, rel=1e-6)


def test_a_folder_that_holds_a_run_keeps_it(tmp_path):
    first = trained(linear(), run_dir=tmp_path / "run")
    before = {path.name: path.read_bytes() for path in first.folder.iterdir()}
    second = trained(linear(), run_dir=tmp_path / "run")
    assert (first.folder.name, second.folder.name) == ("run", "run-2")
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == before
    assert second.notes == [f"{first.folder} holds a run already, which stays as it is: this one is written to "
                            f"{second.folder}."]  # fmt: skip


def test_the_curves_are_saved_in_the_run_folder(tmp_path):
    png, svg = trained(linear(), run_dir=tmp_path / "run").save_plot()
    assert png.read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in svg.read_bytes()
    with pytest.raises(ts.ConfigError, match=r"this run has no folder to save its curves in: give fit run_dir="):
        trained(linear()).save_plot()


def test_an_observer_that_draws_does_not_change_the_run():
    def weights(*observers: Any) -> torch.Tensor:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 3))
        trained(model, observers=observers)
        return model[1].weight.detach()

    assert torch.equal(weights(lambda event: torch.rand(3)), weights())


@pytest.mark.parametrize(
    "optimizer, mend",
    [
        (lambda p: torch.optim.SGD(p, 0.01, momentum=0.9), "lr / 8 gives"),
        (lambda p: torch.optim.SGD(p, 0.01, weight_decay=0.1), "a weight of 1 / 8 gives"),
        (lambda p: torch.optim.Adam(p, 0.01), "a weight of 1 / 8 gives"),
    ],
)
def test_the_sentence_about_a_sum_names_a_mend_that_holds(optimizer, mend):
    """Adam's step does not grow with the gradient, and decay is not scaled by it: lr / n would change both."""
    model = linear()
    loss = nn.CrossEntropyLoss(reduction="sum")
    run = ts.fit(model, (X, Y), loss, optimizer(model.parameters()), 1, 8, progress=False)
    head = "this objective is a sum over 8 samples: its gradient is 8 times that of the mean;"
    assert run.notes == [f"{head} {mend} the same weights."]


@pytest.mark.parametrize("progress", [True, False])
def test_a_run_that_has_ended_is_forgotten_at_once(progress: bool, monkeypatch: pytest.MonkeyPatch):
    """No ring of references is left, which Python would have to look for among all that a program holds."""
    begun: list[weakref.ref[Loop]] = []
    own = Loop.run

    def watched(self: Loop, *given: Any) -> ts.Run:
        begun.append(weakref.ref(self))
        return own(self, *given)

    monkeypatch.setattr(Loop, "run", watched)
    model = linear()
    gc.disable()
    try:
        ts.fit(model, (X, Y), nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), 0.1), 2, 8, progress=progress)
        assert [one() for one in begun] == [None]
    finally:
        gc.enable()
