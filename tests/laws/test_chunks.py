"""A study finds the same however many variants stand side by side, interrupted or not, compiled or not."""

import shutil

import pytest
import torch
from torch import nn

import truestep as ts
from reference.sweep import farthest, own_loop
from truestep.sweep import keep, programs

EXACT = 1e-12
GENERATOR = torch.Generator().manual_seed(1)
X, NOISE = (torch.randn(23, size, dtype=torch.float64, generator=GENERATOR) for size in (4, 3))
LABELS = (X[:, :3] + 0.5 * NOISE).argmax(1)
OBJECTIVE = ts.Objective(label=nn.CrossEntropyLoss(label_smoothing=0.1), size=(0.1, lambda out, _: out.square()))


def plain():
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def normed():
    return nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3)).double()


CASES = {
    "momentum with dampening": (plain, torch.optim.SGD, {"momentum": [0.5, 0.9]}, {"lr": 0.1, "dampening": 0.3}),
    "Adam": (plain, torch.optim.Adam, {"lr": [0.1, 0.01]}, {"amsgrad": True, "weight_decay": 0.1}),
    "batch normalisation": (normed, torch.optim.SGD, {"lr": [0.3, 0.1]}, {"momentum": 0.5}),
    "clipping": (plain, torch.optim.AdamW, {"clip_norm": [0.1, 1.0], "size": [0.0, 1.0]}, {"lr": 0.03}),
    "divergence": (plain, torch.optim.SGD, {"lr": [0.1, 0.01, 1e300]}, {"momentum": 0.9, "dampening": 0.3}),
    "divergence of a normed one": (normed, torch.optim.SGD, {"lr": [0.01, 1e300]}, {"weight_decay": 0.1}),
}
ASKED = {
    "validate": (X[:9], (LABELS[:9] + 1) % 3), "evaluate_every": 2, "metrics": {"right": ts.metrics.accuracy},
    "epochs": 5, "batch_size": 5, "progress": False, "stack": True,
}  # fmt: skip


def swept(case, **changes):
    make, kind, grid, fixed = CASES[case]
    return ts.sweep(make, (X, LABELS), OBJECTIVE, kind, grid, fixed, **{"seeds": 2, **ASKED, **changes})


def assert_same(study, other, exact=EXACT):
    assert study.table.columns == other.table.columns
    for i, (one, two) in enumerate(zip(study.table, other.table, strict=True)):
        assert dict(one) == pytest.approx(dict(two), rel=10 * exact, nan_ok=True)
        for record, own in zip(study.history(i), other.history(i), strict=True):
            assert dict(record) == pytest.approx(dict(own), rel=10 * exact, nan_ok=True)
        for best in (False, True) if one.get("best_epoch") else (False,):
            assert farthest(study.model(i, best=best), other.model(i, best=best)) < exact


@pytest.mark.parametrize("case", CASES)
def test_the_size_of_the_chunks_changes_nothing(case):
    whole = swept(case)
    assert whole.table["best_epoch"]
    if "divergence" in case:
        assert [bool(when) for when in whole.table["diverged"]] == [lr > 1 for lr in whole.table["lr"]]
    for chunk in (1, 2):
        parts = swept(case, chunk=chunk)
        assert (
            f"in {len(whole.table) // chunk + (chunk == 2 and len(CASES[case][2].get('lr', ())) == 3)} chunk(s)"
            in (parts.planned[0])
        )
        assert_same(parts, whole)


@pytest.mark.parametrize("case", ["momentum with dampening", "batch normalisation", "divergence"])
def test_a_study_that_goes_on_between_chunks_finds_the_same(case, tmp_path, monkeypatch):
    whole, add = swept(case, chunk=1), keep.Kept.add
    kept = []

    def stop(self, variants, chunk):
        if kept:
            raise KeyboardInterrupt
        kept.append(variants)
        add(self, variants, chunk)

    for _ in range(2):
        monkeypatch.setattr(keep.Kept, "add", stop)
        kept.clear()
        with pytest.raises(KeyboardInterrupt):
            swept(case, chunk=1, run_dir=tmp_path)
    monkeypatch.setattr(keep.Kept, "add", add)
    assert len(list(tmp_path.glob("chunk-*.safetensors"))) == 2
    assert_same(swept(case, chunk=2, run_dir=tmp_path), whole)


def line():
    return nn.Linear(4, 3).double()


@pytest.mark.long
@pytest.mark.parametrize("make, samples, rates", [(line, 20, [0.1, 0.03]), (plain, 23, [0.1, 0.03, 1e300])])
def test_a_compiled_study_takes_the_steps_of_its_own_runs(make, samples, rates):
    data = (X[:samples], NOISE[:samples])
    asked = {"seeds": 2, "epochs": 15, "batch_size": 5, "chunk": len(rates), "progress": False, "compile": True}
    study = ts.sweep(make, data, nn.MSELoss(), torch.optim.SGD, {"lr": rates}, {"momentum": 0.5}, **asked)
    if shutil.which("g++"):
        assert not study.notes
    for i, row in enumerate(study.table):
        if row.lr > 1:
            assert row.diverged
            continue
        own, loss = own_loop(
            make, data, nn.functional.mse_loss, lambda m, lr=row.lr: torch.optim.SGD(m.parameters(), lr, 0.5),
            row.seed, 15, 5,
        )  # fmt: skip
        assert farthest(study.model(i), own) < EXACT
        assert row.train_loss == pytest.approx(loss, rel=EXACT)


def test_a_study_that_is_long_enough_is_compiled_on_the_way(monkeypatch):
    made = []
    monkeypatch.setattr(programs, "compiled", lambda program: made.append(program) or program)
    monkeypatch.setattr(programs, "COMPILE_SECONDS", 0.0)
    monkeypatch.setattr(programs, "SHORT", 1e9)
    asked = {"epochs": 64, "batch_size": 5, "progress": False, "seeds": 2}
    study, other = (
        ts.sweep(plain, (X[:20], NOISE[:20]), nn.MSELoss(), torch.optim.SGD, {"lr": [0.1, 0.01]}, compile=how, **asked)
        for how in ("auto", False)
    )
    assert made[0].given[-1].shape == (programs.MANY, 2, 5)
    assert_same(study, other)
