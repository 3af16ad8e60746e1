"""One epoch of minibatch gradient descent as the book means it, sample after sample in float64.

Independent of truestep and of torch's losses, optimizers and autograd.
"""

import math
from collections.abc import Sequence

Matrix = list[list[float]]
Sample = tuple[list[float], int]


def softmax_epoch(w: Matrix, batches: Sequence[Sequence[Sample]], lr: float, summed: bool) -> tuple[Matrix, float]:
    """Softmax regression without a bias: the weights (inputs, classes) after the epoch, and the mean loss during it.

    The gradient of cross-entropy is x_i (p_k - [k = label]); a step follows its mean over the batch, or its sum.
    """
    w, losses = [list(row) for row in w], []
    for batch in batches:
        gradient = [[0.0] * len(row) for row in w]
        for x, label in batch:
            scores = [math.fsum(x[i] * w[i][k] for i in range(len(x))) for k in range(len(w[0]))]
            partition = math.fsum(math.exp(score) for score in scores)
            losses.append(math.log(partition) - scores[label])
            for i, value in enumerate(x):
                for k, score in enumerate(scores):
                    gradient[i][k] += value * (math.exp(score) / partition - (k == label))
        rate = lr if summed else lr / len(batch)
        w = [[a - rate * g for a, g in zip(*rows, strict=True)] for rows in zip(w, gradient, strict=True)]
    return w, math.fsum(losses) / len(losses)
