"""`fit` is the slow loop of `reference.fit`: weights and every figure, for every optimizer, window and clipping."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn, optim

import truestep as ts
from laws.step_cases import close, same_weights, twin
from reference import fit as by_hand
from reference import step
from unit.fit_cases import CASES, by_the_user, network, normalised, same_figures, sgd, simple, weights, with_dropout


def rules(rule: step.Rule) -> Callable[[Any, by_hand.Terms, float | None], by_hand.Update]:
    return lambda model, terms, limit: by_hand.by_rule(model, terms, [rule] * 4, limit)


def plain(make: Any) -> Callable[[Any, by_hand.Terms, float | None], by_hand.Update]:
    return lambda model, terms, limit: by_hand.by_optimizer(model, terms, make(model))


def two(model: Any) -> list[optim.Optimizer]:
    return [optim.SGD(model[0].parameters(), 0.1, momentum=0.9), optim.AdamW(model[2].parameters(), 0.01)]


def lbfgs(model: nn.Module) -> optim.Optimizer:
    return optim.LBFGS(model.parameters(), 0.5, max_iter=3, history_size=2)


OPTIMIZERS = {
    "sgd": (lambda m: sgd(m), rules(step.sgd(0.1)), 1e-12),
    "momentum and decay": (
        lambda m: sgd(m, 0.05, momentum=0.9, weight_decay=0.1, nesterov=True),
        rules(step.sgd(0.05, 0.9, 0.1, True)), 1e-12,
    ),
    "adamw": (
        lambda m: optim.AdamW(m.parameters(), 0.01, weight_decay=0.1), rules(step.adamw(0.01, weight_decay=0.1)), 1e-11,
    ),
    "two": (
        two, lambda m, terms, limit: by_hand.by_rule(
            m, terms, [step.sgd(0.1, 0.9)] * 2 + [step.adamw(0.01, weight_decay=0.01)] * 2, limit), 1e-11,
    ),
    "written by hand": (by_the_user, rules(step.sgd(0.1)), 1e-12),
    "lbfgs": (lbfgs, plain(lbfgs), 1e-9),
}  # fmt: skip


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("problem", ["tokens", "mixed"])
def test_fit_is_the_slow_loop_for_every_optimizer(problem: str, name: str):
    """A ragged last batch, micro-batches, an incomplete window, clipping and validation at once."""
    case, (make, reference, rtol) = CASES[problem], OPTIMIZERS[name]
    model, slow = network(), network()
    data, valid = case.data(23), case.data(9, seed=2)
    limit = None if name == "lbfgs" else 0.3
    run = ts.fit(
        model, data, case.objective, make(model), 3, 5, valid,
        micro_batch=2, accumulate=2, clip_norm=limit, seed=7, progress=False,
    )  # fmt: skip
    windows = by_hand.windows(23, 5, 3, seed=7, accumulate=2)
    expected = by_hand.fit(slow, case.terms, reference(slow, case.terms, limit), data, windows, valid)
    assert same_figures(run.history, expected, rtol)
    assert same_weights(model, slow, rtol)
    assert run.best is min(run.history, key=lambda record: record.valid_loss)


@given(
    problem=st.sampled_from(sorted(CASES)),
    samples=st.integers(1, 13),
    batch_size=st.integers(1, 14),
    micro=st.none() | st.integers(1, 6),
    accumulate=st.integers(1, 4),
    tail=st.sampled_from(["step", "carry", "drop"]),
    shuffle=st.booleans(),
    seed=st.integers(0, 2**63),
)
def test_fit_is_the_slow_loop_for_every_window(
    problem: str, samples: int, batch_size: int, micro: int | None, accumulate: int, tail: str, shuffle: bool, seed: int
):
    case = CASES[problem]
    model, slow = network(), network()
    data, valid = case.data(samples), case.data(4, seed=2)
    run = ts.fit(
        model, data, case.objective, sgd(model, momentum=0.9), 3, batch_size, valid, progress=False,
        micro_batch=micro, accumulate=accumulate, tail=tail, shuffle=shuffle, seed=seed,
    )  # fmt: skip
    windows = by_hand.windows(samples, batch_size, 3, seed if shuffle else None, accumulate, tail)
    update = by_hand.by_rule(slow, case.terms, [step.sgd(0.1, 0.9)] * 4)
    assert same_figures(run.history, by_hand.fit(slow, case.terms, update, data, windows, valid), 1e-11)
    assert same_weights(model, slow, 1e-11)
    assert run.steps == sum(record.steps + record.skipped for record in run.history)
    left = -(-samples // batch_size) % accumulate if tail == "drop" else -(-samples // batch_size) * 3 % accumulate
    expected = [f"{left} batch(es) of an incomplete window are left out (tail='{tail}')."] if left else []
    assert [note for note in run.notes if "left out" in note] == (expected if tail != "step" else [])


def test_a_plain_function_is_trained_by_a_plain_function():
    """The textbook's linear regression: w, b and `sgd([w, b], lr, batch_size)`."""
    case = CASES["values"]
    data, linear = case.data(11), nn.Linear(3, 5).double()
    slow = twin(linear)
    w, b = (p.detach().clone().requires_grad_() for p in linear.parameters())

    def update(batch_size: int) -> None:
        assert isinstance(batch_size, int)
        for one in (w, b):
            one -= 0.05 * one.grad / batch_size

    run = ts.fit(lambda x: x @ w.T + b, data, nn.MSELoss(), update, 3, 4, data, params=[w, b], seed=3, progress=False)
    expected = by_hand.fit(
        slow,
        case.terms,
        by_hand.by_rule(slow, case.terms, [step.sgd(0.05)] * 2),
        data,
        by_hand.windows(11, 4, 3, 3),
        data,
    )
    assert same_figures(run.history, expected)
    assert close(w.detach(), slow.weight.detach())
    assert run.history["lr"] == [None] * 3
    last, run.parameters[0].data = w.detach().clone(), w.data.zero_()
    assert run.load_best() is run.history[-1]
    assert torch.equal(w, last)


