"""What looks closely costs by what is looked at: where much happens between two updates, looks are fewer or shorter."""

import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from truestep.check import looks, recorder
from truestep.check.changes import Backward, Step
from truestep.check.events import Batch, Forward, LoaderStart, Number, Op
from truestep.check.rules._facts import MANY, stepping
from truestep.check.watch import Watching


class Items(Dataset):
    """Each item takes four calls, and becomes a number."""

    def __len__(self):
        return 64

    def __getitem__(self, at):
        item = torch.ones(2).mul(at).add(1)
        return item.sub(1) if bool(item[0] > 0) else item


def train(loader, epochs):
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for _ in range(epochs):
        for x in loader:
            optimizer.zero_grad()
            model(x).mean().backward()
            optimizer.step()


def calls_of_batches(trace):
    """For each batch its place in the pass, and the calls and numbers seen while it was made."""
    found, calls = [], 0
    for event in trace.events:
        if isinstance(event, LoaderStart | Step):
            calls = 0
        elif isinstance(event, Op | Number):
            calls += event.site.function == "__getitem__"
        elif isinstance(event, Batch):
            found.append((event.place, calls))
    return found


def test_of_the_calls_that_make_items_the_first_ones_are_seen_and_those_of_each_first_batch(monkeypatch):
    monkeypatch.setattr("truestep.check.loaders.FETCHES", 200)
    with Watching(strict=True) as seen:
        train(DataLoader(Items(), batch_size=8), epochs=3)
    calls = calls_of_batches(seen.trace)
    assert len(calls) == 24
    first = calls[0][1]
    assert first > 8 * 4
    assert [count for place, count in calls if place == 0] == [first] * 3
    assert 3 <= sum(count > 0 for _, count in calls[:8]) <= 200 // first + 2
    assert not any(count for place, count in calls[8:] if place > 0)
    assert all(batch.close for batch in seen.trace.of(Batch)), "the batches themselves are looked at"


def learn_between(updates, apart):
    """An agent: it acts without training before each update, or after every `apart` of them."""
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for update in range(updates):
        if update % apart == 0:
            with torch.no_grad():
                model(torch.ones(1, 2))
        optimizer.zero_grad()
        model(torch.ones(4, 2)).mean().backward()
        optimizer.step()


def test_passes_before_every_update_are_looked_at_rarely_and_those_of_an_epoch_always():
    with Watching(strict=True) as seen:
        learn_between(1000, apart=1)
    acts = [event for event in seen.trace.of(Forward) if event.inputs[0].shape[0] == 1]
    close = [event.update for event in acts if event.close]
    assert set(range(recorder.FIRST)) <= set(close)
    late = [update for update in close if update >= recorder.SECOND]
    assert 0 < len(late) <= 2 * (1000 - recorder.SECOND) // recorder.EVERY
    with Watching(strict=True) as seen:
        learn_between(125 * recorder.EVERY, apart=recorder.EVERY)
    acts = [event for event in seen.trace.of(Forward) if event.inputs[0].shape[0] == 1]
    assert [event.close for event in acts] == [True] * 125


def by_hand(updates, calls):
    w = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1)
    for _ in range(updates):
        x = torch.ones(3)
        for _ in range(calls):
            x = x * 1.5
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()


def test_where_an_update_takes_many_calls_fewer_updates_are_looked_at_but_never_fewer_than_the_first_ones():
    close = {}
    for calls in (2, 120, 1200):
        with Watching(strict=True) as seen:
            by_hand(60, calls)
        close[calls] = [step.close for step in seen.trace.of(Step)]
    assert all(close[2])
    assert sum(close[1200]) < 20
    assert sum(close[1200]) < sum(close[120])
    assert all(close[1200][: recorder.LEAST])


def test_a_look_at_very_many_calls_ends_before_its_time_and_the_next_one_is_taken(monkeypatch):
    monkeypatch.setattr(recorder, "STRETCH", 500)
    with Watching(strict=True) as seen:
        rows = [torch.zeros(2).add(at) for at in range(1000)]  # before anything is trained
        by_hand(3, 5)
    assert len(rows) == 1000
    ops = [op for op in seen.trace.of(Op) if not op.update]
    assert len(ops) <= 501
    assert [event.close for event in seen.trace.of(Backward)] == [False, True, True]


def test_after_the_first_updates_two_neighbours_in_so_many_are_looked_at(monkeypatch):
    for name, value in (("FIRST", 10), ("SECOND", 40), ("EVERY", 8), ("RARELY", 20)):
        monkeypatch.setattr(recorder, name, value)
    w = torch.zeros(3, requires_grad=True)
    with Watching(strict=True) as seen:
        for _ in range(22):  # at first nothing but backward passes tells of progress
            torch.autograd.backward((w * 2).sum())
        by_hand(101, 1)
    close = [step.update for step in seen.trace.of(Step) if step.close]
    assert close == [*range(1, 10), 16, 17, 24, 25, 32, 33, 40, 41, 60, 61, 80, 81, 100]


