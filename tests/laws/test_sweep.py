"""Variant i of a study equals a run of its own: the same seed, the same order, the same weights."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import truestep as ts
from reference.sweep import farthest, own_loop

EXACT = 1e-12


def regression(samples=23, inputs=6):
    x = torch.randn(samples, inputs, dtype=torch.float64)
    return x, (x @ torch.randn(inputs, 1, dtype=torch.float64)) + 0.1 * torch.randn(samples, 1, dtype=torch.float64)


def classes(samples=26, inputs=5, kinds=3):
    x = torch.randn(samples, inputs, dtype=torch.float64)
    return x, torch.randint(kinds, (samples,))


def net(inputs=6, outputs=1):
    return nn.Sequential(nn.Linear(inputs, 7), nn.Tanh(), nn.Linear(7, outputs)).double()


def images(samples=12):
    return torch.randn(samples, 1, 8, 8, dtype=torch.float64), torch.randint(3, (samples,))


def lenet():
    return nn.Sequential(
        *(nn.Conv2d(1, 3, 3, padding=1), nn.Sigmoid(), nn.AvgPool2d(2), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(4, 3)),
    ).double()


def normed():
    return nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.LayerNorm(5), nn.Linear(5, 1)).double()


OPTIMIZERS = [
    (torch.optim.SGD, {"lr": [0.1, 0.01], "weight_decay": [0.0, 0.3]}, {}),
    (torch.optim.SGD, {"momentum": [0.0, 0.9], "lr": [0.05, 0.01]}, {}),
    (torch.optim.SGD, {"momentum": [0.5, 0.9], "dampening": [0.0, 0.3]}, {"lr": 0.05}),
    (torch.optim.SGD, {"momentum": [0.0, 0.9]}, {"lr": 0.05, "dampening": 0.3}),
    (torch.optim.SGD, {"lr": [0.05, 0.01]}, {"momentum": 0.9, "nesterov": True, "maximize": False}),
    (torch.optim.Adam, {"lr": [0.1, 0.001], "weight_decay": [0.0, 0.1]}, {"amsgrad": True}),
    (torch.optim.Adam, {"betas": [(0.9, 0.99), (0.5, 0.999)], "eps": [1e-8, 1e-3]}, {"lr": 0.01}),
    (torch.optim.AdamW, {"lr": [0.1, 0.001], "weight_decay": [0.01, 1.0]}, {}),
    (torch.optim.RMSprop, {"lr": [0.01, 0.001], "alpha": [0.9, 0.99], "momentum": [0.0, 0.5]}, {"centered": True}),
    (torch.optim.Adagrad, {"lr": [0.1, 0.01], "lr_decay": [0.0, 0.1]}, {"initial_accumulator_value": 0.1}),
    (torch.optim.NAdam, {"lr": [0.01, 0.001], "momentum_decay": [0.004, 0.1]}, {}),
    (torch.optim.RAdam, {"lr": [0.01, 0.1], "betas": [(0.9, 0.8), (0.9, 0.999)]}, {}),
    (torch.optim.Adamax, {"lr": [0.01, 0.1], "weight_decay": [0.0, 0.1]}, {}),
]


@pytest.mark.parametrize("kind, grid, fixed", OPTIMIZERS)
def test_each_variant_is_its_own_run_whatever_the_rule(kind, grid, fixed):
    data = regression()
    study = ts.sweep(net, data, nn.MSELoss(), kind, grid, fixed, 2, 3, 5, progress=False)
    assert not study.notes
    assert len(study.table) == 2 * math.prod(map(len, grid.values()))
    for i, row in enumerate(study.table):
        options = {**fixed, **{name: row[name] for name in grid}}
        own, loss = own_loop(
            net, data, nn.functional.mse_loss, lambda m, o=options: kind(m.parameters(), **o), row.seed, 3, 5
        )
        assert farthest(study.model(i), own) < EXACT
        assert row.train_loss == pytest.approx(loss, rel=EXACT)


@pytest.mark.parametrize("make, draw, loss", [
    (lambda: net(5, 3), classes, nn.CrossEntropyLoss()),
    (lenet, images, nn.CrossEntropyLoss(label_smoothing=0.1)),
    (normed, regression, nn.HuberLoss()),
    (lambda: net(), regression, nn.L1Loss()),
])  # fmt: skip
def test_each_variant_is_its_own_run_whatever_the_model(make, draw, loss):
    data = draw()
    study = ts.sweep(
        make, data, loss, torch.optim.SGD, {"lr": [0.1, 0.03, 0.01]}, {"momentum": 0.5}, 2, 2, 4, progress=False
    )
    assert not study.notes
    for i, row in enumerate(study.table):
        update = lambda m, lr=row.lr: torch.optim.SGD(m.parameters(), lr, 0.5)  # noqa: E731
        own, _ = own_loop(make, data, loss, update, row.seed, 2, 4)
        assert farthest(study.model(i), own) < EXACT


def test_each_variant_is_the_run_that_fit_makes():
    data, test = classes(), classes()
    objective = ts.Objective(
        label=nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5]).double()),
        size=(0.1, lambda out, _: out.square()),
    )
    asked = {"epochs": 3, "batch_size": 4, "validate": test, "metrics": {"accuracy": ts.metrics.accuracy}}
    grid = {"lr": [0.3, 0.1], "size": [0.0, 0.5], "clip_norm": [0.1, 10.0]}
    study = ts.sweep(
        lambda: net(5, 3),
        data,
        objective,
        torch.optim.SGD,
        grid,
        seeds=[3, 8],
        progress=False,
        evaluate_every=1,
        **asked,
    )
    for i, row in enumerate(study.table):
        torch.manual_seed(row.seed)
        model = net(5, 3)
        terms = ts.Objective(label=objective.terms["label"], size=(row["size"], objective.terms["size"].loss))
        update = torch.optim.SGD(model.parameters(), row.lr)
        run = ts.fit(model, data, terms, update, clip_norm=row.clip_norm, seed=row.seed, progress=False, **asked)
        assert farthest(study.model(i), model) < EXACT
        for record, own in zip(study.history(i), run.history, strict=True):
            for name, value in record.items():
                assert value == pytest.approx(own[name], rel=1e-11), name
        assert row.best_epoch == run.best.epoch
        run.load_best(model)
        assert farthest(study.model(i, best=True), model) < EXACT


@given(st.integers(1, 30), st.integers(1, 9), st.integers(1, 4), st.integers(1, 5), st.sampled_from([1, 2, 3, 100]))
@settings(max_examples=8, deadline=None)
def test_variants_do_not_depend_on_how_they_are_chunked(samples, batch, seeds, points, chunk):
    data = regression(samples)
    rates = [0.1 / (k + 1) for k in range(points)]
    asked = {"grid": {"lr": rates}, "seeds": seeds, "epochs": 2, "batch_size": batch, "progress": False}
    whole = ts.sweep(net, data, nn.MSELoss(), torch.optim.SGD, **asked)
    parts = ts.sweep(net, data, nn.MSELoss(), torch.optim.SGD, chunk=chunk, **asked)
    for one, other in zip(whole.table, parts.table, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=EXACT)


@pytest.mark.parametrize("kind, fixed", [
    (torch.optim.SGD, {"momentum": 0.9, "dampening": 0.3}),
    (torch.optim.Adam, {"amsgrad": True}),
])  # fmt: skip
def test_each_chunk_begins_with_a_memory_of_its_own(kind, fixed):
    data, asked = regression(), {"seeds": 2, "epochs": 4, "batch_size": 5, "progress": False}
    whole = ts.sweep(net, data, nn.MSELoss(), kind, {"lr": [0.01, 0.02, 0.03]}, fixed, **asked)
    parts = ts.sweep(net, data, nn.MSELoss(), kind, {"lr": [0.01, 0.02, 0.03]}, fixed, chunk=1, **asked)
    for i in range(len(whole.table)):
        assert farthest(parts.model(i), whole.model(i)) < EXACT


def test_a_variant_that_diverges_stays_where_it_was_and_disturbs_nobody():
    data = regression()
    rates = [0.01, 1e6, 0.05, 1e150]
    study = ts.sweep(
        net_linear, data, nn.MSELoss(), torch.optim.SGD, {"lr": rates}, epochs=30, batch_size=5, progress=False
    )
    for i, row in enumerate(study.table):
        torch.manual_seed(0)
        model = net_linear()
        run = ts.fit(model, data, nn.MSELoss(), torch.optim.SGD(model.parameters(), row.lr), 30, 5, progress=False)
        assert bool(row.diverged) == bool(run.stopped)
        assert farthest(study.model(i), model) < 1e-9
        if row.diverged:
            assert row.diverged == len(run.history) + 1
            assert math.isnan(row.train_loss)
        else:
            assert row.train_loss == pytest.approx(run.history[-1].train_loss, rel=1e-11)
    assert [bool(row.diverged) for row in study.table] == [False, True, False, True]


def net_linear():
    return nn.Linear(6, 1).double()


def test_a_batch_that_counts_nothing_moves_nobody():
    x, y = classes(12)
    y[:8] = -100
    data = (x, y)
    make = lambda: net(5, 3)  # noqa: E731
    grid, fixed = {"weight_decay": [0.5, 0.1]}, {"lr": 0.1, "momentum": 0.9}
    study = ts.sweep(make, data, nn.CrossEntropyLoss(), torch.optim.SGD, grid, fixed, 3, 3, 2, progress=False)
    for i, row in enumerate(study.table):
        torch.manual_seed(row.seed)
        model = make()
        update = torch.optim.SGD(model.parameters(), weight_decay=row.weight_decay, **fixed)
        ts.fit(model, data, nn.CrossEntropyLoss(), update, 3, 2, seed=row.seed, progress=False)
        assert farthest(study.model(i), model) < EXACT


def test_shared_weights_and_order_are_those_of_the_first_seed():
    data = regression()
    asked = {"grid": {"lr": [0.1, 0.01]}, "seeds": [4, 5], "epochs": 2, "batch_size": 5, "progress": False}
    both = ts.sweep(net, data, nn.MSELoss(), torch.optim.SGD, share=("weights", "order"), **asked)
    assert both.table[0].train_loss == both.table[1].train_loss
    start = ts.sweep(net, data, nn.MSELoss(), torch.optim.SGD, share="weights", **asked)
    assert start.table[0].train_loss == pytest.approx(both.table[0].train_loss, rel=EXACT)
    assert start.table[1].train_loss != start.table[0].train_loss


def test_dropout_draws_are_each_variants_own():
    data = torch.ones(64, 1), torch.randn(64, 1)
    make = lambda: nn.Sequential(nn.Linear(1, 1, bias=False), nn.Dropout(0.5))  # noqa: E731
    asked = {
        "grid": {"lr": [0.1] * 2 + [0.2]},
        "share": ("weights", "order"),
        "seeds": 1,
        "epochs": 1,
        "batch_size": 64,
    }
    study = ts.sweep(make, data, nn.MSELoss(), torch.optim.SGD, progress=False, **asked)
    assert study.table[0].train_loss != study.table[1].train_loss
    again = ts.sweep(make, data, nn.MSELoss(), torch.optim.SGD, progress=False, **asked)
    assert study.table["train_loss"] == again.table["train_loss"]
    # Rows of other orders too; samples that are all alike show nothing of an order, only how many were dropped.
    alike, asked = (
        (torch.ones(256, 1), torch.ones(256, 1)),
        {**asked, "share": "weights", "seeds": 2, "batch_size": 256},
    )
    losses = ts.sweep(make, alike, nn.MSELoss(), torch.optim.SGD, progress=False, **asked).table["train_loss"]
    assert any(abs(one - other) > 1e-3 for one, other in zip(losses[::2], losses[1::2], strict=True))
