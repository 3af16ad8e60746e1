"""Watching changes nothing: optimizers with state, data workers, what lives, what is thrown, what is left behind."""

import gc
import random
import sys
import traceback
import weakref

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from truestep.check import recorder
from truestep.check.watch import Watching

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "sgd foreach": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, foreach=True),
    "sgd fused": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, fused=True),
    "adam": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "adam foreach": lambda p: optim.Adam(p, lr=0.01, foreach=True),
    "adam fused": lambda p: optim.Adam(p, lr=0.01, fused=True),
    "adamw": lambda p: optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, centered=True, momentum=0.5),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.1),
    "lbfgs": lambda p: optim.LBFGS(p, lr=0.5, max_iter=3, history_size=4),
}


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Close looks and quick ones take turns."""
    monkeypatch.setattr(recorder, "FIRST", 3)
    monkeypatch.setattr(recorder, "SECOND", 6)
    monkeypatch.setattr(recorder, "EVERY", 4)


def both(run):
    """What a run gives alone, and what it gives under watch."""
    alone = run()
    with Watching(strict=True) as seen:
        watched = run()
    assert any(event.close for event in seen.trace.events)
    return alone, watched


def raw(tensor):
    return tensor.detach().flatten().view(torch.uint8).numpy().tobytes()


def state_of(optimizer):
    held = [(key, value) for each in optimizer.state.values() for key, value in each.items()]
    return [(key, raw(value) if isinstance(value, torch.Tensor) else str(value)) for key, value in held]


CASES = [*((name, torch.float32) for name in OPTIMIZERS), *((name, torch.float64) for name in ("sgd", "lbfgs"))]


@pytest.mark.parametrize("name, dtype", [*CASES, ("sgd", torch.bfloat16)])
def test_weights_state_losses_and_draws_are_those_of_the_run_alone(name, dtype):
    def run():
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 1)).to(dtype)
        optimizer, x = OPTIMIZERS[name](list(model.parameters())), torch.randn(16, 4, dtype=dtype)
        losses = []

        def closure():
            optimizer.zero_grad()
            loss = model(x).square().mean()
            loss.backward()
            losses.append(repr(loss.item()))
            return loss

        for _ in range(9):
            optimizer.step(closure)
        return [raw(p) for p in model.parameters()], state_of(optimizer), losses, raw(torch.get_rng_state())

    alone, watched = both(run)
    assert alone == watched


class Noisy(Dataset):
    """Items that tell what was drawn where they were made."""

    def __len__(self):
        return 12

    def __getitem__(self, at):
        who = get_worker_info()
        return at, who.id if who else -1, torch.rand(2), random.random(), np.random.rand()


class Stream(IterableDataset):
    def __iter__(self):
        who = get_worker_info()
        for at in range(6):
            yield (who.id if who else -1), at, torch.rand(1)


def seeded(number):
    random.seed(number + 5)
    np.random.seed(number + 7)


@pytest.mark.parametrize(
    "data, words",
    [
        (Noisy(), {"num_workers": 0, "shuffle": True}),
        (Noisy(), {"num_workers": 2, "shuffle": True, "worker_init_fn": seeded}),
        pytest.param(
            Noisy(), {"num_workers": 2, "persistent_workers": True, "worker_init_fn": seeded}, marks=pytest.mark.long
        ),
        pytest.param(Stream(), {"num_workers": 2}, marks=pytest.mark.long),
    ],
)
def test_batches_their_order_and_the_draws_of_workers_are_those_of_the_run_alone(data, words):
    def run():
        torch.manual_seed(5)
        random.seed(5)
        np.random.seed(5)
        model = nn.Linear(2, 1)
        optimizer, loader = optim.Adam(model.parameters()), DataLoader(data, batch_size=3, **words)
        told = []
        for _ in range(2):
            for batch in loader:
                told.append([each.tolist() for each in batch])
                optimizer.zero_grad()
                model(batch[2][:, :1].expand(-1, 2)).sum().backward()
                optimizer.step()
        draws = torch.rand(1).item(), random.random(), np.random.rand()
        return told, draws, [raw(p) for p in model.parameters()]

    alone, watched = both(run)
    assert alone == watched


def test_activations_and_batches_die_where_they_died_and_are_held_as_often():
    def run():
        torch.manual_seed(0)
        model, told = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1)), []
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        for _ in range(8):
            x = torch.randn(5, 3)
            hidden = model[:2](x)
            loss = model[2](hidden).mean()
            dies = [weakref.ref(each) for each in (x, hidden, loss)]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            told.append([sys.getrefcount(each) for each in (x, hidden, loss, *model.parameters())])
            del x, hidden, loss
            told.append([each() is None for each in dies])
        return told

    gc.disable()
    try:
        alone, watched = both(run)
    finally:
        gc.enable()
    assert alone == watched
    assert watched[-1] == [True, True, True]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_what_is_thrown_inside_leaves_everything_as_it_was(error):
    def fails(module, args):
        raise error("the program's own")

    places = (torch.Tensor, nn.Module, optim.Optimizer, DataLoader, torch, torch.autograd, torch.nn.utils, random)
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    before, enabled = [dict(vars(place)) for place in places], gc.isenabled()
    model[1].register_forward_pre_hook(fails)
    with pytest.raises(error, match="the program's own") as caught, Watching(strict=True):
        model(torch.ones(1, 2))
    assert [dict(vars(place)) for place in places] == before
    assert torch._C._len_torch_function_stack() == 0
    assert torch._C._is_torch_function_enabled()
    assert gc.isenabled() == enabled
    assert traceback.extract_tb(caught.tb)[-1].name == "fails"
