"""Gradients that one network's pass leaves in another, and what the step of that one makes of them."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

GAN = """
maker = nn.Sequential(nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 6))
critic = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1))
makers, critics = torch.optim.Adam(maker.parameters(), 1e-3), torch.optim.Adam(critic.parameters(), 1e-3)
bce = nn.functional.binary_cross_entropy_with_logits
yes, no = torch.ones(32, 1), torch.zeros(32, 1)
for step in range(12):
    real, made = x[torch.randperm(96)[:32]], maker(torch.randn(32, 3))
    BEFORE
    (bce(critic(real), yes) + bce(critic(made.detach()), no)).backward()
    critics.step()
    AFTER
    makers.zero_grad()
    bce(critic(made), yes).backward()
    makers.step()
"""


@pytest.mark.parametrize(
    "before, after, told",
    [("pass", "critics.zero_grad()", True), ("critics.zero_grad()", "pass", False), ("pass", "pass", True)],
)
def test_a_critic_is_cleared_just_before_its_own_pass(found, before, after, told):
    assert ("never_cleared" in found(GAN.replace("BEFORE", before).replace("AFTER", after))) == told


SHARED = """
body, head, side = nn.Linear(6, 8), nn.Linear(8, 2), nn.Linear(8, 1)
bodies = torch.optim.Adam(body.parameters(), 1e-3)
heads, sides = torch.optim.Adam(head.parameters(), 1e-3), torch.optim.Adam(side.parameters(), 1e-3)
for step in range(12):
    rows = torch.randperm(96)[:32]
    nn.functional.cross_entropy(head(body(x[rows])), y[rows]).backward()
    heads.step()
    nn.functional.mse_loss(side(body(x[rows])), x[rows, :1] * 2).backward()
    sides.step()
    bodies.step()
    for each in (bodies, heads, sides):
        each.zero_grad()
"""


def test_a_body_may_follow_the_passes_of_all_heads(found):
    assert not found(SHARED)
