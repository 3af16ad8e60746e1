"""The book's chapters run with one changed import, and learn: its calls in our words, on few epochs."""

import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from truestep import d2l


@pytest.fixture(autouse=True)
def _digits(elsewhere, monkeypatch):
    """The shipped digits stand in for the clothes, and figures go to an empty folder."""
    monkeypatch.setenv("TRUESTEP_DATA", "digits")
    yield
    d2l.plt.close("all")


def starting_small(layer):
    if type(layer) is nn.Linear:
        nn.init.normal_(layer.weight, std=0.01)


def test_linear_regression_from_scratch():
    true_w, true_b = d2l.tensor([2, -3.4]), 4.2
    features, labels = d2l.synthetic_data(true_w, true_b, 1000)
    d2l.set_figsize()
    d2l.plt.scatter(d2l.numpy(features[:, 1]), d2l.numpy(labels), 1)

    def data_iter(batch_size, features, labels):
        order = list(range(len(features)))
        random.Random(0).shuffle(order)
        for start in range(0, len(features), batch_size):
            picked = d2l.tensor(order[start : start + batch_size])
            yield features[picked], labels[picked]

    w = d2l.normal(0, 0.01, size=(2, 1), requires_grad=True)
    b = d2l.zeros(1, requires_grad=True)
    net, loss, lr, batch_size = d2l.linreg, d2l.squared_loss, 0.03, 10
    for _ in range(3):
        for X, y in data_iter(batch_size, features, labels):
            error = loss(net(X, w, b), y)
            error.sum().backward()
            d2l.sgd([w, b], lr, batch_size)
        with torch.no_grad():
            train_l = loss(net(features, w, b), labels)
    w, b = w.detach(), b.detach()
    assert float((true_w - d2l.reshape(w, true_w.shape)).abs().max()) < 2e-3
    assert float(true_b - b) == pytest.approx(0, abs=2e-3)
    assert float(train_l.mean()) == pytest.approx(0.5 * 0.01**2, rel=0.2)  # half the variance of the noise


def test_linear_regression_with_the_layers_of_torch():
    true_w, true_b = d2l.tensor([2, -3.4]), 4.2
    features, labels = d2l.synthetic_data(true_w, true_b, 1000)
    data_iter = d2l.load_array((features, labels), 10)
    net = nn.Sequential(nn.Linear(2, 1))
    net[0].weight.data.normal_(0, 0.01)
    net[0].bias.data.fill_(0)
    loss, trainer = nn.MSELoss(), torch.optim.SGD(net.parameters(), lr=0.03)
    for _ in range(3):
        for X, y in data_iter:
            error = loss(net(X), y)
            trainer.zero_grad()
            error.backward()
            trainer.step()
    assert d2l.evaluate_loss(net, data_iter, loss) == pytest.approx(0.01**2, rel=0.2)
    assert float((true_w - d2l.reshape(net[0].weight.data, true_w.shape)).abs().max()) < 2e-3


def test_the_data_set_of_pictures(capsys):
    train_iter, test_iter = d2l.load_data_fashion_mnist(32, resize=64)
    timer = d2l.Timer()
    X, y = next(iter(train_iter))
    assert timer.stop() > 0
    assert (X.shape, X.dtype, y.shape, y.dtype) == ((32, 1, 64, 64), torch.float32, (32,), torch.int64)
    assert (len(train_iter.dataset), len(test_iter.dataset)) == (1437, 360)
    assert capsys.readouterr().err == "the shipped digits stand in for fashion-mnist (TRUESTEP_DATA=digits)\n"
    axes = d2l.show_images(X[:18].reshape(18, 64, 64), 2, 9, titles=d2l.get_fashion_mnist_labels(y[:18]))
    assert len(axes) == 18


def test_softmax_regression_from_scratch():
    train_iter, test_iter = d2l.load_data_fashion_mnist(256)
    W = d2l.normal(0, 0.01, size=(784, 10), requires_grad=True)
    b = d2l.zeros(10, requires_grad=True)

    def softmax(X):
        X_exp = d2l.exp(X)
        return X_exp / d2l.reduce_sum(X_exp, 1, keepdim=True)

    def net(X):
        return softmax(d2l.matmul(d2l.reshape(X, (-1, W.shape[0])), W) + b)

    def cross_entropy(y_hat, y):
        return -d2l.log(y_hat[range(len(y_hat)), y])

    def updater(batch_size):
        return d2l.sgd([W, b], 0.1, batch_size)

    assert d2l.evaluate_accuracy(net, test_iter) < 0.3
    last = d2l.train_ch3(net, train_iter, test_iter, cross_entropy, 10, updater)
    assert last.train_loss < 0.5
    assert 0.7 < last.test_acc <= 1
    assert 0.7 < last.train_acc <= 1
    d2l.predict_ch3(net, test_iter)
    shown = d2l.plt.gcf().axes
    assert len(shown) == 6
    assert [one.get_title().split("\n")[0] for one in shown] == [str(int(y)) for y in next(iter(test_iter))[1][:6]]


