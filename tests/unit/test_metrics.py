"""Metrics are totals over counts, right on their own data, and refuse what would be a wrong figure without a word."""

import functools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import truestep as ts
from truestep.core.loss import Loss
from truestep.fit.metrics import as_metrics
from unit.fit_cases import CASES, simple

SCORES = torch.tensor([[0.1, 0.9, 0.0], [0.8, 0.1, 0.2], [0.3, 0.1, 0.2], [0.0, 0.5, 0.6]])
LABELS = torch.tensor([1, 0, 2, -100])


def figure(loss: Loss) -> tuple[float, float]:
    return float(loss.total), float(loss.count)


def test_accuracy_counts_labels_that_are_not_ignored():
    assert figure(ts.metrics.accuracy(SCORES, LABELS)) == (2, 3)
    assert figure(ts.metrics.accuracy(SCORES, LABELS.clamp(0), ignore_index=0)) == (1, 2)
    assert figure(ts.metrics.accuracy(SCORES, nn.functional.one_hot(LABELS.clamp(0), 3).float())) == (2, 4)


def test_accuracy_of_pixels():
    scores = SCORES.T.reshape(1, 3, 2, 2)
    assert figure(ts.metrics.accuracy(scores, LABELS.reshape(1, 2, 2))) == (2, 3)
    assert figure(ts.metrics.top_k(scores, LABELS.reshape(1, 2, 2), 2)) == (3, 3)


@pytest.mark.parametrize("k, right", [(1, 2), (2, 3), (3, 3), (7, 3)])
def test_top_k(k: int, right: int):
    assert figure(ts.metrics.top_k(SCORES, LABELS, k)) == (right, 3)


def test_binary_accuracy_of_logits_and_of_probabilities():
    logits, target = torch.tensor([[-1.0], [0.3], [3.0]]), torch.tensor([[0.0], [1.0], [0.0]])
    assert figure(ts.metrics.binary_accuracy(logits, target)) == (2, 3)
    assert figure(ts.metrics.binary_accuracy(logits, target.long())) == (2, 3)
    assert figure(ts.metrics.binary_accuracy(logits.sigmoid(), target, threshold=0.5)) == (2, 3)


def test_errors_of_regression():
    output, target = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.zeros(2, 2)
    assert figure(ts.metrics.mean_squared_error(output, target)) == (30, 4)
    assert figure(ts.metrics.mean_absolute_error(output, target)) == (10, 4)


@pytest.mark.parametrize("metric", ["binary_accuracy", "mean_squared_error", "mean_absolute_error"])
def test_a_silent_broadcast_is_refused(metric: str):
    with pytest.raises(
        ts.ShapeError, match=rf"^{metric} got outputs of shape \(3, 1\) and targets of shape \(3,\), which"
    ):
        getattr(ts.metrics, metric)(torch.zeros(3, 1), torch.zeros(3))


@pytest.mark.parametrize(
    "scores, labels",
    [((4, 1), (4, 1)), ((4, 1), (4,)), ((4,), (4,)), ((4, 3), (4, 1)), ((4, 3), (3,)), ((4, 3, 2), (4, 3))],
)
def test_accuracy_refuses_scores_and_labels_that_do_not_belong_together(scores: Any, labels: Any):
    """One score a sample above all: the largest of one is always the first, so that all would be right."""
    with pytest.raises(ts.ShapeError) as caught:
        ts.metrics.accuracy(torch.zeros(scores), torch.zeros(labels))
    assert str(caught.value) == (
        f"accuracy got scores of shape {scores} and labels of shape {labels}: scores must be (N, classes) and labels "
        "(N); for one score a sample use ts.metrics.binary_accuracy."
    )


# --- metrics of the user --------------------------------------------------------------------------------------------


def elements(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).abs()


@pytest.mark.parametrize(
    "metric",
    [
        elements,
        lambda output, target: (elements(output, target).sum(), target.numel()),
        lambda output, target: (float(elements(output, target).sum()), torch.tensor(target.numel())),
        lambda output, target: Loss(elements(output, target).sum(), target.numel()),
        ts.metrics.mean_absolute_error,
    ],
)
@pytest.mark.parametrize("batch_size", [2, 7])
def test_every_form_of_a_metric_is_the_same_figure(metric: Any, batch_size: int):
    data = CASES["values"].data(7)
    run = simple(
        train=data, validate=data, objective=nn.MSELoss(), batch_size=batch_size, metrics={"error": metric}, seed=4
    )
    twin = simple(train=data, validate=data, objective=ts.Objective(loss_=nn.MSELoss(), error=(0.0, nn.L1Loss())),
                  batch_size=batch_size, seed=4)  # fmt: skip
    for name in ("train_error", "valid_error"):
        assert run.history[name] == pytest.approx(twin.history[name], rel=1e-12)


