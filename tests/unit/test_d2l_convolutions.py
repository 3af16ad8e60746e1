"""The book's programs with convolutions run with one changed import."""

import torch
from torch import nn

from truestep import d2l


def test_lenet(elsewhere, monkeypatch, capsys):
    monkeypatch.setenv("TRUESTEP_DATA", "digits")
    net = nn.Sequential(
        *(nn.Conv2d(1, 6, kernel_size=5, padding=2), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2)),
        *(nn.Conv2d(6, 16, kernel_size=5), nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2), nn.Flatten()),
        *(nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10)),
    )
    X = d2l.rand(size=(1, 1, 28, 28), dtype=d2l.float32)
    for layer in net:
        X = layer(X)
    assert X.shape == (1, 10)
    train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size=512)  # three batches
    last = d2l.train_ch6(net, train_iter, test_iter, 1, 0.9, d2l.try_gpu())
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"training on {d2l.try_gpu()}"
    assert out[1] == f"loss {last[0]:.3f}, train acc {last[1]:.3f}, test acc {last[2]:.3f}"
    assert out[2].endswith(f"examples/sec on {d2l.try_gpu()}")
    assert last.test_acc == d2l.evaluate_accuracy_gpu(net, test_iter)


def test_a_kernel_is_learned_through_cross_correlation():
    X = d2l.ones((6, 8))
    X[:, 2:6] = 0
    Y = d2l.corr2d(X, d2l.tensor([[1.0, -1.0]]))
    assert d2l.reduce_sum(d2l.corr2d(d2l.transpose(X), d2l.tensor([[1.0, -1.0]])).abs()) == 0

    class Conv2D(nn.Module):
        def __init__(self, kernel_size):
            super().__init__()
            self.weight = nn.Parameter(d2l.rand(kernel_size))

        def forward(self, x):
            return d2l.corr2d(x, self.weight)

    conv2d = Conv2D((1, 2))
    for _ in range(40):
        error = (conv2d(X) - Y) ** 2
        conv2d.zero_grad()
        error.sum().backward()
        conv2d.weight.data[:] -= 3e-2 * conv2d.weight.grad
    torch.testing.assert_close(conv2d.weight.data, d2l.tensor([[1.0, -1.0]]), atol=0.05, rtol=0)
