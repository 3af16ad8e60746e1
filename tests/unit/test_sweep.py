"""`sweep` as its users meet it: settings of every kind, what cannot be stacked, folders, and what is refused."""

import functools
import json
import math

import pytest
import torch
from torch import nn

import truestep as ts
from reference.sweep import farthest, own_loop
from truestep.sweep.chunks import layouts
from truestep.sweep.grid import variants

X, Y = torch.linspace(-1, 1, 22).reshape(11, 2).double(), torch.linspace(0, 1, 11).reshape(11, 1).double()
ASKED = {"epochs": 2, "batch_size": 4, "progress": False}


def line():
    return nn.Linear(2, 1).double()


def swept(make=line, optimizer=torch.optim.SGD, grid=None, **changes):
    return ts.sweep(make, (X, Y), nn.MSELoss(), optimizer, grid or {"lr": [0.1, 0.01]}, **{**ASKED, **changes})


def own(study, i, make, update, batch_size=4):
    model, _ = own_loop(make, (X, Y), nn.functional.mse_loss, update, study.table[i].seed, 2, batch_size)
    return farthest(study.model(i), model)


def test_batch_sizes_and_shapes_of_the_model_are_settings_too():
    make = lambda hidden=3: nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 1)).double()  # noqa: E731
    study = swept(make, grid={"hidden": [2, 5], "batch_size": [3, 11], "lr": [0.1, 0.2]})
    assert len(study.table) == 8
    for i, row in enumerate(study.table):
        update = lambda m, lr=row.lr: torch.optim.SGD(m.parameters(), lr)  # noqa: E731
        assert own(study, i, lambda h=row.hidden: make(h), update, row.batch_size) < 1e-12


def test_parameter_groups_come_from_a_function_of_the_model():
    def grouped(model, weight_decay, lr):
        return torch.optim.AdamW(ts.decay_groups(model, weight_decay), lr=lr)

    study = swept(optimizer=grouped, grid={"weight_decay": [0.0, 5.0]}, fixed={"lr": 0.05})
    for i, row in enumerate(study.table):
        assert own(study, i, line, lambda m, decay=row.weight_decay: grouped(m, decay, 0.05)) < 1e-12
    assert float(study.model(0).bias.detach()) == pytest.approx(float(study.model(1).bias.detach()), abs=0.05)


def test_frozen_parameters_stay_and_tied_ones_move_together():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(2, 2).double()
            self.b = nn.Linear(2, 2).double()
            self.b.weight = self.a.weight
            self.out = nn.Linear(2, 1).double().requires_grad_(False)

        def forward(self, x):
            return self.out(self.b(torch.tanh(self.a(x))))

    study = swept(Tied, grid={"lr": [0.5, 0.1]}, seeds=2)
    for i, row in enumerate(study.table):
        update = lambda m, lr=row.lr: torch.optim.SGD([p for p in m.parameters() if p.requires_grad], lr)  # noqa: E731
        assert own(study, i, Tied, update) < 1e-12


class Steered(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1).double()

    def forward(self, x):
        return self.layer(x) if float(x.sum()) > 0 else self.layer(-x)


@pytest.mark.parametrize("make, optimizer, why", [
    (Steered, torch.optim.SGD, "cannot be stacked: RuntimeError"),
    (line, torch.optim.Adadelta, "Adadelta has no rule"),
])  # fmt: skip
def test_what_cannot_be_stacked_is_trained_one_by_one_and_said(make, optimizer, why):
    study = swept(make, optimizer, validate=(X, Y), seeds=2)
    assert [why in note for note in study.notes] == [True]
    assert "one after another" in study.notes[0]
    for i, row in enumerate(study.table):
        assert own(study, i, make, lambda m, lr=row.lr: optimizer(m.parameters(), lr=lr)) < 1e-12
        seen = ts.evaluate(study.model(i), (X, Y), nn.MSELoss())
        assert row.valid_loss == pytest.approx(seen.loss, rel=1e-12)


