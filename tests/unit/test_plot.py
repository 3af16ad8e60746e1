"""Figures show every number that there is, hide none behind another thing, and need neither screen nor pyplot."""

import math

import numpy as np
import pytest
import torch

from truestep import plot
from truestep.core.errors import ConfigError, DataError
from truestep.plot.style import render


def record(epoch, **more):
    loss = {"train_loss": 2.3 * 0.7**epoch, "valid_loss": 2.2 * 0.8**epoch + 0.02 * epoch}
    return {
        "epoch": epoch,
        **loss,
        "train_accuracy": 1 - 0.7**epoch,
        "valid_accuracy": 1 - 0.8**epoch,
        "lr": 0.1,
        **more,
    }


def history(epochs, **more):
    return [record(epoch, **more) for epoch in range(1, epochs + 1)]


def lines(axes):
    return [line for line in axes.lines if line.get_marker() not in ("None", None, "")]


LONG = "A title that goes on and on about recipe, data, seed and rate, " * 3
FIGURES = {
    "plain": lambda: plot.curves(history(10), "LeNet-5 on handwritten digits"),
    "one epoch": lambda: plot.curves(history(1)),
    "one panel": lambda: plot.curves([{"epoch": e, "train_loss": 10.0**-e, "valid_loss": 1.0} for e in range(5)], LONG),
    "late": lambda: plot.curves(
        [{"epoch": 10**6 + e, "train_loss": 1.0, "valid_loss": 2.0} for e in range(3)], best=10**6
    ),
    "many": lambda: plot.curves(
        history(300, train_f1=0.5, valid_f1=0.5, valid_top5_error=0.1, train_perplexity=9.0), LONG
    ),
    "all lost": lambda: plot.curves(history(3, train_loss=math.nan, valid_loss=math.inf), "Lost"),
    "long names": lambda: plot.curves(history(3, valid_mean_absolute_percentage_error_of_the_second_output=0.5)),
    "grid": lambda: plot.image_grid(torch.rand(11, 1, 8, 8), list(range(11)), [0, 1, 7, *range(3, 11)]),
    "words": lambda: plot.image_grid(
        torch.rand(2, 8, 8), ["bag", "the longest word"], ["coat of many colours", "boot"]
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_all_text_is_inside_the_figure_and_nothing_lies_on_anything(name):
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    whole = figure.bbox.padded(1)
    panels = [axes.get_window_extent(renderer) for axes in figure.axes]
    outer = [axes.get_tightbbox(renderer) for axes in figure.axes]
    beside = [each.get_window_extent(renderer) for each in (*figure.legends, *figure.texts)]
    for box in (*outer, *beside):
        assert whole.x0 <= box.x0
        assert box.x1 <= whole.x1
        assert whole.y0 <= box.y0
        assert box.y1 <= whole.y1
    for number, box in enumerate(beside):
        assert not any(box.padded(-1).overlaps(other) for other in (*outer, *beside[number + 1 :]))
    for number, box in enumerate(outer):
        assert not any(box.padded(-1).overlaps(other) for other in (*panels[number + 1 :], *outer[number + 1 :]))


@pytest.mark.parametrize("name", ["plain", "one epoch", "one panel", "late", "many", "all lost", "long names"])
def test_every_panel_has_labelled_axes_and_something_in_it(name):
    for axes in FIGURES[name]().axes:
        assert axes.get_xlabel() == "epoch"
        assert axes.get_ylabel()
        assert axes.texts or any(np.isfinite(line.get_ydata()).any() for line in lines(axes))


def test_the_loss_comes_first_and_every_metric_has_a_panel():
    figure = plot.curves(history(4, train_f1=0.5, seconds=1.0, samples=10, train_nothing=None))
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "loss (total / count)",
        "accuracy (fraction correct)",
        "f1",
    ]
    assert [len(lines(axes)) for axes in figure.axes] == [2, 2, 1]


def test_the_curves_are_the_figures_of_the_history():
    told = history(7)
    train, valid = lines(plot.curves(told).axes[0])
    assert train.get_xdata().tolist() == [each["epoch"] for each in told]
    assert train.get_ydata().tolist() == [each["train_loss"] for each in told]
    assert valid.get_ydata().tolist() == [each["valid_loss"] for each in told]


def test_training_and_validation_differ_by_more_than_colour():
    train, valid = lines(plot.curves(history(3)).axes[0])
    for differ in ("get_color", "get_linestyle", "get_marker"):
        assert getattr(train, differ)() != getattr(valid, differ)()


def test_one_legend_names_everything_that_is_drawn():
    (legend,) = plot.curves(history(9)).legends
    assert [text.get_text() for text in legend.get_texts()] == ["training", "validation", "best epoch: 9"]
    (legend,) = plot.curves([{"epoch": 1, "train_loss": 1.0}]).legends
    assert [text.get_text() for text in legend.get_texts()] == ["training"]


def test_the_best_epoch_is_marked_in_every_panel():
    for best, marked in ((None, 2), (3, 3)):
        told = [{"epoch": e, "valid_loss": loss, "valid_f1": 0.5} for e, loss in enumerate([3.0, math.nan, 1.0, 2.0])]
        for axes in plot.curves(told, best=best).axes:
            (mark,) = [line for line in axes.lines if line not in lines(axes)]
            assert list(mark.get_xdata()) == [marked, marked]


def test_an_epoch_that_is_not_there_cannot_be_the_best():
    with pytest.raises(ConfigError, match="best=9 is not an epoch of this history, which has 1 to 3"):
        plot.curves(history(3), best=9)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, None, "diverged", [1, 2]])
