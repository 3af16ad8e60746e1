"""What programs prepare long before the first update: bytes, mappings of words, and what one run leaves to the next."""

import torch
from torch import nn

from truestep.check import recorder
from truestep.check.rules import judge
from truestep.check.watch import Watching


def after_many_calls(monkeypatch, becomes):
    """What the rule on bytes says of a sum that comes after more calls than a look lasts for."""
    monkeypatch.setattr(recorder, "STRETCH", 100)
    with Watching(strict=True) as seen:
        rows = [torch.zeros(2).add(at) for at in range(200)]
        made = becomes(torch.arange(100, 200, dtype=torch.uint8) + torch.arange(100, 200, dtype=torch.uint8))
    assert len(rows) == 200
    assert made is not None
    return [finding for finding in judge(seen.trace, ["integer_wrap"], strict=True) if finding.level == "error"]


def test_bytes_that_wrap_and_become_floats_are_found_after_many_calls(monkeypatch):
    (found,) = after_many_calls(monkeypatch, lambda total: total.float())
    assert "add on uint8 wrap round" in found.message


def test_bytes_that_wrap_after_many_calls_and_never_become_floats_are_left_alone(monkeypatch):
    assert not after_many_calls(monkeypatch, lambda total: total.tolist())
    assert not after_many_calls(monkeypatch, lambda total: torch.bincount(total))


def coded(make):
    with Watching(strict=True) as seen:
        make()
    return seen.trace.ops("coded")


def test_a_list_that_becomes_a_tensor_is_told_with_the_one_mapping_that_numbers_it():
    numbers = {word: place for place, word in enumerate(["one", "two", "three", "four"])}

    def encode(words):
        return torch.tensor([numbers[word] for word in words])

    (op,) = coded(lambda: encode(["four", "two"]))
    assert op.words["codes"] == {"'one'": 0, "'two'": 1, "'three'": 2, "'four'": 3}
    assert not coded(lambda: torch.tensor([3, 1]))  # no mapping near by


def test_where_two_mappings_could_have_numbered_a_list_nothing_is_told():
    english = {word: place for place, word in enumerate(["one", "two", "three", "four"])}
    german = {word: place for place, word in enumerate(["eins", "zwei", "drei", "vier"])}

    def encode(words):
        return torch.tensor([english.get(word, german.get(word, 0)) for word in words])

    assert not coded(lambda: encode(["four", "zwei"]))


def search(rebuilt):
    """Trials of several widths; the best model of all of them is put into a model at the end."""
    x = torch.randn(60, 4)
    y = x[:, :1] * x[:, 1:2] + 0.5 * torch.randn(60, 1)
    best, state, width = float("inf"), {}, 0
    for trial in (8, 4, 2):
        model = nn.Sequential(nn.Linear(4, trial), nn.Tanh(), nn.Linear(trial, 1))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        for _ in range(6):
            for part in torch.arange(40).split(10):
                optimizer.zero_grad()
                nn.functional.mse_loss(model(x[part]), y[part]).backward()
                optimizer.step()
            with torch.no_grad():
                error = nn.functional.mse_loss(model(x[40:]), y[40:]).item()
            if error < best:
                best, width = error, trial
                state = {name: value.clone() for name, value in model.state_dict().items()}
    final = rebuilt(width)
    final.load_state_dict(state)


def test_a_search_that_keeps_the_best_of_all_trials_is_sound():
    with Watching(strict=True) as seen:
        search(lambda width: nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 1)))
    assert not judge(seen.trace, ["best_never_updated"], strict=True)


def trained_with(term, rule="gradient_stopped"):
    """What a rule says of a loss with one more term."""
    x = torch.randn(64, 6)
    y = x[:, :1] + 0.1 * torch.randn(64, 1)
    net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    with Watching(strict=True) as seen:
        for part in torch.arange(64).repeat(3).split(16):
            loss = nn.functional.mse_loss(net(x[part]), y[part])
            loss = loss + term(net, loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return judge(seen.trace, [rule], strict=True)


def test_a_penalty_of_weights_without_their_gradient_is_found():
    (found,) = trained_with(lambda net, loss: 0.1 * net[0].weight.data.abs().sum())
    assert "behind data: it has no gradient" in found.message
    (found,) = trained_with(lambda net, loss: 0.1 * sum(float(p.detach().norm()) for p in net.parameters()))
    assert "is added to the loss as a number" in found.message


def test_terms_that_only_give_a_loss_another_value_are_sound():
    assert not trained_with(lambda net, loss: (loss.sqrt() - loss).detach())
    assert not trained_with(lambda net, loss: 0.1 * net[0].weight.abs().sum())
    assert not trained_with(lambda net, loss: 0.5)


def test_a_teacher_that_is_the_model_itself_is_found_by_whatever_name():
    def distance(teacher):
        def term(net, loss):
            x = torch.randn(16, 6)
            with torch.no_grad():
                said = teacher(net)(x)
            return nn.functional.mse_loss(net(x), said)

        return term

    def judged(teacher):
        return trained_with(distance(teacher), "target_is_same")

    (found,) = judged(lambda net: net)
    assert "said by the model itself" in found.message
    assert not judged(lambda net: nn.Linear(6, 1))


def stepped(first, passes=3):
    """What the rule on unseen samples says where batches of 8 of 96 rows begin at `first(number)`."""
    x, y = torch.randn(96, 4), torch.randn(96, 1)
    net = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    with Watching(strict=True) as seen:
        for number in [number for _ in range(passes) for number in range(12)]:
            rows = slice(first(number), first(number) + 8)
            optimizer.zero_grad()
            nn.functional.mse_loss(net(x[rows]), y[rows]).backward()
            optimizer.step()
    return judge(seen.trace, ["samples_unseen"], strict=True)


def test_batches_cut_at_their_number_are_found():
    (found,) = stepped(lambda number: number)
    assert "each batch holds 7 of the 8 rows of the last" in found.message
    assert not stepped(lambda number: 8 * number)


def test_a_loss_that_is_nan_while_the_weights_stay_finite_is_found():
    def term(net, loss):
        rate = torch.relu(net(torch.randn(8, 6)) - 100)
        return (rate - 0 * torch.log(rate)).mean()

    (found,) = trained_with(term, "nonfinite")
    assert found.level == "warning"
    assert "makes the loss NaN" in found.message


def test_terms_of_pairs_that_are_weighted_by_a_row_and_added_before_the_mean_are_found():
    same = torch.arange(32).remainder(2).float()

    def pairs(weights):
        def term(net, loss):
            far = (net(torch.randn(32, 6)) - net(torch.randn(32, 6))).abs()
            return (weights * far.pow(2) + (1 - weights) * torch.clamp(1 - far, min=0).pow(2)).mean()

        return term

    found = trained_with(pairs(same), "broadcast")
    assert found
    assert "each loss gets every weight" in found[0].message
    assert not trained_with(pairs(same[:, None]), "broadcast")
