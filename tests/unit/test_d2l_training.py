"""The book's training helpers are exact for every loss and both kinds of updater, and say what they cannot do."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import truestep as ts
from reference.book import softmax_epoch
from truestep import d2l

CLASSES, BATCH, RATE = 3, 16, 0.1
LOSSES = {
    "none": nn.CrossEntropyLoss(reduction="none"),
    "mean": nn.CrossEntropyLoss(),
    "sum": nn.CrossEntropyLoss(reduction="sum"),
    "own elements": lambda y_hat, y: functional.cross_entropy(y_hat, y, reduction="none"),
    "own mean": lambda y_hat, y: functional.cross_entropy(y_hat, y),
    "own sum": lambda y_hat, y: functional.cross_entropy(y_hat, y, reduction="sum"),
    "term": ts.Term(lambda y_hat, y: functional.cross_entropy(y_hat, y, reduction="sum"), reduction="sum"),
    "objective": ts.Objective(nn.CrossEntropyLoss()),
}


@pytest.fixture(autouse=True)
def _elsewhere(elsewhere):
    """Figures go to an empty folder."""


def samples(count=70):
    """70 in batches of 16: the last batch has 6."""
    generator = torch.Generator().manual_seed(1)
    X = torch.randn(count, 5, generator=generator, dtype=torch.float64)
    return X, torch.randint(0, CLASSES, (count,), generator=generator)


def batches(X, y):
    return list(zip(X.split(BATCH), y.split(BATCH), strict=True))


def network(kind, w):
    """The network, and the one tensor that it trains, (inputs, classes) or turned."""
    if kind == "function":
        w = w.clone().requires_grad_()
        return (lambda X: X @ w), w
    layer = nn.Linear(*w.shape, bias=False).to(w)
    layer.load_state_dict({"weight": w.T})
    return layer, layer.weight


@pytest.mark.parametrize("kind", ["function", "module"])
@pytest.mark.parametrize("updater", ["torch", "by hand"])
@pytest.mark.parametrize("loss", LOSSES)
def test_an_epoch_is_exact_for_every_loss_and_updater(loss, updater, kind):
    X, y = samples()
    start = torch.randn(5, CLASSES, dtype=torch.float64)
    summed = updater == "torch" and loss in ("sum", "own sum", "term")
    plain = [list(zip(a.tolist(), b.tolist(), strict=True)) for a, b in batches(X, y)]
    wanted, mean = softmax_epoch(start.tolist(), plain, RATE, summed)
    net, w = network(kind, start)
    update = torch.optim.SGD([w], RATE) if updater == "torch" else lambda size: d2l.sgd([w], RATE, size)
    found, accuracy = d2l.train_epoch_ch3(net, batches(X, y), LOSSES[loss], update)
    trained = w.detach() if kind == "function" else w.detach().T
    torch.testing.assert_close(trained, torch.tensor(wanted, dtype=torch.float64), rtol=1e-12, atol=1e-12)
    assert found == pytest.approx(mean, rel=1e-12)
    assert round(accuracy * 70, 9) == round(accuracy * 70)
    assert (found, accuracy) != (0.0, 0.0)


def test_squared_errors_of_several_outputs_are_means_of_elements_under_both_updaters():
    X, y = torch.randn(10, 4, dtype=torch.float64), torch.randn(10, 2, dtype=torch.float64)
    start = torch.randn(4, 2, dtype=torch.float64)
    gradient = 2 * X.T @ (X @ start - y) / 20
    for loss in (nn.MSELoss(), nn.MSELoss(reduction="none"), lambda a, b: (a - b) ** 2):
        for hand in (True, False):
            net, w = network("function", start)
            update = (lambda size, w=w: d2l.sgd([w], RATE, size)) if hand else torch.optim.SGD([w], RATE)
            figures = d2l.train_epoch_ch3(net, [(X, y)], loss, update)
            torch.testing.assert_close(w.detach(), start - RATE * gradient, rtol=1e-12, atol=1e-12)
            assert figures[0] == pytest.approx(float(((X @ start - y) ** 2).mean()), rel=1e-12)


def test_a_penalty_inside_a_mean_is_part_of_the_mean():
    X, y = samples(20)
    found = []
    for hand in (True, False):
        net, w = network("function", torch.ones(5, CLASSES, dtype=torch.float64))
        loss = lambda a, b, w=w: functional.cross_entropy(a, b) + (w**2).sum() / 2  # noqa: E731
        update = (lambda size, w=w: d2l.sgd([w], RATE, size)) if hand else torch.optim.SGD([w], RATE)
        d2l.train_epoch_ch3(net, batches(X, y), loss, update)
        found.append(w.detach())
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)


def test_what_is_neither_a_mean_nor_a_sum_is_refused_by_hand_and_taken_as_it_is_by_an_optimizer():
    X, y = samples(20)
    odd = lambda a, b: functional.cross_entropy(a, b, reduction="sum") + 1.0  # noqa: E731
    net, w = network("function", torch.ones(5, CLASSES, dtype=torch.float64))
    with pytest.raises(ts.ConfigError, match=r"^the loss returns one number that is neither the mean nor the sum of"):
        d2l.train_epoch_ch3(net, batches(X, y), odd, lambda size: d2l.sgd([w], RATE, size))
    whole = functional.cross_entropy(net(X), y, reduction="sum")
    (gradient,) = torch.autograd.grad(whole, [w])
    before = w.detach().clone()
    loss, _ = d2l.train_epoch_ch3(net, [(X, y)], odd, torch.optim.SGD([w], RATE))
    torch.testing.assert_close(w.detach(), before - RATE * gradient)
    assert loss == pytest.approx(float(whole.detach()) + 1)


def test_a_loss_of_zero_tells_nothing_and_the_next_batch_does():
    x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [0.0]])
    w = torch.zeros(1, 1, requires_grad=True)
    hand = lambda size: d2l.sgd([w], 0.25, size)  # noqa: E731
    total = lambda a, b: ((a - b) ** 2).sum()  # noqa: E731
    d2l.train_epoch_ch3(lambda X: X @ w, [(x, y), (x, y + 1)], total, hand)
    # The second batch: sum of 2 (0 - 1) x = -6, over its 2 samples.
    assert float(w.detach()) == pytest.approx(0.25 * 3)


@pytest.mark.parametrize("loss", LOSSES)
def test_an_updater_written_by_hand_finds_summed_gradients_and_the_size_of_the_batch(loss):
    found, w = [], torch.zeros(5, CLASSES, dtype=torch.float64, requires_grad=True)
    X, y = samples()
    d2l.train_epoch_ch3(lambda X: X @ w, batches(X, y), LOSSES[loss], lambda size: found.append((size, w.grad.clone())))
    assert [size for size, _ in found] == [16, 16, 16, 16, 6]
    whole = X.T @ (torch.full((70, CLASSES), 1 / CLASSES).double() - functional.one_hot(y, CLASSES))
    torch.testing.assert_close(sum(gradient for _, gradient in found), whole)


def test_a_step_runs_the_network_once():
    calls = []
    w = torch.zeros(5, CLASSES, dtype=torch.float64, requires_grad=True)

    def net(X):
        calls.append(len(X))
        return X @ w

    d2l.train_epoch_ch3(net, batches(*samples(40)), LOSSES["own sum"], lambda size: d2l.sgd([w], RATE, size))
    assert calls == [16, 16, 8]


def test_finding_out_what_a_loss_is_draws_nothing_from_the_random_numbers_of_dropout():
    X, y = samples(32)
    found = []
    drawing = lambda y_hat, y: functional.cross_entropy(y_hat, y) + 0 * torch.rand(())  # noqa: E731
    for loss in (ts.Term(drawing, reduction="mean", count=lambda _, y: len(y)), drawing):
        torch.manual_seed(3)
        net = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, CLASSES)).double()
        d2l.train_epoch_ch3(net, [(X, y)] * 2, loss, torch.optim.SGD(net.parameters(), RATE))
        found.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)


def test_an_epoch_trains_every_layer_as_the_book_has_it():
    net = nn.Sequential(nn.Linear(5, CLASSES), nn.Dropout(0.5)).double().eval()
    d2l.train_epoch_ch3(net, batches(*samples()), LOSSES["none"], torch.optim.SGD(net.parameters(), RATE))
    assert net.training
    assert net[1].training


def plain_net():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3))


def pictures(count, size=2):
    return [(torch.rand(5, 1, size, size), torch.randint(0, 3, (5,))) for _ in range(count)]


@pytest.mark.parametrize("count", [1, 2, 4, 5, 7, 12])
def test_train_ch6_runs_with_any_number_of_batches_and_ends_an_epoch_with_all_of_it(count, monkeypatch, capsys):
    added = []
    monkeypatch.setattr("truestep.d2l.training.Animator.add", lambda _, x, y: added.append((x, y)))
    data = pictures(count)
    last = d2l.train_ch6(plain_net(), data, data, 2, 0.1, "cpu")
    points = [x for x, y in added if y[2] is None]
    assert points[-1] == 2.0
    assert 1.0 in points
    assert len(points) <= 2 * max(6, count if count < 10 else 7)
    assert added[-1] == (2, (None, None, last.test_acc))
    assert added[-2][1][:2] == last[:2]
    assert f"loss {last.train_loss:.3f}, train acc {last.train_acc:.3f}, test acc" in capsys.readouterr().out


def test_train_ch6_keeps_given_weights_only_where_it_is_told_to():
    data, found = pictures(2), {}
    for init in (True, False):
        net = plain_net()
        with torch.no_grad():
            net[1].weight.fill_(0.25)
        torch.manual_seed(1)
        d2l.train_ch6(net, data, data, 1, 1e-9, "cpu", init=init)
        found[init] = net[1].weight.detach()
    torch.testing.assert_close(found[False], torch.full((3, 4), 0.25))
    assert (found[True] - 0.25).abs().max() > 0.1


def test_train_ch6_takes_the_same_steps_as_the_mean_loss_and_torch_itself():
    data = [*pictures(3), (torch.rand(2, 1, 2, 2), torch.tensor([0, 1]))]
    net, twin = plain_net().double(), plain_net().double()
    twin.load_state_dict(net.state_dict())
    data = [(X.double(), y) for X, y in data]
    last = d2l.train_ch6(net, data, data, 1, 0.3, d2l.try_gpu(5000), init=False)
    optimizer, total = torch.optim.SGD(twin.parameters(), 0.3), 0.0
    for X, y in data:
        loss = functional.cross_entropy(twin(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) * len(y)
    for one, other in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    assert last.train_loss == pytest.approx(total / 17)


def test_a_short_run_ends_with_a_sentence_where_the_book_stops_with_an_error(capsys):
    torch.manual_seed(0)
    data, net = pictures(3), plain_net()
    last = d2l.train_ch3(net, data, data, nn.CrossEntropyLoss(), 1, torch.optim.SGD(net.parameters(), 0.1))
    assert last.train_loss > 0.5
    err = capsys.readouterr().err
    assert f"after 1 epoch the train loss is {last.train_loss:.3f} (below 0.5), the train accuracy is" in err
    assert err.endswith("where the book ends at what stands in brackets.\n")


def test_a_run_that_ends_well_says_nothing_of_it(capsys):
    X = torch.eye(3).repeat(40, 1)
    y = torch.arange(3).repeat(40)
    net = nn.Linear(3, 3)
    last = d2l.train_ch3(net, [(X, y)], [(X, y)], nn.CrossEntropyLoss(), 20, torch.optim.SGD(net.parameters(), 1.0))
    assert last.train_loss < 0.5
    assert last.train_acc == last.test_acc == 1.0
    assert "epochs" not in capsys.readouterr().err


def started(loss=None, updater=None, net=None, data=None, w=None):
    w = torch.zeros(5, CLASSES, dtype=torch.float64, requires_grad=True) if w is None else w
    net = net or (lambda X: X @ w)
    data = batches(*samples(20)) if data is None else data
    return d2l.train_epoch_ch3(net, data, loss or LOSSES["none"], updater or (lambda size: d2l.sgd([w], RATE, size)))


@pytest.mark.parametrize(
    "call, error, sentence",
    [
        (lambda: started(data=[]), ts.DataError, r"train_iter gave no batch: look for empty data, or for a generator"),
        (lambda: started(data=[torch.ones(3)]), ts.DataError, r"a batch must be \(X, y\), and the data gave Tensor"),
        (lambda: started(data=[(1, 2, 3)]), ts.DataError, r"a batch must be \(X, y\), and the data gave 3 things"),
        (
            lambda: started(w=torch.zeros(5, 3, dtype=torch.float64)),
            ts.ConfigError,
            r"net computes with no tensor that requires a gradient",
        ),
        (lambda: started(updater=torch.optim.SGD), ts.ConfigError, r"SGD is a class"),
        (lambda: started(updater="sgd"), ts.ConfigError, r"the optimizer must be"),
        (lambda: started(updater=lambda: None), ts.ConfigError, r"the updater '<lambda>' must take one argument"),
        (
            lambda: started(loss=lambda y_hat, y: -d2l.log(torch.zeros(len(y)).double() * y_hat[:, 0])),
            ts.NonFiniteError,
            r"step 1: .*the weights are as they were before this step",
        ),
        (
            lambda: d2l.train_ch3(plain_net(), pictures(1), pictures(1), LOSSES["none"], 0, None),
            ts.ConfigError,
            r"num_epochs is 0, and training takes at least 1\.",
        ),
        (
            lambda: d2l.train_ch6(plain_net(), iter(pictures(1)), pictures(1), 1, 0.1, "cpu"),
            ts.DataError,
            r"train_ch6 has to know how many batches an epoch has",
        ),
        (
            lambda: d2l.accuracy(torch.eye(3), torch.tensor([0, 1])),
            ts.ShapeError,
            r"accuracy got predictions of shape \(3, 3\) and labels of shape \(2,\): give \(N, classes\) or \(N\)",
        ),
        (
            lambda: d2l.train_epoch_ch3(nn.Linear(5, 1), [(torch.ones(4, 5), torch.ones(4))], nn.MSELoss(), len),
            ts.ShapeError,
            r"\(4, 1\)",
        ),
    ],
)
def test_a_mistake_is_told_in_one_sentence(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