@pytest.mark.parametrize("every", ["step", "epoch", "bare"])
def test_a_schedule_is_stepped_once_an_update_or_once_an_epoch(every: str):
    case = CASES["tokens"]
    model, slow, data = network(), network(), CASES["tokens"].data(11)
    optimizer = sgd(model)
    scheduler = optim.lr_scheduler.ExponentialLR(optimizer, 0.8)
    schedule = {"step": ts.per_step(scheduler), "epoch": ts.per_epoch(scheduler), "bare": scheduler}[every]
    run = ts.fit(model, data, case.objective, optimizer, 3, 2, accumulate=2, schedule=schedule, progress=False)

    def rule(w: torch.Tensor, g: torch.Tensor, state: step.State) -> torch.Tensor:
        number = state["number"] = state.get("number", -1) + 1
        return w - 0.1 * 0.8 ** (number // 3 if every == "epoch" else number) * g

    update = by_hand.by_rule(slow, case.terms, [rule] * 4)
    expected = by_hand.fit(slow, case.terms, update, data, by_hand.windows(11, 2, 3, 0, 2))
    assert same_figures(run.history, expected)
    assert same_weights(model, slow)
    steps = [0, 1, 2] if every == "epoch" else [2, 5, 8]
    assert close(run.history["lr"], [0.1 * 0.8**number for number in steps])
    often = "is stepped once an update (3 times an epoch)"
    said = f"the schedule ExponentialLR {often}; ts.per_epoch(...) steps it once an epoch."
    assert run.notes == ([said] if every == "bare" else [])


@pytest.mark.parametrize("validated", [True, False])
@pytest.mark.parametrize("bare", [True, False])
def test_a_plateau_reads_the_validation_loss_and_without_one_the_training_loss(validated: bool, bare: bool):
    case = CASES["values"]
    model, slow, data = network(), network(), CASES["values"].data(8)
    valid = tuple(-10 * side for side in case.data(5, seed=2)) if validated else None  # grows as the model learns
    optimizer = sgd(model, 0.2)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0, threshold=0)
    schedule = plateau if bare else ts.per_epoch(plateau)
    run = ts.fit(model, data, nn.MSELoss(), optimizer, 4, 8, valid, schedule=schedule, progress=False)
    rate, least = [0.2], [float("inf")]

    def after_epoch(record: by_hand.Record) -> None:
        figure = record["valid_loss" if validated else "train_loss"]
        if figure >= least[-1]:
            rate.append(rate[-1] / 2)
        least.append(min(least[-1], figure))

    def rule(w: torch.Tensor, g: torch.Tensor, state: step.State) -> torch.Tensor:
        return w - rate[-1] * g

    update = by_hand.by_rule(slow, case.terms, [rule] * 4)
    expected = by_hand.fit(slow, case.terms, update, data, by_hand.windows(8, 8, 4, 0), valid, after_epoch)
    assert same_figures(run.history, expected)
    assert (len(rate) > 1) == validated
    assert run.notes == []


# --- random state ---------------------------------------------------------------------------------------------------


