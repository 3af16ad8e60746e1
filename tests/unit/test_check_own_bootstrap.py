"""Targets that a network gives itself, with their graph."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

GAME = """
critic = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
other = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))
rule = torch.optim.RMSprop(critic.parameters(), 0.001)
moves, gains, over = torch.randint(0, 4, (96,)), torch.rand(96), (torch.rand(96) < 0.1).float()
after = x + 0.3 * torch.randn(96, 6)
for turn in range(20):
    rows = torch.randint(0, 96, (16,))
    said = critic(x[rows])[torch.arange(16), moves[rows]]
    best = FUTURE
    wanted = gains[rows] + 0.97 * (1 - over[rows]) * best
    loss = LOSS
    rule.zero_grad()
    loss.backward()
    rule.step()
"""
NEXT, SQUARE = "critic(after[rows]).amax(1)", "(said - wanted).square().mean()"


@pytest.mark.parametrize("loss", [SQUARE, "nn.functional.smooth_l1_loss(said, wanted)"])
def test_a_target_that_a_network_gives_itself_with_its_graph_is_named(found, loss):
    assert "target_is_same" in found(GAME.replace("FUTURE", NEXT).replace("LOSS", loss))


@pytest.mark.parametrize(
    "future, loss",
    [
        (NEXT + ".detach()", SQUARE),
        ("other(after[rows]).amax(1)", SQUARE),
        (NEXT, SQUARE + "  # the residual gradient"),
        ("critic(after[rows]).amax(1)", "(said - wanted.detach()).square().mean()"),
        ("critic(x[rows]).amax(1)", SQUARE),  # of the same inputs: a margin between its own values
    ],
)
def test_targets_without_a_graph_and_residuals_that_are_meant_are_left_alone(found, future, loss):
    assert "target_is_same" not in found(GAME.replace("FUTURE", future).replace("LOSS", loss))