def test_what_is_no_finite_number_leaves_a_gap(odd):
    told = history(5)
    told[2]["train_loss"] = odd
    train, _ = lines(plot.curves(told).axes[0])
    assert np.isnan(train.get_ydata()).tolist() == [False, False, True, False, False]


def test_a_metric_that_begins_late_is_drawn_where_it_is():
    told = history(3)
    told[2]["valid_f1"] = 0.5
    assert np.isnan(lines(plot.curves(told).axes[2])[0].get_ydata()).tolist() == [True, True, False]


def test_a_value_that_stands_alone_has_a_mark_in_the_longest_history():
    told = history(500)
    for each in told:
        if each["epoch"] != 252:
            each["valid_loss"] = math.nan
    _, valid = lines(plot.curves(told).axes[0])
    assert 251 in valid.get_markevery()
    train, _ = lines(plot.curves(history(500)).axes[0])
    assert len(train.get_markevery()) <= 25


@pytest.mark.parametrize(
    "losses, scale",
    [
        ([1.0, 0.011], "linear"),
        ([1.0, 0.0099], "log"),
        ([1.0, 0.0], "linear"),
        ([1.0, -0.001], "linear"),
        ([1.0], "linear"),
    ],
)
def test_the_loss_is_logarithmic_when_it_spans_more_than_two_decades(losses, scale):
    told = [{"epoch": e, "train_loss": loss, "valid_loss": math.inf, "train_f1": loss} for e, loss in enumerate(losses)]
    loss, metric = plot.curves(told).axes
    assert loss.get_yscale() == scale
    assert metric.get_yscale() == "linear"


def test_epochs_are_whole_numbers():
    for epochs in (1, 2, 3, 30, 300):
        figure = plot.curves(history(epochs))
        figure.draw_without_rendering()
        ticks = figure.axes[0].get_xticks()
        assert len(ticks) >= 1
        assert (ticks == ticks.round()).all()


def test_numbers_may_be_tensors():
    train, _ = lines(plot.curves([record(1, train_loss=torch.tensor(0.5))]).axes[0])
    assert train.get_ydata().tolist() == [0.5]


@pytest.mark.parametrize("told", [[], [{}], [{"epoch": 1, "lr": 0.1}], [{"epoch": 1, "train_loss": None}]])
def test_nothing_to_draw_is_one_sentence(told):
    with pytest.raises(
        DataError, match="there is nothing to draw: the history has no epoch with a train_… or valid_… figure"
    ):
        plot.curves(told)


def test_a_dollar_sign_is_a_dollar_sign():
    figure = plot.curves(history(2, **{"valid_cost_$x^2$_%": 1.0}), "for $5_ and $6^")
    svg = render(figure, "svg", dpi=150).decode()
    assert "for $5_ and $6^</text>" in svg
    assert "cost $x^2$ %</text>" in svg
