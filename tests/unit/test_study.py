"""A study answers from its variants: table, curve, points, best, models, files."""

import csv
import io
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

import truestep as ts
from truestep.fit.history import Record
from truestep.sweep.curve import Curve, quantile
from truestep.sweep.table import Table
from unit.study_cases import DIVERGING, TWO, data, study


def test_the_table_has_a_row_a_variant_in_the_order_of_the_grid():
    table = study().table
    assert table.columns == ["lr", "seed", "train_loss", "valid_loss"]
    assert list(zip(table["lr"], table["seed"], strict=True)) == [
        (lr, s) for lr in (0.1, 0.001, 0.01) for s in range(4)
    ]
    assert len(table[:5]) == 5
    assert table[:5].columns == table.columns


def test_the_curve_is_median_and_quantiles_over_seeds_in_rising_order():
    found = study()
    x, median, low, high = found.curve("lr", "valid_loss")
    assert x.tolist() == [0.001, 0.01, 0.1]
    for place, lr in enumerate(x.tolist()):
        values = found.table.where(lr=lr)["valid_loss"]
        assert len(values) == 4
        expected = [np.quantile(values, share) for share in (0.5, 0.1, 0.9)]
        np.testing.assert_allclose([median[place], low[place], high[place]], expected, rtol=1e-12)
    assert found.curve("lr", band=(0.0, 1.0)).high[0] == max(found.table.where(lr=0.001)["valid_loss"])


def test_a_variant_that_diverged_counts_as_infinitely_bad():
    found = study(grid=DIVERGING, epochs=30)
    curve = found.curve("lr")
    assert math.isinf(curve.median[-1])
    assert np.isfinite(curve.median[:-1]).all()
    assert curve.least() is not None
    assert all(row.diverged > 0 for row in found.table.where(lr=1e4))
    assert math.isnan(found.table.where(lr=1e4)[0].valid_loss)
    assert quantile([0.5, math.nan], 0.9) == math.inf
    assert quantile([math.nan, 0.5, 0.5], 0.0, more=True) == 0.0


def test_where_other_settings_differ_the_curve_asks_for_one():
    found = study(grid=TWO)
    with pytest.raises(ts.ConfigError) as said:
        found.curve("lr", "valid_loss")
    assert str(said.value) == (
        "momentum differs as well, in 2 values: pick one, study.curve('lr', 'valid_loss', momentum=0.0)."
    )
    assert found.curve("lr", momentum=0.9).x.tolist() == [0.001, 0.01, 1e4]
    with pytest.raises(ts.ConfigError) as said:
        found.curve("lr", momentum=0.5)
    assert str(said.value) == "no variant has momentum=0.5: momentum is one of [0.0, 0.9]."


@pytest.mark.parametrize(
    "median, least, flat",
    [
        ([9.0, 5.0, 1.0, 1.04, 1.0], 2, 2),
        ([9.0, 5.0, 1.0, 1.06, 1.0], 2, None),
        ([1.0, 1.0, 1.0], 0, 0),
        ([3.0, 2.0, 1.0], 2, None),
        ([2.0, 1.0, math.inf], 1, None),
        ([math.inf, 1.0, 1.0], 1, 1),
        ([math.nan, math.inf], None, None),
        ([1.0], 0, None),
    ],
)
def test_a_curve_is_flat_from_where_it_stays_within_a_twentieth_of_its_end(median, least, flat):
    values = np.array(median)
    curve = Curve(np.arange(len(values)), values, values, values)
    assert (curve.least(), curve.flat_from()) == (least, flat)


def test_points_say_the_same_as_the_curve():
    found = study()
    points, curve = found.points("valid_loss", "weight_norm"), found.curve("lr")
    assert points["lr"] == [0.1, 0.001, 0.01]
    assert points["seeds"] == [4, 4, 4]
    assert [points.where(lr=lr)[0].valid_loss_high for lr in curve.x.tolist()] == curve.high.tolist()


def test_pairs_and_words_have_curves_too():
    def model(kind):
        return nn.Linear(3, 1, bias=kind == "biased")

    found = study(grid=(("kind", ("plain", "biased")),), model=model)
    assert found.curve("kind").x.tolist() == ["biased", "plain"]
    pairs = ts.sweep(
        lambda: nn.Linear(3, 1), data(), nn.MSELoss(), torch.optim.Adam, {"betas": [(0.9, 0.99), (0.5, 0.9)]},
        epochs=1, progress=False,
    )  # fmt: skip
    assert list(pairs.curve("betas").x) == [(0.5, 0.9), (0.9, 0.99)]


def test_the_best_variant_has_the_least_validation_loss_and_its_model_that_loss():
    found = study(grid=DIVERGING, epochs=30)
    best = found.best()
    finite = [value for value in found.table["valid_loss"] if math.isfinite(value)]
    assert best.valid_loss == min(finite)
    model = found.model(best.variant)
    assert not model.training
    assert ts.evaluate(model, data(1), nn.MSELoss()).loss == pytest.approx(best.valid_loss, rel=1e-6)


def test_of_an_accuracy_the_greatest_is_best_and_divergence_the_worst():
    metrics = {"accuracy": lambda output, target: (output > 0) == (target > 0)}
    found = ts.sweep(
        lambda: nn.Linear(3, 1), data(), nn.MSELoss(), torch.optim.SGD, {"lr": [0.1, 0.0, 1e4]}, epochs=30,
        batch_size=10, validate=data(1), metrics=metrics, progress=False,
    )  # fmt: skip
    finite = [value for value in found.table["valid_accuracy"] if math.isfinite(value)]
    assert found.best("valid_accuracy").valid_accuracy == max(finite)
    assert found.curve("lr", "valid_accuracy").median[-1] == 0.0


def test_weight_norms_are_those_of_the_parameters_alone():
    def model():
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))

    found = study(model=model)
    for i, norm in enumerate(found.norms()):
        own = [parameter.detach().double().norm() for parameter in found.model(i).parameters()]
        assert norm == pytest.approx(math.hypot(*map(float, own)), rel=1e-6)


def test_a_column_that_is_not_there_is_named_with_the_nearest():
    with pytest.raises(ts.ConfigError) as said:
        study().curve("lr", "vaild_loss")
    assert str(said.value) == (
        "the table has no column 'vaild_loss'; did you mean valid_loss? it has lr, seed, train_loss, valid_loss."
    )
    with pytest.raises(ts.ConfigError, match="there is no variant 99: this study has 0 to 11"):
        study().model(99)
    assert study().table.where(lr=5).columns == study().table.columns


def test_csv_and_json_hold_every_row():
    table = study(grid=DIVERGING, epochs=30).table
    rows = list(csv.DictReader(io.StringIO(table.to_csv())))
    assert [float(row["train_loss"]) for row in rows][:4] == table["train_loss"][:4]
    assert rows[-1]["valid_loss"] == "nan"
    held = json.loads(table.to_json())
    assert held[-1]["valid_loss"] is None
    assert [row["seed"] for row in held] == table["seed"]
    strange = Table([Record({"activation": nn.ReLU, "betas": (0.9, math.inf), "seed": 0})])
    assert json.loads(strange.to_json()) == [{"activation": "ReLU", "betas": [0.9, None], "seed": 0}]