@pytest.mark.parametrize("every", [0, 1])
def test_metrics_of_variants_trained_one_by_one_are_those_of_stacked_ones(every):
    data, make = (X, torch.arange(11) % 3), lambda: nn.Linear(2, 3).double()
    asked = {**ASKED, "metrics": {"right": ts.metrics.accuracy}, "validate": data, "evaluate_every": every}
    grid = {"lr": [0.5, 0.1]}
    stacked, single = (
        ts.sweep(make, data, nn.CrossEntropyLoss(), kind, grid, **asked) for kind in (torch.optim.SGD, Unknown)
    )
    assert not stacked.notes
    assert "Unknown has no rule" in single.notes[0]
    assert single.table.columns == stacked.table.columns
    for one, other in zip(single.table, stacked.table, strict=True):
        assert dict(one) == pytest.approx(dict(other), rel=1e-12)
    assert [dict(record) for record in single.history(0)] == [
        pytest.approx(dict(record), rel=1e-12) for record in stacked.history(0)
    ]


class Unknown(torch.optim.SGD):
    """The same updates under a name that no rule is known for."""


def test_a_study_that_was_interrupted_goes_on_where_it_stopped(tmp_path, monkeypatch):
    whole = swept(seeds=3, chunk=2)
    from truestep.sweep.keep import Kept

    written, add = [], Kept.add

    def once(self, variants, chunk):
        if written:
            raise KeyboardInterrupt
        written.append(variants)
        add(self, variants, chunk)

    monkeypatch.setattr(Kept, "add", once)
    with pytest.raises(KeyboardInterrupt):
        swept(seeds=3, chunk=2, run_dir=tmp_path)
    assert len(list(tmp_path.glob("chunk-*.safetensors"))) == 1
    trained = []
    monkeypatch.setattr(Kept, "add", lambda self, some, chunk: (trained.extend(some), add(self, some, chunk)))
    study = swept(seeds=3, chunk=2, run_dir=tmp_path)
    assert not {v.index for v in trained} & {v.index for v in written[0]}
    assert len(trained) + len(written[0]) == 6
    assert study.table["train_loss"] == whole.table["train_loss"]
    trained.clear()
    assert swept(seeds=3, chunk=2, run_dir=tmp_path).table["train_loss"] == whole.table["train_loss"]
    assert not trained


def test_a_damaged_chunk_is_trained_again(tmp_path):
    first = swept(run_dir=tmp_path, chunk=1)
    path = sorted(tmp_path.glob("chunk-*.safetensors"))[1]
    path.write_bytes(path.read_bytes()[:-3])
    assert swept(run_dir=tmp_path, chunk=1).table["train_loss"] == first.table["train_loss"]


def test_a_folder_of_another_study_is_refused(tmp_path):
    swept(run_dir=tmp_path)
    assert json.loads((tmp_path / "study.json").read_text())["variants"] == 2
    with pytest.raises(ts.ConfigError, match="holds another study"):
        swept(run_dir=tmp_path, grid={"lr": [0.1, 0.02]})
    (tmp_path / "study.json").write_text("")
    with pytest.raises(ts.ConfigError, match=r"study\.json is damaged, so that nobody can tell which study .* holds"):
        swept(run_dir=tmp_path)


def test_variants_of_one_order_stand_in_a_row():
    found = variants({"lr": [1, 2, 3]}, None, 4, (), None)
    assert [each.shape for each in layouts(found, 100)] == [(4, 3)]
    assert [each.shape for each in layouts(found, 7)] == [(2, 3), (2, 3)]
    assert [each.shape for each in layouts(found, 2)] == [(1, 2), (1, 1)] * 4
    uneven = variants([{"lr": 1, "seed": 0}, {"lr": 2, "seed": 0}, {"lr": 3, "seed": 1}], None, None, (), None)
    assert [each.shape for each in layouts(uneven, 100)] == [(3, 1)]
    for most in (1, 2, 5, 100):
        assert sorted(v.index for each in layouts(found, most) for v in each.variants) == list(range(12))


