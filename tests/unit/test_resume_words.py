"""What is said and refused when a run is saved and gone on with, word for word."""

import errno
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import truestep as ts
from laws.resume_cases import Case, differences, samples, train
from truestep.fit import state
from truestep.store.atomic import StoreError
from truestep.store.checkpoint import read, write
from truestep.store.keep import Kept
from truestep.store.rundb import read_run
from truestep.store.weights import load_weights

CASE = Case("momentum", 0.3, True, (1, "step"), "none", None, None)


def fit(**options: Any) -> ts.Run:
    """Two epochs of 5 steps."""
    torch.manual_seed(1)
    model = options.pop("model", None) or nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    rate, kind = options.pop("lr", 0.1), options.pop("kind", torch.optim.SGD)
    own = {"train": samples(20, 1), "objective": nn.CrossEntropyLoss(), "optimizer": kind(model.parameters(), rate)}
    own |= {"epochs": 2, "progress": False}
    if not isinstance(options.get("train"), DataLoader):
        own["batch_size"] = 4
    return ts.fit(model, **{**own, **options})


def summed(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(output, target, reduction="sum")


x, y = samples(20, 1)
OTHERS = [
    ({"batch_size": 5}, "batch_size was 4 and is 5"),
    ({"seed": 3}, "seed was 0 and is 3"),
    ({"shuffle": False}, "shuffle was True and is False"),
    ({"accumulate": 2}, "accumulate was 1 and is 2"),
    ({"tail": "drop"}, "tail was step and is drop"),
    ({"clip_norm": 0.5}, "clip_norm was None and is 0.5"),
    ({"micro_batch": 2}, "micro_batch was None and is 2"),
    ({"amp": "bfloat16"}, "amp was None and is torch.bfloat16"),
    ({"nonfinite": "skip"}, "nonfinite was stop and is skip"),
    ({"lr": 0.2}, "lr was 0.1 and is 0.2"),
    ({"kind": torch.optim.Adam}, "optimizer was SGD and is Adam"),
    ({"metrics": {"accuracy": ts.metrics.accuracy}}, "metrics was none and is accuracy"),
    ({"objective": nn.CrossEntropyLoss(label_smoothing=0.1), "epochs": 3},
     "the layer loss.CrossEntropyLoss was CrossEntropyLoss(reduction=mean, ignore_index=-100, label_smoothing=0.0) and "
     "is CrossEntropyLoss(reduction=mean, ignore_index=-100, label_smoothing=0.1)"),
    ({"model": nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4, momentum=0.5), nn.Linear(4, 3))},
     "the layer model.1 was BatchNorm1d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True) "
     "and is BatchNorm1d(4, eps=1e-05, momentum=0.5, affine=True, bias=True, track_running_stats=True)"),
    ({"model": nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Linear(5, 3))},
     "model.0.weight was float32 (4, 6) and is float32 (5, 6)"),
    ({"model": nn.Linear(6, 3)}, "model was Sequential and is Linear"),
    ({"train": (x[:16], y[:16])},
     "the data was float32 (20, 6), int64 (20,) and is float32 (16, 6), int64 (16,)"),
    ({"train": DataLoader(TensorDataset(x, y), 4), "batch_size": None}, "batch_size was 4 and is None"),
]  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "run"
    fit(checkpoint=folder)
    return folder


@pytest.mark.parametrize("options, words", OTHERS)
def test_a_run_of_other_settings_is_refused_with_the_first_difference(saved: Path, options: Any, words: str):
    before = [path.read_bytes() for path in Kept(saved).paths()]
    with pytest.raises(ts.ConfigError) as caught:
        fit(checkpoint=saved, resume=True, **options)
    assert str(caught.value) == (
        f"{saved}/step-0000000010.safetensors is of another run: {words}; give the settings of that run, or another "
        "folder for this one."
    )
    assert [path.read_bytes() for path in Kept(saved).paths()] == before


def test_other_samples_of_the_same_form_are_refused(saved: Path):
    with pytest.raises(
        ts.ConfigError, match=r"another run: the first and last samples' checksum was \d+ and is \d+; give"
    ):
        fit(checkpoint=saved, resume=True, train=(x + 1, y))


