"""Every loss of `torch.nn` by its textbook formula: a Python loop over elements that returns (total, count).

Independent of truestep and of torch's kernels: numbers are plain Python floats (float64). Each formula yields pairs
(value, share): the loss of one element, and what that element adds to the denominator of the mean.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn

Elements = Iterator[tuple[float, float]]


def reference(module: Any, *arguments: Any) -> tuple[float, float]:
    """(total, count) of a loss, as its own reduction means them over everything that it was given."""
    formula = next(FORMULAS[cls] for cls in type(module).__mro__ if cls in FORMULAS)
    pairs = list(formula(module, *arguments))
    total = sum(value for value, _ in pairs)
    if module.reduction == "sum":
        return total, 1.0
    if module.reduction == "none":
        return total, float(len(pairs))
    if module.reduction == "batchmean":
        return total, float(arguments[0].shape[0] if arguments[0].dim() else 1)
    return total, float(sum(share for _, share in pairs))


def flat(tensor: Tensor) -> list[float]:
    return tensor.detach().double().reshape(-1).tolist()


def rows(tensor: Tensor) -> list[list[float]]:
    """The innermost rows, one for an unbatched tensor."""
    return tensor.detach().double().reshape(-1, tensor.shape[-1]).tolist()


def each(formula: Callable[..., float]) -> Callable[..., Elements]:
    """A loss whose elements are those of its tensors, one to one, each counting 1."""

    def loss(module: Any, *tensors: Tensor) -> Elements:
        for numbers in zip(*(flat(tensor) for tensor in tensors), strict=True):
            yield formula(module, *numbers), 1.0

    return loss


def l1(module: Any, x: float, y: float) -> float:
    return abs(x - y)


def mse(module: Any, x: float, y: float) -> float:
    return (x - y) ** 2


def smooth_l1(module: Any, x: float, y: float) -> float:
    distance = abs(x - y)
    return distance**2 / (2 * module.beta) if distance < module.beta else distance - module.beta / 2


def huber(module: Any, x: float, y: float) -> float:
    distance, delta = abs(x - y), module.delta
    return distance**2 / 2 if distance <= delta else delta * (distance - delta / 2)


def kl_div(module: Any, x: float, y: float) -> float:
    if module.log_target:
        return math.exp(y) * (y - x)
    return y * (math.log(y) - x) if y > 0 else 0.0


def poisson(module: Any, x: float, y: float) -> float:
    loss = math.exp(x) - y * x if module.log_input else x - y * math.log(x + module.eps)
    stirling = y * math.log(y) - y + math.log(2 * math.pi * y) / 2 if module.full and y > 1 else 0.0
    return loss + stirling


def hinge_embedding(module: Any, x: float, y: float) -> float:
    return x if y == 1 else max(0.0, module.margin - x)


def soft_margin(module: Any, x: float, y: float) -> float:
    return softplus(-y * x)


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def gaussian(module: Any, x: Tensor, y: Tensor, variance: Tensor) -> Elements:
    if variance.shape != x.shape and variance.dim() < x.dim():
        variance = variance.unsqueeze(-1)
    for mean, seen, var in zip(flat(x), flat(y), flat(variance.expand_as(x)), strict=True):
        var = max(var, module.eps)
        constant = math.log(2 * math.pi) / 2 if module.full else 0.0
        yield (math.log(var) + (mean - seen) ** 2 / var) / 2 + constant, 1.0


def bce(module: Any, x: Tensor, y: Tensor) -> Elements:
    weights = flat(module.weight.expand_as(x)) if module.weight is not None else [1.0] * x.numel()
    for p, seen, weight in zip(flat(x), flat(y), weights, strict=True):
        yield -weight * (seen * bounded_log(p) + (1 - seen) * bounded_log(1 - p)), 1.0


def bounded_log(p: float) -> float:
    """log p, but not below -100: torch's convention, so that a certain mistake has a finite loss."""
    return max(math.log(p), -100.0) if p > 0 else -100.0


def bce_with_logits(module: Any, x: Tensor, y: Tensor) -> Elements:
    weights = flat(module.weight.expand_as(x)) if module.weight is not None else [1.0] * x.numel()
    positives = flat(module.pos_weight.expand_as(x)) if module.pos_weight is not None else [1.0] * x.numel()
    for logit, seen, weight, positive in zip(flat(x), flat(y), weights, positives, strict=True):
        yield weight * (positive * seen * softplus(-logit) + (1 - seen) * softplus(logit)), 1.0


