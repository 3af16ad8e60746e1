"""A step of any loop is explained as that of a `TrainStep` is, and nothing that the loop does is changed."""

import functools
from contextlib import suppress
from itertools import islice

import pytest
import torch
from torch import nn
from torch.nn.functional import l1_loss, mse_loss
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

import truestep as ts
from truestep.explain.loop.watch import LoopWatch, Stopped
from unit.loop_cases import OPTIMIZERS, batches, causes, explained, network, two_terms


@pytest.mark.parametrize("clip", [torch.inf, 0.3])
@pytest.mark.parametrize("number", [1, 5])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_loop_is_explained_as_the_same_step_of_ours(name, number, clip):
    ledger = explained(functools.partial(two_terms, OPTIMIZERS[name], clip), number)
    model = network()
    objective = ts.Objective(mse=nn.MSELoss(), mae=(0.5, nn.L1Loss()))
    limit = None if clip == torch.inf else clip
    step = ts.TrainStep(model, objective, OPTIMIZERS[name](model.parameters()), clip_norm=limit)
    trail = ts.Trail(step)
    *before, (x, y) = islice(batches(), number)
    for batch in before:
        step(*batch)
    ours = ts.explain(step, x, y, history=trail)
    for one in ours.accounts.values():
        other = ledger[one.name]
        assert set(other.entries) >= {cause for cause, entry in one.entries.items() if entry.any()}
        size = float(one.change.norm()) + sum(float(entry.norm()) for entry in one.entries.values())
        for cause, entry in one.entries.items():
            if cause != "rounding":
                torch.testing.assert_close(other.entries[cause], entry, rtol=1e-5, atol=2e-6 * size)
        assert list(other.momentum_by_step) == list(one.momentum_by_step)
        for back, part in one.momentum_by_step.items():
            torch.testing.assert_close(other.momentum_by_step[back], part, rtol=1e-4, atol=1e-7)
    assert ledger.out.loss == pytest.approx(ours.out.loss, rel=1e-6)
    assert ledger.out.terms == pytest.approx(ours.out.terms, rel=1e-6)
    assert dict(ledger.out.weights) == dict(ours.out.weights)
    assert ledger.clipped == pytest.approx(ours.clipped, rel=1e-5)
    assert ledger.cosines == pytest.approx(ours.cosines, abs=1e-5)
    for told, own in zip(ledger.modules, ours.modules, strict=True):
        assert (told.name, told.type, told.shape) == (own.name, own.type, own.shape)
        assert (told.mean, told.gradient) == pytest.approx((own.mean, own.gradient), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("number", [1, 4])
def test_the_loop_takes_the_steps_that_it_takes_alone(number):
    """Bit for bit, with dropout and running statistics: terms that are told apart draw nothing and move nothing."""

    def train(steps: int) -> list[torch.Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 2))
        optimizer = torch.optim.Adam(model.parameters())
        kept.append(model)
        for x, y in islice(batches(), steps):
            optimizer.zero_grad()
            output = model(x)
            (mse_loss(output, y) + l1_loss(output, y)).backward()
            optimizer.step()
        return [*model.state_dict().values(), torch.get_rng_state()]

    kept = list[nn.Module]()
    alone = train(number)
    with LoopWatch(number), suppress(Stopped):
        train(9)
    watched = [*kept[-1].state_dict().values(), torch.get_rng_state()]
    assert all(torch.equal(a, b) for a, b in zip(alone, watched, strict=True))


