"""Lesson 14: no sample is lost where the batch size does not divide the data, unless drop_last says so."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch.utils.data import DataLoader, TensorDataset

import truestep as ts
from truestep.lessons.lesson import Measured

N, BATCH, EPOCHS = 103, 10, 20


def measure() -> Measured:
    """Count how often each of 103 samples is seen, by slicing, by a loader, and with drop_last."""
    numbered = torch.arange(N)
    loaders = {
        "slices, data[i:i + batch_size]": lambda: (numbered[i : i + BATCH] for i in range(0, N, BATCH)),
        "DataLoader": lambda: (batch for (batch,) in DataLoader(TensorDataset(numbered), BATCH, shuffle=True)),
        "DataLoader(drop_last=True)": lambda: (
            batch for (batch,) in DataLoader(TensorDataset(numbered), BATCH, shuffle=True, drop_last=True)
        ),
    }
    rows, numbers = [], {"n": N, "batch": BATCH, "epochs": EPOCHS}
    for name, batches in loaders.items():
        first = seen(batches())
        often = sum((seen(batches()) for _ in range(EPOCHS - 1)), first)
        rows.append((name, int((first == 1).sum()), int((first == 0).sum()), int(often.min()), int(often.max())))
    sliced, loaded, dropped = rows
    assert sliced[1:] == loaded[1:] == (N, 0, EPOCHS, EPOCHS), "every sample is seen once an epoch"
    assert dropped[2] == N % BATCH, "drop_last is what loses them: the remainder, every epoch"
    assert dropped[3] < EPOCHS

    sizes = list(range(1, 61))
    curves = [
        ts.plot.Curve("slices or DataLoader", sizes, [visited(size, drop=False) for size in sizes]),
        ts.plot.Curve("drop_last=True", sizes, [visited(size, drop=True) for size in sizes]),
    ]
    assert set(curves[0].y) == {N}
    numbers |= {"lost": dropped[2], "least": dropped[3], "worst": N - min(curves[1].y), "at": 52}
    assert curves[1].y[52 - 1] == min(curves[1].y)
    panel = ts.plot.Panel("batch size (samples)", f"samples seen in an epoch, of {N}", curves)
    return Measured(numbers, rows, [panel])


def seen(batches: Iterable[torch.Tensor]) -> torch.Tensor:
    """How often each sample is in an epoch."""
    return torch.bincount(torch.cat(list(batches)), minlength=N)


def visited(size: int, drop: bool) -> int:
    """How many samples an epoch of torch's own batches visits."""
    sampler = torch.utils.data.BatchSampler(range(N), size, drop)
    return sum(len(batch) for batch in sampler)
