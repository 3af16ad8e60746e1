"""A study over a local Ray cluster of two workers, one of which is killed."""

import os
import signal
import sys

import pytest
import torch
from torch import nn

import truestep as ts
from truestep.sweep import cluster as over_ray


@pytest.fixture(scope="module")
def cluster():
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'truestep[cluster]'")
    with pytest.MonkeyPatch.context() as patch:  # workers inherit it, and find what this process finds
        patch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        patch.setenv("PYTHONWARNINGS", "ignore")
        ray.init(num_cpus=2, log_to_driver=False, logging_level="ERROR", include_dashboard=False,
                 object_store_memory=2**27)  # fmt: skip
        yield ray
        ray.shutdown()


def the_study(make_model, **options):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(24, 3, dtype=torch.float64, generator=generator)
    data = (inputs, inputs.sum(1, keepdim=True))
    return ts.sweep(
        make_model, data, nn.MSELoss(), torch.optim.SGD, grid={"lr": [0.01 * k for k in range(1, 9)]},
        seeds=2, epochs=3, batch_size=5, progress=False, **options,
    )  # fmt: skip


def plain():
    return nn.Linear(3, 1, dtype=torch.float64)


def counting(folder, deaths):
    """A maker that notes in which worker it is called, and kills the first `deaths` of them."""
    driver = os.getpid()

    def make(seed):
        if os.getpid() != driver:
            killed = folder / f"killed-{len(list(folder.glob('killed-*')))}"
            if len(list(folder.glob("killed-*"))) < deaths:
                killed.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            with (folder / f"made-{seed}").open("a") as file:
                file.write("made\n")
        return nn.Linear(3, 1, dtype=torch.float64)

    return make


def assert_same(study, other):
    assert len(study.table) == len(other.table) == 16
    for i in range(16):
        assert study.table[i]["lr"] == other.table[i]["lr"]
        for name, weight in study.model(i).state_dict().items():
            assert torch.allclose(weight, other.model(i).state_dict()[name], rtol=1e-12, atol=1e-14)
    assert torch.allclose(torch.tensor(study.table["train_loss"]), torch.tensor(other.table["train_loss"]), rtol=1e-12)


def test_a_killed_worker_loses_and_repeats_no_chunk(cluster, tmp_path):
    folder = tmp_path / "seen"
    folder.mkdir()
    study = the_study(counting(folder, deaths=1), executor="ray", run_dir=tmp_path / "run")
    assert (folder / "killed-0").exists()
    assert_same(study, the_study(plain))
    kept = list((tmp_path / "run").glob("chunk-*"))
    assert len(kept) == 4  # two chunks for each of the two workers
    made = sum(len(path.read_text().splitlines()) for path in folder.glob("made-*"))
    assert made == len(kept)  # every chunk has one seed, and made its model once

    again = the_study(counting(folder, deaths=0), executor="ray", run_dir=tmp_path / "run")
    assert sum(len(path.read_text().splitlines()) for path in folder.glob("made-*")) == made
    assert_same(again, study)


@pytest.mark.long
def test_a_chunk_that_kills_every_worker_is_given_up_with_a_sentence(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(over_ray, "RETRIES", 1)  # by its name it is not found: truestep.sweep is a function too
    with pytest.raises(ts.ConfigError, match=r"died 2 times: give sweep a smaller chunk"):
        the_study(counting(tmp_path, deaths=10**6), executor="ray", chunk=16)


@pytest.mark.long
def test_what_is_wrong_in_a_worker_is_said_as_it_would_be_here(cluster):
    driver = os.getpid()

    def make():
        return nn.Linear(3, 1, dtype=torch.float64) if os.getpid() == driver else "no module"

    with pytest.raises(ts.ConfigError, match=r"make_model must return a new nn\.Module"):
        the_study(make, executor="ray")


def test_without_ray_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ts.ConfigError, match=r"needs Ray: pip install 'truestep\[cluster\]'"):
        the_study(plain, executor="ray")


def test_an_executor_that_nobody_knows_is_refused():
    with pytest.raises(ts.ConfigError, match="executor knows None and 'ray', and 'dask' is neither"):
        the_study(plain, executor="dask")
