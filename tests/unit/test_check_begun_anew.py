"""Totals that each batch begins anew, clipping before the pass, and penalties of gradients without a graph."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

SCORED = """
train = DataLoader(TensorDataset(x[:64], y[:64]), 16, shuffle=True)
held = DataLoader(TensorDataset(x[64:], y[64:]), 12)
def score():
    BEFORE
    with torch.no_grad():
        for a, b in held:
            INSIDE
            ADDED
            count += len(b)
    return total / count
for epoch in range(4):
    epochs(train, 1)
    outcome = score()
    print(outcome)
"""
HITS = "total += (net(a).argmax(1) == b).sum().item()"
SUMS = "total += nn.functional.cross_entropy(net(a), b, reduction='sum').item()"
MEANS = "total += nn.functional.cross_entropy(net(a), b).item() * len(b)"
ZEROS = ["total = count = 0", "total, count = 0.0, 0"]


@pytest.mark.parametrize("zeros", ZEROS)
@pytest.mark.parametrize("added", [HITS, SUMS, MEANS])
def test_totals_that_each_batch_begins_anew_are_those_of_the_last(found, added, zeros):
    program = SCORED.replace("ADDED", added)
    assert "wrong_denominator" in found(program.replace("BEFORE", "pass").replace("INSIDE", zeros))
    assert not found(program.replace("BEFORE", zeros).replace("INSIDE", "pass"))


CLIPPED = """
for epoch in range(4):
    for a, b in DataLoader(TensorDataset(x, y), 16, shuffle=True):
        loss = nn.functional.cross_entropy(net(a), b)
        opt.zero_grad()
        FIRST
        loss.backward()
        THEN
        opt.step()
"""


def test_gradients_that_are_not_there_yet_cannot_be_clipped(found):
    clip = "nn.utils.clip_grad_norm_(net.parameters(), 0.1)"
    assert "clip_after_step" in found(CLIPPED.replace("FIRST", clip).replace("THEN", "pass"))
    assert not found(CLIPPED.replace("FIRST", "pass").replace("THEN", clip))


CRITIC = """
critic = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1))
opt = torch.optim.Adam(critic.parameters(), 0.002)
for step in range(12):
    real, false = x[torch.randperm(96)[:32]], torch.randn(32, 6) * 2
    between = (0.5 * real + 0.5 * false).requires_grad_()
    slope, = torch.autograd.grad(critic(between).sum(), between, GRAPH)
    loss = critic(false).mean() - critic(real).mean() + PENALTY
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
PENALTY = "10 * (slope.norm(dim=1) - 1).square().mean()"


@pytest.mark.parametrize(
    "graph, penalty, told",
    [
        ("", PENALTY, True),
        ("retain_graph=True", PENALTY, True),
        ("create_graph=True", PENALTY, False),
        ("", "slope.norm() * critic(real).square().mean()", False),
    ],
)
def test_a_penalty_of_gradients_needs_their_graph(found, graph, penalty, told):
    assert ("gradient_stopped" in found(CRITIC.replace("GRAPH", graph).replace("PENALTY", penalty))) == told


KEPT = """
train = DataLoader(TensorDataset(x[:64], y[:64]), 16, shuffle=True)
held = DataLoader(TensorDataset(x[64:], y[64:]), 12)
def score():
    losses = []
    with torch.no_grad():
        for a, b in held:
            loss = nn.functional.cross_entropy(net(a), b)
            INSIDE
    return TOLD
for epoch in range(4):
    epochs(train, 1)
    print(score())
"""


def test_a_figure_that_is_read_behind_the_loop_is_that_of_the_last_batch(found):
    last = KEPT.replace("TOLD", "loss.item()")
    assert "wrong_denominator" in found(last.replace("INSIDE", "pass"))
    assert "wrong_denominator" not in found(last.replace("INSIDE", "losses.append(loss)"))
    whole = KEPT.replace("TOLD", "(torch.stack(losses) @ torch.tensor([12.0, 12.0, 8.0]) / 32).item()")
    assert not found(whole.replace("INSIDE", "losses.append(loss)"))
