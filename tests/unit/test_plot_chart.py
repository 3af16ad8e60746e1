"""A chart shows every curve and bar in panels, tells them apart without colour, and refuses to draw nothing."""

import pytest

from truestep import plot
from truestep.core.errors import DataError
from truestep.plot.style import render

LINE = plot.Curve("a", [0, 1, 2], [1.0, 2.0, 4.0])


def test_a_name_looks_the_same_in_every_panel_and_is_told_once():
    other = plot.Curve("b", [0, 1], [3.0, 1.0])
    figure = plot.chart([plot.Panel("x", "y", [LINE, other]), plot.Panel("u", "v", [other])])
    (_, first), (second,) = (axes.lines for axes in figure.axes)
    assert first.get_color() == second.get_color()
    assert (first.get_linestyle(), first.get_marker()) == (second.get_linestyle(), second.get_marker())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_six_names_differ_by_colour_line_and_mark():
    curves = [plot.Curve(str(i), [0, 1], [i, i]) for i in range(6)]
    lines = plot.chart([plot.Panel("x", "y", curves)]).axes[0].lines
    for look in ("get_color", "get_marker"):
        assert len({getattr(line, look)() for line in lines}) == 6


def test_bars_carry_their_values_and_start_at_zero():
    figure = plot.chart([plot.Panel("x", "y", bars=[plot.Bars("a", {"one": 1.0, "two": -2.5})])], "A title")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["1", "-2.5"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one", "two"]
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(0, 1.0), (0, -2.5)]
    assert figure.get_suptitle() == "A title"
    assert not figure.legends, "a single series is told by the axes"


def test_a_band_a_level_and_logarithmic_axes_are_drawn():
    curve = plot.Curve("a", [1, 10], [1.0, 100.0], [0.5, 50.0], [2.0, 200.0])
    figure = plot.chart([plot.Panel("x", "y", [curve], log="xy", level={"known": 10.0})])
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert len(axes.collections) == 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "known"]
    assert render(figure, "png", dpi=50)


def test_a_chart_of_nothing_and_one_of_too_many_names_are_refused():
    for panels in ([], [plot.Panel("x", "y")]):
        with pytest.raises(DataError, match=r"^there is nothing to draw: give at least one panel, and each"):
            plot.chart(panels)
    many = [plot.Curve(str(i), [0], [i]) for i in range(7)]
    with pytest.raises(DataError, match=r"^7 names are more than the 6 that can be told apart: draw fewer\.$"):
        plot.chart([plot.Panel("x", "y", many)])