@pytest.mark.parametrize(
    "then, now, words",
    [
        (nn.CrossEntropyLoss(torch.tensor([1.0, 2, 3])), nn.CrossEntropyLoss(torch.tensor([3.0, 2, 1])),
         r"the checksum of the class weights of CrossEntropyLoss was \d+ and is \d+"),
        (partial(F.cross_entropy, label_smoothing=0.1), partial(F.cross_entropy, label_smoothing=0.5),
         r"the layer loss\.cross_entropy was .* label_smoothing=0\.1\) and is .* label_smoothing=0\.5\)"),
        (ts.Term(summed, reduction="sum"), ts.Term(summed, reduction="mean", count=lambda output, target: len(target)),
         "the reduction of summed was sum and is mean"),
    ],
)  # fmt: skip
def test_other_options_and_weights_of_a_loss_are_refused(tmp_path: Path, then: Any, now: Any, words: str):
    """Class weights were put back as they were saved, and the options of a function looked at by nobody."""
    fit(checkpoint=tmp_path, objective=then)
    fit(checkpoint=tmp_path, objective=then, resume=True, epochs=3)
    with pytest.raises(ts.ConfigError, match=words):
        fit(checkpoint=tmp_path, objective=now, resume=True, epochs=4)


def test_a_schedule_with_other_settings_is_said_to_go_on_as_it_was_saved(tmp_path: Path):
    """More epochs and a longer cosine: torch's own state brings the old length back, and the rate rises again."""

    def train(epochs: int, length: int) -> ts.Run:
        torch.manual_seed(1)
        model = nn.Linear(6, 3)
        sgd = torch.optim.SGD(model.parameters(), 0.1)
        kinds = torch.optim.lr_scheduler
        stairs = kinds.MultiStepLR(sgd, [2, length])
        cosine = kinds.SequentialLR(sgd, [kinds.ConstantLR(sgd, 1.0), kinds.CosineAnnealingLR(sgd, length)], [1])
        options = {"epochs": epochs, "schedule": ts.per_epoch(stairs, cosine), "checkpoint": tmp_path, "resume": True}
        return ts.fit(model, samples(20, 1), nn.CrossEntropyLoss(), sgd, batch_size=4, progress=False, **options)

    train(1, 3)
    assert not [sentence for sentence in train(2, 3).notes if "the schedule" in sentence]
    assert [sentence for sentence in train(4, 6).notes if "the schedule" in sentence] == [
        "milestones of the schedule MultiStepLR was Counter({2: 1, 3: 1}) and is given as Counter({2: 1, 6: 1}): the "
        "run goes on as it was saved.",
        "T_max of the schedule CosineAnnealingLR was 3 and is given as 6: the run goes on as it was saved.",
    ]


def test_a_folder_with_checkpoints_is_not_begun_in(saved: Path):
    with pytest.raises(ts.ConfigError) as caught:
        fit(checkpoint=saved)
    assert str(caught.value) == (
        f"{saved} holds checkpoints already: resume=True (--resume) goes on with their run; or give another folder."
    )


def test_an_empty_folder_begins_the_run_and_says_so(tmp_path: Path):
    run = fit(checkpoint=tmp_path, resume=True)
    assert run.notes == [f"{tmp_path} holds no checkpoint yet: the run begins at its start."]


@pytest.mark.parametrize(
    "setting, sentence",
    [
        ({"every": 0}, "every of ts.Checkpoints is a whole number of at least 1, and not 0."),
        ({"every": 2.5}, "every of ts.Checkpoints is a whole number of at least 1, and not 2.5."),
        ({"last": 0}, "last of ts.Checkpoints is a whole number of at least 1, and not 0."),
        ({"last": True}, "last of ts.Checkpoints is a whole number of at least 1, and not True."),
    ],
)
def test_a_setting_that_cannot_mean_anything_is_refused(setting: Any, sentence: str):
    with pytest.raises(ts.ConfigError) as caught:
        ts.Checkpoints("saved", **setting)
    assert str(caught.value) == sentence


def test_a_damaged_checkpoint_is_passed_over_with_a_sentence(tmp_path: Path):
    whole = train(CASE)
    train(CASE, epochs=1, checkpoint=ts.Checkpoints(tmp_path, every=5))
    newest, *older = Kept(tmp_path).paths()
    assert older
    with newest.open("r+b") as file:
        file.seek(-9, 2)
        file.write(b"?")
    again = train(CASE, checkpoint=tmp_path, resume=True)
    assert not differences(whole.state(), again.state())
    first, second, *_ = again.run.notes
    assert first.startswith(f"passed over: {newest} is damaged: the bytes of ")
    assert second.startswith(f"resumed from {older[0]}, after ")


