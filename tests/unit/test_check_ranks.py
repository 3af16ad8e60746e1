"""Under torchrun every rank is watched, and the first one tells."""

import subprocess
import sys

import pytest

from corpus import index
from truestep.cli.main import main

PROGRAMS = {entry.name: entry.path for entry in index.WRONG if entry.ranks == 2}
WRONG = """
import torch
torch.manual_seed(0)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
x, y = torch.randn(20, 3), torch.randn(20, 1)
for step in range(10):
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
print("the script's own line")
"""


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_rank_tells_and_the_others_leave_with_their_status_alone(rank, tmp_path, monkeypatch, capsys):
    (tmp_path / "train.py").write_text(WRONG)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", str(rank))
    sarif = tmp_path / "found.sarif"
    assert main(["check", "--sarif", str(sarif), str(tmp_path / "train.py")]) == 1
    out, err = capsys.readouterr()
    assert ("never" in out) == (rank == 0)
    assert rank == 0 or (out, err) == ("the script's own line\n", "")
    assert sarif.exists() == (rank == 0)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_two_ranks_are_told_of_once_and_nothing_is_said_on_their_way(name, tmp_path):
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    said = list[subprocess.CompletedProcess[str]]()
    for words in ([], ["-m", "truestep", "check"]):
        command = [*launch, *words, str(PROGRAMS[name])]
        said.append(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False))
    bare, watched = said
    assert bare.returncode == 0, bare.stderr
    assert watched.stdout.count("rules.\n") == 1, watched.stdout
    own = [line for line in watched.stderr.splitlines() if "c10d" in line or "TCPStore" in line]
    assert len(own) <= sum("c10d" in line or "TCPStore" in line for line in bare.stderr.splitlines()), own
