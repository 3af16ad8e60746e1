"""Lesson 19: of two losses the one with the larger gradient moves the weights, not the larger one."""

from __future__ import annotations

import torch
from torch import nn

import truestep as ts
from truestep.lessons.lesson import Measured

ERRORS = [0.05 * i for i in range(1, 41)]


def measure() -> Measured:
    """Let a model be wrong by a known error, and ask the ledger of the step who moved it."""
    values, shares = {}, {}
    for error in ERRORS:
        values[error], shares[error] = step(error)
    losing = [e for e in ERRORS if values[e]["squared"] < values[e]["absolute"]]
    wins = [e for e in losing if shares[e]["squared"] > shares[e]["absolute"]]
    assert wins, "the smaller loss can be the one that moves the weights"
    assert min(wins) > 0.5 > min(losing), "between one half and one: 2 e against 1"
    shown = 0.75
    near = min(ERRORS, key=lambda e: abs(e - shown))
    huge_value, huge_share = step(near, huge=1000.0)
    assert huge_value["huge"] == 1000
    assert huge_share["huge"] == 0, "a term of a thousand that depends on no weight moves none"

    rows = [
        ("squared error", values[near]["squared"], shares[near]["squared"], huge_share["squared"]),
        ("absolute error", values[near]["absolute"], shares[near]["absolute"], huge_share["absolute"]),
        ("a constant", huge_value["huge"], "-", huge_share["huge"]),
    ]
    loss = [ts.plot.Curve(f"{name} error", ERRORS, [values[e][name] for e in ERRORS]) for name in values[near]]
    share = [ts.plot.Curve(f"{name} error", ERRORS, [100 * shares[e][name] for e in ERRORS]) for name in values[near]]
    numbers = {"e": near, "value": values[near], "share": shares[near], "huge": huge_value["huge"]}
    panels = [
        ts.plot.Panel("error of every output", "loss", loss, title="The larger loss ..."),
        ts.plot.Panel("error of every output", "share of the update (%)", share, title="... and the larger gradient"),
    ]
    return Measured(numbers, rows, panels, ("", ".4g", ".1%", ".1%"))


def step(error: float, huge: float = 0.0) -> tuple[dict[str, float], dict[str, float]]:
    """The value of each term, and its share of the update, for a bias that is wrong by `error` everywhere."""
    net = nn.Linear(1, 1).double()
    with torch.no_grad():
        net.weight.zero_()
        net.bias.fill_(error)
    terms = {"squared": nn.MSELoss(), "absolute": nn.L1Loss()}
    if huge:
        terms["huge"] = ts.Term(lambda out, y: torch.full_like(out, huge) + 0 * out.detach())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    x, y = torch.ones(8, 1).double(), torch.zeros(8, 1).double()
    ledger = ts.explain(ts.TrainStep(net, ts.Objective(**terms), optimizer), x, y)
    return dict(ledger.out.terms), {name: ledger.shares.get(name, 0.0) for name in terms}
