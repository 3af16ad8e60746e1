"""Curves in few points keep their valleys, peaks and gaps; runs that are followed are read once."""

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the board needs truestep[board]")
pytest.importorskip("uvicorn", reason="the board needs truestep[board]")

from truestep.board.curves import Curve, number, thinned
from truestep.board.facts import figure_of, run_facts
from truestep.board.follow import Followed, Following
from truestep.board.parts import sparkline
from truestep.store.following import scalars_after
from truestep.store.runs import DATABASE
from unit.board_cases import make_run


@pytest.mark.parametrize("count", [1, 2, 299, 300, 301, 899, 1000, 99_999])
def test_thinning_keeps_both_ends_every_extreme_and_every_gap(count):
    rng = np.random.default_rng(count)
    values = rng.normal(size=count)
    values[rng.integers(count)] = np.nan
    peak, valley = rng.integers(count, size=2)
    values[peak], values[valley] = 99.0, -99.0
    kept = thinned(values, 300)
    assert len(kept) <= 303
    assert np.all(np.diff(kept) > 0)
    assert {0, count - 1, int(valley)} <= set(kept.tolist())
    assert peak in kept or peak == valley
    assert np.isnan(values[kept]).any() == np.isnan(values).any()
    if count <= 300:
        np.testing.assert_array_equal(kept, np.arange(count))


def test_thinning_keeps_the_extremes_of_every_part():
    values = np.random.default_rng(0).normal(size=3000)
    kept = set(thinned(values, 300).tolist())
    for part in range(100):
        own = slice(30 * part, 30 * part + 30)
        assert {30 * part + int(values[own].argmin()), 30 * part + int(values[own].argmax())} <= kept


def test_a_curve_without_a_number_is_a_gap():
    assert np.isnan(np.full(5000, np.nan)[thinned(np.full(5000, np.nan), 300)]).all()


def test_a_step_that_is_recorded_again_counts_as_recorded_last():
    curve = Curve()
    curve.add(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    curve.add(np.array([2.0, 3.0, 4.0, 4.0]), np.array([20.0, np.inf, 40.0, 41.0]))
    assert curve.points() == {"x": [1, 2, 3, 4], "y": [1, 20, None, 41]}
    assert curve.points(after=2) == {"x": [3, 4], "y": [None, 41]}


def test_the_trend_is_the_mean_of_every_part():
    curve = Curve()
    values = np.random.default_rng(0).normal(size=1001)
    values[11:22], values[23:33], values[500] = np.nan, np.nan, np.inf
    curve.add(np.arange(1.0, 1002.0), values)
    told = curve.trend()
    parts = [values[at : at + 11][np.isfinite(values[at : at + 11])] for at in range(0, 1001, 11)]
    assert told["y"] == [pytest.approx(part.mean(), rel=1e-6) if len(part) else None for part in parts]
    assert told["y"][1] is None
    assert (told["x"][0], told["x"][-1]) == (6, 996)
    short = Curve()
    short.add(np.arange(300.0), np.arange(300.0))
    assert short.trend() is None


def test_a_long_run_is_told_in_few_points_and_read_once(tmp_path, monkeypatch):
    folder, database = make_run(tmp_path, steps=20_000, end="")
    followed = Followed()
    first = run_facts(folder, followed)
    (loss,) = [curve for curve in first["curves"] if curve["by"] == "step"]
    assert len(loss["x"]) < 2500
    assert loss["x"][-1] == first["step"] == 20_000
    database.scalars([(20_001, "train_loss", 0.5)])
    database.flush()
    rows = []
    after = scalars_after(folder / DATABASE, 20_000)
    monkeypatch.setattr("truestep.board.follow.scalars_after", lambda path, row: rows.append(row) or after)
    run_facts(folder, followed, first["mark"])
    assert rows == [20_000]
    database.close()


def test_rows_are_read_in_the_order_in_which_they_were_recorded(tmp_path):
    folder, _ = make_run(tmp_path, steps=3)
    last, found = scalars_after(folder / DATABASE)
    assert last == 3
    np.testing.assert_array_equal(found["train_loss"][0], [1, 2, 3])
    np.testing.assert_array_equal(found["train_loss"][1], [1, np.nan, 1 / 3])
    assert scalars_after(folder / DATABASE, 3) == (3, {})


def test_memory_is_bound_by_forgetting_what_was_not_looked_at_for_longest(tmp_path):
    following = Following(most=10)
    for name in "abc":
        folder, _ = make_run(tmp_path, name, steps=2, epochs=0)
        run_facts(folder, following.of(name))
    first = following.of("a")
    run_facts(make_run(tmp_path, "d", steps=8, epochs=0)[0], following.of("d"))
    assert following.of("d").size == 8
    assert following.of("a") is first
    assert following.of("b").size == 0


def test_a_figure_and_its_side_are_read_from_the_name():
    assert figure_of("valid_top_5") == {"figure": "top_5", "side": "valid"}
    assert figure_of("grad_norm") == {"figure": "grad_norm", "side": ""}
    assert figure_of("train_") == {"figure": "train_", "side": ""}


def test_whatever_is_no_number_is_not_a_number():
    assert [number(value) for value in (1, 0.5)] == [1.0, 0.5]
    assert all(np.isnan(number(value)) for value in (None, "1", True, [1], 10**400))


def test_a_sparkline_breaks_off_where_there_is_no_number_and_says_its_ends():
    found = sparkline({"train": [4.0, 3.0, None, 1.0, 0.5], "valid": []})
    assert found.count("M") == 2
    assert 'aria-label="train loss from 4 to 0.5"' in found
    assert sparkline({"train": [1.0], "valid": [2.0]}) == sparkline({"train": [], "valid": []}) == ""
