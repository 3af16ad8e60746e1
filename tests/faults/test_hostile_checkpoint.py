"""Whatever a checkpoint holds, no code of it runs, no other file is touched, and memory is earned by checksums."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from faults.hostile_cases import CASES, FOREIGN, Bomb, special_files
from truestep.store.checkpoint import read

CLAIM = "a hostile checkpoint runs no code and takes no memory"
PROGRAM = Path(__file__).with_name("hostile.py")


def run(folder, count):
    command = [sys.executable, str(PROGRAM), str(folder), str(count), "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(PROGRAM.parents[1])])}
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=folder.parent, env=environment)
    return json.loads(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read where Linux tells it")
@pytest.mark.parametrize("count", [1000, pytest.param(100_000, marks=pytest.mark.long)])
def test_hostile_checkpoints_run_nothing_and_take_nothing(tmp_path, figure, count):
    folder = tmp_path / "cases"
    folder.mkdir()
    for name, (content, _) in CASES.items():
        (folder / name).write_bytes(content)
    torch.save({"w": torch.ones(2), "bomb": Bomb()}, folder / "torch.save")
    wanted = {name: said for name, (_, said) in CASES.items()} | special_files(folder) | {"torch.save": FOREIGN}
    found = run(folder, count)
    said = {name: each.removeprefix(f"{folder / name} ") for name, (each, _) in found["files"].items()}
    wrong = {name: said[name] for name, start in wanted.items() if said[name][: len(start) or None] != start}
    assert wrong == {}
    assert not [sentence for sentence in said.values() if "\n" in sentence]
    assert found["files"].keys() == wanted.keys()
    assert found["noticed"] == found["fuzzed"]["odd"] == []
    assert not (tmp_path / "bombed").exists()
    worst = max(found["files"], key=lambda name: found["files"][name][1])
    most = found["files"][worst][1] // 1024
    figure(CLAIM, "forged and special files", f"{len(wanted)} files", f"0 calls, at most {most} MiB ({worst})")
    fuzzed = f"0 calls, at most {found['fuzzed']['kilobytes'] // 1024} MiB, {found['fuzzed']['accepted']:,} sound"
    figure(CLAIM, "a fuzzer that knows the format", f"{count:,} files", fuzzed)
    assert most < 128
    assert found["fuzzed"]["kilobytes"] < 2**14
    assert found["fuzzed"]["sentences"] > 10


def test_the_golden_checkpoint_of_schema_1_is_read():
    """It was written once and must never be written anew: every release to come has to read it."""
    found = read(Path(__file__).parents[1] / "golden" / "schema-1.safetensors")
    assert (found.schema, sorted(found.tensors)) == (1, ["complex", "half", "mask", "model/0.weight", "none", "steps"])
    assert found.tensors["model/0.weight"].equal(torch.arange(6.0).reshape(2, 3) / 7)
    assert found.tensors["half"].equal(torch.tensor([1.5, -0.0, float("inf")], dtype=torch.bfloat16))
    assert found.tensors["complex"].equal(torch.tensor([1 + 2j], dtype=torch.complex128))
    assert found.tensors["mask"].equal(torch.tensor([True, False, True]))
    assert found.tensors["steps"].equal(torch.tensor(1200))
    assert found.tensors["none"].shape == (0, 4)
    assert repr(found.plain) == "{'epoch': 3, 'loss': nan, 'random': [18446744073709551615, None, True], 'words': 'é∂'}"
