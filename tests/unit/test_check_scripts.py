"""Scripts as they are found in the world: beside them lie libraries, from wherever they were installed."""

import json
import random
import sys
from importlib import import_module

import numpy as np
import pytest
import torch
from torch import nn

from truestep.check.changes import Step
from truestep.check.events import Forward, Op
from truestep.check.looks import Numbers
from truestep.check.site import Site, site
from truestep.check.watch import Watching
from truestep.cli.main import main

HELPER = """
import torch

def advance(model, optimizer):
    optimizer.zero_grad()
    model(torch.ones(4, 3)).square().mean().backward()
    optimizer.step()
"""


@pytest.mark.parametrize("folder, mine", [("site-packages", False), ("dist-packages", False), ("helpers", True)])
def test_what_is_installed_in_any_folder_of_packages_is_not_the_users(tmp_path, monkeypatch, folder, mine):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "advancing.py").write_text(HELPER)
    monkeypatch.syspath_prepend(str(tmp_path / folder))
    monkeypatch.delitem(sys.modules, "advancing", raising=False)
    advancing = import_module("advancing")
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with Watching(strict=True) as seen:
        advancing.advance(model, optimizer)
    del sys.modules["advancing"]
    events = seen.trace.of(Step, Forward, Op)
    assert events
    assert {event.site.function == "advance" for event in events} == {mine}


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_site_is_the_innermost_line_and_as_many_that_led_there_as_were_asked_for(depth):
    def deep(more: int) -> Site:
        return deep(more - 1) if more else site(depth)

    found = deep(5)
    assert found.function == "deep"
    assert found.callers == ((__file__, found.line),) * depth


def test_memory_that_is_gone_is_forgotten_and_its_number_is_never_given_again():
    numbers = Numbers()
    kept = [torch.ones(2) for _ in range(5)]
    first = [numbers.storage(each) for each in kept]
    given = {numbers.storage(torch.ones(3)) for _ in range(1000)}
    assert len(given) == 1000
    assert not given & set(first)
    assert [numbers.storage(each) for each in kept] == first
    assert numbers.storages < 200


CELLS = [
    """%matplotlib inline
import random
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
print(__name__, torch.rand(2), random.random(), np.random.rand())""",
    """x = torch.randn(96, 5)
loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8, shuffle=True)
model = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
def train():
    total = 0.0
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)""",
    """!echo not run
for epoch in range(30):
    model.train()
    print(epoch, train())
    model.eval()
    with torch.no_grad():
        print(f"{model(x).mean():.17g}")""",
    """left = [*model.state_dict().values(), *optimizer.state[model[0].weight].values(), torch.get_rng_state()]
print([each.double().sum().item() for each in left], random.getstate(), np.random.get_state()[1].tolist())
torch.save(left, "left.pt")""",
]


def test_a_notebook_that_is_checked_does_what_its_cells_do_alone(tmp_path, monkeypatch, capsys):
    told = [{"cell_type": "code", "source": cell} for cell in CELLS]
    (tmp_path / "lesson.ipynb").write_text(json.dumps({"cells": told, "nbformat": 4}))
    monkeypatch.chdir(tmp_path)

    def seeded(run):
        torch.manual_seed(5)
        random.seed(5)
        np.random.seed(5)
        run()
        return torch.load("left.pt")

    def alone():
        names = {"__name__": "__main__"}
        for cell in CELLS:
            exec("\n".join(line for line in cell.splitlines() if line[:1] not in "%!"), names)

    left, printed = seeded(alone), capsys.readouterr().out
    assert printed.count("\n") == 62
    again, out = seeded(lambda: main(["check", "lesson.ipynb"])), capsys.readouterr().out
    assert out[: len(printed)] == printed
    assert "rules" in out[len(printed) :], "the report comes after it"
    assert all(map(torch.equal, left, again))


def run_cells(folder, *cells):
    path = folder / "few.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells], "nbformat": 4}))
    return main(["check", str(path)])


def test_a_line_of_a_notebook_that_begins_with_a_remainder_is_no_magic(tmp_path, capsys):
    told = 'print("%d of %d"\n      % (3, 4))', 'print("""\n%d""" % 5)', "six = 13 \\\n    % 7\nprint(six)"
    assert run_cells(tmp_path, *told, "%matplotlib inline\nstr?\nif True:\n    !echo no\nprint(7)") == 0
    assert capsys.readouterr().out.startswith("3 of 4\n\n5\n6\n7\n")


def test_a_cell_that_is_no_python_is_the_notebooks_own_failure(tmp_path, capsys):
    assert run_cells(tmp_path, "print(1)", "print(2") == 3
    told = capsys.readouterr()
    assert "few.ipynb[2]" in told.err
    assert "SyntaxError" in told.err
    assert not told.out.startswith("1"), "nothing of it has run"
