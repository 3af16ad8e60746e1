"""The ledger adds up to the last bit, whatever the model, the terms, the rule, the precision and the scale."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import truestep as ts

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1),
    "momentum": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.1, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, 0.01, amsgrad=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.01, momentum=0.5, centered=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, 0.01),
    "nadam": lambda p: torch.optim.NAdam(p, 0.01),
    "radam": lambda p: torch.optim.RAdam(p, 0.01),
    "adamax": lambda p: torch.optim.Adamax(p, 0.01),
    "unknown": lambda p: torch.optim.Rprop(p, 0.01),
    "lbfgs": lambda p: torch.optim.LBFGS(p, 0.1, max_iter=3),
}


def network(dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.3), nn.Linear(4, 2)).to(dtype)


def batch(dtype: torch.dtype = torch.float32, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(9, 3, generator=generator), torch.randn(9, 2, generator=generator)
    return x.to(dtype), (y * scale).to(dtype)


def two_terms() -> ts.Objective:
    return ts.Objective(mse=nn.MSELoss(), mae=(0.5, nn.L1Loss()))


@pytest.mark.parametrize("name", OPTIMIZERS)
@given(
    dtype=st.sampled_from([torch.float32, torch.float64]),
    scale=st.sampled_from([0.0, 1e-12, 1.0, 1e6, 1e15]),
    clip=st.sampled_from([None, 0.3]),
    steps=st.integers(0, 3),
)
def test_the_entries_add_up_to_the_change_to_the_last_bit(name, dtype, scale, clip, steps):
    model = network(dtype)
    step = ts.TrainStep(model, two_terms(), OPTIMIZERS[name](model.parameters()), clip_norm=clip)
    for _ in range(steps):
        step(*batch(dtype))
    ledger = ts.explain(step, *batch(dtype, scale))
    for account in ledger.accounts.values():
        added = torch.zeros_like(account.change)
        for entry in account.entries.values():
            added = added + entry
        assert torch.equal(added, account.change)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "adamw"])
def test_rounding_is_a_few_ulp_of_the_weights_and_of_what_moved_them(name):
    model = network()
    step = ts.TrainStep(model, two_terms(), OPTIMIZERS[name](model.parameters()), clip_norm=0.3)
    for _ in range(3):
        step(*batch())
    for account in ts.explain(step, *batch()).accounts.values():
        causes = [entry.abs() for cause, entry in account.entries.items() if cause != "rounding"]
        ulp = torch.finfo(torch.float32).eps * (account.before.abs() + sum(causes, torch.zeros_like(account.before)))
        assert bool((account.entries["rounding"].abs() <= 4 * ulp).all())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_ledger_tells_the_step_that_is_taken_next_and_leaves_no_trace(name):
    """Dropout draws what the real step draws; weights, optimizer and random state end as they were, to the bit."""
    model = network()
    optimizer = OPTIMIZERS[name](model.parameters())
    step = ts.TrainStep(model, two_terms(), optimizer, micro_batch=4)
    step(*batch())
    before = copy.deepcopy((model.state_dict(), optimizer.state_dict(), torch.get_rng_state(), step.taken))
    ledger = ts.explain(step, *batch())
    after = (model.state_dict(), optimizer.state_dict(), torch.get_rng_state(), step.taken)
    assert _same(before, after)
    out = step(*batch())
    assert out.loss == ledger.out.loss
    for parameter_name, parameter in model.named_parameters():
        account = ledger[parameter_name]
        assert torch.equal(account.before + account.change, parameter.detach().double())


def test_each_term_decay_and_momentum_are_told_by_their_names():
    model = network()
    step = ts.TrainStep(model, two_terms(), OPTIMIZERS["momentum"](model.parameters()), clip_norm=0.1)
    step(*batch())
    assert list(ts.explain(step, *batch())["3.weight"].entries) == [
        "mse", "mae", "decay", "momentum", "clipping", "rounding",
    ]  # fmt: skip


def test_an_updater_written_by_hand_is_measured():
    w = torch.ones(3, 1, requires_grad=True)
    x, y = batch()
    step = ts.TrainStep(lambda x: x @ w, nn.MSELoss(), lambda n: w.sub_(0.1 * w.grad / n + 0.01 * w), params=[w])
    account = ts.explain(step, x, y[:, :1])["parameter 0"]
    assert list(account.entries) == ["MSELoss", "the optimizer's own rule", "rounding"]
    assert torch.equal(account.before, torch.ones(3, 1).double())


@pytest.mark.parametrize("micro", [None, 4])
def test_a_step_that_counts_nothing_moved_nothing(micro):
    model = nn.Linear(3, 2)
    step = ts.TrainStep(model, nn.CrossEntropyLoss(), OPTIMIZERS["momentum"](model.parameters()), micro)
    ledger = ts.explain(step, batch()[0], torch.full((9,), -100))
    assert ledger.out.skipped
    assert not any(account.change.any() for account in ledger.accounts.values())
    assert "nothing in the batch is counted" in ledger.notes[-1]


def test_a_term_called_as_a_cause_is_refused():
    model = network()
    step = ts.TrainStep(model, ts.Objective(decay=nn.MSELoss()), OPTIMIZERS["sgd"](model.parameters()))
    with pytest.raises(ts.ConfigError, match=r"a loss term is called 'decay', which is a cause of its own"):
        ts.explain(step, *batch())


def test_a_parameter_that_is_not_there_is_named_with_those_that_are():
    model = nn.Linear(3, 2)
    step = ts.TrainStep(model, nn.MSELoss(), torch.optim.SGD(model.parameters(), 0.1))
    with pytest.raises(ts.ConfigError, match=r"this ledger has no parameter 'fc': it has weight, bias\."):
        ts.explain(step, *batch())["fc"]


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return a == b
