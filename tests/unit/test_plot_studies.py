"""A study's figures show every point, say what diverged, and its page stands alone."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from torch import nn

import truestep as ts
from truestep import plot
from truestep.plot.style import render
from unit.study_cases import DIVERGING, TWO, study

LONG_GRID = (("lr", tuple(10.0 ** (k / 4 - 4) for k in range(13))),)
FIGURES = {
    "rates": lambda: study(grid=LONG_GRID).plot("lr", title="Learning rates, a long title that needs some lines, " * 2),
    "diverging": lambda: study(grid=DIVERGING, epochs=30).plot("lr"),
    "two": lambda: study(grid=TWO, epochs=30).plot("lr", "momentum", "Both"),
    "marks": lambda: study(grid=TWO, epochs=30).plot("lr"),
    "no validation": lambda: study(validate=None).plot("lr"),
    "all diverged": lambda: study(grid=(("lr", (1e4, 1e5)),), epochs=30).plot("lr"),
    "all cells diverged": lambda: study(grid=(("lr", (1e4, 1e5)), ("momentum", (0.0, 0.9))), epochs=30).figure(),
    "one point": lambda: study(grid=(("lr", (0.1,)),)).figure(),
    "seeds alone": lambda: study(grid=(), fixed=(("lr", 0.1),)).figure(),
    "words": lambda: study(grid=(("bias", (True, False)),), fixed=(("lr", 0.1),), model=_linear).figure(),
}


def _linear(bias):
    return nn.Linear(3, 1, bias=bias)


def legend(figure):
    return [text.get_text() for each in figure.legends for text in each.get_texts()]


@pytest.mark.parametrize("name", FIGURES)
def test_all_text_is_inside_the_figure_and_nothing_lies_on_anything(name):
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    whole = figure.bbox.padded(1)
    outer = [axes.get_tightbbox(renderer) for axes in figure.axes]
    beside = [each.get_window_extent(renderer) for each in (*figure.legends, *figure.texts)]
    for box in (*outer, *beside):
        assert whole.x0 <= box.x0
        assert box.x1 <= whole.x1
        assert whole.y0 <= box.y0
        assert box.y1 <= whole.y1
    for number, box in enumerate(beside):
        assert not any(box.padded(-1).overlaps(other) for other in (*outer, *beside[number + 1 :]))
    for axes in figure.axes[:1]:
        assert axes.get_xlabel()
        assert axes.get_ylabel()


def test_lines_go_through_the_medians_and_bands_through_the_quantiles():
    found = study()
    axes = found.plot("lr").axes[0]
    for line, band, side in zip(axes.lines, axes.collections, ("train_loss", "valid_loss"), strict=False):
        curve = found.curve("lr", side)
        assert line.get_xdata().tolist() == curve.x.tolist()
        assert line.get_ydata().tolist() == curve.median.tolist()
        corners = band.get_paths()[0].vertices[:, 1]
        assert {*curve.low.tolist(), *curve.high.tolist()} <= set(corners.tolist())


def test_a_median_far_above_the_rest_is_shown_and_one_that_as_good_as_diverged_leaves_the_figure():
    for epochs, shown in ((3, True), (10, False)):
        found = study(grid=(("lr", (0.01, 0.02, 0.05, 0.1, 1.0)),), epochs=epochs)
        median = found.curve("lr").median
        assert np.isfinite(median[-1])
        assert median[-1] > 10_000 * median[:-1].max()
        assert (found.plot("lr").axes[0].get_ylim()[1] >= median[-1]) == shown


def test_an_axis_is_logarithmic_where_it_spans_more_than_two_decades():
    assert study(grid=LONG_GRID).plot("lr").axes[0].get_xscale() == "log"
    assert study(grid=(("lr", (0.1, 0.2)),)).plot("lr").axes[0].get_xscale() == "linear"
    decay = tuple(range(0, 301, 2))  # even steps, and more than two decades without the 0
    fixed = (("lr", 0.003),)
    assert study(grid=(("weight_decay", decay),), fixed=fixed).plot("weight_decay").axes[0].get_xscale() == "linear"
    wide = (0, 1e-4, 1e-2, 1.0)
    assert study(grid=(("weight_decay", wide),), fixed=fixed).plot("weight_decay").axes[0].get_xscale() == "symlog"


def test_what_diverged_and_what_is_least_are_marked():
    found = study(grid=DIVERGING, epochs=30)
    figure = found.plot("lr")
    assert "diverged" in legend(figure)
    curve = found.curve("lr")
    assert f"least validation loss: lr = {curve.x[curve.least()]:g}" in legend(figure)
    crosses = [line for line in figure.axes[0].lines if line.get_marker() == "x"]
    assert [line.get_xdata() for line in crosses] == [[1e4]]
    assert "diverged" not in legend(study().plot("lr"))


def test_a_heat_map_shows_the_median_of_each_cell_and_hatches_what_diverged():
    found = study(grid=TWO, epochs=30)
    axes = found.figure().axes[0]  # two are crossed: the figure is a heat map
    cells = axes.collections[0].get_array().reshape(2, 3)
    for row, momentum in enumerate((0.0, 0.9)):
        median = found.curve("lr", momentum=momentum).median
        assert cells[row, :2].tolist() == median[:2].tolist()
        assert cells.mask[row].tolist() == [False, False, True]
    assert [patch.get_xy() for patch in axes.patches] == [(2, 0), (2, 1)]
    assert all(patch.get_hatch() for patch in axes.patches)
    star = axes.lines[0]
    place = divmod(int(np.argmin(cells.filled(np.inf))), 3)
    assert (star.get_ydata()[0] - 0.5, star.get_xdata()[0] - 0.5) == place


def test_a_name_that_is_no_column_and_one_twice_are_refused():
    with pytest.raises(ts.ConfigError, match="the table has no column 'rate'"):
        plot.study_curve(study(), "rate")
    with pytest.raises(ts.ConfigError, match="a heat map needs two different hyper-parameters, and both are lr"):
        plot.study_heat(study(), "lr", "lr")


def test_the_same_study_gives_the_same_figure():
    assert render(study().plot("lr"), "svg", 100) == render(study().plot("lr"), "svg", 100)


class Page(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_page_stands_alone_and_shows_a_curve_and_a_row_for_every_variant(tmp_path):
    found = study(evaluate_every=1)
    text = found.to_html(tmp_path / "page.html", "Rates <script>alert(1)</script> & more").read_text()
    page = Page(text)
    assert "<script>alert" not in text
    assert "Rates &lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in text
    links = [value for _, attrs in page.tags for key, value in attrs.items() if key in ("src", "href", "xlink:href")]
    assert all(value.startswith("#") for value in links)
    assert "prefers-color-scheme:dark" in text
    assert [a["data-i"] for tag, a in page.tags if tag == "g" and "data-i" in a] == [str(i) for i in range(12)]
    assert [a["data-i"] for tag, a in page.tags if tag == "tr" and "data-i" in a] == [str(i) for i in range(12)]
    lines = [a["points"].split() for tag, a in page.tags if tag == "polyline"]
    assert len(lines) == 24
    assert all(len(points) == 3 for points in lines)
    assert not re.search(r"\b(nan|inf)\b", " ".join(" ".join(points) for points in lines))


def test_a_setting_that_is_markup_is_escaped(tmp_path):
    found = study(grid=(("kind", ("<b>", "&")),), fixed=(("lr", 0.1),), model=lambda kind: nn.Linear(3, 1))
    text = found.to_html(tmp_path / "page.html").read_text()
    assert "<td>&lt;b&gt;</td>" in text
    assert "<b>" not in text


def test_save_leaves_table_figure_and_page(tmp_path):
    found = study()
    written = found.save(tmp_path / "here", "Rates")
    names = ["table.csv", "table.json", "study.png", "study.svg", "study.html"]
    assert [path.name for path in written] == names
    assert all(path.stat().st_size > 0 for path in written)
    assert (tmp_path / "here" / "table.csv").read_text() == found.table.to_csv()
    bare = found.save(tmp_path / "bare", figure=False)
    assert [path.name for path in bare] == ["table.csv", "table.json", "study.html"]
    assert '<div class="figure">' not in bare[-1].read_text()
