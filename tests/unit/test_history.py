"""What a run leaves behind: records that cannot be changed, and the best weights as a real copy."""

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

import truestep as ts
from laws.step_cases import same_weights
from truestep.fit.history import Best, History, Record
from unit.fit_cases import CASES, network, normalised, sgd, simple, weights

VALID = CASES["tokens"].data(6, seed=2)
TRAIN = CASES["tokens"].data(13)


def overshooting(model: nn.Module, **options: Any) -> ts.Run:
    """A run whose later epochs are worse, for the rate doubles with each."""
    optimizer = sgd(model, 0.5)
    schedule = ts.per_epoch(optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 3.0**epoch))
    given = {"epochs": 6, "optimizer": optimizer, "schedule": schedule, "validate": TRAIN, "batch_size": 13}
    return simple(model=model, **{**given, **options})


def test_a_record_is_read_by_name_and_cannot_be_changed():
    record = Record({"epoch": 1, "train_loss": 0.5})
    assert (record["train_loss"], record.train_loss, record.epoch, list(record)) == (
        0.5,
        0.5,
        1,
        ["epoch", "train_loss"],
    )
    for change in (lambda: setattr(record, "train_loss", 1.0), lambda: setattr(record, "new", 1)):
        with pytest.raises(AttributeError, match=r"^a record of an epoch cannot be changed\.$"):
            change()
    with pytest.raises(TypeError):
        record["train_loss"] = 1.0  # pyright: ignore[reportIndexIssue]
    with pytest.raises(AttributeError, match=r"^this record has no valid_loss: it has epoch, train_loss\.$"):
        _ = record.valid_loss
    assert pickle.loads(pickle.dumps(record)) == copy.deepcopy(record) == record == {"epoch": 1, "train_loss": 0.5}
    assert repr(record) == "Record(epoch=1, train_loss=0.5)"
    given = {"epoch": 1}
    kept = Record(given)
    given["epoch"] = 2
    assert kept.epoch == 1


def test_a_history_is_read_by_epoch_by_slice_and_by_figure():
    records = [Record({"epoch": k, "train_loss": 1 / k}) for k in (1, 2, 3)]
    history = History(records)
    assert (len(history), history[0], history[-1]) == (3, records[0], records[2])
    assert history["train_loss"] == [1, 1 / 2, 1 / 3]
    assert history["valid_loss"] == [None] * 3
    with pytest.raises(ts.ConfigError, match=r"^no record has 'train_los': they have epoch, train_loss\.$"):
        history["train_los"]
    assert [record.epoch for record in history[1:]] == [2, 3]
    assert isinstance(history[1:], History)
    assert repr(history[:1]) == "History(\n  Record(epoch=1, train_loss=1),\n)"


def test_the_figures_of_an_epoch():
    record = simple(validate=VALID, metrics=ts.metrics.accuracy).history[0]
    assert list(record) == [
        "epoch", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "samples", "steps", "skipped",
        "seconds", "lr", "grad_norm",
    ]  # fmt: skip
    assert (record.epoch, record.samples + record.skipped, record.lr) == (1, 13, 0.1)
    assert record.seconds > 0


# --- the best epoch -------------------------------------------------------------------------------------------------


def test_the_best_weights_are_a_copy_that_training_does_not_change():
    model, seen = network(), {}

    def look(event: Any) -> None:
        if isinstance(event, ts.events.EpochEnded):
            seen[event.record.epoch] = weights(model), event.best

    run = overshooting(model, observers=[look])
    losses = run.history["valid_loss"]
    best = losses.index(min(losses)) + 1
    assert 1 < best < 6
    assert run.best is run.history[best - 1]
    kept, is_best = seen[best]
    assert is_best
    assert not same_weights(model, loaded := network())
    assert run.load_best(loaded) is run.best
    assert all(torch.equal(a, b) for a, b in zip(kept, loaded.parameters(), strict=True))
    assert ts.evaluate(loaded, TRAIN, CASES["tokens"].objective).loss == run.best.valid_loss
    run.load_best(model)
    simple(model=model)
    assert all(torch.equal(a, b) for a, b in zip(kept, run.kept.weights.values(), strict=True))


def test_buffers_are_kept_with_the_weights():
    model, other = normalised(), normalised()
    run = simple(model=model, batch_size=13, validate=VALID, epochs=1)
    run.load_best(other)
    assert torch.equal(other[1].running_mean, model[1].running_mean)
    assert other[1].num_batches_tracked == 1