def test_metrics_are_named_by_the_user_or_after_their_function():
    assert list(as_metrics({"a": elements})) == ["a"]
    assert list(as_metrics(elements)) == ["elements"]
    assert list(as_metrics([elements, ts.metrics.accuracy])) == ["elements", "accuracy"]
    assert as_metrics(None) == as_metrics([]) == {}
    assert "train_accuracy" in simple(metrics=ts.metrics.accuracy).history[0]


def test_every_epoch_has_the_figures_of_every_metric_and_term():
    """An epoch whose only window is carried on to the next has no figures yet: NaN, and not a missing name."""
    run = simple(
        train=CASES["mixed"].data(4), objective=CASES["mixed"].objective, accumulate=2, tail="carry",
        metrics={"size": lambda output, target: (output.sum(), len(output))},
    )  # fmt: skip
    first, second = run.history
    assert list(first) == list(second)
    assert torch.tensor([first[name] for name in ("train_loss", "train_values", "train_size")]).isnan().all()
    assert second.samples == 8


@pytest.mark.parametrize(
    "metrics, sentence",
    [
        ({"a": lambda o, y: o.mean()}, r"^the metric a returned one number, which cannot be merged over batches"),
        ({"a": lambda o, y: 0.5}, r"^the metric a returned one number"),
        ({"a": lambda o, y: (o.sum(0), len(y))}, r"^the metric a returned a total of shape \(5,\): return one number"),
        ({"a": 3}, r"^the metric a must be callable as metric\(output, target\), and 3 is not\.$"),
        ({"loss": elements}, r"^a metric cannot be called loss, which is the objective's own figure"),
        ([functools.partial(ts.metrics.top_k, k=1), functools.partial(ts.metrics.top_k, k=3)],
         r"^several metrics have one name \(partial\): name them"),
    ],
)  # fmt: skip
def test_a_bad_metric_gets_a_sentence(metrics: Any, sentence: str):
    with pytest.raises(ts.ConfigError, match=sentence):
        simple(metrics=metrics)


def test_a_metric_and_a_term_of_one_name_are_refused():
    several = ts.Objective(error=nn.CrossEntropyLoss(), other=nn.CrossEntropyLoss())
    with pytest.raises(
        ts.ConfigError, match=r"^a term and a metric are both called error: give one of them another name\.$"
    ):
        simple(objective=several, metrics={"error": ts.metrics.accuracy})
    assert "valid_error" in simple(
        objective=ts.Objective(error=nn.CrossEntropyLoss()), metrics={"error": ts.metrics.accuracy},
        validate=CASES["tokens"].data(4),
    ).history[0]  # fmt: skip


def test_one_of_several_terms_cannot_be_called_loss():
    """Its figure would take the place of the objective's, and choose the best epoch."""
    for several in (
        ts.Objective(loss=nn.CrossEntropyLoss(), other=nn.CrossEntropyLoss()),
        ts.Objective(lambda o, y: o.square(), nn.CrossEntropyLoss()),
    ):
        with pytest.raises(
            ts.ConfigError, match=r"^one of several terms is called loss, which is the objective's own figure"
        ):
            simple(objective=several)
    assert simple(objective=ts.Objective(loss=nn.CrossEntropyLoss())).history[0].train_loss > 0


def test_bytes_as_labels_are_counted_as_numbers_are():
    """As bytes, the ignored label -100 is 156: a sample of class 156 was left out."""
    labels = torch.tensor([156, 3, 156], dtype=torch.uint8)
    scores = torch.nn.functional.one_hot(torch.tensor([156, 156, 3]), 200).float()
    for target in (labels, labels.long(), labels.int()):
        found = ts.metrics.accuracy(scores, target)
        assert (int(found.total), int(found.count)) == (1, 3)


def test_a_model_of_several_outputs_is_told_how_to_choose():
    scores = torch.ones(4, 3)
    for name in ("accuracy", "binary_accuracy", "mean_squared_error", "mean_absolute_error"):
        with pytest.raises(ts.ShapeError, match=rf"got \(tuple, Tensor\): choose them, .*ts\.metrics\.{name}\("):
            getattr(ts.metrics, name)((scores, scores), scores)


def test_top_k_looks_at_one_score_at_least():
    with pytest.raises(ts.ConfigError, match=r"^top_k looks at the k largest scores, k at least 1 and not 0\.$"):
        ts.metrics.top_k(torch.ones(4, 3), torch.zeros(4), k=0)
