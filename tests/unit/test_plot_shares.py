"""The figure of a ledger stacks every share on its own side of zero, and can be read with one and with many bars."""

import math

import pytest

from truestep import plot
from truestep.core.errors import DataError
from truestep.plot.style import render
from unit.ledger_cases import REAL, deep, everything


def bars(figure):
    """(place, start, end) of every bar, by its row."""
    found = {}
    for patch in figure.axes[0].patches:
        row = round(patch.get_y() + patch.get_height() / 2)
        found.setdefault(row, []).append((patch.get_x(), patch.get_x() + patch.get_width()))
    return found


def inside(figure):
    figure.canvas.draw()
    box = figure.bbox
    texts = [*figure.axes[0].get_yticklabels(), *figure.legends[0].get_texts()]
    return all(box.x0 <= t.get_window_extent().x0 and t.get_window_extent().x1 <= box.x1 for t in texts)


@pytest.mark.parametrize("case", REAL.values(), ids=REAL)
@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
def test_a_ledger_draws_a_bar_for_each_parameter(case):
    ledger = case()
    figure = ledger.plot()
    assert len(figure.axes[0].get_yticklabels()) == len(ledger)
    assert render(figure, "png", dpi=50)
    assert figure.get_suptitle().split() == ledger.words.split()


def test_shares_stand_behind_one_another_on_their_side_of_zero():
    figure = plot.ledger_shares({"w": {"a": 0.9, "b": -0.2, "c": 0.5, "d": -0.2}}, ["a", "b", "c", "d"])
    ends = [(pytest.approx(x), pytest.approx(y)) for x, y in [(0, 0.9), (0, -0.2), (0.9, 1.4), (-0.2, -0.4)]]
    assert bars(figure) == {0: ends}


def test_the_ends_of_a_row_add_up_to_its_whole():
    ledger = everything()
    for row, name in zip(sorted(found := bars(ledger.plot())), ledger, strict=True):
        reach = max(end for _, end in found[row]) + min(min(end, 0.0) for _, end in found[row])
        assert reach == pytest.approx(sum(ledger[name].shares.values()), abs=1e-6)


def test_causes_have_the_order_that_is_asked_for_and_those_that_nobody_sees_no_legend():
    shares = {"w": {"a": 0.7, "b": 0.3, "rounding": 1e-9}}
    figure = plot.ledger_shares(shares, ["b", "a"])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["b", "a"]


def test_forty_parameters_and_one_can_be_read():
    many = deep().plot()
    one = plot.ledger_shares({"w": {"a": 1.0}})
    for figure, rows in ((many, 50), (one, 1)):
        assert inside(figure)
        height = figure.axes[0].get_window_extent().height / rows
        assert height > 20  # dots, at 100 an inch
    assert next(label.get_text() for label in many.axes[0].get_yticklabels()) == "0.weight"
    assert many.axes[0].yaxis_inverted()


def test_more_parameters_than_a_figure_holds_are_counted():
    figure = plot.ledger_shares({f"w{i}": {"a": 1.0} for i in range(130)})
    assert len(figure.axes[0].get_yticklabels()) == 100
    assert "(30 more parameters are not drawn)" in figure.axes[0].get_xlabel()


def test_a_parameter_that_did_not_move_or_is_not_finite_says_so():
    figure = plot.ledger_shares({"still": {"a": 0.0}, "broken": {"a": math.nan}, "moved": {"a": 1.0}})
    assert [text.get_text() for text in figure.axes[0].texts] == ["did not move", "not finite", "100 %"]


def test_long_and_odd_names_stay_inside_and_start_no_formula():
    figure = plot.ledger_shares({"x" * 200: {r"$\nope$": 1.5, "\x1b[31m" * 30: -0.5}}, title=r"$\nope$ " * 30)
    assert inside(figure)
    assert rb"$\nope$" in render(figure, "svg", dpi=100)


def test_a_ledger_without_parameters_is_refused():
    with pytest.raises(DataError, match="there is nothing to draw: the ledger has no parameter"):
        plot.ledger_shares({})