def test_every_backward_pass_of_an_accumulation_is_a_cause():
    def loop() -> None:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for number, (x, y) in enumerate(batches(), 1):
            loss = mse_loss(model(x), y) / 3
            loss.backward()
            if number % 3 == 0:
                optimizer.step()
                optimizer.zero_grad()

    ledger = explained(loop, 4)
    assert causes(ledger) == ["loss, backward 1", "loss, backward 2", "loss, backward 3"]
    model, fed = network(), list(islice(batches(), 12))
    weights = list(model.parameters())
    for start in range(0, 12, 3):
        gradients = [torch.autograd.grad(mse_loss(model(x), y) / 3, weights) for x, y in fed[start : start + 3]]
        if start < 9:
            with torch.no_grad():
                for parameter, *parts in zip(weights, *gradients, strict=True):
                    parameter -= 0.1 * sum(parts)
    for place, account in enumerate(ledger.accounts.values()):
        for number in range(3):
            expected = -0.1 * gradients[number][place].double()
            torch.testing.assert_close(account.entries[f"loss, backward {number + 1}"], expected, rtol=1e-4, atol=1e-8)


def test_very_many_backward_passes_are_added_up_and_said():
    def loop() -> None:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for number, (x, y) in enumerate(batches(), 1):
            (mse_loss(model(x), y) / 20).backward()
            if number % 20 == 0:
                optimizer.step()

    ledger = explained(loop)
    assert len(causes(ledger)) == 1
    assert "20 backward passes of this update are added up by term." in ledger.notes


def test_gradients_that_were_never_cleared_are_left_from_earlier_steps():
    def loop() -> None:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for x, y in batches():
            loss = mse_loss(model(x), y)
            loss.backward()
            optimizer.step()

    assert causes(explained(loop, 1)) == ["loss"]
    for number in (2, 5, 9):
        ledger = explained(loop, number)
        assert causes(ledger) == ["loss", "left from earlier steps"]
        assert ledger.shares["left from earlier steps"] > 0.3


def test_what_the_program_does_to_its_gradients_is_a_cause_of_its_own():
    def loop() -> None:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in batches():
            optimizer.zero_grad(set_to_none=False)
            loss = mse_loss(model(x), y)
            loss.backward()
            for parameter in model.parameters():
                parameter.grad.mul_(0.25)
            optimizer.step()

    ledger = explained(loop, 3)
    assert causes(ledger) == ["loss", "changed by the program"]
    assert ledger.shares["changed by the program"] == pytest.approx(-3)


def test_values_that_are_clipped_are_clipping_too():
    def loop() -> None:
        model = network()
        optimizer = torch.optim.Adam(model.parameters())
        for x, y in batches():
            optimizer.zero_grad()
            loss = mse_loss(model(x), y)
            loss.backward()
            torch.nn.utils.clip_grad_value_(model.parameters(), 0.01)
            optimizer.step()

    ledger = explained(loop, 2)
    assert causes(ledger) == ["loss", "momentum", "clipping"]
    assert ledger.clipped[1] < ledger.clipped[0]


def test_everything_is_as_before_when_the_watch_ends():
    held = [torch.autograd.backward, torch.nn.utils.clip_grad_norm_, torch.amp.GradScaler.unscale_, ts.TrainStep.window]
    explained(functools.partial(two_terms, OPTIMIZERS["sgd"], 0.3), 2)
    with pytest.raises(ZeroDivisionError), LoopWatch(1):
        _ = 1 / 0
    now = [torch.autograd.backward, torch.nn.utils.clip_grad_norm_, torch.amp.GradScaler.unscale_, ts.TrainStep.window]
    assert all(a is b for a, b in zip(held, now, strict=True))
    assert not _global_optimizer_pre_hooks
    assert not _global_optimizer_post_hooks
    assert not nn.modules.module._global_forward_hooks


def test_a_program_that_catches_everything_goes_on_and_is_stopped_again():
    taken = []

    def loop() -> None:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in islice(batches(), 8):
            try:
                optimizer.zero_grad()
                mse_loss(model(x), y).backward()
                optimizer.step()
            except BaseException as error:  # noqa: BLE001 - what a program may do
                taken.append(type(error))

    assert explained(loop, 3).step == "update 3, by SGD"
    assert taken == [Stopped] * 6
