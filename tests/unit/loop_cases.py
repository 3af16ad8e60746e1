"""Loops as people write them, each a function that trains for ever; and how one of their updates is explained."""

import functools
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count

import torch
from torch import Tensor, nn

from truestep.explain.ledger import Ledger
from truestep.explain.loop.watch import LoopWatch, Stopped

OPTIMIZERS = {
    "sgd": functools.partial(torch.optim.SGD, lr=0.1),
    "momentum": functools.partial(torch.optim.SGD, lr=0.1, momentum=0.9, weight_decay=0.1, nesterov=True),
    "adam": functools.partial(torch.optim.Adam, lr=0.01, weight_decay=0.1),
    "adamw": functools.partial(torch.optim.AdamW, lr=0.01),
    "unknown": functools.partial(torch.optim.Rprop, lr=0.01),
}


def network(dtype: torch.dtype = torch.float32) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


def batches(dtype: torch.dtype = torch.float32) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    for _ in count():
        x, y = (torch.randn(6, size, generator=generator).to(dtype) for size in (3, 2))
        yield x, y


def explained(loop: Callable[[], object], number: int = 1) -> Ledger:
    """The ledger of an update of a loop, which must have come to it."""
    watch = LoopWatch(number)
    with watch, suppress(Stopped):
        loop()
    assert watch.found is not None
    for account in watch.found.accounts.values():
        assert torch.equal(sum(account.entries.values()), account.change), account.name
    return watch.found


def two_terms(optimizer: Callable[..., torch.optim.Optimizer], clip: float = torch.inf, **words: object) -> None:
    model = network()
    updates = optimizer(model.parameters(), **words)
    for x, y in batches():
        updates.zero_grad()
        output = model(x)
        mse = nn.functional.mse_loss(output, y)
        mae = nn.functional.l1_loss(output, y)
        loss = mse + 0.5 * mae
        loss.backward()
        if clip < torch.inf:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        updates.step()


def causes(ledger: Ledger) -> list[str]:
    return [cause for cause in ledger.causes if cause != "rounding"]
