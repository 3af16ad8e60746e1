"""TrainStep: what it tells of a step, what it takes as model and optimizer, and which settings it refuses."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

import truestep as ts
from truestep.core.model import caveats


def linear() -> nn.Linear:
    return nn.Linear(2, 3)


def sgd(model: nn.Module, lr: float = 0.1) -> optim.SGD:
    return optim.SGD(model.parameters(), lr)


def batch(samples: int = 4) -> tuple[Tensor, Tensor]:
    return torch.randn(samples, 2), torch.randn(samples, 3)


def test_a_step_tells_what_it_did():
    model = linear()
    x, y = batch(4)
    objective = ts.Objective(mse=nn.MSELoss(), total=(0.1, nn.L1Loss(reduction="sum")))
    with torch.no_grad():
        mse, total = float(nn.MSELoss()(model(x), y)), float(nn.L1Loss(reduction="sum")(model(x), y))
    out = ts.TrainStep(model, objective, sgd(model, 0.25), micro_batch=3)(x, y)
    assert out.loss == pytest.approx(mse + 0.1 * total)
    assert out.terms == pytest.approx({"mse": mse, "total": total})
    assert out.totals == pytest.approx({"mse": 12 * mse, "total": total})
    assert out.counts == {"mse": 12, "total": 1}
    assert out.sizes == {"mse": 0, "total": 12}
    assert (out.count, out.samples, out.lr, out.skipped, out.reason) == (4, 4, 0.25, False, "")
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters() if p.grad is not None))
    assert out.grad_norm == pytest.approx(norm)
    assert all(type(value) is float for value in [out.loss, out.count, out.grad_norm, *out.terms.values()])


def test_terms_that_share_a_count_have_it_in_common():
    model = linear()
    out = ts.TrainStep(model, ts.Objective(nn.MSELoss(), nn.L1Loss()), sgd(model), micro_batch=1)(*batch(4))
    assert out.count == 12


def test_what_a_step_tells_cannot_be_changed():
    model = linear()
    out = ts.TrainStep(model, nn.MSELoss(), sgd(model))(*batch())
    for name in ("samples", "loss"):
        with pytest.raises(AttributeError):
            setattr(out, name, 0)


@pytest.mark.parametrize("micro", [None, 3])
def test_metrics_are_added_up_over_the_pass_that_trains(micro: int | None):
    def near(output: Tensor, target: Tensor) -> ts.Loss:
        assert not torch.is_grad_enabled()
        return ts.Loss(((output - target).abs() < 1).float().sum(), output.numel())

    model = linear()
    x, y = batch(8)
    expected = float(((model(x) - y).abs() < 1).float().mean())
    out = ts.TrainStep(model, nn.MSELoss(), sgd(model), micro_batch=micro, metrics={"near": near})(x, y)
    assert float(out.metrics["near"]) == pytest.approx(expected)


def test_a_loss_alone_is_an_objective_of_one_term():
    model = linear()
    assert list(ts.TrainStep(model, nn.MSELoss(), sgd(model)).objective.terms) == ["MSELoss"]


def test_gradients_of_a_model_in_data_parallel_are_not_divided_twice():
    wrapped = nn.parallel.DistributedDataParallel.__new__(nn.parallel.DistributedDataParallel)
    nn.Module.__init__(wrapped)
    wrapped.module = linear()
    assert ts.TrainStep(wrapped, nn.MSELoss(), sgd(wrapped.module)).model is wrapped.module


def test_an_updater_gets_a_whole_number_as_int_and_finds_zeros_where_nothing_flows():
    model, seen = linear(), []
    model.register_parameter("unused", nn.Parameter(torch.ones(2)))

    def updater(batch_size: int) -> None:
        assert not torch.is_grad_enabled()
        seen.append((batch_size, type(batch_size), float(model.unused.grad.sum())))

    ts.TrainStep(model, nn.MSELoss(), updater, micro_batch=3)(*batch(8))
    weighted = nn.CrossEntropyLoss(torch.tensor([0.25, 0.5, 1.0]))
    ts.TrainStep(model, weighted, updater)(torch.randn(3, 2), torch.tensor([0, 0, 1]))
    assert seen == [(24, int, 0.0), (1, int, 0.0)]
    ts.TrainStep(model, weighted, updater)(torch.randn(3, 2), torch.tensor([0, 1, 1]))
    assert seen[-1] == (1.25, float, 0.0)


def test_the_parameters_that_nobody_moves_are_noted():
    model = nn.Sequential(linear(), nn.Linear(3, 3))
    half = optim.SGD(model[0].parameters(), 0.1)
    assert ts.TrainStep(model, nn.MSELoss(), half).notes == [
        "no optimizer holds 1.weight, 1.bias: they require gradients and stay as they are."
    ]
    step, start, (x, y) = ts.TrainStep(model, nn.MSELoss(), half), copy.deepcopy(model[0].state_dict()), batch()
    before, gradients = model[1].weight.clone(), []
    for _ in range(2):
        model[0].load_state_dict(start)
        step(x, y)
        gradients.append(model[1].weight.grad.clone())
    assert torch.equal(model[1].weight, before)
    assert torch.equal(*gradients), "gradients that nobody uses do not pile up"


@pytest.mark.parametrize("split, ranks, part", [(True, False, "micro-batch"), (False, True, "rank")])
def test_what_batch_normalisation_makes_inexact_is_said_in_words(split: bool, ranks: bool, part: str):
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.LayerNorm(3))
    (words,) = caveats(model, split, ranks)
    assert words.startswith(
        f"batch normalisation (1) takes its mean and variance from each {part}, so the step is exact"
    )
    assert caveats(model, False, False) == []
    assert caveats(model.eval(), split, ranks) == []


def test_an_error_in_the_midst_of_a_batch_moves_nothing():
    """The third micro-batch has a label that is no class: the two before it left no trace."""
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    step = ts.TrainStep(model, nn.CrossEntropyLoss(), sgd(model), micro_batch=2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ts.DataError, match=r"labels from 0 to 7 for 3 classes"):
        step(torch.randn(6, 2), torch.tensor([0, 1, 2, 0, 0, 7]))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def stranger(model: nn.Module) -> Any:
    return optim.SGD([*model.parameters(), nn.Parameter(torch.ones(7))], 0.1)


def frozen() -> nn.Module:
    return linear().requires_grad_(False)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda m: (nn.ReLU(), sgd(m)), r"^ReLU has no parameters to train: give params=\[w, b\], or a module that"),
        (
            lambda m: (lambda x: x, lambda n: None),
            r"^a model that is a plain function has no parameters to train: give p",
        ),
        (
            lambda m: (frozen(), lambda n: None),
            r"^no parameter of the model requires a gradient: call requires_grad_\(\)",
        ),
        (lambda m: ("net", sgd(m)), r"^the model must be callable, model\(inputs\), and str is not\.$"),
        (
            lambda m: (m, stranger(m)),
            r"^the optimizer holds 1 of 3 parameters that are not the model's, the first of sha",
        ),
        (
            lambda m: (m, sgd(linear())),
            r"^the optimizer holds 2 of 2 parameters .* shape \(3, 2\): make the optimizer fr",
        ),
        (lambda m: (m, optim.SGD), r"^SGD is a class: give SGD\(model\.parameters\(\), lr=\.\.\.\)\.$"),
        (
            lambda m: (m, None),
            r"^the optimizer must be a torch\.optim\.Optimizer, a list of them, or an updater\(batch_s",
        ),
        (lambda m: (m, []), r"^the optimizer must be a torch\.optim\.Optimizer, .*, not list\.$"),
        (lambda m: (m, [sgd(m), "sgd"]), r"^the optimizer must be a torch\.optim\.Optimizer, .*, not list\.$"),
        (
            lambda m: (m, [sgd(m), sgd(m)]),
            r"^two optimizers \(or groups\) hold the same parameter: each parameter belongs",
        ),
        (
            lambda m: (m, [optim.LBFGS([m.weight]), optim.SGD([m.bias], 0.1)]),
            r"^an optimizer with a closure \(LBFGS\) evaluates the step many times: it must be the only one\.$",
        ),
        (
            lambda m: (m, lambda: None),
            r"^the updater '<lambda>' must take one argument, the batch size that it divides ",
        ),
        (
            lambda m: (m, lambda lr, n: None),
            r"must take one argument, .*: lambda batch_size: sgd\(\[w, b\], lr, batch_siz",
        ),
    ],
)
def test_models_and_optimizers_that_do_not_belong_together_are_refused(make: Any, words: str):
    with pytest.raises(ts.ConfigError, match=words):
        ts.TrainStep(*_arranged(*make(linear())))


def _arranged(model: Any, optimizer: Any) -> tuple[Any, Any, Any]:
    return model, nn.MSELoss(), optimizer


@pytest.mark.parametrize(
    "options, words",
    [
        ({"micro_batch": 0}, r"^micro_batch is a number of samples, at least 1, and not 0\.$"),
        ({"micro_batch": 2.5}, r"^micro_batch is a number of samples, at least 1, and not 2\.5\.$"),
        ({"clip_norm": 0.0}, r"^clip_norm is the largest norm of the gradient, above 0, and not 0\.0\.$"),
        ({"clip_norm": float("nan")}, r"^clip_norm is the largest norm of the gradient, above 0, and not nan\.$"),
        ({"nonfinite": "ignore"}, r"^nonfinite knows 'stop', 'skip' and 'raise', and 'ignore' is none of them\.$"),
        ({"nonfinite": "Skip"}, r"'Skip' is none of them\.$"),
        ({"amp": "float8"}, r"^amp knows 'bfloat16', 'float16' and None, and 'float8' is none of them\.$"),
        ({"compile": "auto"}, r"^compile is True or False, and not 'auto'\.$"),
        (
            {"schedule": 0.1},
            r"^a schedule is made of schedulers of torch\.optim\.lr_scheduler, and float is none: torch",
        ),
        ({"params": [torch.ones(1, requires_grad=True) * 2]}, r"^a parameter is the result of a computation: make it"),
        ({"params": []}, r"^Linear has no parameters to train"),
    ],
)
def test_settings_that_cannot_mean_anything_are_refused(options: Any, words: str):
    model = linear()
    with pytest.raises(ts.ConfigError, match=words):
        ts.TrainStep(model, nn.MSELoss(), sgd(model), **options)


def test_a_plain_function_trains_once_its_tensors_are_given():
    w = torch.zeros(2, 3, requires_grad=True)
    x, y = batch()
    with pytest.raises(ts.ConfigError, match=r"plain function has no parameters to train: give params=\[w, b\]"):
        ts.TrainStep(lambda inputs: inputs @ w, nn.MSELoss(), lambda n: None)
    ts.TrainStep(lambda inputs: inputs @ w, nn.MSELoss(), optim.SGD([w], 0.1))(x, y)  # the optimizer holds them
    assert w.detach().abs().sum() > 0
    before = w.detach().clone()

    def updater(batch_size: int) -> None:
        w.sub_(0.1 * w.grad / batch_size)

    ts.TrainStep(lambda inputs: inputs @ w, nn.MSELoss(), updater, params=[w])(x, y)
    assert not torch.equal(w.detach(), before)


def test_lbfgs_and_the_scaling_of_float16_do_not_go_together():
    model = linear()
    with pytest.raises(ts.ConfigError, match=r"^LBFGS evaluates the step many times, which the scaling of float16"):
        ts.TrainStep(model, nn.MSELoss(), optim.LBFGS(model.parameters()), amp="float16")


@pytest.mark.parametrize("make", [ts.per_epoch, lambda s: s], ids=["per_epoch", "plateau"])
def test_a_schedule_by_epoch_stands_still_within_one(make: Any):
    model = linear()
    optimizer = sgd(model, 1.0)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    step = ts.TrainStep(model, nn.MSELoss(), optimizer, schedule=make(plateau))
    assert [step(*batch()).lr for _ in range(3)] == [1.0, 1.0, 1.0]
    for figure in (1.0, 2.0):
        step.schedule.after_epoch(figure)
    assert optimizer.param_groups[0]["lr"] == 0.5
