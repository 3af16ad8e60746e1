"""Watching changes nothing: what a program prints, its weights and its random states are the same bit for bit."""

import random

import numpy as np
import pytest
import torch

from corpus import index, running
from truestep.check.watch import Watching

SAMPLE = 24
PROGRAMS = sorted([entry.path for entry in index.WRONG] + index.CORRECT)


def sampled(paths):
    marks = [() if number % SAMPLE == 0 else pytest.mark.long for number in range(len(paths))]
    return [
        pytest.param(path, id=f"{path.parent.name}-{path.stem}", marks=mark)
        for path, mark in zip(paths, marks, strict=True)
    ]


def tensors(value, depth=3):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, torch.nn.Module):
        yield from value.state_dict().values()
    elif isinstance(value, torch.optim.Optimizer):
        for state in value.state.values():
            yield from tensors(state, depth)
    elif isinstance(value, dict | list | tuple) and depth:
        for each in value.values() if isinstance(value, dict) else value:
            yield from tensors(each, depth - 1)


def left(path):
    """Everything that a program leaves behind: its output, its tensors as bytes, its random states."""
    random.seed(11)
    np.random.seed(11)
    states = {}

    def note(names):
        states.update(torch=torch.random.get_rng_state().tolist(), random=random.getstate())
        states.update(numpy=[np.asarray(each).tolist() for each in np.random.get_state()])

    ran = running.run(path, note)
    held = [(t.dtype, t.shape, t.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
            for t in tensors(ran.names) if t.numel() and t.layout is torch.strided]  # fmt: skip
    return ran.printed, str(ran.names["result"]), held, states


@pytest.mark.parametrize("path", sampled(PROGRAMS))
def test_a_watched_program_does_what_it_does_alone(path):
    alone = left(path)
    with Watching(strict=True) as seen:
        watched = left(path)
    assert seen.trace.events
    for name, one, other in zip(("printed", "result", "tensors", "random"), alone, watched, strict=True):
        assert one == other, name
