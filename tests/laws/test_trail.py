"""Momentum by steps back adds up to the momentum, and is what each earlier gradient still does, by the textbook."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import truestep as ts
from truestep.core import links, rules
from truestep.explain.trail import OLDER, ROUNDING

FLAGS = st.fixed_dictionaries(
    {
        "momentum": st.sampled_from([0.5, 0.9, 0.99]),
        "dampening": st.sampled_from([0.0, 0.3]),
        "weight_decay": st.sampled_from([0.0, 0.05]),
        "maximize": st.booleans(),
    }
)


def started(dtype: torch.dtype = torch.float64, clip: float | None = None, **flags: object) -> ts.TrainStep:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).to(dtype)
    return ts.TrainStep(model, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.1, **flags), clip_norm=clip)


def batch(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    return torch.randn(6, 3, dtype=dtype), torch.randn(6, 2, dtype=dtype)


def directions(step: ts.TrainStep, x: Tensor, y: Tensor, decay: float, sign: float) -> list[Tensor]:
    """What this step feeds into each momentum buffer, by autograd alone and before it is dampened."""
    loss = ((step.model(x) - y) ** 2).mean()
    found = torch.autograd.grad(loss, list(step.model.parameters()))
    return [sign * g + decay * p.detach() for g, p in zip(found, step.model.parameters(), strict=True)]


@given(flags=FLAGS, nesterov=st.booleans(), steps=st.integers(1, 6))
def test_each_step_back_is_what_its_gradient_still_does(flags, nesterov, steps):
    if nesterov:
        flags = {**flags, "dampening": 0.0}
    step = started(nesterov=nesterov, **flags)
    sign = -1.0 if flags["maximize"] else 1.0
    trail, fed = ts.Trail(step), []
    for _ in range(steps):
        x, y = batch()
        fed.append(directions(step, x, y, flags["weight_decay"], sign))
        step(x, y)
    ledger = ts.explain(step, *batch(), history=trail)
    for number, account in enumerate(ledger.accounts.values()):
        assert list(account.momentum_by_step) == [*range(1, steps + 1), OLDER, ROUNDING]
        for back in range(1, steps + 1):
            kept = links.echo(back, flags["momentum"], flags["dampening"], nesterov, first=back == steps)
            expected = -0.1 * kept * fed[-back][number]
            torch.testing.assert_close(account.momentum_by_step[back], expected, rtol=1e-9, atol=1e-15)
        assert not account.momentum_by_step[OLDER].any()  # the trail saw every step


@given(
    flags=FLAGS,
    dtype=st.sampled_from([torch.float32, torch.float64, torch.bfloat16]),
    scale=st.sampled_from([0.0, 1e-6, 1.0, 1e6]),
    length=st.integers(1, 4),
)
def test_the_steps_back_add_up_to_the_momentum_to_the_last_bit(flags, dtype, scale, length):
    step = started(dtype, clip=0.3, **flags)
    trail = ts.Trail(step, length)
    for _ in range(5):
        x, y = batch(dtype)
        step(scale * x, y)
    for account in ts.explain(step, *batch(dtype), history=trail).accounts.values():
        assert torch.equal(sum(account.momentum_by_step.values()), account.entries["momentum"])
        assert len(account.momentum_by_step) == length + 2
        sizes = sum(entry.abs() for entry in account.entries.values())  # on whose grid the momentum is
        assert bool((account.momentum_by_step[ROUNDING].abs() <= 1e-14 * sizes).all())


def test_what_is_older_than_the_trail_is_told_as_older():
    step = started(momentum=0.9)
    for _ in range(3):
        step(*batch())
    buffers = [step.updates.optimizers[0].state[p]["momentum_buffer"].clone() for p in step.updates.parameters]
    trail = ts.Trail(step)
    step(*batch())
    told = ts.explain(step, *batch(), history=trail).accounts.values()
    for account, buffer in zip(told, buffers, strict=True):
        torch.testing.assert_close(account.momentum_by_step[OLDER], -0.1 * 0.9**2 * buffer, rtol=1e-9, atol=1e-16)


def test_steps_that_were_undone_leave_no_trace():
    first, second = (started(momentum=0.9) for _ in range(2))
    second.model.load_state_dict(first.model.state_dict())
    trails = [ts.Trail(each, 4) for each in (first, second)]
    batches = [batch() for _ in range(7)]
    for x, y in batches:
        first(x, y)
        second(x, y)
        ts.explain(second, x, y, history=trails[1])
        ts.prove(second, x, y)
    told = [ts.explain(each, *batches[0], history=trail) for each, trail in zip((first, second), trails, strict=True)]
    for one, other in zip(told[0].accounts.values(), told[1].accounts.values(), strict=True):
        assert list(one.momentum_by_step) == [1, 2, 3, 4, OLDER, ROUNDING]
        for back in one.momentum_by_step:
            assert torch.equal(one.momentum_by_step[back], other.momentum_by_step[back])


def test_a_factor_that_changes_and_a_step_without_a_gradient_are_counted():
    """By hand: 1, then momentum 0.5 twice, the second time with nothing to add for a weight that is left out."""
    w, other = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([w, other], lr=1.0, momentum=0.9)
    trail = ts.Trail(optimizer)
    for momentum, gradient in itertools.zip_longest([0.9, 0.5, 0.5], [1.0, 4.0, None]):
        optimizer.param_groups[0]["momentum"] = momentum
        w.grad = None if gradient is None else torch.tensor([gradient])
        other.grad = torch.ones(1)
        optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0.1
    twin = rules.of(optimizer)[w]
    told = trail.apart(twin, torch.tensor([-0.45], dtype=torch.float64))  # 0.1 * (0.5 * 1 + 4)
    assert [float(told[back]) for back in (1, 2, 3)] == pytest.approx([0.0, -0.4, -0.05])


def test_an_adaptive_rule_tells_no_steps_back():
    model = nn.Linear(2, 1)
    step = ts.TrainStep(model, nn.MSELoss(), torch.optim.Adam(model.parameters()))
    trail = ts.Trail(step)
    step(torch.ones(3, 2), torch.zeros(3, 1))
    account = ts.explain(step, torch.ones(3, 2), torch.zeros(3, 1), history=trail)["weight"]
    assert "momentum" in account.entries
    assert account.momentum_by_step == {}


def test_a_trail_that_is_closed_costs_and_remembers_nothing_more():
    step = started(momentum=0.9)
    with ts.Trail(step) as trail:
        step(*batch())
    step(*batch())
    optimizer = step.updates.optimizers[0]
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks
    assert ts.explain(step, *batch(), history=trail)["0.weight"].momentum_by_step == {}


def test_a_trail_of_nothing_is_refused_in_a_sentence():
    model = nn.Linear(2, 1)
    by_hand = ts.TrainStep(model, nn.MSELoss(), lambda number: None)
    with pytest.raises(ts.ConfigError, match="a trail follows optimizers of torch"):
        ts.Trail(by_hand)
    with pytest.raises(ts.ConfigError, match="a length of at least 1 step, and not 0"):
        ts.Trail(torch.optim.SGD(model.parameters(), momentum=0.9), 0)