def test_when_no_checkpoint_can_be_read_the_run_does_not_begin_anew(tmp_path: Path):
    fit(checkpoint=tmp_path)
    for path in Kept(tmp_path).paths():
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ts.CheckpointError, match=r"^none of the \d checkpoints in .* can be read: .* is cut short: "):
        fit(checkpoint=tmp_path, resume=True)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path):
    Kept(tmp_path).save(1, {"w": torch.ones(1)}, {"step": 1})
    with pytest.raises(
        ts.CheckpointError, match=r"step-0000000001\.safetensors holds no run of ts\.fit: give another f"
    ):
        fit(checkpoint=tmp_path, resume=True)


@pytest.mark.parametrize("part", ["run", "position", "ranks", "weights", "found", "updates"])
def test_contents_that_fit_did_not_write_are_one_sentence(tmp_path: Path, part: str):
    """Sound to the last byte, and nonsense inside: no traceback of ours."""
    fit(checkpoint=tmp_path)
    path = Kept(tmp_path).paths()[0]
    held = read(path)
    for value in ({"dict": [[1]]}, {"code": "os.system"}, [1], None):
        write(path, held.tensors, {**held.plain, part: value})
        with pytest.raises((ts.CheckpointError, ts.ConfigError)) as caught:
            fit(checkpoint=tmp_path, resume=True)
        assert str(path) in str(caught.value)


def test_another_torch_is_said(saved: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(state, "versions", lambda: {"torch": "9.9"})
    notes = fit(checkpoint=saved, resume=True).notes
    assert (
        notes[-1]
        == f"torch was {torch.__version__} and is 9.9: the run goes on, but not to the last bit as it would have."
    )


def test_a_disk_that_refuses_costs_a_sentence_and_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = train(CASE)

    def full(*_: Any, **__: Any) -> None:
        raise StoreError(errno.ENOSPC, "the disk is full")

    monkeypatch.setattr(Kept, "save", full)
    run = train(CASE, checkpoint=tmp_path)
    assert not differences(whole.state(), run.state())
    assert run.run.notes[-1].startswith("no checkpoint of step ")
    assert run.run.notes[-1].endswith("the disk is full; the training goes on.")
    assert len(run.run.notes) >= 1
    with pytest.raises(KeyboardInterrupt) as caught:
        train(CASE, 7, checkpoint=tmp_path)
    assert str(caught.value) == (
        "interrupted by SIGINT after 7 steps; their state could not be saved, and none was saved before."
    )


def test_the_record_is_whole_in_whatever_folder_it_goes_on(tmp_path: Path):
    """The first record is lost; the best epoch may lie before the checkpoint, and no better one follow."""
    with pytest.raises(KeyboardInterrupt):
        train(CASE, 13, checkpoint=tmp_path / "saved", run_dir=tmp_path / "one")
    again = train(CASE, checkpoint=tmp_path / "saved", resume=True, run_dir=tmp_path / "two", epochs=1)
    assert again.run.folder == tmp_path / "two"
    assert [record["epoch"] for record in read_run(tmp_path / "two" / "run.sqlite").epochs] == [1]
    kept = load_weights(tmp_path / "two" / "best.safetensors")
    assert not differences(kept, {name: again.run.kept.weights[name] for name in kept})


def test_a_run_goes_on_in_the_folder_that_it_had_to_take(tmp_path: Path):
    folder = tmp_path / "digits"
    train(CASE, run_dir=folder, epochs=1)
    with pytest.raises(KeyboardInterrupt):
        train(CASE, 13, checkpoint=tmp_path / "saved", run_dir=folder)
    again = train(CASE, checkpoint=tmp_path / "saved", resume=True, run_dir=folder)
    assert again.run.folder == tmp_path / "digits-2"
    assert not (tmp_path / "digits-3").exists()
    record = read_run(again.run.folder / "run.sqlite")
    assert (record.status, len(record.epochs)) == ("finished", CASE.epochs)
    assert len(read_run(folder / "run.sqlite").epochs) == 1
