"""The book's figures: every curve and every image is there, and the Animator keeps what it was given."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

import truestep as ts
from truestep import d2l


@pytest.fixture(autouse=True)
def _closed(elsewhere):
    d2l.plt.close("all")
    yield
    d2l.plt.close("all")


def lines():
    return [[values.tolist() for values in line.get_data()] for line in d2l.plt.gca().lines]


ONE = [[[0, 1, 2], [3.0, 4.0, 5.0]]]
TWO = [*ONE, [[0, 1, 2], [6.0, 7.0, 8.0]]]


@pytest.mark.parametrize(
    "given, wanted",
    [
        (([3.0, 4.0, 5.0],), ONE),
        ((torch.tensor([3.0, 4.0, 5.0], requires_grad=True),), ONE),
        (([torch.tensor(3.0), torch.tensor(4.0, requires_grad=True), 5],), ONE),
        ((np.array([[3.0, 4.0, 5.0], [6.0, 7.0, 8.0]]),), TWO),
        ((torch.arange(3), torch.tensor([3.0, 4.0, 5.0])), ONE),
        (([0, 1, 2], [[3, 4, 5], [6, 7, 8]]), TWO),
        ((range(3), [torch.tensor([3.0, 4, 5]), np.array([6.0, 7, 8])]), TWO),
        (([[0, 1, 2], [0, 1, 2]], [[3, 4, 5], [6, 7, 8]]), TWO),
    ],
)
def test_plot_takes_one_curve_or_several_of_any_kind(given, wanted):
    d2l.plot(*given)
    assert lines() == wanted


def test_plot_draws_more_curves_than_it_has_styles():
    d2l.plot([0, 1], [[k, k] for k in range(6)], legend=[str(k) for k in range(6)])
    assert len(lines()) == 6  # the book draws four
    assert [text.get_text() for text in d2l.plt.gca().get_legend().get_texts()] == list("012345")
    assert d2l.plt.gca().lines[4].get_linestyle() == d2l.plt.gca().lines[0].get_linestyle()


def test_plot_draws_where_it_is_told_to_and_anew():
    _, (left, right) = d2l.plt.subplots(1, 2)
    for _ in range(2):
        d2l.plot([1, 2], [3, 4], "x", "y", xlim=[1, 2], ylim=[0, 9], xscale="log", yscale="linear", axes=left)
    assert (len(left.lines), len(right.lines)) == (1, 0)
    assert (left.get_xlabel(), left.get_ylabel(), left.get_xscale()) == ("x", "y", "log")
    assert (left.get_xlim(), left.get_ylim()) == ((1, 2), (0, 9))


def test_set_figsize_is_for_the_figures_to_come():
    d2l.set_figsize((4, 3))
    assert d2l.plt.figure().get_size_inches().tolist() == [4, 3]
    d2l.set_figsize()
    assert d2l.plt.figure().get_size_inches().tolist() == [3.5, 2.5]


def test_limits_that_leave_no_room_follow_the_data():
    axes = d2l.plt.gca()
    axes.plot([1], [2])
    d2l.set_axes(axes, "epoch", None, [1, 1], None, "linear", "linear", None)
    assert axes.get_xlim()[0] < 1 < axes.get_xlim()[1]
    assert axes.get_legend() is None


@pytest.mark.parametrize("shape", [(2, 4, 5), (2, 1, 4, 5), (2, 3, 4, 5), (2, 4, 5, 3)])
def test_images_of_every_shape_are_shown_in_their_places(shape):
    images = torch.rand(shape, requires_grad=True)
    axes = d2l.show_images(images, 1, 3, titles=["a", "b$c$"], scale=2)
    assert [len(one.images) for one in axes] == [1, 1, 0]
    assert [one.get_title() for one in axes] == ["a", "b$c$", ""]
    shown = np.asarray(axes[1].images[0].get_array())
    wanted = images[1].detach().squeeze(0)
    wanted = wanted.permute(1, 2, 0) if shape[1] == 3 else wanted
    np.testing.assert_allclose(shown, wanted, rtol=1e-6)
    assert d2l.plt.gcf().get_size_inches().tolist() == [6, 2]


def test_one_image_is_a_grid_too():
    assert len(d2l.show_images([np.zeros((2, 2))], 1, 1)) == 1


def test_predictions_stand_under_the_names_of_the_data_set_and_the_network_stays_as_it_was(monkeypatch):
    monkeypatch.setenv("TRUESTEP_DATA", "digits")
    _, test_iter = d2l.load_data_fashion_mnist(5)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.9), torch.nn.Linear(784, 10))
    X, y = next(iter(test_iter))
    with torch.no_grad():
        guesses = net[2](X.flatten(1)).argmax(1).tolist()
    d2l.predict_ch3(net, test_iter, n=20)  # a batch has 5
    assert net.training
    found = [one.get_title() for one in d2l.plt.gcf().axes]
    assert found == [f"{truth}\n{guess}" for truth, guess in zip(y.tolist(), guesses, strict=True)]
    d2l.predict_ch3(lambda X: torch.eye(10)[: len(X)], [(torch.rand(3, 8, 8), torch.tensor([0, 1, 9]))], n=2)
    assert [one.get_title() for one in d2l.plt.gcf().axes] == ["t-shirt\nt-shirt", "trouser\ntrouser"]


def test_an_animator_keeps_every_point_and_leaves_out_none(tmp_path, capsys):
    animator = d2l.Animator("epoch", legend=["a", "b", "c"], file=tmp_path / "x.png")
    animator.add(0.5, (1, None, None))
    animator.add(1, (0.5, torch.tensor(0.25, requires_grad=True), None))
    animator.add([2, None, 3], (4, 5, 6))
    animator.draw()
    assert animator.X == [[0.5, 1, 2], [1], [3]]
    assert animator.Y == [[1, 0.5, 4], [0.25], [6]]
    assert [len(line.get_xdata()) for line in animator.axes[0].lines] == [3, 1, 1]
    assert [text.get_text() for text in animator.axes[0].get_legend().get_texts()] == ["a", "b", "c"]
    assert capsys.readouterr().err == f"the figure is drawn to {tmp_path / 'x.png'}\n"


def test_an_animator_has_the_axes_and_styles_that_it_is_given():
    animator = d2l.Animator("x", "y", ["a"], [1, 5], [0.1, 9], "linear", "log", ("r-",), 2, 2, (5, 4))
    for k in range(2):
        animator.add(k + 1, (1, 2, 3)[: k + 2])
    first = animator.axes[0]
    assert len(animator.axes) == 4
    assert (first.get_xlabel(), first.get_ylabel(), first.get_yscale()) == ("x", "y", "log")
    assert (first.get_xlim(), first.get_ylim()) == ((1, 5), (0.1, 9))
    assert [to_hex(line.get_color()) for line in first.lines] == ["#ff0000"] * 3  # the third came later
    assert animator.fig.get_size_inches().tolist() == [5, 4]
    with pytest.raises(ts.ShapeError, match=r"^add got 2 x and 3 y: give one x for all, or one for each\.$"):
        animator.add([1, 2], (1, 2, 3))


def test_an_addition_makes_no_new_artist(monkeypatch):
    monkeypatch.setattr("truestep.plot.growing.PATIENCE", 0)  # every addition is drawn
    monkeypatch.setattr("truestep.plot.buckets.MOST", 40)
    monkeypatch.setattr("truestep.plot.growing.render", lambda *_, **__: b"")
    animator = d2l.Animator(legend=["a", "b"])
    counts, drawn = [], []
    for k in range(200):
        animator.add(k, (k, -k))
        if k in (9, 199):
            counts.append(len(animator.fig.findobj()))
            drawn.append(animator._live.drawings)
    assert drawn[1] - drawn[0] >= 190
    assert len(animator.axes[0].lines) == 2
    assert counts[1] <= counts[0] + 40  # more ticks, and no more lines
    assert max(len(line.get_xdata()) for line in animator.axes[0].lines) <= 40


def test_figures_of_a_program_are_numbered_and_named_after_it(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["/somewhere/softmax.py"])
    monkeypatch.setattr("truestep.d2l.figures._numbers", iter([1, 2, 3]))
    for _ in range(2):
        d2l.Animator().add(1, 1)
    monkeypatch.setattr("sys.argv", ["-c"])
    d2l.Animator().add(1, 1)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [
        "animator-3.png",
        "softmax-animator-1.png",
        "softmax-animator-2.png",
    ]
