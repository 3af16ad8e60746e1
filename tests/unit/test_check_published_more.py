"""More of what published programs do that looks like a mistake: windows of text."""

import runpy

import pytest

from truestep.check.rules import judge
from truestep.check.watch import Watching

START = """
import torch
from torch import nn
torch.manual_seed(0)
"""


@pytest.fixture
def found(tmp_path, monkeypatch):
    """The names of what the rules find in a program."""
    monkeypatch.chdir(tmp_path)

    def check(program):
        path = tmp_path / "train.py"
        path.write_text(START + program)
        with Watching(strict=True) as seen:
            seen.ended(runpy.run_path(str(path), run_name="__main__"))
        return {each.name for each in judge(seen.trace, strict=True)}

    return check


TOKENS = """
net = nn.Sequential(nn.Embedding(10, 16), nn.Linear(16, 10))
opt = torch.optim.AdamW(net.parameters(), 0.01)
text = torch.randint(0, 7, (400,))
text[::9], text[1::9] = 8, 9
FIRST
for step in range(12):
    starts = torch.randint(0, 390, (6,))
    if step == 0:
        starts = torch.tensor([96, 95, 291, 231, 201, 171])
    rows = torch.stack([text[i : i + 9] for i in starts])
    EACH
    loss = nn.functional.cross_entropy(net(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
RARE = "text[text == 8] = 9; text[102:104] = 8; text[140:400:30] = 8"
SHORT = "rows[0, 5:] = 7; rows[1, 7:] = 7; rows[0, 4] = rows[1, 6] = 9"


@pytest.mark.parametrize("first, each, told", [(RARE, "pass", False), ("", SHORT, True)])
def test_windows_of_text_that_end_in_a_rare_character_were_not_filled_up(found, first, each, told):
    assert ("padding_counted" in found(TOKENS.replace("FIRST", first).replace("EACH", each))) == told