def test_the_least_finite_loss_is_the_best():
    best = Best()
    figures = [float("nan"), float("inf"), 2.0, 2.0, float("nan"), 1.0, 1.5, -float("inf")]
    kept = [best.consider(Record({"valid_loss": loss}), nn.Linear(1, 1), []) for loss in figures]
    assert kept == [False, False, True, False, False, True, False, False]
    assert best.record == {"valid_loss": 1.0}
    assert not Best().consider(Record({"train_loss": 1.0}), nn.Linear(1, 1), [])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_validation_that_is_not_finite_is_never_the_best(bad: float):
    x, y = VALID
    run = simple(validate=(torch.full_like(x, bad), y))
    assert run.best is None
    assert len(run.history) == 2
    assert run.stopped == ""


def test_one_term_of_nan_makes_an_epoch_not_the_best():
    """The finite one alone would have won."""
    broken = ts.Objective(fine=nn.MSELoss(), broken=lambda output, target: output * target.log())
    x, y = CASES["values"].data(6)
    run = simple(train=(x, y.abs()), objective=broken, validate=(x, -y.abs()))
    assert run.best is None
    assert torch.tensor(run.history["valid_loss"]).isnan().all()


def test_without_validation_nothing_is_kept():
    run = simple()
    assert run.best is None
    with pytest.raises(ts.ConfigError) as caught:
        run.load_best(network())
    assert str(caught.value) == (
        "no best weights were kept: give fit validate=(inputs, targets) to judge the epochs by."
    )


def with_state() -> nn.Module:
    class Stateful(nn.Linear):
        def get_extra_state(self) -> Any:
            return {"version": 1}

        def set_extra_state(self, state: Any) -> None:
            pass

    return nn.Sequential(Stateful(3, 5)).double()


def test_a_model_with_state_that_is_no_tensor_gets_its_best_weights_back():
    model = with_state()
    run = simple(model=model, validate=VALID)
    assert run.load_best(model) is run.best


@pytest.mark.parametrize(
    "into, sentence",
    [
        (lambda: nn.Linear(3, 5), r"^0\.weight is in only one of the kept weights and the model: give the model that"),
        (lambda: nn.Sequential(nn.Linear(3, 5), nn.Softplus(), nn.Linear(5, 5)),
         r"^0\.weight has the shape \(4, 3\) in the kept weights and \(5, 3\) in the model: give a model of the same"),
        (lambda: nn.Sequential(*network(), nn.Linear(5, 5)), r"^3\.weight is in only one of the kept weights"),
        (lambda: (lambda x: x), r"^weights are copied into a module or a list of tensors, and not into function\.$"),
        (lambda: None, r"^0\.weight is in only one of"),
        (lambda: [torch.zeros(1)], r"^0\.weight is in only one of"),
    ],
)  # fmt: skip
def test_a_model_of_another_make_is_refused_and_left_alone(into: Any, sentence: str):
    run, model = simple(validate=VALID), into()
    before = weights(model) if isinstance(model, nn.Module) else []
    with pytest.raises(ts.ConfigError, match=sentence):
        run.load_best(model)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(model) if before else [], strict=True))


def test_a_model_of_another_precision_is_of_the_same_make():
    run, model = simple(validate=VALID), network().float()
    run.load_best(model)
    assert torch.allclose(model[0].weight.double(), run.kept.weights["0.weight"], rtol=1e-6)


def test_tensors_of_a_plain_function_get_their_best_values_back():
    w = torch.zeros(3, 5, dtype=torch.float64, requires_grad=True)
    x, y = CASES["values"].data(8)
    run = simple(model=lambda inputs: inputs @ w, train=(x, y), objective=nn.MSELoss(), optimizer=optim.SGD([w], 0.1),
                 validate=(x, y))  # fmt: skip
    best: list[Tensor] = [w.detach().clone()]
    other = [torch.zeros(3, 5, dtype=torch.float64)]
    run.load_best(other)
    assert torch.equal(other[0], best[0])


# --- patience -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patience", [1, 2])
def test_patience_ends_a_run_after_epochs_without_a_better_loss(patience: int):
    run = overshooting(network(), patience=patience)
    losses = run.history["valid_loss"]
    best = losses.index(min(losses)) + 1
    words = f"stopped after epoch {best + patience}: {patience} epochs without a better validation loss."
    assert run.stopped == words
    assert len(run.history) == best + patience


def test_patience_that_is_never_tried_changes_nothing():
    model, other = network(), network()
    run = simple(model=model, validate=VALID, patience=2)
    simple(model=other, validate=VALID)
    assert run.stopped == ""
    assert same_weights(model, other, rtol=0.0)


def test_patience_waits_for_a_validation():
    with pytest.raises(ts.ConfigError, match=r"^patience waits for a better validation loss: give fit validate="):
        simple(patience=1)