def test_the_random_state_of_the_caller_is_untouched_and_has_no_influence():
    """Order and dropout are functions of (seed, epoch): with dropout, shuffled loaders and validation."""
    ends = []
    for outer in (1, 2):
        model = with_dropout()
        torch.manual_seed(outer)
        before = torch.get_rng_state()
        simple(model=model, optimizer=sgd(model), validate=CASES["tokens"].data(5))
        loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*CASES["tokens"].data(9)), 2, shuffle=True)
        simple(model=model, train=loader, validate=loader)
        assert torch.equal(before, torch.get_rng_state())
        ends.append(model)
    assert same_weights(*ends, rtol=0.0)
    other = with_dropout()
    simple(model=other, optimizer=sgd(other), seed=1)
    assert not same_weights(other, ends[0])


def test_a_model_on_the_cpu_leaves_the_generators_of_gpus_alone(monkeypatch: pytest.MonkeyPatch):
    model, seeded = network(), []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    simple(model=model, validate=CASES["tokens"].data(5))
    assert seeded == []


def test_the_random_state_comes_back_when_training_fails():
    model = network()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        simple(model=model, metrics={"broken": lambda output, target: 1 // 0})
    assert torch.equal(before, torch.get_rng_state())


def test_an_epoch_does_not_depend_on_how_many_follow_or_on_who_looks_on(tmp_path: Any):
    """Epochs, validation, observers, progress and a run folder: the weights after 2 epochs are the same to the bit."""
    seen, model, other = {}, with_dropout(), with_dropout()

    def look(event: Any) -> None:
        if isinstance(event, ts.events.EpochEnded):
            seen[event.record.epoch] = weights(other)

    simple(model=model, optimizer=sgd(model, momentum=0.9))
    simple(
        model=other, optimizer=sgd(other, momentum=0.9), epochs=4, validate=CASES["tokens"].data(5),
        metrics=ts.metrics.accuracy, observers=[look], run_dir=tmp_path, progress=True,
    )  # fmt: skip
    assert all(torch.equal(a, b) for a, b in zip(seen[2], weights(model), strict=True))


# --- modes ----------------------------------------------------------------------------------------------------------


def test_frozen_normalisation_stays_frozen_in_training_and_validation():
    model = normalised()
    model[1].eval()
    before = copy.deepcopy(model[1].state_dict())
    simple(model=model, validate=CASES["tokens"].data(5))
    assert [module.training for module in model] == [True, False, True, True]
    moved = [name for name, value in model[1].state_dict().items() if not torch.equal(value, before[name])]
    assert moved == ["weight", "bias"]


def test_a_model_in_evaluation_mode_is_trained_in_training_mode():
    model, other = normalised().eval(), normalised()
    simple(model=model, batch_size=7)
    simple(model=other, batch_size=7)
    assert all(module.training for module in model.modules())
    assert same_weights(model, other, rtol=0.0)
    assert torch.equal(model[1].running_mean, other[1].running_mean)
    assert model[1].num_batches_tracked == 4


def test_no_epochs_train_nothing():
    model = network()
    before = weights(model)
    run = simple(model=model, epochs=0)
    assert (len(run.history), run.best, run.steps, run.stopped) == (0, None, 0, "")
    assert all(torch.equal(a, b) for a, b in zip(before, weights(model), strict=True))


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"epochs": -1}, "epochs must be a whole number of at least 0, and not -1."),
        ({"epochs": 1.5}, "epochs must be a whole number of at least 0, and not 1.5."),
        ({"accumulate": 0}, "accumulate must be a whole number of at least 1, and not 0."),
        ({"accumulate": None}, "accumulate must be a whole number of at least 1, and not None."),
        ({"patience": 0}, "patience must be a whole number of at least 1, and not 0."),
        ({"seed": None}, "seed must be a whole number, and not None."),
        ({"tail": "stop"}, "tail knows 'step', 'carry', 'drop', and 'stop' is none of them."),
        ({"batch_size": 0}, "batch_size is a number of samples, at least 1, and not 0."),
        ({"nonfinite": "stopp"}, "nonfinite knows 'stop', 'skip' and 'raise', and 'stopp' is none of them."),
        ({"checkpoint": ""}, "checkpoint takes a folder or ts.Checkpoints(folder), and not ''."),
        ({"checkpoint": True}, "checkpoint takes a folder or ts.Checkpoints(folder), and not True."),
        ({"resume": True}, "resume=True needs to know where the run was saved: give checkpoint='folder' too."),
        ({"compile": 2}, "compile knows 'auto', 'fast', True and False, and 2 is none of them."),
        ({"patience": 2}, "patience waits for a better validation loss: give fit validate=(inputs, targets)."),
    ],
)  # fmt: skip
def test_a_setting_that_cannot_mean_anything_is_refused_before_training(options: Any, sentence: str):
    model = network()
    before = weights(model)
    with pytest.raises(ts.ConfigError) as caught:
        simple(model=model, **options)
    assert str(caught.value) == sentence
    assert all(torch.equal(a, b) for a, b in zip(before, weights(model), strict=True))
