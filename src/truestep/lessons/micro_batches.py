"""Lesson 17: accumulating micro-batches exactly, whatever their sizes and paddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured

MICRO, LENGTH, WORDS = 4, 12, 16
CASES = {  # sequences, shortest sequence
    "equal parts, no padding": (16, LENGTH),
    "ragged last part": (17, LENGTH),
    "equal parts, padded": (16, 1),
    "ragged and padded": (17, 1),
}


def measure() -> Measured:
    """Beside the gradient of the whole batch: the mean of the parts' means, and totals over one count."""
    rows = []
    for name, (n, shortest) in CASES.items():
        tokens, following = ts.data.sequences(n, LENGTH, WORDS, seed=3, shortest=shortest)
        net = nn.Sequential(nn.Embedding(WORDS, 8), nn.Linear(8, WORDS), Last()).double()
        whole = accumulated(net, [(tokens, following)])
        parts = list(zip(tokens.split(MICRO), following.split(MICRO), strict=True))
        usual = error(accumulated(net, parts), whole)
        by_hand = error(summed(net, parts), whole)
        exact = error(stepped(net, tokens, following), whole)
        rows.append((name, usual, by_hand, exact))
    errors = {name: usual for name, usual, _, _ in rows}
    assert errors["equal parts, no padding"] < 1e-12, "equal parts are the one case in which the usual way is right"
    assert all(errors[name] > 0.01 for name in list(CASES)[1:])
    assert all(max(by_hand, exact) < 1e-12 for _, _, by_hand, exact in rows)

    bars = [
        ts.plot.Bars("mean of the parts' means", {name: 100 * usual for name, usual, _, _ in rows}),
        ts.plot.Bars("totals over one count", {name: 100 * exact for name, _, _, exact in rows}),
    ]
    panel = ts.plot.Panel("error of the gradient (% of its length)", "batch", bars=bars)
    ragged, padded, both = list(errors.values())[1:]
    numbers = {"ragged": ragged, "padded": padded, "both": both, "exact": max(row[3] for row in rows)}
    return Measured(numbers, rows, [panel], ("", ".2%", ".0e", ".0e"))


class Last(nn.Module):
    """Scores as torch's cross-entropy wants them: classes before positions."""

    def forward(self, scores: Tensor) -> Tensor:
        """(n, length, classes) -> (n, classes, length)."""
        return scores.transpose(1, 2)


def accumulated(net: nn.Module, parts: list[tuple[Tensor, Tensor]]) -> Tensor:
    """The usual way: the mean loss of each part, divided by the number of parts."""
    net.zero_grad()
    for tokens, following in parts:
        (nn.functional.cross_entropy(net(tokens), following) / len(parts)).backward()
    return flat(net)


def summed(net: nn.Module, parts: list[tuple[Tensor, Tensor]]) -> Tensor:
    """The exact way by hand: count all tokens first, then divide each part's sum by that number."""
    net.zero_grad()
    tokens_in_all = sum(int((following != -100).sum()) for _, following in parts)
    for tokens, following in parts:
        (nn.functional.cross_entropy(net(tokens), following, reduction="sum") / tokens_in_all).backward()
    return flat(net)


def stepped(net: nn.Module, tokens: Tensor, following: Tensor) -> Tensor:
    """The same by truestep: how far plain SGD with lr 1 moves the weights in one step."""
    before = torch.cat([p.detach().flatten().clone() for p in net.parameters()])
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    ts.TrainStep(net, nn.CrossEntropyLoss(), optimizer, micro_batch=MICRO)(tokens, following)
    return before - torch.cat([p.detach().flatten() for p in net.parameters()])


def flat(net: nn.Module) -> Tensor:
    """All gradients in one vector."""
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


def error(found: Tensor, whole: Tensor) -> float:
    """The distance of two gradients over the length of the right one."""
    return float((found - whole).norm() / whole.norm())
