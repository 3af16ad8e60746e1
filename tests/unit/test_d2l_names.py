"""`from truestep import d2l` has the book's names, with its signatures, and each does what the book says."""

import inspect
import subprocess
import sys

import pytest
import torch
from torch import nn

import truestep as ts
from truestep import d2l

# As the book prints them; what we add to a signature takes a keyword and has a default.
BOOK = """
synthetic_data(w, b, num_examples)
load_array(data_arrays, batch_size, is_train=True)
linreg(X, w, b)
squared_loss(y_hat, y)
sgd(params, lr, batch_size)
Accumulator(n)
Animator(xlabel=None, ylabel=None, legend=None, xlim=None, ylim=None, xscale='linear', yscale='linear', \
fmts=('-', 'm--', 'g-.', 'r:'), nrows=1, ncols=1, figsize=(3.5, 2.5))
Timer()
accuracy(y_hat, y)
evaluate_accuracy(net, data_iter)
evaluate_accuracy_gpu(net, data_iter, device=None)
evaluate_loss(net, data_iter, loss)
train_epoch_ch3(net, train_iter, loss, updater)
train_ch3(net, train_iter, test_iter, loss, num_epochs, updater)
predict_ch3(net, test_iter, n=6)
train_ch6(net, train_iter, test_iter, num_epochs, lr, device)
get_fashion_mnist_labels(labels)
show_images(imgs, num_rows, num_cols, titles=None, scale=1.5)
load_data_fashion_mnist(batch_size, resize=None)
get_dataloader_workers()
try_gpu(i=0)
try_all_gpus()
cpu()
gpu(i=0)
num_gpus()
plot(X, Y=None, xlabel=None, ylabel=None, legend=None, xlim=None, ylim=None, xscale='linear', yscale='linear', \
fmts=('-', 'm--', 'g-.', 'r:'), figsize=(3.5, 2.5), axes=None)
set_axes(axes, xlabel, ylabel, xlim, ylim, xscale, yscale, legend)
set_figsize(figsize=(3.5, 2.5))
use_svg_display()
corr2d(X, K)
Residual(input_channels, num_channels, use_1x1conv=False, strides=1)
""".strip().splitlines()


@pytest.mark.parametrize("line", BOOK, ids=lambda line: line.partition("(")[0])
def test_every_helper_has_the_signature_of_the_book(line):
    name = line.partition("(")[0]
    parameters = inspect.signature(getattr(d2l, name)).parameters.values()
    for extra in (one for one in parameters if one.kind is one.KEYWORD_ONLY):
        assert extra.default is not extra.empty
    told = [one.replace(annotation=one.empty) for one in parameters if one.kind is not one.KEYWORD_ONLY]
    assert f"{name}{inspect.Signature(told)}" == line
    assert name in d2l.__all__


X = torch.tensor([[1.0, -2.0, 3.0], [4.0, 5.0, 6.0]])
ALIASES = {
    "ones": (lambda f: f(2, 3), torch.ones(2, 3)),
    "ones_like": (lambda f: f(X), torch.ones(2, 3)),
    "zeros": (lambda f: f((2, 3)), torch.zeros(2, 3)),
    "zeros_like": (lambda f: f(X), torch.zeros(2, 3)),
    "tensor": (lambda f: f([1, 2]), torch.tensor([1, 2])),
    "arange": (lambda f: f(3), torch.tensor([0, 1, 2])),
    "linspace": (lambda f: f(0, 1, 3), torch.tensor([0, 0.5, 1])),
    "eye": (lambda f: f(2), torch.tensor([[1.0, 0.0], [0.0, 1.0]])),
    "meshgrid": (lambda f: f(torch.arange(2), torch.arange(3))[0], torch.tensor([[0, 0, 0], [1, 1, 1]])),
    "sin": (lambda f: f(X), X.sin()),
    "sinh": (lambda f: f(X), X.sinh()),
    "cos": (lambda f: f(X), X.cos()),
    "cosh": (lambda f: f(X), X.cosh()),
    "tanh": (lambda f: f(X), X.tanh()),
    "sigmoid": (lambda f: f(X), X.sigmoid()),
    "exp": (lambda f: f(X), X.exp()),
    "log": (lambda f: f(X.exp()), X),
    "abs": (lambda f: f(X), X.abs()),
    "matmul": (lambda f: f(X, X.T), X @ X.T),
    "batch_matmul": (lambda f: f(X[None], X.T[None])[0], X @ X.T),
    "concat": (lambda f: f((X, X), dim=0), torch.cat([X, X])),
    "stack": (lambda f: f([X, X]), torch.stack([X, X])),
    "normal": (lambda f: f(0, 1e-9, size=(2,)).round(), torch.zeros(2)),
    "rand": (lambda f: f(size=(2, 2)).floor(), torch.zeros(2, 2)),
    "randn": (lambda f: f(2, 2) * 0, torch.zeros(2, 2)),
    "numpy": (lambda f: torch.from_numpy(f(X.clone().requires_grad_())), X),
    "size": (lambda f: torch.tensor(f(X)), torch.tensor(6)),
    "reshape": (lambda f: f(X, (-1, 2)), X.reshape(3, 2)),
    "to": (lambda f: f(X, torch.float64), X.double()),
    "astype": (lambda f: f(X, d2l.int32), X.int()),
    "reduce_sum": (lambda f: f(X, 0, keepdim=True), torch.tensor([[5.0, 3.0, 9.0]])),
    "reduce_mean": (lambda f: f(X, axis=1), torch.tensor([2 / 3, 5.0])),
    "argmax": (lambda f: f(X, axis=1), torch.tensor([2, 2])),
    "transpose": (lambda f: f(X), X.T),
    "expand_dims": (lambda f: f(X, 0), X[None]),
    "swapaxes": (lambda f: f(X, 0, 1), X.T),
    "repeat": (lambda f: f(X, 2, 1), torch.cat([X, X])),
}


