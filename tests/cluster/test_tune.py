"""Optuna asks for whole batches of trials, and every one of them is told what its own run would have found."""

import sys

import pytest
import torch
from torch import nn

import truestep as ts

optuna = pytest.importorskip("optuna", reason="Optuna is not installed: pip install 'truestep[tune]'")
optuna.logging.set_verbosity(optuna.logging.WARNING)


def data():
    inputs = torch.randn(24, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return inputs, inputs.sum(1, keepdim=True)


def make():
    return nn.Linear(3, 1, dtype=torch.float64)


def tuned(space, **options):
    given = {"validate": data(), "epochs": 3, "batch_size": 5, "progress": False, **options}
    return ts.tune(make, data(), nn.MSELoss(), torch.optim.SGD, space, **given)


class Watched(optuna.samplers.RandomSampler):
    """Notes how many trials were running whenever one was proposed, and how many were told."""

    def __init__(self):
        super().__init__(seed=0)
        self.running = []

    def infer_relative_search_space(self, study, trial):
        states = [each.state for each in study.get_trials(deepcopy=False)]
        self.running.append(states.count(optuna.trial.TrialState.RUNNING))
        return super().infer_relative_search_space(study, trial)


def test_a_whole_batch_is_asked_for_before_any_of_it_is_told():
    sampler = Watched()
    study, swept = tuned(
        {"lr": ts.loguniform(1e-3, 0.1)}, study=optuna.create_study(sampler=sampler), trials=7, batch=3
    )
    assert sampler.running == [1, 2, 3, 1, 2, 3, 1]
    assert [len(each.table) for each in swept] == [3, 3, 1]
    assert len(study.trials) == 7


def test_each_trial_is_told_the_figure_of_its_own_run():
    space = {"lr": ts.loguniform(1e-3, 0.1), "momentum": ts.choice([0.0, 0.9]), "weight_decay": ts.uniform(0.0, 1.0)}
    study, _ = tuned(space, trials=6, batch=6, seeds=2)
    assert len({trial.params["momentum"] for trial in study.trials}) == 2
    for trial in study.trials:
        losses = []
        for seed in range(2):
            torch.manual_seed(seed)
            model = make()
            optimizer = torch.optim.SGD(model.parameters(), **trial.params)
            run = ts.fit(model, data(), nn.MSELoss(), optimizer, epochs=3, batch_size=5, validate=data(), seed=seed,
                         progress=False)  # fmt: skip
            losses.append(run.history[-1]["valid_loss"])
        assert trial.value == pytest.approx(sum(losses) / 2, rel=1e-12)
    assert study.best_value == min(trial.value for trial in study.trials)


def test_draws_become_the_distributions_of_optuna():
    study, _ = tuned({"lr": ts.loguniform(1e-3, 0.1), "momentum": ts.uniform(0.1, 0.5)}, trials=2)
    kinds = optuna.distributions
    assert study.trials[0].distributions == {
        "lr": kinds.FloatDistribution(1e-3, 0.1, log=True),
        "momentum": kinds.FloatDistribution(0.1, 0.5),
    }


def test_a_trial_that_diverges_has_failed_and_the_others_have_not():
    study, _ = tuned({"lr": ts.choice([0.01, 1e200])}, trials=8)
    for trial in study.trials:
        assert (trial.state.name == "FAIL") == (trial.params["lr"] > 1)
    assert {trial.state.name for trial in study.trials} == {"FAIL", "COMPLETE"}


def test_the_proposals_get_better_than_random_ones():
    study, _ = tuned({"lr": ts.loguniform(1e-6, 0.3)}, trials=40, batch=10)
    first, last = (sorted(trial.value for trial in study.trials[part])[5] for part in (slice(10), slice(30, 40)))
    assert last < first / 2


def test_an_accuracy_is_sought_where_it_is_greatest():
    inputs = torch.randn(24, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labelled = (inputs, (inputs.sum(1) > 0).long())
    study, _ = ts.tune(
        lambda: nn.Linear(3, 2, dtype=torch.float64), labelled, nn.CrossEntropyLoss(), torch.optim.SGD,
        {"lr": ts.choice([1e-9, 0.5])}, trials=6, batch=6, figure="valid_accuracy", validate=labelled,
        metrics={"accuracy": ts.metrics.accuracy}, epochs=20, progress=False,
    )  # fmt: skip
    assert study.best_value == max(trial.value for trial in study.trials) > min(trial.value for trial in study.trials)


def test_a_batch_that_cannot_be_trained_leaves_no_trial_running():
    study = optuna.create_study()
    with pytest.raises(ts.ConfigError, match="nobody takes the setting rate"):
        tuned({"rate": ts.uniform(0.1, 0.2)}, study=study, trials=4, batch=2)
    assert [trial.state.name for trial in study.trials] == ["FAIL", "FAIL"]


@pytest.mark.parametrize(
    "given,sentence",
    [
        ({"space": {}}, "space is name -> ts.uniform"),
        ({"space": {"lr": [0.1]}}, "space is name -> ts.uniform"),
        ({"batch": 0}, "batch is a whole number of at least 1, and not 0"),
        ({"trials": 2.5}, "trials is a whole number of at least 1, and not 2.5"),
        ({"run_dir": "here"}, "tune has no run_dir"),
    ],
)
def test_what_cannot_be_tuned_is_refused_in_a_sentence(given, sentence):
    space = given.pop("space", {"lr": ts.loguniform(1e-3, 0.1)})
    with pytest.raises(ts.ConfigError, match=sentence):
        tuned(space, **given)


def test_a_study_of_several_directions_is_refused():
    with pytest.raises(ts.ConfigError, match="several directions"):
        tuned({"lr": ts.loguniform(1e-3, 0.1)}, study=optuna.create_study(directions=["minimize", "minimize"]))


def test_without_optuna_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ts.ConfigError, match=r"needs Optuna: pip install 'truestep\[tune\]'"):
        tuned({"lr": ts.loguniform(1e-3, 0.1)})
