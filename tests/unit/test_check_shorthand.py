"""Between close looks the record is kept in shorthand: it tells the same, and costs memory only for what it tells."""

import gc

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from truestep.check import recorder
from truestep.check.changes import Backward, Clear, Step
from truestep.check.events import Batch, Forward, Names, Number
from truestep.check.looks import Seen, digest, row_digests
from truestep.check.shorthand import Shorthand
from truestep.check.watch import Stopped, Watching


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """The close looks end after three updates."""
    monkeypatch.setattr(recorder, "FIRST", 3)
    monkeypatch.setattr(recorder, "AFRESH", 0)
    monkeypatch.setattr(recorder, "SECOND", 3)


def train(epochs, rates=(0.1,)):
    torch.manual_seed(0)
    model, criterion = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), nn.CrossEntropyLoss()
    loader = DataLoader(TensorDataset(torch.randn(24, 3), torch.randint(2, (24,))), 8, shuffle=True)
    optimizer, total = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), 0.0
    for epoch in range(epochs):
        optimizer.param_groups[0]["lr"] = rates[epoch % len(rates)]
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
    return total


def recorded(epochs, rates=(0.1,)):
    with Watching(strict=True) as seen:
        total = train(epochs, rates)
    return [event for event in seen.trace.events if not isinstance(event, Names)], total


def test_what_is_told_of_shorthand_is_what_is_written_in_full(monkeypatch):
    runs = []
    for write in (Shorthand.write, lambda *args: False):
        monkeypatch.setattr(Shorthand, "write", write)
        runs.append(recorded(4, (0.1, 0.03)))
    (short, total), (full, again) = runs
    assert total == again
    assert short == full
    assert [event.n for event in short] == sorted({event.n for event in short})
    cheap = {type(event) for event in short if not event.close}
    assert cheap >= {Batch, Clear, Forward, Backward, Step, Number}
    last = [event for event in short if isinstance(event, Number) and not event.close]
    assert sum(event.value or 0.0 for event in last) < total
    assert all(isinstance(index, int) for event in short if isinstance(event, Batch) for index in event.index or [None])


def told(event):
    """What a close look and a quick one both tell of an event."""
    words = {"n", "update", "close", "leaves", "nodes", "moved", "loader", "run", "module", "optimizer", "owner"}
    facts = {word: getattr(event, word) for kind in type(event).__mro__ for word in getattr(kind, "__slots__", ())}
    began = event.n - facts.pop("began", event.n - 1)
    held = len(facts.pop("held", ()))
    return type(event), began > 0, held, {k: bare(v) for k, v in facts.items() if k not in words}


def bare(value):
    if isinstance(value, Seen):
        return value[2:6], value[7]
    return tuple(map(bare, value)) if type(value) is tuple else value


def test_a_quick_look_tells_what_a_close_one_tells(monkeypatch):
    runs = []
    for first in (3, 100):
        monkeypatch.setattr(recorder, "FIRST", first)
        runs.append(recorded(4, (0.1, 0.03))[0])
    kinds = (Batch, Clear, Forward, Backward, Step, Number)
    quick, close = ([told(e) for e in run if isinstance(e, kinds) and getattr(e, "depth", 0) == 0] for run in runs)
    assert sum(not event.close for event in runs[0]) > len(close) / 2
    assert quick == close


class Key:
    """An index of the user's own that must not be copied."""

    def __reduce__(self):
        raise AssertionError("it is the user's")


def test_what_is_put_away_comes_back_as_it_was(monkeypatch):
    monkeypatch.setattr(recorder, "FIRST", 100)
    runs = []
    for parcel in (1, 50, 10**9):
        monkeypatch.setattr(recorder, "PARCEL", parcel)
        runs.append(recorded(4))
    assert runs[0] == runs[1] == runs[2]
    events = runs[0][0]
    places = {event.site: event.site for event in events}
    assert all(event.site is places[event.site] for event in events)


def test_close_looks_leave_few_objects_and_what_is_the_users_is_not_copied(monkeypatch):
    monkeypatch.setattr(recorder, "PARCEL", 1)
    keys = [Key() for _ in range(4)]
    with Watching(strict=True) as seen:
        for _ in DataLoader(dict.fromkeys(keys, 1.0), batch_size=2, sampler=keys):
            train(1)
        left = len(seen.trace.events)
    chosen = [batch.index for batch in seen.trace.of(Batch) if batch.index and isinstance(batch.index[0], Key)]
    assert chosen == [tuple(keys[:2]), tuple(keys[2:])]
    assert left < len(seen.trace.events) / 2


def test_nothing_is_left_for_the_garbage_collector_between_close_looks():
    with Watching(strict=True) as seen:
        train(2)
        counts = []
        for _ in range(2):
            train(1)  # its lines and shapes are known the second time
            gc.collect()
            began, known = len(gc.get_objects()), len(seen.recorder.numbers._known)
            train(20)
            gc.collect()
            counts.append((len(gc.get_objects()) - began, len(seen.recorder.numbers._known) - known))
    grown, known = counts[-1]
    assert grown < 20 * 15, "sixty updates leave hardly more than their twenty passes over the loader"
    assert known < 130, "what is gone is forgotten"
    assert not seen.recorder.numbers._stores


def test_a_full_record_ends_as_if_the_program_did_and_the_program_goes_on(monkeypatch):
    alone, _ = train(40), monkeypatch.setattr(recorder, "LAST", 400)
    with Watching(strict=True) as seen:
        total = train(40)
    trace, written = seen.trace, seen.recorder.written
    assert total == alone
    assert trace.updates_made == max(step.update for step in trace.of(Step)) + 1 < 60
    assert len(trace.events) < 500
    assert written >= 400
    assert trace.blind == [f"the record was full after {trace.updates_made} updates: nothing later was looked at"]
    assert not seen.recorder.numbers._stores
    with pytest.raises(Stopped), Watching(most=100, strict=True) as stopped:
        train(40)
    assert stopped.trace.updates_made + stopped.recorder.later == 100
    assert stopped.recorder.later > 0


def mark(tensor):
    found = digest(tensor)
    assert found is not None
    return found.mark


def test_a_digest_tells_bits_apart_whatever_is_kept_of_earlier_ones():
    torch.manual_seed(0)
    weight = torch.randn(64, 128)  # laid out as a square, with one row in a row
    first, rows = mark(weight), row_digests(weight)
    assert mark(weight.clone()) == first
    assert row_digests(weight.clone()) == rows
    for change in (
        weight.flip(0),
        weight.flip(1),
        -weight,
        2 * weight,
        weight.roll(2, 1),
        weight.nextafter(weight + 1),
    ):
        assert mark(change) != first
        assert row_digests(change) != rows
    one = weight.clone()
    one[0, 0], one[1, 1] = one[1, 1].item(), one[0, 0].item()
    assert mark(one) != first
    assert mark(weight[1:, :97]) != first, "a view that stands anywhere"
