"""Lesson 3: cross-entropy takes logits; a softmax before it hides the gradient."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.lessons.lesson import Measured


def measure() -> Measured:
    """Compute the loss of one sample by hand and by torch, then put a softmax before it."""
    logits = torch.tensor([2.0, 1.0, 0.1])
    shares = (logits.exp() / logits.exp().sum()).tolist()
    by_hand = -torch.tensor(shares)[0].log().item()
    right, wrong = gradient(logits, twice=False), gradient(logits, twice=True)
    assert [f"{share:.3f}" for share in shares] == ["0.659", "0.242", "0.099"]
    assert f"{right[0]:.3f}" == f"{by_hand:.3f}" == "0.417"
    assert torch.allclose(right[1], torch.tensor(shares) - torch.tensor([1.0, 0, 0])), "the gradient is p minus one-hot"

    margins = [0.5 * i for i in range(-20, 21)]
    pulls = {twice: [pull(margin, twice) for margin in margins] for twice in (False, True)}
    losses = {twice: [loss(margin, twice) for margin in margins] for twice in (False, True)}
    sure = margins.index(-10.0)
    assert pulls[False][sure] > 0.99, "a sample that is surely wrong pulls with all its strength"
    assert pulls[True][sure] < 1e-3, "after two softmaxes it pulls with none"
    floor = min(losses[True])
    assert floor > 0.55 > 10 * min(losses[False]), "and no answer is good enough: the loss has a floor"

    kept = wrong[1].norm().item() / right[1].norm().item()
    rows = [
        ("softmax of 2.0, 1.0, 0.1", ", ".join(f"{share:.3f}" for share in shares), ""),
        ("loss of target 0", right[0], wrong[0]),
        ("gradient norm", right[1].norm().item(), wrong[1].norm().item()),
        ("pull on the target, logit 10 too low", pulls[False][sure], pulls[True][sure]),
        ("least loss that can be had", losses[False][-1], floor),
    ]
    numbers = {"p": shares, "right": right[0], "wrong": wrong[0], "lost": 1 - kept, "sure": pulls[False][sure]}
    numbers |= {"vanished": pulls[True][sure], "floor": floor}
    names = {False: "logits (right)", True: "softmax before the loss (wrong)"}
    pulled = [ts.plot.Curve(name, margins, pulls[twice]) for twice, name in names.items()]
    lost = [ts.plot.Curve(name, margins, losses[twice]) for twice, name in names.items()]
    axis = "logit of the target above the others"
    panels = [
        ts.plot.Panel(axis, "|gradient| of the target's logit", pulled),
        ts.plot.Panel(axis, "cross-entropy (nats)", lost),
    ]
    return Measured(numbers, rows, panels)


def gradient(logits: Tensor, twice: bool) -> tuple[float, Tensor]:
    """Loss of target 0 and its gradient by the logits."""
    z = logits.clone().requires_grad_()
    value = nn.CrossEntropyLoss()(z.softmax(0) if twice else z, torch.tensor(0))
    (slope,) = torch.autograd.grad(value, z)
    return value.item(), slope


def pull(margin: float, twice: bool) -> float:
    """How strongly the target's logit is pulled when it stands `margin` above two others."""
    return abs(gradient(torch.tensor([margin, 0.0, 0.0]), twice)[1][0].item())


def loss(margin: float, twice: bool) -> float:
    """The loss at that margin."""
    return gradient(torch.tensor([margin, 0.0, 0.0]), twice)[0]