def test_the_first_updates_behind_one_more_optimizer_are_looked_at_closely(monkeypatch):
    monkeypatch.setattr(recorder, "FIRST", 10)
    monkeypatch.setattr(recorder, "ANEW", 1)
    with Watching(strict=True) as seen:
        for _ in range(3):
            by_hand(60, 1)
    close = [step.update for step in seen.trace.of(Step) if step.close]
    assert set(range(61, 60 + recorder.AFRESH)) <= set(close)
    assert not set(range(130, 140)) & set(close), "of so many optimizers and no more"


def test_nothing_is_known_for_long_of_tensors_that_are_gone():
    most, w = 0, torch.zeros(3, requires_grad=True)
    with Watching(strict=True) as seen:
        optimizer, kept = torch.optim.SGD([w], lr=0.1), [torch.ones(1)]
        for _ in range(recorder.SECOND + 200):
            optimizer.zero_grad()
            kept = [nn.Identity()(torch.ones(3) + one) for one in range(5)]  # they live until the next ones are made
            (w * kept[0]).sum().backward()
            optimizer.step()
            if not seen.recorder.near:
                most = max(most, seen.recorder.numbers.storages)
    assert most < 150


def test_of_a_long_evaluation_the_first_passes_are_looked_at(monkeypatch):
    monkeypatch.setattr(recorder, "QUIETLY", 7)
    model = nn.Linear(2, 1).eval()
    with Watching(strict=True) as seen:
        for _ in range(20):
            with torch.no_grad():
                model(torch.ones(3, 2))
        model.train()(torch.ones(3, 2))  # what follows is looked at
    assert [event.close for event in seen.trace.of(Forward)] == [True] * 7 + [False] * 13 + [True]


CASES = {
    "number": lambda: torch.tensor(2.5),
    "row": lambda: torch.randn(5),
    "matrix": lambda: torch.randn(4, 4),
    "turned": lambda: torch.randn(3, 5).t(),
    "half": lambda: torch.randn(3, 2).half(),
    "infinite": lambda: torch.tensor([[1.0, 2.0], [3.0, math.inf]]),
    "less than all": lambda: torch.tensor([[-math.inf, 0.0]]),
    "nan": lambda: torch.tensor([1.0, math.nan]),
    "whole": lambda: torch.tensor([2.0, 3.0]),
    "integers": lambda: torch.arange(6),
    "truths": lambda: torch.tensor([[True], [False]]),
    "empty": lambda: torch.zeros(2, 0),
}


@pytest.mark.parametrize("made", CASES.values(), ids=CASES)
def test_few_numbers_looked_at_one_by_one_tell_what_torch_tells_of_them(made, monkeypatch):
    tensor = made()
    one_by_one = looks.values(tensor)
    monkeypatch.setattr(looks, "SINGLE", -1)
    by_torch = looks.values(tensor)
    if by_torch is None:
        assert one_by_one is None
        return
    assert one_by_one is not None
    assert (one_by_one.finite, one_by_one.whole) == (by_torch.finite, by_torch.whole)
    for ours, theirs in zip(flat(one_by_one), flat(by_torch), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9, nan_ok=True)


def flat(values):
    return [values.low, values.high, values.mean, *(values.sums or ())]


def test_the_first_pass_is_looked_at_however_many_calls_made_the_data(monkeypatch):
    monkeypatch.setattr(recorder, "STRETCH", 500)
    model = nn.Linear(2, 1)
    with Watching(strict=True) as seen:
        rows = torch.stack([torch.ones(2).mul(at) for at in range(600)])
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
        for part in rows.split(100):
            optimizer.zero_grad()
            model(part).mean().backward()
            optimizer.step()
    ops = [op for op in seen.trace.of(Op) if op.name == "mul"]
    assert len(ops) < 600
    assert [event.close for event in seen.trace.of(Backward)] == [True] * 6


def test_of_optimizers_that_one_line_builds_the_first_ones_are_judged():
    model = nn.Linear(2, 1)
    with Watching(strict=True) as seen:
        for _ in range(40):
            optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
            for _ in range(2):
                model(torch.ones(3, 2)).mean().backward()
                optimizer.step()
                optimizer.zero_grad()
        last = torch.optim.SGD(model.parameters(), lr=1e-4)
        for _ in range(2):
            model(torch.ones(3, 2)).mean().backward()
            last.step()
    judged = stepping(seen.trace, 2)
    assert len(judged) == MANY + 1
    assert judged[-1] == list(seen.trace.optimizers())[-1]
