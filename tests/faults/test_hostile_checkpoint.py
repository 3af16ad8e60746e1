"""Whatever a checkpoint holds, no code of it runs, no other file is touched, and memory is earned by checksums."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from faults.hostile_cases import CASES, FOREIGN, Bomb, special_files
from truestep.store.checkpoint import read, write

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


def test_the_golden_checkpoint_of_schema_1_is_read(tmp_path):
    """It was written once and must never be written anew: every release to come has to read it."""
    golden = Path(__file__).parents[1] / "golden" / "schema-1.safetensors"
    wanted = {
        "model/0.weight": torch.arange(6.0).reshape(2, 3) / 7,
        "half": torch.tensor([1.5, -0.0, float("inf")], dtype=torch.bfloat16),
        "complex": torch.tensor([1 + 2j], dtype=torch.complex128),
        "mask": torch.tensor([True, False, True]),
        "steps": torch.tensor(1200),
        "none": torch.empty(0, 4),
    }
    plain = {"epoch": 3, "loss": float("nan"), "random": [2**64 - 1, None, True], "words": "é∂"}
    found = read(golden)
    assert found.schema == 1
    assert repr(found.plain) == repr(plain)
    assert found.tensors.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert (found.tensors[name].dtype, found.tensors[name].shape) == (tensor.dtype, tensor.shape)
        assert found.tensors[name].equal(tensor)
    write(tmp_path / "now", wanted, plain)
    assert (tmp_path / "now").read_bytes() == golden.read_bytes()  # another form needs another number of the schema
