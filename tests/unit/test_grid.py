"""Grids, seeds and draws: which variants a study has, and what is refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import truestep as ts
from truestep.sweep.grid import variants

ONE_POINT = {"fixed": None, "seeds": None, "share": (), "trials": None}


def made(grid, **changes):
    return variants(grid, **{**ONE_POINT, **changes})


def test_a_grid_is_crossed_and_the_seeds_of_a_point_stand_side_by_side():
    found = made({"lr": [0.1, 0.2], "momentum": (0.0, 0.9)}, seeds=2)
    assert [(v.varied["lr"], v.varied["momentum"], v.seed) for v in found[:4]] == [
        (0.1, 0.0, 0), (0.1, 0.0, 1), (0.1, 0.9, 0), (0.1, 0.9, 1),
    ]  # fmt: skip
    assert [v.index for v in found] == list(range(8))


def test_seeds_drive_weights_and_order_unless_they_are_shared():
    assert [(v.weights, v.order) for v in made(None, seeds=[5, 7])] == [(5, 5), (7, 7)]
    assert [(v.weights, v.order) for v in made(None, seeds=[5, 7], share="weights")] == [(5, 5), (5, 7)]
    assert [(v.weights, v.order) for v in made(None, seeds=[5, 7], share=["weights", "order"])] == [(5, 5), (5, 5)]


def test_a_list_of_settings_is_taken_as_it_is_with_seeds_of_its_own():
    found = made([{"lr": 0.1, "seed": 3}, {"lr": 0.2, "seed": 4}], fixed={"momentum": 0.5})
    assert [(dict(v.varied), v.seed, v.settings["momentum"]) for v in found] == [
        ({"lr": 0.1}, 3, 0.5),
        ({"lr": 0.2}, 4, 0.5),
    ]


def test_numbers_in_arrays_and_tensors_are_plain_numbers():
    values = [v.varied["lr"] for v in made({"lr": torch.tensor([0.5, 0.25])})]
    assert values == [0.5, 0.25]
    assert type(values[0]) is float


@given(st.floats(1e-6, 1.0), st.floats(1.5, 1e6), st.integers(1, 50))
def test_draws_lie_between_their_ends_and_are_the_same_each_time(low, factor, trials):
    grid = {"lr": ts.loguniform(low, low * factor), "momentum": ts.uniform(0, 0.9), "kind": ts.choice("abc")}
    found = made(grid, trials=trials)
    assert len(found) == trials
    assert all(low <= v.varied["lr"] <= low * factor * (1 + 1e-12) and 0 <= v.varied["momentum"] < 0.9 for v in found)
    assert {v.varied["kind"] for v in found} <= set("abc")
    assert found == made(grid, trials=trials)


def test_drawn_points_are_taken_at_each_listed_value():
    found = made({"momentum": [0.0, 0.9], "lr": ts.uniform(0, 1)}, trials=3)
    assert [v.varied["lr"] for v in found[:3]] == [v.varied["lr"] for v in found[3:]]


@pytest.mark.parametrize("grid, changes, words", [
    ({"lr": 0.1}, {}, r"several values for lr, as in \{'lr': \[0.1\]\}"),
    ({"lr": []}, {}, "no values for lr"),
    ({"lr": [float("nan")]}, {}, "nan for lr, which is no finite number"),
    ([{"lr": 1}, {"momentum": 1}], {}, "all have the same names"),
    ([], {}, "list of settings"),
    (3, {}, "a grid is name -> values"),
    ({"lr": [1]}, {"fixed": {"lr": 2}}, "lr is in the grid and in fixed"),
    ({"lr": [1]}, {"seeds": 0}, "seeds is a number of seeds"),
    ({"lr": [1]}, {"seeds": [1, 1]}, "different whole numbers"),
    ({"lr": [1]}, {"seeds": 2.5}, r"seeds is a number of seeds, or different whole numbers .* not 2.5"),
    ([{"lr": 1, "seed": 0}], {"seeds": 3}, "a seed in the grid"),
    ({"lr": [1]}, {"share": "seed"}, "share knows 'weights' and 'order', and 'seed'"),
    ({"lr": ts.uniform(0, 1)}, {}, "lr is drawn"),
    ({"lr": [1]}, {"trials": 3}, "nothing in the grid is drawn"),
    ({"lr": ts.uniform(0, 1)}, {"trials": 0}, "trials is a whole number of at least 1"),
    ([{"lr": 1}], {"trials": 3}, "trials counts draws"),
])  # fmt: skip
def test_what_cannot_be_a_grid_is_refused_in_a_sentence(grid, changes, words):
    with pytest.raises(ts.ConfigError, match=words):
        made(grid, **changes)


@pytest.mark.parametrize("draw, words", [
    (lambda: ts.uniform(1, 0), "the lower one first"),
    (lambda: ts.loguniform(0, 1), "low above 0"),
    (lambda: ts.uniform(0, float("inf")), "two finite numbers"),
    (lambda: ts.choice([]), "at least one option"),
])  # fmt: skip
def test_what_cannot_be_drawn_is_refused_in_a_sentence(draw, words):
    with pytest.raises(ts.ConfigError, match=words):
        draw()
