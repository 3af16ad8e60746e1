"""Random losses of `torch.nn` with random tensors that suit them, for every option that a loss has."""

import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Case:
    """A loss with its arguments in torch's order; the model gives `outputs` of them, the data set the others."""

    loss: Any
    arguments: tuple[Tensor, ...]
    batched: bool
    outputs: tuple[int, ...] = (0,)

    @property
    def output(self) -> Any:
        chosen = tuple(self.arguments[i] for i in self.outputs)
        return chosen[0] if len(chosen) == 1 else chosen

    @property
    def target(self) -> Any:
        others = tuple(tensor for i, tensor in enumerate(self.arguments) if i not in self.outputs)
        return others[0] if len(others) == 1 else others or None

    @property
    def axis(self) -> int:
        """The dimension of the first argument that is the batch: the second for CTC, whose first is time."""
        return 1 if isinstance(self.loss, nn.CTCLoss) else 0

    @property
    def samples(self) -> int:
        return self.arguments[0].shape[self.axis]

    def part(self, start: int, stop: int) -> "Case":
        first = self.arguments[0].narrow(self.axis, start, stop - start)
        others = (tensor[start:stop] for tensor in self.arguments[1:])
        return Case(self.loss, (first, *others), True, self.outputs)

    def split(self, cuts: list[int]) -> list["Case"]:
        edges = [0, *sorted({cut % self.samples for cut in cuts} - {0}), self.samples]
        return [self.part(start, stop) for start, stop in itertools.pairwise(edges)]


def normal(draw: Draw, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def uniform(draw: Draw, *shape: int) -> Tensor:
    return torch.special.ndtr(normal(draw, *shape))


def labels(draw: Draw, classes: int, *shape: int, ignore: int | None = None) -> Tensor:
    """Labels from 0 to classes - 1, of which about a third become `ignore`."""
    found = (uniform(draw, *shape) * classes).long().clamp(max=classes - 1)
    return found if ignore is None else torch.where(uniform(draw, *shape) < 0.35, ignore, found)


def signs(draw: Draw, *shape: int) -> Tensor:
    return torch.where(normal(draw, *shape) < 0, -1.0, 1.0).double()


def maybe(draw: Draw, make: Callable[[], Any]) -> Any:
    return make() if draw(st.booleans()) else None


REDUCTIONS = st.sampled_from(["mean", "sum", "none"])
SIZES = st.integers(1, 5)
FIRST_TWO = st.sampled_from([(0, 1), (0,)])  # both from the model, or the second from the data set
TAILS = st.lists(st.integers(1, 3), max_size=2).map(tuple)


def leading(draw: Draw) -> tuple[int, ...]:
    """(N,), or () for a single sample without a batch."""
    return (draw(SIZES),) if draw(st.integers(0, 4)) else ()


def option(**choices: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"reduction": REDUCTIONS, **choices})


def elementwise(loss: Any, options: Any, x: Any = normal, y: Any = normal) -> st.SearchStrategy[Case]:
    @st.composite
    def cases(draw: Draw) -> Case:
        lead = leading(draw)
        shape = lead + draw(TAILS) if lead else ()
        return Case(loss(**draw(options)), (x(draw, *shape), y(draw, *shape)), bool(lead))

    return cases()


def positive(draw: Draw, *shape: int) -> Tensor:
    return 4 * uniform(draw, *shape)


@st.composite
def kl_div(draw: Draw) -> Case:
    lead = leading(draw)
    shape, logs = (*lead, draw(SIZES)), draw(st.booleans())
    target = normal(draw, *shape).softmax(-1)
    target = target.log() if logs else torch.where(uniform(draw, *shape) < 0.2, 0.0, target)
    reduction = draw(st.sampled_from(["mean", "sum", "none", "batchmean"]))
    loss = nn.KLDivLoss(reduction=reduction, log_target=logs)
    return Case(loss, (normal(draw, *shape).log_softmax(-1), target), bool(lead))


@st.composite
def poisson(draw: Draw) -> Case:
    shape, logs = (draw(SIZES), *draw(TAILS)), draw(st.booleans())
    loss = nn.PoissonNLLLoss(logs, **draw(option(full=st.booleans(), eps=st.sampled_from([1e-8, 1e-3]))))
    x = normal(draw, *shape) if logs else positive(draw, *shape)
    return Case(loss, (x, positive(draw, *shape).round()), True)


