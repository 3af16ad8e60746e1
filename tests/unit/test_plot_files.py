"""Figures are alike in threads, in notebooks, under anybody's settings, and as files."""

import subprocess
import sys
import threading
from xml.etree import ElementTree

import matplotlib
import pytest
import torch
from matplotlib.figure import Figure

from truestep import plot
from truestep.core.errors import ConfigError
from truestep.store.atomic import StoreError


def history(epochs):
    return [
        {"epoch": each, "train_loss": 2.3 * 0.7**each, "valid_loss": 2.2 * 0.8**each} for each in range(1, epochs + 1)
    ]


FIGURES = {
    "curves": lambda: plot.curves(history(30), "LeNet-5"),
    "images": lambda: plot.image_grid(torch.arange(128.0).view(2, 8, 8), [0, 1], [0, 7]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_equal_figures_are_equal_files(tmp_path, name):
    first = plot.save(FIGURES[name](), tmp_path / "a", "x")
    second = plot.save(FIGURES[name](), tmp_path / "b", "x")
    assert first == (tmp_path / "a" / "x.png", tmp_path / "a" / "x.svg")
    assert first[0].read_bytes().startswith(b"\x89PNG")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_text_in_an_svg_stays_text_and_no_date_is_in_it(tmp_path):
    _, svg = plot.save(plot.curves(history(3), "LeNet-5 & <digits>"), tmp_path, "curves")
    text = svg.read_text()
    ElementTree.fromstring(text)  # well-formed
    assert "LeNet-5 &amp; &lt;digits&gt;</text>" in text
    assert "loss (total / count)</text>" in text
    assert "<dc:date>" not in text


def test_a_png_has_150_dots_an_inch(tmp_path):
    png, _ = plot.save(plot.curves([{"epoch": 1, "train_loss": 1.0}]), tmp_path, "x")
    data = png.read_bytes()
    assert int.from_bytes(data[16:20], "big") == round(4.4 * 150)


def test_a_figure_of_ones_own_can_be_saved(tmp_path):
    figure = Figure()
    figure.add_subplot().plot([1, 2])
    assert all(path.stat().st_size > 1000 for path in plot.save(figure, tmp_path, "own"))


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(StoreError, match="taken cannot be made: file exists"):
        plot.save(plot.curves(history(1)), tmp_path / "taken", "x")


def test_a_figure_shows_itself_in_a_notebook():
    assert plot.curves(history(2))._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]


def test_the_users_own_settings_are_neither_used_nor_changed(tmp_path):
    plain = plot.save(plot.curves(history(3), "x"), tmp_path, "plain")[0].read_bytes()
    own = {"axes.facecolor": "black", "text.color": "white", "figure.facecolor": "black", "svg.hashsalt": "own"}
    with matplotlib.rc_context(own):
        before = dict(matplotlib.rcParams)
        dark = plot.save(plot.curves(history(3), "x"), tmp_path, "dark")[0].read_bytes()
        assert dict(matplotlib.rcParams) == before
    assert dark == plain


def test_threads_draw_what_one_thread_draws(tmp_path):
    told = [history(epochs) for epochs in (2, 5, 9, 14)]
    alone = [plot.save(plot.curves(each), tmp_path / "alone", str(number)) for number, each in enumerate(told)]
    together = {}

    def draw(number):
        together[number] = plot.save(plot.curves(told[number]), tmp_path / "together", str(number))

    threads = [threading.Thread(target=draw, args=(number,)) for number in range(len(told))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, paths in enumerate(alone):
        assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in together[number]]


def test_importing_loads_no_matplotlib_and_drawing_loads_no_pyplot():
    program = (
        "import sys; from truestep import plot; assert 'matplotlib' not in sys.modules\n"
        "figure = plot.curves([{'epoch': 1, 'train_loss': 1.0}]); figure._repr_png_()\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
        "assert callable(plot.curves) and callable(plot.save) and callable(plot.image_grid)\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    "call", [lambda: plot.curves([]), lambda: plot.image_grid([], []), lambda: plot.save(None, "", "")]
)  # type: ignore[arg-type]
def test_a_missing_matplotlib_is_one_sentence(monkeypatch, call):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r'^figures need matplotlib \(.*\): pip install "truestep\[plot\]"$'):
        call()