@pytest.mark.parametrize("name", ALIASES)
def test_every_alias_does_what_the_book_does_with_it(name):
    call, wanted = ALIASES[name]
    torch.testing.assert_close(call(getattr(d2l, name)), wanted)


def test_every_name_is_listed_once_and_is_there():
    assert len(set(d2l.__all__)) == len(d2l.__all__)
    assert all(getattr(d2l, name) is not None for name in d2l.__all__)
    assert (d2l.float32, d2l.int32, d2l.int64) == (torch.float32, torch.int32, torch.int64)
    assert d2l.nn_Module is nn.Module
    assert ts.d2l is d2l
    known = {line.partition("(")[0] for line in BOOK} | set(ALIASES) | {"float32", "int32", "int64", "nn_Module", "plt"}
    assert set(d2l.__all__) == known


def test_a_name_of_another_chapter_is_told_from_a_slip_of_the_pen():
    with pytest.raises(AttributeError, match=r"no 'sqared_loss'; did you mean squared_loss\? it has the names of the"):
        d2l.sqared_loss  # noqa: B018
    with pytest.raises(AttributeError, match=r"no 'Seq2SeqEncoder'; it has the names of the book's chapters on linear"):
        d2l.Seq2SeqEncoder  # noqa: B018


def test_matplotlib_is_loaded_when_something_is_drawn():
    program = "import sys; from truestep import d2l; assert 'matplotlib' not in sys.modules; d2l.plt.figure()"
    program += "; assert 'matplotlib.pyplot' in sys.modules; assert 'IPython' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_synthetic_data_are_the_numbers_of_the_book_in_the_precision_of_the_weights():
    w = torch.tensor([2.0, -3.4])
    torch.manual_seed(4)
    features, labels = d2l.synthetic_data(w, 4.2, 7)
    torch.manual_seed(4)
    x = torch.normal(0.0, 1.0, (7, 2))
    y = (x @ w + 4.2 + torch.normal(0.0, 0.01, (7,))).reshape(7, 1)
    torch.testing.assert_close((features, labels), (x, y))
    features, labels = d2l.synthetic_data(torch.ones(3, 1, dtype=torch.float64), 1.0, 5)
    assert (features.dtype, labels.dtype, labels.shape) == (torch.float64, torch.float64, (5, 1))