def test_softmax_regression_and_a_perceptron_with_the_layers_of_torch():
    train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size=256)
    loss = nn.CrossEntropyLoss(reduction="none")
    softmax = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    perceptron = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
    for net, epochs in ((softmax, 10), (perceptron, 15)):
        net.apply(starting_small)
        last = d2l.train_ch3(net, train_iter, test_iter, loss, epochs, torch.optim.SGD(net.parameters(), lr=0.1))
        assert last.test_acc > 0.7
    d2l.predict_ch3(net, test_iter)


def test_a_perceptron_from_scratch():
    train_iter, test_iter = d2l.load_data_fashion_mnist(256)
    W1 = nn.Parameter(d2l.randn(784, 64) * 0.05)
    b1 = nn.Parameter(d2l.zeros(64))
    W2 = nn.Parameter(d2l.randn(64, 10) * 0.05)
    b2 = nn.Parameter(d2l.zeros(10))

    def relu(X):
        return torch.max(X, d2l.zeros_like(X))

    def net(X):
        return relu(d2l.reshape(X, (-1, 784)) @ W1 + b1) @ W2 + b2

    updater = torch.optim.SGD([W1, b1, W2, b2], lr=0.1)
    last = d2l.train_ch3(net, train_iter, test_iter, nn.CrossEntropyLoss(reduction="none"), 12, updater)
    assert last.test_acc > 0.7


def test_activations_are_drawn():
    x = d2l.arange(-8.0, 8.0, 0.1, requires_grad=True)
    for name in ("relu", "sigmoid", "tanh"):
        y = getattr(torch, name)(x)
        d2l.plot(x.detach(), y.detach(), "x", f"{name}(x)", figsize=(5, 2.5))
        x.grad = None
        y.backward(d2l.ones_like(x))
        d2l.plot(x.detach(), x.grad, "x", f"grad of {name}", figsize=(5, 2.5))
    d2l.plot(x.detach().numpy(), [y.detach().numpy(), x.grad.numpy()], legend=["tanh", "gradient"], figsize=(4.5, 2.5))
    assert [len(line.get_xdata()) for line in d2l.plt.gca().lines] == [160, 160]


def test_polynomials_underfit_and_overfit():
    max_degree, n_train, n_test = 20, 100, 100
    true_w = np.zeros(max_degree)
    true_w[0:4] = np.array([5, 1.2, -3.4, 5.6])
    features = np.random.default_rng(0).normal(size=(n_train + n_test, 1))
    poly_features = np.power(features, np.arange(max_degree).reshape(1, -1))
    for i in range(max_degree):
        poly_features[:, i] /= math.gamma(i + 1)
    labels = np.dot(poly_features, true_w) + np.random.default_rng(1).normal(scale=0.1, size=n_train + n_test)
    poly_features, labels = (d2l.tensor(x, dtype=d2l.float32) for x in (poly_features, labels))

    def train(degree, num_epochs=100):
        loss = nn.MSELoss(reduction="none")
        net = nn.Sequential(nn.Linear(degree, 1, bias=False))
        halves = [(poly_features[part, :degree], labels[part].reshape(-1, 1)) for part in (slice(100), slice(100, 200))]
        train_iter = d2l.load_array(halves[0], 10)
        test_iter = d2l.load_array(halves[1], 10, is_train=False)
        trainer = torch.optim.SGD(net.parameters(), lr=0.01)
        animator = d2l.Animator(
            xlabel="epoch",
            ylabel="loss",
            yscale="log",
            xlim=[1, num_epochs],
            ylim=[1e-3, 1e2],
            legend=["train", "test"],
        )
        for epoch in range(num_epochs):
            d2l.train_epoch_ch3(net, train_iter, loss, trainer)
            if epoch == 0 or (epoch + 1) % 25 == 0:
                figures = d2l.evaluate_loss(net, train_iter, loss), d2l.evaluate_loss(net, test_iter, loss)
                animator.add(epoch + 1, figures)
        assert animator.X[0] == [1, 25, 50, 75, 100]
        return figures, d2l.numpy(net[0].weight).ravel()

    (fitted, _), weights = train(4)
    assert fitted < 0.3
    assert weights == pytest.approx(true_w[:4], abs=2)
    (underfitted, _), _ = train(2)
    assert underfitted > 10 * fitted


