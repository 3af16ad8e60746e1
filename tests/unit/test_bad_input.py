"""Bad input gets one sentence that says what, where and how to mend it, before any weight has moved."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

import truestep as ts
from truestep.core.kinds import KINDS

CE, NLL = nn.CrossEntropyLoss, nn.NLLLoss
ELEMENTWISE = [
    nn.L1Loss, nn.MSELoss, nn.SmoothL1Loss, nn.HuberLoss, nn.KLDivLoss, nn.PoissonNLLLoss, nn.BCELoss,
    nn.BCEWithLogitsLoss, nn.HingeEmbeddingLoss, nn.SoftMarginLoss, nn.MultiLabelSoftMarginLoss,
]  # fmt: skip


def linear(outputs: int = 3) -> nn.Linear:
    return nn.Linear(2, outputs)


def step_of(model: Any, loss: Any, micro: int | None = None, **options: Any) -> ts.TrainStep:
    return ts.TrainStep(model, loss, optim.SGD(model.parameters(), 0.1), micro_batch=micro, **options)


def refused(kind: type[Exception], words: str, step: Any, *batch: Any) -> str:
    """The step raises one sentence that matches `words`, and leaves the weights as they are."""
    before = [p.clone() for p in step.updates.parameters]
    with pytest.raises(kind, match=words) as found:
        step(*batch)
    assert all(torch.equal(p, q) for p, q in zip(step.updates.parameters, before, strict=True))
    sentence = str(found.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


@pytest.mark.parametrize("micro", [None, 2])
@pytest.mark.parametrize("loss", ELEMENTWISE, ids=lambda loss: loss.__name__)
def test_a_column_against_a_row_is_refused(loss: type[nn.Module], micro: int | None):
    words = (
        rf"^{loss.__name__} got outputs of shape \(\d, 1\) and targets of shape \(\d,\), which torch would broadcast "
        r"to \(\d, \d\) without a word: give targets\.unsqueeze\(-1\), or squeeze the outputs\.$"
    )
    refused(ts.ShapeError, words, step_of(linear(1), loss(), micro), torch.rand(4, 2), torch.rand(4))


def test_a_row_against_a_column_is_refused():
    step = step_of(nn.Sequential(linear(1), nn.Flatten(0)), nn.MSELoss())
    words = r"^MSELoss got outputs of shape \(4,\) and targets of shape \(4, 1\), .* give targets\.squeeze\(-1\)\.$"
    refused(ts.ShapeError, words, step, torch.rand(4, 2), torch.rand(4, 1))


def test_other_shapes_that_do_not_meet_are_refused_with_a_mend():
    words = r"targets of shape \(4, 3, 1\).* give targets\.squeeze\(-1\)\.$"
    refused(ts.ShapeError, words, step_of(linear(3), nn.MSELoss()), torch.rand(4, 2), torch.rand(4, 3, 1))
    words = r"targets of shape \(4, 2\): they must have the same shape; give the model's last layer as many outputs as"
    refused(ts.ShapeError, words, step_of(linear(3), nn.MSELoss()), torch.rand(4, 2), torch.rand(4, 2))
    words = r"targets of shape \(4, 2, 2\): give targets\.reshape\(\(4, 4\)\), if that is their order\.$"
    refused(ts.ShapeError, words, step_of(linear(4), nn.MSELoss()), torch.rand(4, 2), torch.rand(4, 2, 2))


def test_a_function_whose_elements_come_out_n_by_n_is_refused():
    step = step_of(linear(1), lambda output, target: (output - target).square())
    words = r"^loss got outputs of shape \(4, 1\) and targets of shape \(4,\), which torch would broadcast to \(4, 4\)"
    refused(ts.ShapeError, words, step, torch.rand(4, 2), torch.rand(4))


@pytest.mark.parametrize("micro", [None, 2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [False, True])
@pytest.mark.parametrize("label", [3, -1, 1000])
@pytest.mark.parametrize("loss", [CE, NLL])
def test_a_label_that_is_no_class_is_refused(loss: Any, label: int, smoothing: bool, weighted: bool, micro: int | None):
    options: dict[str, Any] = {"label_smoothing": 0.1} if smoothing and loss is CE else {}
    step = step_of(linear(), loss(torch.ones(3) if weighted else None, **options), micro)
    words = (
        rf"^{loss.__name__} got labels from -?\d+ to \d+ for 3 classes: labels must lie in 0 to 2; subtract the first "
        r"label, or widen the model's last layer\.$"
    )
    sentence = refused(ts.DataError, words, step, torch.rand(4, 2), torch.tensor([0, label, -100, 2]))
    assert f" {label} " in sentence
    assert "-100" not in sentence, "ignored targets are no labels"


@pytest.mark.parametrize(
    "loss, target",
    [
        (nn.MultiMarginLoss(), torch.tensor([0, 1, 2, 3])),
        (nn.MultiLabelMarginLoss(), torch.tensor([[0, 3, -1]] * 4)),
        (nn.LinearCrossEntropyLoss(3, 3), torch.tensor([0, 1, 2, 3])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_losses_refuse_a_label_that_is_no_class(loss: Any, target: Tensor):
    words = rf"^{type(loss).__name__} got labels from -?\d to 3 for 3 classes: labels must lie in 0 to 2; subtract"
    refused(ts.DataError, words, step_of(linear(), loss), torch.rand(4, 2), target)


@pytest.mark.parametrize("label", [-1, 3, 99])
def test_ctc_refuses_a_label_that_torch_would_read_past_the_end_for(label: int):
    logs, lengths = torch.randn(5, 2, 3, requires_grad=True).log_softmax(-1), torch.tensor([5, 5])
    objective = ts.Objective(nn.CTCLoss())
    targets, padded = torch.tensor([[1, 2], [1, label]]), torch.tensor([2, 1])
    assert torch.isfinite(objective(logs, (targets, lengths, padded)).mean), "padding may be anything"
    with pytest.raises(ts.DataError, match=r"^CTCLoss got labels from -?\d to \d+ for 3 classes: labels must lie in 0"):
        objective(logs, (targets, lengths, torch.tensor([2, 2])))
    with pytest.raises(ts.DataError, match=r"^CTCLoss got labels from"):
        objective(logs, (targets.reshape(-1), lengths, torch.tensor([2, 2])))


@pytest.mark.parametrize("micro", [None, 2])
@pytest.mark.parametrize(
    "loss, target, words",
    [
        (
            CE(),
            torch.rand(4),
            r"torch\.float32 targets of shape \(\d,\) for scores .*: give class labels, targets",
        ),
        (
            NLL(),
            torch.rand(4),
            r"torch\.float32 targets of shape \(\d,\) .*: class labels are integers, give ",
        ),
        (
            CE(),
            torch.ones(4).int(),
            r"torch\.int32 targets of shape \(\d,\) for scores of shape \(\d, 3\): give",
        ),
        (CE(), torch.ones(4, 1).long(), r"targets of shape \(\d, 1\) for scores .*: give targets\.squeeze\(1\)\.$"),
        (CE(), torch.ones(4, 3).long(), r"give class labels, targets\.argmax\(1\), or probabilities, targets\.float\("),
        (CE(), torch.ones(4, 2).long(), r"torch\.int64 of shape \(\d, 2\), and torch says: .*"),
        (
            nn.BCEWithLogitsLoss(),
            torch.ones(4, 3).long(),
            r"torch\.int64 targets .*: give targets\.to",
        ),
        (nn.BCELoss(), torch.ones(4, 3).double(), r"torch\.float64 targets .*: give targets\.to\(torch\.float32\)\.$"),
        (nn.HuberLoss(), torch.ones(4, 3).long(), r"torch\.int64 targets .*: give targets\.to\(torch\.float32\)\.$"),
        (nn.BCELoss(), torch.full((4, 3), 2.0), r"and torch says: all elements of .* should be between 0 and 1\.?"),
        (nn.MultiMarginLoss(), torch.rand(4), r"torch\.float32 of shape \(\d,\), and torch says: expected scalar type"),
    ],
)
def test_targets_of_the_wrong_kind_are_refused(loss: Any, target: Tensor, words: str, micro: int | None):
    model = nn.Sequential(linear(), nn.Sigmoid())
    with pytest.raises(ts.DataError, match=rf"^{type(loss).__name__} got .*{words}"):
        step_of(model, loss, micro)(torch.rand(4, 2), target)


@pytest.mark.parametrize("micro", [None, 2])
@pytest.mark.parametrize("target", [None, {"y": torch.rand(4, 3)}, (torch.rand(4, 3), torch.rand(4, 3))])
def test_a_loss_that_misses_an_argument_says_which_it_takes(target: Any, micro: int | None):
    words = (
        r"^MSELoss takes \(output, target\), the model's outputs first and then the targets, and got \(.*\): "
        r"choose them with ts\.Term\(MSELoss\(\.\.\.\), of=lambda output, target: \(output, target\)\)\.$"
    )
    refused(ts.ShapeError, words, step_of(linear(), nn.MSELoss(), micro), torch.rand(4, 2), target)


@pytest.mark.parametrize("loss", [loss for loss in KINDS if loss is not nn.LinearCrossEntropyLoss])
def test_every_loss_says_which_arguments_it_takes(loss: Any):
    with pytest.raises(ts.ShapeError, match=rf"^{loss.__name__} takes \(\w+(, \w+)+\), .* and got \(Tensor\): choose"):
        ts.Objective(loss())(torch.rand(4, 3), None)


@pytest.mark.parametrize("where", ["inputs", "targets"])
def test_a_batch_on_another_device_is_refused(where: str):
    x, y = torch.rand(4, 2), torch.rand(4, 3)
    batch = (x.to("meta"), {"a": y}) if where == "inputs" else (x, {"a": y, "b": y.to("meta")})
    path = "inputs" if where == "inputs" else r"targets\['b'\]"
    step = step_of(linear(), ts.Term(nn.MSELoss(), of=lambda output, target: (output, target["a"])))
    refused(ts.DataError, rf"^{path} is on meta and the model is on cpu: move it with \.to\('cpu'\)\.$", step, *batch)


def test_tensors_that_disagree_on_the_number_of_samples_are_refused():
    step = step_of(linear(), nn.MSELoss())
    words = r"^inputs has 4 samples and targets has 5: the first dimension of every tensor must be the batch\.$"
    refused(ts.ShapeError, words, step, torch.rand(4, 2), torch.rand(5, 3))
    words = r"^inputs\[0\] has 4 samples and targets\['y'\] has 3: the first dim"
    refused(ts.ShapeError, words, step, (torch.rand(4, 2),), {"y": torch.rand(3, 3)})
    words = r"^targets is a single number: the first dimension of every tensor must be the batch\.$"
    refused(ts.ShapeError, words, step, torch.rand(4, 2), torch.tensor(1.0))
    refused(ts.DataError, r"^a batch needs at least one tensor, in its inputs or its targets\.$", step, None, {})


def test_what_is_no_tensor_cannot_be_split():
    step = step_of(linear(), ts.Term(nn.MSELoss(), of=lambda output, target: (output, target[0])), 2)
    words = r"^a batch with list in it cannot be split|^a batch with str in it cannot be split: make it a tensor, a row"
    refused(ts.DataError, words, step, torch.rand(4, 2), (torch.rand(4, 3), ["a", "b", "c", "d"]))


def test_a_scalar_loss_is_not_split_before_it_says_what_it_is():
    def rmse(output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean().sqrt()

    words = (
        r"^the loss rmse returns one number and does not say of how many elements it is the mean, so it cannot be "
        r"split or merged: ts\.Term\(rmse, reduction='mean', count=lambda output, target: \.\.\.\) or reduction='sum' "
    )
    refused(ts.CountError, words, step_of(linear(), rmse, 2), torch.rand(4, 2), torch.rand(4, 3))
    assert step_of(linear(), rmse)(torch.rand(4, 2), torch.rand(4, 3)).loss > 0


def test_a_term_that_couples_samples_is_not_split():
    words = r"^the term whole couples the samples .* so its split over 2 parts .* give the whole batch at once\.$"
    term = ts.Objective(whole=ts.Term(nn.MSELoss(), of=lambda o, y: (o.sum(), y.sum()), couples=True))
    refused(ts.CountError, words, step_of(linear(), term, 2), torch.rand(4, 2), torch.rand(4, 3))
    assert step_of(linear(), term)(torch.rand(4, 2), torch.rand(4, 3)).count == 1


def test_a_loss_that_does_not_depend_on_the_parameters_is_refused():
    words = r"^the loss loss does not depend on the parameters: look for detach\(\), \.item\(\), \.numpy"
    step = step_of(linear(), lambda output, target: (output.detach() - target).square())
    refused(ts.ConfigError, words, step, torch.rand(4, 2), torch.rand(4, 3))
    step = step_of(linear(), lambda output, target: (output - target).sum().item())
    words = r"returned float, which carries no gradient: return a tensor \(without float\(\), \.item\(\) or \.numpy"
    refused(ts.ConfigError, words, step, torch.rand(4, 2), torch.rand(4, 3))