def test_a_squared_loss_takes_the_target_in_the_shape_of_the_prediction():
    found = d2l.squared_loss(torch.tensor([[1.0], [4.0]]), torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(found, torch.tensor([[0.5], [4.5]]))


def test_sgd_divides_summed_gradients_clears_them_and_leaves_what_has_none():
    w, untouched = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    (w * torch.tensor([10.0, 20.0])).sum().backward()
    d2l.sgd([w, untouched], 0.5, 10)
    torch.testing.assert_close(w.detach(), torch.tensor([0.5, 0.0]))
    assert w.is_leaf
    assert w.requires_grad
    assert not w.grad.any()
    assert untouched.tolist() == [1.0, 1.0]


def test_a_timer_keeps_its_times(monkeypatch):
    now = iter([0.0, 1.5, 2.0, 5.0])
    monkeypatch.setattr("truestep.d2l.counting.time.perf_counter", lambda: next(now))
    timer = d2l.Timer()
    assert timer.stop() == 1.5
    timer.start()
    assert timer.stop() == 3.0
    assert (timer.times, timer.avg(), timer.sum(), timer.cumsum()) == ([1.5, 3.0], 2.25, 4.5, [1.5, 4.5])


def test_an_accumulator_adds_numbers_and_tensors():
    metric = d2l.Accumulator(2)
    metric.add(1, torch.tensor(2.0, requires_grad=True))
    metric.add(0.5, 3)
    assert (metric[0], metric[1], metric.data) == (1.5, 5.0, [1.5, 5.0])
    metric.reset()
    assert metric.data == [0.0, 0.0]


def test_cross_correlation_is_that_of_torch_in_any_precision():
    image, kernel = torch.randn(6, 7, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    wanted = nn.functional.conv2d(image[None, None], kernel[None, None])[0, 0]
    torch.testing.assert_close(d2l.corr2d(image, kernel), wanted)
    book = d2l.corr2d(torch.arange(9.0).reshape(3, 3), torch.arange(4.0).reshape(2, 2))
    assert book.tolist() == [[19.0, 25.0], [37.0, 43.0]]


@pytest.mark.parametrize("channels, strides, wanted", [(3, 1, (4, 3, 6, 6)), (6, 2, (4, 6, 3, 3))])
def test_a_residual_block_adds_its_input(channels, strides, wanted):
    block = d2l.Residual(3, channels, use_1x1conv=channels != 3, strides=strides)
    x = torch.rand(4, 3, 6, 6)
    assert block(x).shape == wanted
    nn.init.zeros_(block.bn2.weight)  # then the convolutions say nothing
    straight = x if block.conv3 is None else block.conv3(x)
    torch.testing.assert_close(block(x), straight.relu())
    assert {"conv1.weight", "conv2.weight", "bn1.weight", "bn2.weight"} <= set(block.state_dict())


@pytest.mark.parametrize("cards", [0, 2])
def test_devices_are_cards_where_there_are_any(cards, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
    assert d2l.num_gpus() == cards
    assert d2l.cpu() == torch.device("cpu")
    assert d2l.gpu(1) == torch.device("cuda:1")
    assert d2l.try_gpu(1) == (torch.device("cuda:1") if cards else torch.device("cpu"))
    assert d2l.try_gpu(7) == torch.device("cpu")
    assert d2l.try_all_gpus() == ([d2l.gpu(0), d2l.gpu(1)] if cards else [d2l.cpu()])


def test_workers_are_at_most_four_and_no_more_than_processors():
    assert 1 <= d2l.get_dataloader_workers() <= 4
    torch.utils.data.DataLoader(range(3), num_workers=d2l.get_dataloader_workers())  # torch warns of too many


@pytest.mark.parametrize(
    "call, error, sentence",
    [
        (
            lambda: d2l.Accumulator(2).add(1),
            ts.ConfigError,
            r"^Accumulator\(2\) adds 2 values, and got 1\.$",
        ),
        (lambda: d2l.Timer().avg(), ts.ConfigError, r"^the timer has kept no time yet: call stop\(\) first\.$"),
        (
            lambda: d2l.get_fashion_mnist_labels([0, -1]),
            ts.DataError,
            r"^the label -1 is no class: there are 10, 0 to 9\.$",
        ),
        (
            lambda: d2l.load_array((torch.ones(3), torch.ones(4)), 2),
            ts.ShapeError,
            r"^load_array got tensors of 3 and 4 samples: give equally many\.$",
        ),
        (
            lambda: d2l.corr2d(torch.ones(2, 2), torch.ones(3, 1)),
            ts.ShapeError,
            r"^corr2d got an image of shape \(2, 2\) and a kernel of shape \(3, 1\): both must be matrices, and the",
        ),
        (lambda: d2l.corr2d(torch.ones(2, 2), torch.ones(3)), ts.ShapeError, r"a kernel of shape \(3,\)"),
        (lambda: d2l.plot([0, 1], [[1, 2, 3]]), ts.ShapeError, r"^curve 1 has 2 x and 3 y: give equally many\.$"),
        (
            lambda: d2l.plot([[0, 1], [0, 1]], [[1, 2], [1, 2], [3, 4]]),
            ts.ShapeError,
            r"^plot got 2 curves of x and 3 of y: give one x for all, or one for each\.$",
        ),
    ],
)
def test_a_mistake_is_told_in_one_sentence(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
    d2l.plt.close("all")
