"""What a program shows of its own lines is what it shows alone: warnings, tracebacks, the numbers of its hooks."""

import traceback
import warnings
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune
from torch.utils.data import DataLoader, TensorDataset

from truestep.check import recorder
from truestep.check.watch import Watching, watch
from truestep.cli.script import Program, start


@pytest.fixture(params=[True, False], ids=["close", "quick"])
def close(request, monkeypatch):
    """Everything is looked at closely, or nothing is."""
    if not request.param:
        monkeypatch.setattr(recorder, "FIRST", 0)
        monkeypatch.setattr(recorder, "SECOND", 0)
        monkeypatch.setattr(recorder, "RARELY", 10**9)
        monkeypatch.setattr(recorder, "EVERY", 10**9)
    return request.param


def schedule_first():
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    scheduler.step()


def shapes_differ():
    F.mse_loss(torch.ones(3, 1), torch.ones(3))
    nn.MSELoss()(torch.ones(3, 1), torch.ones(3))


def softmax_without_a_dimension():
    F.softmax(torch.ones(3, 1))


def transposed():
    return (
        torch.ones(2, 2, 2).T,
        torch.ones(2, 2, 2).T,
    )


def numbers_of_what_needs_gradients():
    x = torch.ones(1, requires_grad=True)
    for _ in range(2):
        float(x)
        int(x)


def gradient_of_no_leaf():
    return (torch.ones(1, requires_grad=True) * 2).grad


def read_only_array():
    array = np.ones(3)
    array.flags.writeable = False
    torch.from_numpy(array)


def too_many_workers():
    DataLoader(TensorDataset(torch.ones(3)), num_workers=10**4)


def graph_of_gradients():
    x = torch.ones(1, requires_grad=True)
    (x * x).sum().backward(create_graph=True)
    x.grad = None


def advance():
    """Make the updates after which nothing is looked at closely any more."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(1, requires_grad=True))], lr=0.1)
    optimizer.step()
    optimizer.step()


def shown(program, rule):
    """(text, file, line) of every warning of the program."""
    advance()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter(rule)
        program()
        program()
    return [(str(each.message), each.filename, each.lineno) for each in caught]


PROGRAMS = [
    schedule_first, shapes_differ, softmax_without_a_dimension, transposed, numbers_of_what_needs_gradients,
    gradient_of_no_leaf, read_only_array, too_many_workers, graph_of_gradients,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_warning_names_the_line_that_it_names_alone(program, close):
    always, warned = torch.is_warn_always_enabled(), torch.set_warn_always
    warned(True)  # else torch itself shows some of them once in a process
    try:
        for rule in ("always", "default"):
            alone = shown(program, rule)
            with Watching(strict=True) as seen:
                watched = shown(program, rule)
            assert seen.recorder.close == close
            assert alone
            assert watched == alone
    finally:
        warned(always)


def fails_in_torch():
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.step()
    try:
        optimizer.zero_grad()
        raise KeyError("the cause")
    except KeyError as error:
        raise ValueError("the program's own") from error


def fails_in_a_function():
    F.mse_loss(torch.ones(3), torch.ones(4))


def fails_in_a_method():
    torch.ones(3).item()


def fails_in_an_operator():
    torch.ones(3) @ torch.ones(4)


def fails_in_a_state():
    nn.Linear(2, 1).load_state_dict({})


def fails_in_a_batch():
    for _ in DataLoader([1, object()], batch_size=2):
        pass


def fails_in_backward():
    torch.ones(3, requires_grad=True).backward()


class Failing(nn.Module):
    def forward(self, x):
        raise ValueError("the program's own")


def fails_in_a_forward():
    nn.Sequential(nn.Identity(), Failing())(torch.ones(3))


FAILING = [
    fails_in_torch, fails_in_a_forward, fails_in_a_function, fails_in_a_method, fails_in_an_operator, fails_in_a_state,
    fails_in_a_batch, fails_in_backward,
]  # fmt: skip


def raised(program, around):
    """The traceback of a program that fails, and those of its causes."""
    try:
        with around:
            advance()
            program()
    except Exception as error:  # noqa: BLE001 - each fails in its own way
        return "".join(traceback.format_exception(error))
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("program", FAILING, ids=lambda program: program.__name__)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_traceback_shows_the_frames_that_it_shows_alone(program, close):
    alone, watched = raised(program, nullcontext()), raised(program, watch())
    assert "fails_in" in alone
    assert watched == alone


def test_a_script_that_fails_shows_its_own_traceback(tmp_path, capsys):
    script = tmp_path / "fails.py"
    script.write_text("import torch\nx = torch.ones(3)\ntry:\n    x.item()\nfinally:\n    torch.nn.Linear('a', 3)\n")
    start(Program(str(script)))
    alone = capsys.readouterr().err
    with Watching(strict=True):
        start(Program(str(script)))
    assert "line 6" in alone
    assert capsys.readouterr().err == alone


def test_hooks_have_the_numbers_that_they_have_alone():
    def numbers():
        model = nn.Linear(3, 2)
        seen = []
        first = model.register_forward_hook(lambda *args, **words: seen.append(len(args)), with_kwargs=True)
        before = model.register_forward_pre_hook(lambda *args: seen.append(len(args)))
        prune.l1_unstructured(model, "weight", 2)
        model(torch.ones(1, 3))
        return first.id - start, before.id - start, [each - start for each in model._forward_pre_hooks], seen

    start = torch.utils.hooks.RemovableHandle.next_id
    alone = numbers()
    start = torch.utils.hooks.RemovableHandle.next_id
    with Watching(strict=True):
        watched = numbers()
    assert watched == alone
    assert torch.utils.hooks.RemovableHandle.next_id == start + 3
