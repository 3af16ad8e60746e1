"""Compiled steps in a run: their batches, and the libraries that are kept."""

from pathlib import Path
from typing import Any

import pytest
import torch

from truestep.core.errors import TraceError
from truestep.core.ranks import Ranks
from truestep.data.batches import TensorSource
from truestep.fit import ahead


def test_blocks_are_the_batches_of_the_epoch_in_their_order():
    x = torch.arange(47.0).reshape(47, 1)
    for seed, start in [(None, 0), (3, 0), (3, 2), (3, 11)]:
        source = TensorSource((x, {"y": x}), 4, seed, Ranks(), torch.device("cpu"))
        expected = list(source.batches(2))[start:]
        found: list[Any] = []
        for stacked, batch in ahead.blocks(source, 2, start, 3):
            found += [batch] if stacked is None else [(stacked[0][k], {"y": stacked[1]["y"][k]}) for k in range(3)]
        expected = [each for each in expected if each is not None]
        assert len(found) == len(expected)
        assert all(torch.equal(a[0], b[0]) and torch.equal(a[1]["y"], b[1]["y"])
                   for a, b in zip(found, expected, strict=True))  # fmt: skip


def test_a_library_is_kept_and_a_damaged_one_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Any):
    """What costs is asked for once: the next run of the same make loads what the first compiled."""
    made = tmp_path / "made.so"
    made.write_bytes(b"a library")
    asked: list[str] = []

    class Stub:
        key = "a-key"

        def compile(self) -> str:
            asked.append("compile")
            return str(made)

        def load(self, path: str) -> None:
            if Path(path).read_bytes() != b"a library":
                raise TraceError("damaged.")
            asked.append(path)

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    stub: Any = Stub()
    monkeypatch.setattr(ahead, "compiling", 40.0)
    assert not ahead.prepared(stub, 1e-9, must=False)
    assert ahead.prepared(stub, 0.0, must=True)
    assert ahead.prepared(stub, 0.0, must=False)
    kept = tmp_path / "cache" / "truestep" / "programs" / "a-key.so"
    assert asked == ["compile", str(kept), str(kept)]
    assert kept.read_bytes() == b"a library"
    kept.write_bytes(b"half a lib")
    assert not ahead.prepared(stub, 0.0, must=False)
    monkeypatch.setattr(ahead, "compiling", 1.0)
    assert ahead.prepared(stub, 2.0, must=False)
    assert kept.read_bytes() == b"a library"