def test_the_random_state_of_the_caller_stays():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    swept(lambda: nn.Sequential(nn.Linear(2, 1), nn.Dropout(0.5)).double())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("changes, words", [
    ({"make": line()}, "make_model is a function that returns a new model"),
    ({"make": lambda: 3}, "make_model must return a new nn.Module"),
    ({"epochs": 0}, "epochs is a whole number of at least 1"),
    ({"evaluate_every": -1}, "evaluate_every is a whole number"),
    ({"compile": "fast"}, "compile knows 'auto', True and False"),
    ({"chunk": 0}, "chunk is a number of variants"),
    ({"grid": {"batch_size": [0]}, "fixed": {"lr": 1}}, "batch_size is a number of samples"),
    ({"grid": {"clip_norm": [-1.0]}, "fixed": {"lr": 1}}, "clip_norm is the largest norm"),
    ({"grid": {"rate": [0.1]}}, "nobody takes the setting rate. A setting is an option of SGD"),
    ({"grid": {"lr": ["fast"]}}, "SGD does not take lr='fast'"),
    ({"grid": {"lr": [0.1, -0.1]}}, "lr is at least 0|Invalid learning rate"),
    ({"optimizer": lambda model, lr: model}, "must make a torch.optim optimizer, and made Linear"),
    ({"validate": [X]}, "validate must be \\(inputs, targets\\) in memory"),
    ({"batch_size": -1}, "batch_size"),
])  # fmt: skip
def test_what_cannot_be_swept_is_refused_in_a_sentence(changes, words):
    with pytest.raises(ts.TruestepError, match=words) as caught:
        swept(**changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data, words", [
    ((X[:0], Y[:0]), "train is empty"),
    ((X, Y[:5]), "11 samples and .* has 5"),
    ((X, Y.squeeze(1)), "torch would broadcast"),
    ((X, Y.float()), "float"),
    (nn.Linear(1, 1), "in memory, and not Linear"),
])  # fmt: skip
def test_data_that_do_not_fit_are_refused_in_a_sentence(data, words):
    with pytest.raises(ts.TruestepError, match=words):
        ts.sweep(line, data, nn.HuberLoss(), torch.optim.SGD, {"lr": [0.1]}, **ASKED)


def test_a_weight_that_is_not_finite_and_a_loss_with_weights_of_its_own():
    objective = ts.Objective(mse=nn.MSELoss(), mae=nn.L1Loss())
    with pytest.raises(ts.ConfigError, match="the grid has inf for mae"):
        ts.sweep(line, (X, Y), objective, torch.optim.SGD, {"mae": [math.inf]}, {"lr": 0.1}, **ASKED)
    study = ts.sweep(line, (X, Y), objective, torch.optim.SGD, {"mae": [0.0, 2.0]}, {"lr": 0.1}, **ASKED)
    assert study.table[0].train_loss == pytest.approx(study.table[0].train_mse, rel=1e-12)
    assert study.table[1].train_loss == pytest.approx(
        study.table[1].train_mse + 2 * study.table[1].train_mae, rel=1e-12
    )


@pytest.mark.parametrize("changes, words", [
    ({"grid": {"weight_decy": [0.1]}, "fixed": {"lr": 0.1}}, "setting weight_decy: did you mean weight_decay"),
    ({"optimizer": torch.optim.SGD([nn.Parameter(X)], 0.1)}, "optimizer is a class, and every"),
    ({"optimizer": "SGD"}, "optimizer is a class"),
    ({"make": lambda: line().requires_grad_(False)}, "no parameter that requires a gradient"),
    ({"make": functools.partial(lambda kept: kept, line()), "seeds": 2}, "make_model returned one module twice"),
    ({"make": lambda: nn.Linear(7, 1).double()}, r"batch of train inputs \(torch.float64 of shape"),
    ({"make": lambda: nn.Linear(2, 1)}, "Linear cannot take a batch of train inputs"),
    ({"validate": (X[:, :1], Y)}, "cannot take a batch of validate inputs"),
    ({"validate": (X, Y[:, 0])}, "torch would broadcast"),
    ({"make": lambda: nn.Sequential(line(), nn.BatchNorm1d(1).double()), "batch_size": 10}, "1 value"),
    ({"device": "hat"}, "there is no device 'hat' here"),
    ({"grid": {"clip_norm": ["a"]}, "fixed": {"lr": 1}}, "clip_norm is the largest norm"),
    ({"grid": {"batch_size": [2.5]}, "fixed": {"lr": 1}}, "batch_size is a number of samples"),
    ({"batch_size": 2.5}, "batch_size is a whole number of at least 1"),
    ({"epochs": True}, "epochs is a whole number"),
    ({"seeds": 2.0}, "seeds is a number of seeds"),
    ({"share": 3}, "share knows"),
    ({"make": lambda hidden: nn.Linear(2, hidden), "grid": {"hidden": [1.5], "lr": [1]}}, "hidden=1.5. failed"),
])  # fmt: skip
def test_what_would_go_wrong_later_is_refused_before_the_training(changes, words):
    with pytest.raises(ts.TruestepError, match=words) as caught:
        swept(**changes)
    assert "\n" not in str(caught.value)


