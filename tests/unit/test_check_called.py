"""Figures that are known by their names, schedules that are only shown, and states that are bound to a name."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

SCORED = """
import copy
def NAMED(scores, wanted):
    order = scores.argsort()
    ranks = torch.empty(len(order))
    ranks[order] = torch.arange(1.0, len(order) + 1)
    many, few = int(wanted.sum()), int((1 - wanted).sum())
    return ((ranks[wanted == 1].sum() - many * (many + 1) / 2) / (many * few)).item()
held = DataLoader(TensorDataset(x[64:], y[64:]), 16)
opt = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, MODE, factor=0.5, patience=0)
best, kept = START, None
for epoch in range(8):
    for rows in torch.randperm(64).split(16):
        update(x[rows], y[rows])
    with torch.no_grad():
        said = torch.cat([net(a)[:, 1] - net(a)[:, 0] for a, b in held])
    val_NAMED = NAMED(said, y[64:])
    plateau.step(val_NAMED)
    if val_NAMED SIGN best:
        best, kept = val_NAMED, copy.deepcopy(net.state_dict())
net.load_state_dict(kept)
"""


def scored(named, mode, sign):
    program = SCORED.replace("NAMED", named).replace("MODE", repr(mode)).replace("SIGN", sign)
    return program.replace("START", "float('inf')" if sign == "<" else "0.0")


@pytest.mark.parametrize("named, told", [("auc", True), ("ndcg", True), ("gini", False)])
def test_a_score_that_only_its_name_tells_is_best_when_largest(found, named, told):
    wrong = found(scored(named, "min", "<"))
    assert ("plateau_mode" in wrong, "best_wrong_way" in wrong) == (told, told)
    assert not found(scored(named, "max", ">")) & {"plateau_mode", "best_wrong_way"}


WARMED = """
opt = torch.optim.SGD(net.parameters(), 0.001, momentum=0.9)
for epoch in range(4):
    for step, rows in enumerate(torch.randperm(96).split(12)):
        lr = 0.08 * min(1, (8 * epoch + step + 1) / 10) * (1 - (8 * epoch + step) / 40)
        PUT
        update(x[rows], y[rows])
    print(f"epoch {epoch} rate {lr:.4f}")
"""


def test_a_schedule_that_is_only_shown_is_told_however_far_it_lies(found):
    assert "schedule_never" in found(WARMED.replace("PUT", "pass"))
    assert "schedule_never" not in found(WARMED.replace("PUT", "opt.param_groups[0]['lr'] = lr"))


MOMENTUM = """
weight, bias = torch.zeros(6, 2, requires_grad=True), torch.zeros(2, requires_grad=True)
states = [torch.zeros_like(p) for p in (weight, bias)]
def step(params, states):
    with torch.no_grad():
        for place, (p, v) in enumerate(zip(params, states)):
            NEXT
            p -= 0.05 * v
            p.grad.zero_()
for epoch in range(6):
    for rows in torch.randperm(96).split(12):
        nn.functional.cross_entropy(x[rows] @ weight + bias, y[rows]).backward()
        step((weight, bias), states)
"""


@pytest.mark.parametrize(
    "following, told",
    [
        ("v = 0.9 * v + p.grad", True),
        ("v[:] = 0.9 * v + p.grad", False),
        ("v.mul_(0.9).add_(p.grad)", False),
        ("v = 0.9 * v + p.grad; states[place] = v", False),
    ],
)
def test_momentum_that_is_bound_to_a_name_is_lost(found, following, told):
    assert ("update_rebound" in found(MOMENTUM.replace("NEXT", following))) == told