@st.composite
def gaussian(draw: Draw) -> Case:
    lead = (draw(SIZES), *draw(TAILS))
    width = draw(SIZES)
    shape = draw(st.sampled_from([(*lead, width), (*lead, 1), lead]))  # one variance each, or one for a row
    loss = nn.GaussianNLLLoss(**draw(option(full=st.booleans(), eps=st.sampled_from([1e-6, 0.5]))))
    tensors = (normal(draw, *lead, width), normal(draw, *lead, width), positive(draw, *shape))
    return Case(loss, tensors, True, draw(st.sampled_from([(0,), (0, 2)])))


@st.composite
def binary(draw: Draw, loss: Any, inputs: Any) -> Case:
    shape = (draw(SIZES), *draw(TAILS))
    weighing = [shape[1:], shape[-1:], (1, *shape[1:])] if len(shape) > 1 else [(), (1,)]
    options = draw(option())
    options["weight"] = maybe(draw, lambda: uniform(draw, *draw(st.sampled_from(weighing))))
    if loss is nn.BCEWithLogitsLoss:
        options["pos_weight"] = maybe(draw, lambda: positive(draw, *draw(st.sampled_from(weighing))))
    return Case(loss(**options), (inputs(draw, *shape), uniform(draw, *shape)), True)


@st.composite
def class_scores(draw: Draw, loss: Any, logs: bool) -> Case:
    lead, classes, ignore = leading(draw), draw(st.integers(1, 5)), draw(st.sampled_from([-100, 0, 1, 7, -1]))
    tail = draw(TAILS) if lead else ()
    x = normal(draw, *lead, classes, *tail)
    options = draw(option()) | {"ignore_index": ignore, "weight": maybe(draw, lambda: uniform(draw, classes))}
    y: Tensor = labels(draw, classes, *lead, *tail, ignore=ignore)
    if loss is nn.CrossEntropyLoss:
        options["label_smoothing"] = draw(st.sampled_from([0.0, 0.1, 1.0]))
        if draw(st.integers(0, 2)) == 0:
            y = normal(draw, *lead, classes, *tail).softmax(len(lead))
            options["ignore_index"] = -100  # torch refuses another beside probabilities
    return Case(loss(**options), (x.log_softmax(len(lead)) if logs else x, y), bool(lead))


def nll_loss_2d(**options: Any) -> nn.NLLLoss:
    with warnings.catch_warnings(action="ignore"):  # torch calls this old name deprecated
        return nn.NLLLoss2d(**options)


@st.composite
def linear_classes(draw: Draw) -> Case:
    samples, classes, features = draw(SIZES), draw(SIZES), draw(SIZES)
    tail, ignore = draw(TAILS), draw(st.sampled_from([None, -100, 0]))
    options = draw(option(bias=st.booleans(), label_smoothing=st.sampled_from([0.0, 0.1])))
    loss = nn.LinearCrossEntropyLoss(
        features, classes, out_features=tail, ignore_index=ignore, dtype=torch.float64,
        weight=maybe(draw, lambda: uniform(draw, classes)), **options,
    )  # fmt: skip
    y = labels(draw, classes, samples, *tail, ignore=-100 if ignore is None else ignore)
    if draw(st.integers(0, 2)) == 0:
        y = normal(draw, samples, classes, *tail).softmax(1)
        loss.ignore_index = None
    return Case(loss, (normal(draw, samples, features), y), True)


@st.composite
def multilabel_margin(draw: Draw) -> Case:
    lead, classes = leading(draw), draw(SIZES)
    y = labels(draw, classes, *lead, classes, ignore=-1)
    return Case(nn.MultiLabelMarginLoss(**draw(option())), (normal(draw, *lead, classes), y), bool(lead))


@st.composite
def multilabel_soft_margin(draw: Draw) -> Case:
    lead, classes = leading(draw), draw(SIZES)
    shape = (*lead, *draw(TAILS), classes) if lead else (classes,)
    loss = nn.MultiLabelSoftMarginLoss(weight=maybe(draw, lambda: uniform(draw, classes)), **draw(option()))
    return Case(loss, (normal(draw, *shape), uniform(draw, *shape)), bool(lead))


@st.composite
def multi_margin(draw: Draw) -> Case:
    lead, classes = leading(draw), draw(SIZES)
    options = draw(option(p=st.sampled_from([1, 2]), margin=st.sampled_from([1.0, 0.3])))
    loss = nn.MultiMarginLoss(weight=maybe(draw, lambda: uniform(draw, classes)), **options)
    return Case(loss, (normal(draw, *lead, classes), labels(draw, classes, *lead)), bool(lead))


