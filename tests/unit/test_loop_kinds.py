"""Loops of every kind are explained: scaled, with several optimizers, closures, hooks, sparse weights, checkpoints."""

import functools

import pytest
import torch
from torch import nn
from torch.nn.functional import l1_loss, mse_loss

import truestep as ts
from truestep.explain.ledger import OWN_RULE
from truestep.explain.sheets import facts
from unit.loop_cases import OPTIMIZERS, batches, causes, explained, network, two_terms


@pytest.mark.parametrize("unscaled", [False, True])
def test_the_scale_of_float16_is_taken_off_the_causes(unscaled):
    def loop() -> None:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
        for x, y in batches():
            optimizer.zero_grad()
            output = model(x)
            mse = mse_loss(output, y)
            mae = l1_loss(output, y)
            scaler.scale(mse + 0.5 * mae).backward()
            if unscaled:
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(model.parameters(), 0.3)
            scaler.step(optimizer)
            scaler.update()

    plain = explained(functools.partial(two_terms, OPTIMIZERS["sgd"], 0.3 if unscaled else torch.inf), 2)
    ledger = explained(loop, 2)
    assert causes(ledger) == causes(plain)
    assert ledger.shares == pytest.approx(plain.shares, rel=1e-4, abs=1e-6)
    assert ledger.out.loss == pytest.approx(plain.out.loss, rel=1e-6)
    assert dict(ledger.out.weights) == {"mse": 1.0, "mae": 0.5}
    assert ledger.clipped == pytest.approx(plain.clipped, rel=1e-4)


def test_of_several_optimizers_the_ledger_says_which_one_and_has_its_weights_alone():
    def loop() -> None:
        model, judge = network(), nn.Linear(2, 1)
        first = torch.optim.SGD(judge.parameters(), lr=0.1)
        second = torch.optim.Adam(model.parameters(), lr=0.01)
        for x, y in batches():
            first.zero_grad()
            real = -judge(y).mean()
            fake = judge(model(x).detach()).mean()
            (real + fake).backward()
            first.step()
            second.zero_grad()
            fool = -judge(model(x)).mean()
            fool.backward()
            second.step()

    judged, fooled = explained(loop, 7), explained(loop, 8)
    assert judged.step == "update 7, by SGD, optimizer 1 of 2: its own update 4"
    assert fooled.step == "update 8, by Adam, optimizer 2 of 2: its own update 4"
    assert (list(judged), list(fooled)) == (["weight", "bias"], ["0.weight", "0.bias", "2.weight", "2.bias"])
    assert causes(judged) == ["real", "fake"]  # what fool left there was cleared
    assert causes(fooled) == ["fool", "momentum"]


def test_one_backward_pass_may_serve_two_optimizers():
    def loop() -> None:
        model = network()
        head = torch.optim.SGD(model[2].parameters(), lr=0.1)
        body = torch.optim.SGD(model[0].parameters(), lr=0.01)
        for x, y in batches():
            model.zero_grad()
            loss = mse_loss(model(x), y)
            loss.backward()
            head.step()
            body.step()

    for number in (1, 2, 9, 10):
        assert causes(explained(loop, number)) == ["loss"]


def test_a_closure_is_explained_by_the_gradient_that_it_left():
    def loop(optimizer: torch.optim.Optimizer, model: nn.Module) -> None:
        for x, y in batches():

            def closure(x: torch.Tensor = x, y: torch.Tensor = y) -> torch.Tensor:
                optimizer.zero_grad()
                loss = mse_loss(model(x), y)
                loss.backward()
                return loss

            optimizer.step(closure)

    model = network()
    ledger = explained(functools.partial(loop, torch.optim.SGD(model.parameters(), lr=0.1), model), 2)
    assert causes(ledger) == ["loss"]
    model = network()
    ledger = explained(functools.partial(loop, torch.optim.LBFGS(model.parameters(), max_iter=3), model), 2)
    assert OWN_RULE in causes(ledger)
    assert "LBFGS has no rule that can be taken apart" in ledger.notes[0]


def test_an_update_inside_the_backward_pass_is_explained():
    def loop() -> None:
        model = network()
        optimizers = {p: torch.optim.SGD([p], lr=0.1) for p in model.parameters()}

        def update(parameter: torch.Tensor) -> None:
            optimizers[parameter].step()
            optimizers[parameter].zero_grad()

        for parameter in model.parameters():
            parameter.register_post_accumulate_grad_hook(update)
        for x, y in batches():
            output = model(x)
            mse = mse_loss(output, y)
            mae = l1_loss(output, y)
            (mse + mae).backward()

    assert causes(explained(loop, 6)) == ["mse", "mae"]


def test_sparse_gradients_and_frozen_weights_are_accounted_for():
    def loop() -> None:
        table, head = nn.Embedding(10, 3, sparse=True), nn.Linear(3, 1)
        head.bias.requires_grad_(False)
        optimizer = torch.optim.SGD([*table.parameters(), *head.parameters()], lr=0.1)
        while True:
            optimizer.zero_grad()
            loss = head(table(torch.tensor([1, 2, 2]))).square().mean()
            loss.backward()
            optimizer.step()

    ledger = explained(loop, 2)
    moved = [bool(account.change.any()) for account in ledger.accounts.values()]
    assert moved == [True, True, False]


def test_terms_that_only_a_whole_backward_pass_can_reach_are_told_as_one():
    def loop() -> None:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in batches():
            optimizer.zero_grad()
            output = torch.utils.checkpoint.checkpoint(model, x.requires_grad_(), use_reentrant=True)
            mse = mse_loss(output, y)
            mae = l1_loss(output, y)
            (mse + mae).backward()
            optimizer.step()

    ledger = explained(loop, 2)
    assert causes(ledger) == ["mse + mae"]
    assert any("the terms of the loss are told as one" in note for note in ledger.notes)


def test_the_step_of_a_program_that_uses_ours_is_explained_whole():
    def loop(accumulate: int) -> None:
        x, y = next(batches())
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        words = {"epochs": 9, "batch_size": 2, "accumulate": accumulate, "progress": False, "shuffle": False}
        ts.fit(model, (x, y), nn.MSELoss(), optimizer, **words)

    for accumulate, samples in ((1, 2), (3, 6)):
        ledger = explained(functools.partial(loop, accumulate), 4)
        assert ledger.out.samples == samples
        assert len(ledger.samples.losses) == samples
        assert [back for back in ledger["0.weight"].momentum_by_step if isinstance(back, int)] == [1, 2, 3]


def test_a_compiled_model_is_called_as_the_model_itself_and_nothing_is_said_of_our_hooks():
    def loop() -> None:
        model = network()
        compiled = torch.compile(model, backend="eager")
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in batches():
            optimizer.zero_grad()
            loss = mse_loss(compiled(x), y)
            loss.backward()
            optimizer.step()

    ledger = explained(loop, 2)
    assert list(ledger) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert not ledger.modules  # inside a compiled model nobody looks


def test_a_gradient_that_no_backward_pass_made_is_told_as_it_is():
    def loop() -> None:
        w = torch.ones(3, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.1)
        while True:
            (w.grad,) = torch.autograd.grad(w.square().sum(), w)
            optimizer.step()

    for number in (1, 5):
        ledger = explained(loop, number)
        assert causes(ledger) == ["changed by the program"]
        assert "loss" not in dict(facts(ledger))
