"""A figure that grows costs the same however many points it has, loses no peak, and is whole wherever it is shown."""

import atexit
import base64
import math
import subprocess
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truestep import plot
from truestep.core.errors import ConfigError
from truestep.fit import showing
from truestep.plot.buckets import MOST, Bucket
from truestep.plot.growing import PATIENCE, Live


class Clock:
    """Time that passes when it is told to."""

    now = 0.0

    def __call__(self):
        return self.now


def live(clock=None, path=None, said=None):
    return Live((3.0, 2.0), 1, 1, path, (said if said is not None else []).append, clock or Clock())


def drawn(trace):
    trace.show()
    return list(zip(*trace.line.get_data(), strict=True))


def test_few_points_are_drawn_as_they_are():
    trace = live().trace("m--")
    for k in range(MOST // 2):
        trace.add(k, k * k)
    assert drawn(trace) == [(k, k * k) for k in range(MOST // 2)]
    assert trace.line.get_linestyle() == "--"


def test_drawing_does_not_grow_with_the_points():
    figure = live()
    trace = figure.trace()
    artists = len(figure.axes[0].get_children())
    sizes = []
    for k in range(20 * MOST):
        trace.add(k, math.sin(k / 500))
        if k % 97 == 0:
            sizes.append(len(drawn(trace)))
    assert max(sizes) <= MOST
    assert sizes[-1] >= MOST // 4
    assert trace.points == 20 * MOST
    assert len(trace._buckets._buckets) <= MOST // 2  # what an addition can cost at most, and what is kept
    assert len(figure.axes[0].get_children()) == artists


@given(st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), min_size=1, max_size=MOST // 4))
def test_no_peak_is_lost_and_the_order_is_kept(values):
    values = values * (2 * MOST // len(values) + 1)  # more than are drawn
    trace = live().trace()
    for k, value in enumerate(values):
        trace.add(k, value)
    points = drawn(trace)
    assert all(values[int(k)] == y or (math.isnan(values[int(k)]) and math.isnan(y)) for k, y in points)
    assert [k for k, _ in points] == sorted(k for k, _ in points)
    finite = [value for value in values if not math.isnan(value)]
    if finite:
        kept = [y for _, y in points if not math.isnan(y)]
        assert (min(kept), max(kept)) == (min(finite), max(finite))


@pytest.mark.parametrize("at", [0, MOST // 2 - 1, MOST // 2, MOST // 2 + 1, MOST, 2 * MOST, 2 * MOST + 1])
def test_a_peak_where_points_begin_to_share_a_bucket_is_drawn(at):
    trace = live().trace()
    for k in range(3 * MOST):
        trace.add(k, float(k == at))
    assert (at, 1.0) in drawn(trace)


def test_a_point_that_stands_alone_is_seen_and_a_line_has_no_marks():
    trace = live().trace("r:")
    trace.add(1, 2)
    drawn(trace)
    assert trace.line.get_marker() == "o"
    trace.add(2, math.inf)
    assert math.isnan(drawn(trace)[1][1])
    assert trace.line.get_marker() == "None"


def test_the_limits_follow_the_points_unless_they_are_set():
    figure = live()
    trace = figure.trace()
    figure.axes[0].set_ylim(0, 1)
    for k in range(3):
        trace.add(10 * k, 5.0)
        figure.draw()
    assert figure.axes[0].get_xlim()[1] >= 20
    assert figure.axes[0].get_ylim() == (0, 1)


def test_all_drawings_take_at_most_a_tenth_of_the_time_and_the_end_is_drawn(monkeypatch):
    clock, waiting = Clock(), []
    monkeypatch.setattr(atexit, "register", waiting.append)
    monkeypatch.setattr(atexit, "unregister", waiting.remove)
    figure = live(clock)
    trace = figure.trace()
    monkeypatch.setattr(trace, "show", lambda: setattr(clock, "now", clock.now + 1.0))  # a drawing takes a second
    figure.refresh()
    assert (figure.drawings, clock.now) == (1, 1.0)
    for _ in range(1000):
        clock.now += 0.1
        figure.refresh()
    assert figure.drawings * 1.0 <= clock.now / (PATIENCE + 1) + 1
    assert figure.drawings >= 100 / (PATIENCE + 1)
    assert len(waiting) == 1
    before = figure.drawings
    waiting[0]()
    assert (figure.drawings, waiting) == (before + 1, [])


def test_the_last_point_of_a_program_is_in_its_file(tmp_path):
    program = """
import sys
from truestep import plot
figure = plot.live((3, 2), path=sys.argv[1], say=print)
line = figure.trace()
for k in range(200):
    line.add(k, k)
    figure.refresh()
print(figure.drawings)
draw = figure.draw
figure.draw = lambda: (draw(), print("last", line.line.get_xdata()[-1]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "new" / "x.png")], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert lines[0] == f"the figure is drawn to {tmp_path / 'new' / 'x.png'}"
    assert int(lines[1]) < 200
    assert lines[2] == "last 199.0"
    assert (tmp_path / "new" / "x.png").read_bytes().startswith(b"\x89PNG")


def test_a_figure_that_cannot_be_written_is_said_once_and_costs_nothing_else(tmp_path):
    (tmp_path / "file").write_text("")
    said = []
    figure = live(path=tmp_path / "file" / "x.png", said=said)
    figure.trace().add(1, 1)
    for _ in range(3):
        figure.draw()
    assert len(said) == 1
    assert said[0].startswith("the figure is not drawn: ")


def test_a_gap_at_the_start_of_a_bucket_hides_neither_end_of_it():
    gap = (0, 0.0, math.nan)
    bucket = Bucket(gap, gap, 0, 0.0, 0.0)
    for point in ((1, 1.0, 5.0), (2, 2.0, 1.0), (3, 3.0, 9.0), (4, 4.0, 9.0)):
        bucket.take(point)
    assert (bucket.low, bucket.high) == ((2, 2.0, 1.0), (3, 3.0, 9.0))
    assert (bucket.number, bucket.sum_x, bucket.sum_y) == (4, 10.0, 24.0)


class Shell:
    """What a notebook's shell has that we use."""

    kernel = object()

    def __init__(self):
        self.published, self.waiting = [], []
        self.display_pub = SimpleNamespace(publish=lambda **message: self.published.append(message))
        self.events = SimpleNamespace(
            register=lambda name, call: self.waiting.append((name, call)),
            unregister=lambda name, call: self.waiting.remove((name, call)),
        )


@pytest.fixture
def shell(monkeypatch):
    found = Shell()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: found))
    return found


def test_a_notebook_has_one_output_that_is_updated_in_place(shell, tmp_path):
    figure = plot.live((3, 2), path=tmp_path / "x.png")
    line = figure.trace()
    for k in range(3):
        line.add(k, k)
        figure.draw()
    assert [message["update"] for message in shell.published] == [False, True, True]
    assert len({message["transient"]["display_id"] for message in shell.published}) == 1
    assert base64.b64decode(shell.published[-1]["data"]["image/png"]).startswith(b"\x89PNG")
    assert shell.published[0]["metadata"]["image/png"] == {"width": 300, "height": 200}
    assert not (tmp_path / "x.png").exists()
    other = plot.live((3, 2))
    other.draw()
    assert shell.published[-1]["transient"] != shell.published[0]["transient"]


def test_the_last_point_of_a_cell_is_drawn_when_it_ends(shell):
    clock = Clock()
    figure = live(clock)
    line = figure.trace()
    line.add(1, 1)
    figure.draw()
    figure._quiet_until = 1.0
    for k in range(5):
        line.add(2 + k, 1)
        figure.refresh()
    assert len(shell.published) == 1
    ((event, call),) = shell.waiting
    assert event == "post_run_cell"
    call(SimpleNamespace())  # what the cell gave
    assert (len(shell.published), shell.waiting) == (2, [])
    assert line.line.get_xdata()[-1] == 6


def test_a_terminal_is_no_notebook(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace()))
    assert showing.notebook_shell() is None
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert showing.notebook_shell() is None


def test_a_notebook_is_asked_for_svg_and_nothing_else_is(shell, monkeypatch):
    asked = []
    monkeypatch.setitem(
        sys.modules, "matplotlib_inline.backend_inline", SimpleNamespace(set_matplotlib_formats=asked.append)
    )
    monkeypatch.setitem(sys.modules, "matplotlib_inline", SimpleNamespace())
    plot.svg_in_notebook()
    assert asked == ["svg"]
    del shell.__class__.kernel
    try:
        plot.svg_in_notebook()
    finally:
        shell.__class__.kernel = object()
    assert asked == ["svg"]


@pytest.mark.parametrize("call", [plot.live, plot.pyplot, plot.svg_in_notebook])
def test_without_matplotlib_one_sentence_says_how_to_get_it(call, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r'^figures need matplotlib \(.*\): pip install "truestep\[plot\]"$'):
        call()
