"""Between close looks nearly nothing is seen and nearly nothing is paid; what is always seen is seen there as well."""

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from truestep.check import recorder
from truestep.check.changes import Clear, Step
from truestep.check.events import Forward, Number, Op
from truestep.check.watch import Watching


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """The close looks end after three updates."""
    monkeypatch.setattr(recorder, "FIRST", 3)
    monkeypatch.setattr(recorder, "AFRESH", 0)
    monkeypatch.setattr(recorder, "SECOND", 3)


class Other(TorchFunctionMode):
    """A mode of the user's, which must see all calls while it is on, and none after."""

    calls = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.calls += 1
        return func(*args, **(kwargs or {}))


def train(steps):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, total = torch.randn(8, 3), 0.0
    for _ in range(steps):
        for parameter in model.parameters():
            parameter.grad = None
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total


def depth():
    return torch._C._len_torch_function_stack()


def test_after_the_first_updates_the_mode_is_off_and_numbers_clearings_and_steps_are_still_seen():
    with Watching(strict=True) as seen:
        train(10)
        assert not depth(), "the mode is off between close looks"
    events = [event for event in seen.trace.events if event.update in range(4, 10)]
    assert not any(isinstance(event, Op) for event in events)
    assert sum(isinstance(event, Step) for event in seen.trace.events) == 10
    cleared = [event for event in events if isinstance(event, Clear) and event.how == "hand"]
    assert len(cleared) == 4 * 6, "four parameters, six updates"
    numbers = [event for event in events if isinstance(event, Number) and event.how == "item"]
    assert len(numbers) == 6
    assert all(event.value is not None and event.site.text == "total += loss.item()" for event in numbers)
    outer = [event for event in events if isinstance(event, Forward)]
    assert {event.kind for event in outer} == {"Sequential"}
    assert len(outer) == 6


def test_a_gradient_that_is_read_or_cleared_by_hand_is_seen_in_close_looks_too():
    w, x = torch.zeros(3, requires_grad=True), torch.randn(5, 3)
    with Watching(strict=True) as seen:
        for _ in range(2):
            w.grad = None
            (x @ w - 1).square().sum().backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
    assert len(seen.trace.ops("grad")) == 2
    assert [event.how for event in seen.trace.of(Clear)] == ["hand"]


def test_a_gradient_set_to_zero_by_hand_is_seen_between_close_looks():
    w, x = torch.zeros(3, requires_grad=True), torch.randn(5, 3)
    optimizer = torch.optim.SGD([w], lr=0.1)
    with Watching(strict=True) as seen:
        for _ in range(8):
            (x @ w - 1).square().sum().backward()
            optimizer.step()
            w.grad.zero_()
    events = [event for event in seen.trace.of(Clear) if event.update > 4]
    assert len(events) == 4
    assert all(event.held[0][0] == seen.recorder.numbers.of(w) for event in events)


def test_a_mode_of_the_users_stays_where_it_is():
    other = Other()
    with Watching(strict=True):
        train(2)
        with other:
            before = other.calls
            train(6)  # close looks end inside
            assert other.calls > before
            assert depth() == 2, "a mode below another one is left in its place"
        assert depth() == 1
        calls = other.calls
        train(2)
        assert other.calls == calls
        assert depth() == 0
    assert depth() == 0


def test_a_mode_that_was_on_before_is_still_on_after():
    with Other() as other:
        with Watching(strict=True):
            train(6)
        assert depth() == 1
        before = other.calls
        torch.zeros(2).add(1)
        assert other.calls > before


def test_without_every_call_seen_a_look_is_not_close():
    with Watching(strict=True) as seen:
        train(5)
        with Other():
            seen.recorder.look(True)
            assert not seen.recorder.close, "the mode cannot go on below another one"


@pytest.mark.parametrize("make", [nn.TransformerEncoderLayer, nn.MultiheadAttention])
def test_the_quick_way_of_attention_in_evaluation_is_taken_and_gives_the_same_bits(make):
    layer = make(16, 2, batch_first=True).eval()
    x = torch.randn(4, 6, 16)
    taken = []

    def run():
        with torch.no_grad(), torch.profiler.profile() as found:
            out = layer(x, x, x)[0] if isinstance(layer, nn.MultiheadAttention) else layer(x)
        taken.append({event.key for event in found.key_averages() if "native" in event.key or "encoder" in event.key})
        return out

    bare = run()
    with Watching(strict=True) as seen:
        watched = run()
        assert depth() == 1, "the mode is on again"
    assert torch.equal(bare, watched)
    assert taken[0] == taken[1] != set()
    assert [event.close for event in seen.trace.of(Forward)] == [True]


def test_the_methods_of_a_tensor_are_as_they_were():
    before = dict(vars(Tensor))
    with Watching():
        assert vars(Tensor) != before
        assert torch.ones(2, requires_grad=True).grad is None
    assert dict(vars(Tensor)) == before
