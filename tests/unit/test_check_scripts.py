"""Scripts as they are found in the world: beside them lie libraries, from wherever they were installed."""

import sys
from importlib import import_module

import pytest
import torch
from torch import nn

from truestep.check.changes import Step
from truestep.check.events import Forward, Op
from truestep.check.looks import Numbers
from truestep.check.site import Site, site
from truestep.check.watch import Watching

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