def test_weight_decay_from_scratch_and_with_the_optimizer_of_torch():
    n_train, n_test, num_inputs, batch_size, lr, num_epochs = 20, 100, 200, 5, 0.003, 30
    true_w, true_b = d2l.ones((num_inputs, 1)) * 0.01, 0.05
    train_iter = d2l.load_array(d2l.synthetic_data(true_w, true_b, n_train), batch_size)
    test_iter = d2l.load_array(d2l.synthetic_data(true_w, true_b, n_test), batch_size, is_train=False)
    look = {"xlabel": "epochs", "ylabel": "loss", "yscale": "log", "xlim": [5, num_epochs], "legend": ["train", "test"]}

    def train(lambd):
        w = d2l.normal(0, 1, size=(num_inputs, 1), requires_grad=True)
        b = d2l.zeros(1, requires_grad=True)
        net, loss = lambda X: d2l.linreg(X, w, b), d2l.squared_loss
        animator = d2l.Animator(**look)
        for epoch in range(num_epochs):
            for X, y in train_iter:
                error = loss(net(X), y) + lambd * torch.sum(w.pow(2)) / 2
                error.sum().backward()
                d2l.sgd([w, b], lr, batch_size)
            if (epoch + 1) % 5 == 0:
                animator.add(
                    epoch + 1, (d2l.evaluate_loss(net, train_iter, loss), d2l.evaluate_loss(net, test_iter, loss))
                )
        return torch.norm(w).item(), animator.Y[1][-1]

    def train_concise(wd):
        net = nn.Sequential(nn.Linear(num_inputs, 1))
        for param in net.parameters():
            param.data.normal_()
        loss = nn.MSELoss(reduction="none")
        groups = [{"params": net[0].weight, "weight_decay": wd}, {"params": net[0].bias}]
        trainer = torch.optim.SGD(groups, lr=lr)
        animator = d2l.Animator(**look)
        for epoch in range(num_epochs):
            for X, y in train_iter:
                trainer.zero_grad()
                error = loss(net(X), y)
                error.mean().backward()
                trainer.step()
            if (epoch + 1) % 5 == 0:
                animator.add(
                    epoch + 1, (d2l.evaluate_loss(net, train_iter, loss), d2l.evaluate_loss(net, test_iter, loss))
                )
        return net[0].weight.norm().item(), animator.Y[1][-1]

    for run in (train, train_concise):
        (free_norm, free_loss), (held_norm, held_loss) = run(0), run(3)
        assert held_norm < 0.5 * free_norm
        assert held_loss < 0.5 * free_loss


def test_dropout_from_scratch_and_with_the_layers_of_torch():
    def dropout_layer(X, dropout):
        mask = (d2l.rand(X.shape) > dropout).float()
        return mask * X / (1.0 - dropout)

    class Net(nn.Module):
        def __init__(self, is_training=True):
            super().__init__()
            self.training = is_training
            self.lin1, self.lin2, self.lin3 = nn.Linear(784, 64), nn.Linear(64, 64), nn.Linear(64, 10)

        def forward(self, X):
            H1 = torch.relu(self.lin1(X.reshape((-1, 784))))
            H1 = dropout_layer(H1, 0.2) if self.training else H1
            H2 = torch.relu(self.lin2(H1))
            return self.lin3(dropout_layer(H2, 0.5) if self.training else H2)

    built_in = nn.Sequential(
        *(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Dropout(0.2)),
        *(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 10)),
    )
    train_iter, test_iter = d2l.load_data_fashion_mnist(64)
    for net in (Net(), built_in):
        trainer = torch.optim.SGD(net.parameters(), lr=0.1)
        last = d2l.train_ch3(net, train_iter, test_iter, nn.CrossEntropyLoss(reduction="none"), 8, trainer)
        assert last.test_acc > 0.7
        assert net.training  # as it was before it was evaluated