@st.composite
def cosine(draw: Draw) -> Case:
    lead, width = leading(draw), draw(SIZES)
    loss = nn.CosineEmbeddingLoss(**draw(option(margin=st.sampled_from([-0.5, 0.0, 0.5]))))
    tensors = (normal(draw, *lead, width), normal(draw, *lead, width), signs(draw, *lead))
    return Case(loss, tensors, bool(lead), draw(FIRST_TWO))


@st.composite
def ranking(draw: Draw) -> Case:
    shape = (draw(SIZES), *draw(TAILS))
    loss = nn.MarginRankingLoss(**draw(option(margin=st.sampled_from([0.0, 0.5]))))
    return Case(loss, (normal(draw, *shape), normal(draw, *shape), signs(draw, *shape)), True, draw(FIRST_TWO))


def cosine_distance(a: Tensor, b: Tensor) -> Tensor:
    return 1 - F.cosine_similarity(a, b)


@st.composite
def triplet(draw: Draw, loss: Any) -> Case:
    lead, width = leading(draw), draw(SIZES)
    options = draw(option(margin=st.sampled_from([1.0, 0.2]), swap=st.booleans()))
    if loss is nn.TripletMarginLoss:
        options |= draw(st.fixed_dictionaries({"p": st.sampled_from([1.0, 2.0, 3.0]), "eps": st.just(1e-6)}))
    elif lead:  # without a batch there is no dimension for the user's function to leave
        options["distance_function"] = draw(st.sampled_from([None, cosine_distance]))
    tensors = tuple(normal(draw, *lead, width) for _ in range(3))
    return Case(loss(**options), tensors, bool(lead), draw(st.sampled_from([(0, 1, 2), (0,)])))


@st.composite
def ctc(draw: Draw) -> Case:
    samples, ticks, classes = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(2, 3))
    blank = draw(st.integers(0, classes - 1))
    loss = nn.CTCLoss(blank=blank, zero_infinity=draw(st.booleans()), **draw(option()))
    others = torch.tensor([c for c in range(classes) if c != blank])
    targets = others[labels(draw, classes - 1, samples, 3)]
    lengths = [draw(st.lists(st.integers(low, top), min_size=samples, max_size=samples)) for low, top in
               ((1, ticks), (0, 3))]  # fmt: skip
    logs = normal(draw, ticks, samples, classes).log_softmax(-1)
    return Case(loss, (logs, targets, *map(torch.tensor, lengths)), True)


CASES: dict[type[nn.Module], st.SearchStrategy[Case]] = {
    nn.L1Loss: elementwise(nn.L1Loss, option()),
    nn.MSELoss: elementwise(nn.MSELoss, option()),
    nn.SmoothL1Loss: elementwise(nn.SmoothL1Loss, option(beta=st.sampled_from([0.0, 0.5, 1.0]))),
    nn.HuberLoss: elementwise(nn.HuberLoss, option(delta=st.sampled_from([0.5, 1.0]))),
    nn.KLDivLoss: kl_div(),
    nn.PoissonNLLLoss: poisson(),
    nn.GaussianNLLLoss: gaussian(),
    nn.BCELoss: binary(nn.BCELoss, uniform),
    nn.BCEWithLogitsLoss: binary(nn.BCEWithLogitsLoss, normal),
    nn.HingeEmbeddingLoss: elementwise(nn.HingeEmbeddingLoss, option(margin=st.sampled_from([0.3, 1.0])), y=signs),
    nn.SoftMarginLoss: elementwise(nn.SoftMarginLoss, option(), y=signs),
    nn.CrossEntropyLoss: class_scores(nn.CrossEntropyLoss, logs=False),
    nn.NLLLoss: class_scores(nn.NLLLoss, logs=True),
    nn.NLLLoss2d: class_scores(nll_loss_2d, logs=True),
    nn.LinearCrossEntropyLoss: linear_classes(),
    nn.MultiLabelMarginLoss: multilabel_margin(),
    nn.MultiLabelSoftMarginLoss: multilabel_soft_margin(),
    nn.MultiMarginLoss: multi_margin(),
    nn.CosineEmbeddingLoss: cosine(),
    nn.MarginRankingLoss: ranking(),
    nn.TripletMarginLoss: triplet(nn.TripletMarginLoss),
    nn.TripletMarginWithDistanceLoss: triplet(nn.TripletMarginWithDistanceLoss),
    nn.CTCLoss: ctc(),
}