def test_labels_that_are_no_classes_are_named_and_not_taken_for_something_else():
    with pytest.raises(ts.DataError, match="labels from 7 to 7 for 3 classes"):
        ts.sweep(lambda: nn.Linear(2, 3).double(), (X, torch.full((11,), 7)), nn.CrossEntropyLoss(), torch.optim.SGD,
                 {"lr": [0.1]}, **ASKED)  # fmt: skip


def test_no_clipping_is_a_value_of_clipping():
    study = swept(grid={"clip_norm": [None, 0.01]}, fixed={"lr": 0.1})
    free = swept(grid={"lr": [0.1]})
    assert farthest(study.model(0), free.model(0)) < 1e-12
    assert farthest(study.model(1), free.model(0)) > 1e-3


def test_an_optimizer_with_some_arguments_given_is_still_a_class():
    study = swept(optimizer=functools.partial(torch.optim.SGD, momentum=0.9))
    for i, row in enumerate(study.table):
        assert own(study, i, line, lambda m, lr=row.lr: torch.optim.SGD(m.parameters(), lr, momentum=0.9)) < 1e-12


def test_attention_is_stacked():
    block = lambda: nn.TransformerEncoderLayer(2, 1, 4, dropout=0.0, batch_first=True).double()  # noqa: E731
    data = torch.randn(8, 3, 2).double(), torch.randn(8, 3, 2).double()
    study = ts.sweep(block, data, nn.MSELoss(), torch.optim.SGD, {"lr": [0.1, 0.01]}, seeds=2, **ASKED)
    assert not study.notes
    assert len(set(study.table["train_loss"])) == 4


def test_a_study_with_another_start_or_optimizer_is_another_study(tmp_path):
    swept(run_dir=tmp_path)
    for changes in ({"optimizer": functools.partial(torch.optim.SGD, momentum=0.5)}, {"make": lambda: zeroed(line())}):
        with pytest.raises(ts.ConfigError, match="holds another study"):
            swept(run_dir=tmp_path, **changes)


def zeroed(model):
    nn.init.zeros_(model.weight)
    return model


def test_a_study_with_other_options_or_weights_of_a_loss_is_another_study(tmp_path):
    """Its folder was taken for that of this study, and its figures handed out as those of this one."""
    labels, entropy = torch.arange(11) % 3, nn.functional.cross_entropy
    pairs = [
        [functools.partial(entropy, label_smoothing=amount) for amount in (0.0, 0.1)],
        [nn.CrossEntropyLoss(torch.tensor(of).double()) for of in ([1, 2, 3], [3, 2, 1])],
    ]
    make = lambda: nn.Linear(2, 3).double()  # noqa: E731
    for name, (first, second) in enumerate(pairs):
        of = {"grid": {"lr": [0.1]}, "run_dir": tmp_path / str(name), **ASKED}
        ts.sweep(make, (X, labels), first, torch.optim.SGD, **of)
        with pytest.raises(ts.ConfigError, match="holds another study"):
            ts.sweep(make, (X, labels), second, torch.optim.SGD, **of)