def multilabel_margin(module: Any, x: Tensor, y: Tensor) -> Elements:
    for scores, labels in zip(rows(x), rows(y), strict=True):
        mine = [int(label) for label in itertools.takewhile(lambda label: label >= 0, labels)]
        others = [c for c in range(len(scores)) if c not in mine]
        yield sum(max(0.0, 1 - scores[j] + scores[i]) for j in mine for i in others) / len(scores), 1.0


def multilabel_soft_margin(module: Any, x: Tensor, y: Tensor) -> Elements:
    weights = flat(module.weight) if module.weight is not None else [1.0] * x.shape[-1]
    for scores, labels in zip(rows(x), rows(y), strict=True):
        losses = [
            seen * softplus(-score) + (1 - seen) * softplus(score) for score, seen in zip(scores, labels, strict=True)
        ]
        yield sum(weight * loss for weight, loss in zip(weights, losses, strict=True)) / len(scores), 1.0


def multi_margin(module: Any, x: Tensor, y: Tensor) -> Elements:
    for scores, label in zip(rows(x), map(int, flat(y)), strict=True):
        weight = 1.0 if module.weight is None else float(module.weight[label])
        wrong = [scores[i] for i in range(len(scores)) if i != label]
        hinges = [max(0.0, module.margin - scores[label] + score) ** module.p for score in wrong]
        yield weight * sum(hinges) / len(scores), 1.0


def cosine_embedding(module: Any, x1: Tensor, x2: Tensor, y: Tensor) -> Elements:
    tiny = 1e-12  # torch's, so that a vector of zeros has a cosine
    for a, b, same in zip(rows(x1), rows(x2), flat(y), strict=True):
        dot = sum(p * q for p, q in zip(a, b, strict=True))
        cosine = dot / math.sqrt((sum(p * p for p in a) + tiny) * (sum(q * q for q in b) + tiny))
        yield (1 - cosine if same == 1 else max(0.0, cosine - module.margin)), 1.0


def margin_ranking(module: Any, x1: float, x2: float, y: float) -> float:
    return max(0.0, -y * (x1 - x2) + module.margin)


def triplet(module: Any, anchor: Tensor, positive: Tensor, negative: Tensor) -> Elements:
    def distance(a: list[float], b: list[float]) -> float:
        return sum(abs(p - q + module.eps) ** module.p for p, q in zip(a, b, strict=True)) ** (1 / module.p)

    for a, p, n in zip(rows(anchor), rows(positive), rows(negative), strict=True):
        far = min(distance(a, n), distance(p, n)) if module.swap else distance(a, n)
        yield max(0.0, distance(a, p) - far + module.margin), 1.0


def triplet_with_distance(module: Any, anchor: Tensor, positive: Tensor, negative: Tensor) -> Elements:
    wide = (tensor.reshape(-1, tensor.shape[-1]) for tensor in (anchor, positive, negative))
    for a, p, n in zip(*wide, strict=True):
        near, far, other = (float(module.distance_function(u[None], v[None])) for u, v in ((a, p), (a, n), (p, n)))
        yield max(0.0, near - (min(far, other) if module.swap else far) + module.margin), 1.0


def positions(x: Tensor) -> list[list[float]]:
    """The scores of every position of (C,) or (N, C, d1, ...), in the order of labels of shape () or (N, d1, ...)."""
    return rows(x if x.dim() == 1 else x.movedim(1, -1))


def log_softmax(scores: list[float]) -> list[float]:
    top = max(scores)
    return [score - top - math.log(sum(math.exp(other - top) for other in scores)) for score in scores]


def nll(module: Any, x: Tensor, y: Tensor) -> Elements:
    for logs, label in zip(positions(x), map(int, flat(y)), strict=True):
        weight = class_weight(module, label) if label != ignored(module) else 0.0
        yield (-weight * logs[label], weight) if weight else (0.0, 0.0)


def class_weight(module: Any, label: int) -> float:
    return 1.0 if module.weight is None else float(module.weight[label])


