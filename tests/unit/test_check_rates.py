"""Rates that come to nothing, clipping of nothing, and losses that are differentiated once more."""

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LambdaLR

from truestep.check.rules import judge
from truestep.check.watch import Watching

X = torch.randn(90, 4, generator=torch.Generator().manual_seed(5))
Y = X.sum(1, keepdim=True)


def _said(slug, schedule=None, rate=0.05, each=lambda net, optimizer, made: None, prepare=lambda net: None):
    torch.manual_seed(0)
    with Watching(strict=True) as seen:
        net = nn.Linear(4, 1)
        made, optimizer = prepare(net), SGD(net.parameters(), rate)
        scheduler = None if schedule is None else schedule(optimizer)
        for step in range(90):
            optimizer.zero_grad()
            nn.functional.mse_loss(net(X[step % 3 :: 3]), Y[step % 3 :: 3]).backward()
            each(net, optimizer, made)
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
    return [(each.level, each.message) for each in judge(seen.trace, [slug], strict=True)]


WRONG = {
    "a warm-up in whole numbers": lambda one: LambdaLR(one, lambda step: min(1, step // 100)),
    "a rate for a factor": lambda one: LambdaLR(one, lambda step: 0.05 * 0.99**step),
}
SOUND = {
    "a warm-up": lambda one: LambdaLR(one, lambda step: min(1, step / 20)),
    "a factor": lambda one: LambdaLR(one, lambda step: 0.99**step),
    "a factor that begins at the rate": lambda one: LambdaLR(one, lambda step: min(1, 0.05 + step / 20)),
    "a cosine to zero": lambda one: CosineAnnealingLR(one, 90),
}


@pytest.mark.parametrize("schedule", WRONG.values(), ids=WRONG)
def test_rates_that_are_nothing_by_their_schedule_are_named(schedule):
    assert len(_said("rate_too_small", schedule)) == 1


def test_a_fall_by_ten_at_each_step_is_told_by_the_rule_of_its_schedule_alone():
    assert len(_said("schedule_by_batch", lambda one: ExponentialLR(one, 0.1))) == 1
    assert not _said("rate_too_small", lambda one: ExponentialLR(one, 0.1))


@pytest.mark.parametrize("schedule", SOUND.values(), ids=SOUND)
def test_schedules_that_begin_or_end_at_nothing_are_left_alone(schedule):
    assert not _said("rate_too_small", schedule)


def test_clipping_what_a_generator_has_left_is_named():
    def clip(net, optimizer, made):
        nn.utils.clip_grad_norm_(made, 0.5)

    def read(net):
        given = net.parameters()
        list(given)
        return given

    ((level, words),) = _said("clip_after_step", each=clip, prepare=read)
    assert (level, "given no parameter" in words) == ("error", True)
    assert not _said("clip_after_step", each=clip, prepare=lambda net: list(net.parameters()))


@pytest.mark.parametrize("kept", [True, False])
def test_a_running_sum_that_is_differentiated_at_each_update_is_named(kept):
    torch.manual_seed(0)
    net, total = nn.Linear(4, 1), torch.zeros(())
    with Watching(strict=True) as seen:
        optimizer = SGD(net.parameters(), 0.001)
        for step in range(10):
            loss = nn.functional.mse_loss(net(X[step::9]), Y[step::9])
            total = total + (loss if kept else loss.item())
            optimizer.zero_grad()
            (total / (step + 1) if kept else loss).backward(retain_graph=kept)
            optimizer.step()
    assert bool(judge(seen.trace, ["never_cleared"], strict=True)) == kept


def test_a_term_that_two_optimizers_share_is_differentiated_for_each():
    torch.manual_seed(0)
    first, second = nn.Linear(4, 2), nn.Linear(2, 1)
    with Watching(strict=True) as seen:
        one, two = SGD(first.parameters(), 0.01), SGD(second.parameters(), 0.01)
        for step in range(10):
            shared = nn.functional.mse_loss(second(first(X[step::9])), Y[step::9])
            one.zero_grad()
            (shared * 2).backward(retain_graph=True, inputs=list(first.parameters()))
            one.step()
            two.zero_grad()
            (shared / 3).backward(inputs=list(second.parameters()))
            two.step()
    assert not judge(seen.trace, ["never_cleared"], strict=True)


def test_steps_behind_passes_that_were_not_looked_at_are_none_of_the_last_one_that_was():
    torch.manual_seed(0)
    net = nn.Linear(4, 1)
    with Watching(strict=True) as seen:
        optimizer = SGD(net.parameters(), 0.01)
        for step in range(140):
            optimizer.zero_grad()
            nn.functional.mse_loss(net(X[step % 9 :: 9]), Y[step % 9 :: 9]).backward()
            optimizer.step()
    assert not judge(seen.trace, ["never_cleared"], strict=True)


def _epochs(schedule, after, epochs=8, inside=True):
    """What is said of a net that is trained on five batches an epoch, with `after` at the end of each."""
    torch.manual_seed(0)
    net = nn.Linear(4, 1)
    with Watching(strict=True) as seen:
        optimizer = SGD(net.parameters(), 0.05)
        scheduler = schedule(optimizer)
        for _ in range(epochs):
            for batch in range(5):
                loss = nn.functional.mse_loss(net(X[batch::5]), Y[batch::5])
                if inside or batch == 4:
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
            after(scheduler)
        seen.ended({})
    found = judge(seen.trace, ["schedule_by_batch", "samples_unseen"], strict=True)
    return {each.name: each.evidence for each in found}


def _twice(scheduler):
    scheduler.step()
    scheduler.step()


def test_a_schedule_that_is_stepped_twice_an_epoch_is_named():
    found = _epochs(lambda one: torch.optim.lr_scheduler.StepLR(one, 4), _twice)
    assert "2 times in a row" in found["schedule_by_batch"]


@pytest.mark.parametrize("length, told", [(4, True), (5, True), (8, False), (7, False), (2, False)])
def test_a_cosine_that_the_run_leaves_on_its_way_up_is_named(length, told):
    found = _epochs(lambda one: CosineAnnealingLR(one, length), lambda one: one.step())
    assert ("schedule_by_batch" in found) == told


@pytest.mark.parametrize("inside", [True, False])
def test_losses_of_which_only_the_last_of_an_epoch_is_used_are_named(inside):
    found = _epochs(lambda one: ExponentialLR(one, 0.9), lambda one: one.step(), inside=inside)
    assert ("samples_unseen" in found) == (not inside)
