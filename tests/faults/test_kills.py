"""SIGKILL at any instant: the old or the new checkpoint is there, whole."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("kills.py")
CLAIM = "`kill -9` at any instant keeps the old or the new checkpoint"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and fork are things of Unix")
@pytest.mark.parametrize("points,kills", [(25, 20), pytest.param(2000, 1000, marks=pytest.mark.long)])
def test_a_kill_at_any_instant_loses_nothing(tmp_path, figure, points, kills):
    command = [sys.executable, str(PROGRAM), str(tmp_path), str(points), str(kills), "1"]
    found = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    lines, moments = found["lines"], found["random"]
    tried = f"{lines['counts']['kills']:,} of {lines['counts']['lines']:,} executed lines"
    figure(CLAIM, "SIGKILL before a line of save and rotate", tried, f"{len(lines['faults'])} lost or corrupt")
    tried = f"{moments['counts']['kills']:,} kills, {moments['counts']['within a write']:,} of them within a write"
    figure(CLAIM, "SIGKILL of a training run at any moment", tried, f"{len(moments['faults'])} lost or corrupt")
    assert lines["faults"] == moments["faults"] == []
    assert lines["counts"]["near"] > 500
    assert kills < 100 or moments["counts"]["within a write"] > 0  # of a few kills none may fall there