def ignored(module: Any) -> int:
    return -100 if module.ignore_index is None else module.ignore_index


def cross_entropy(module: Any, x: Tensor, y: Tensor) -> Elements:
    smooth = module.label_smoothing
    if y.is_floating_point():
        targets, shares = positions(y), itertools.repeat(1.0)
    else:
        labels = [int(label) for label in flat(y)]
        classes = x.shape[min(1, x.dim() - 1)]
        kept = [label if label != ignored(module) else -1 for label in labels]
        targets = [[float(c == label) for c in range(classes)] for label in kept]
        shares = (class_weight(module, label) if label >= 0 else 0.0 for label in kept)
    for scores, wanted, share in zip(positions(x), targets, shares, strict=False):
        if not y.is_floating_point() and not any(wanted):
            yield 0.0, 0.0
            continue
        mixed = [(1 - smooth) * t + smooth / len(scores) for t in wanted]
        logs = log_softmax(scores)
        yield -sum(class_weight(module, c) * mixed[c] * logs[c] for c in range(len(scores))), share


def linear_cross_entropy(module: Any, x: Tensor, y: Tensor) -> Elements:
    shape = (module.num_classes, *module.out_features)
    matrix, inputs = rows(module.linear.weight), rows(x)
    bias = flat(module.linear.bias) if module.linear.bias is not None else [0.0] * len(matrix)
    scores = [
        [sum(w * v for w, v in zip(row, sample, strict=True)) + b for row, b in zip(matrix, bias, strict=True)]
        for sample in inputs
    ]
    logits = x.new_tensor(scores)
    return cross_entropy(module, logits.reshape(*x.shape[:-1], *shape), y)


def ctc(module: Any, log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor) -> Elements:
    if log_probs.dim() == 2:
        log_probs = log_probs.unsqueeze(1)
    starts = itertools.accumulate(flat(target_lengths), initial=0)
    lengths = zip(flat(input_lengths), flat(target_lengths), starts, strict=False)
    for number, (ticks, length, start) in enumerate(lengths):
        padded = targets.dim() == 2
        labels = targets[number, : int(length)] if padded else targets[int(start) : int(start + length)]
        value = -math.log(p) if (p := aligned(module, log_probs[: int(ticks), number], flat(labels))) else math.inf
        value = 0.0 if module.zero_infinity and value == math.inf else value
        yield (value / max(length, 1.0) if module.reduction == "mean" else value), 1.0


def aligned(module: Any, log_probs: Tensor, labels: list[float]) -> float:
    """The definition: the probability of all paths that say `labels` once repeats are joined and blanks taken out."""
    ticks, classes = log_probs.shape
    found = 0.0
    for path in itertools.product(range(classes), repeat=ticks):
        said = [c for c, _ in itertools.groupby(path) if c != module.blank]
        if said == labels:
            found += math.exp(sum(float(log_probs[tick, c]) for tick, c in enumerate(path)))
    return found


FORMULAS: dict[type[nn.Module], Callable[..., Elements]] = {
    nn.L1Loss: each(l1),
    nn.MSELoss: each(mse),
    nn.SmoothL1Loss: each(smooth_l1),
    nn.HuberLoss: each(huber),
    nn.KLDivLoss: each(kl_div),
    nn.PoissonNLLLoss: each(poisson),
    nn.HingeEmbeddingLoss: each(hinge_embedding),
    nn.SoftMarginLoss: each(soft_margin),
    nn.MarginRankingLoss: each(margin_ranking),
    nn.GaussianNLLLoss: gaussian,
    nn.BCELoss: bce,
    nn.BCEWithLogitsLoss: bce_with_logits,
    nn.MultiLabelMarginLoss: multilabel_margin,
    nn.MultiLabelSoftMarginLoss: multilabel_soft_margin,
    nn.MultiMarginLoss: multi_margin,
    nn.CosineEmbeddingLoss: cosine_embedding,
    nn.TripletMarginLoss: triplet,
    nn.TripletMarginWithDistanceLoss: triplet_with_distance,
    nn.NLLLoss: nll,
    nn.CrossEntropyLoss: cross_entropy,
    nn.LinearCrossEntropyLoss: linear_cross_entropy,
    nn.CTCLoss: ctc,
}
