"""The book's figures of a network are those of all samples, whatever the loss, the batches and the mode it is in."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from truestep import d2l


def test_figures_of_a_network_are_taken_in_evaluation_mode_and_leave_it_as_it_was():
    net = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(4), nn.Linear(4, 3))
    net[1].eval()  # a frozen layer
    data = [(torch.randn(8, 4), torch.randint(0, 3, (8,))), (torch.randn(3, 4), torch.randint(0, 3, (3,)))]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    for take in (
        d2l.evaluate_accuracy,
        d2l.evaluate_accuracy_gpu,
        lambda *a: d2l.evaluate_loss(*a, nn.CrossEntropyLoss(reduction="none")),
    ):
        assert take(net, data) == take(net, data)
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_an_evaluated_loss_is_the_mean_over_elements_whatever_the_reduction():
    X, y = torch.randn(11, 3, dtype=torch.float64), torch.randn(11, dtype=torch.float64)
    net = nn.Linear(3, 1).double()
    wanted = float(((net(X).detach().flatten() - y) ** 2).mean())
    given = {
        "mean": nn.MSELoss(),
        "sum": nn.MSELoss(reduction="sum"),
        "none": nn.MSELoss(reduction="none"),
        "half": lambda a, b: 2 * d2l.squared_loss(a, b),
        "own mean": lambda a, b: ((a - b) ** 2).mean(),
        "own sum": lambda a, b: ((a - b) ** 2).sum(),
    }
    loader = DataLoader(TensorDataset(X, y), 4)
    for name, loss in given.items():
        for data in (loader, list(loader), iter(loader)):
            assert d2l.evaluate_loss(net, data, loss) == pytest.approx(wanted, rel=1e-12), name


def test_an_evaluated_accuracy_is_a_share_of_samples_and_not_of_batches():
    scores = [(torch.eye(3), torch.tensor([0, 1, 2])), (torch.eye(3)[:1], torch.tensor([2]))]
    assert d2l.evaluate_accuracy(lambda X: X, scores) == 0.75
    assert d2l.evaluate_accuracy_gpu(lambda X: X, scores, "cpu") == 0.75


@pytest.mark.parametrize(
    "y_hat, y, right",
    [
        (torch.eye(3), torch.tensor([0, 1, 0]), 2),
        (torch.eye(3), torch.tensor([[0], [1], [0]]), 2),
        (torch.ones(4, 1), torch.ones(4), 4),  # the book compares each with each, and counts 16
        (torch.tensor([1, 2, 3]), torch.tensor([1, 2, 2]), 2),
        (torch.eye(3), torch.eye(3), 3),
        (torch.ones(5000, dtype=torch.float16), torch.ones(5000, dtype=torch.float16), 5000),
    ],
)
def test_accuracy_counts_each_prediction_once(y_hat, y, right):
    assert d2l.accuracy(y_hat, y) == right
