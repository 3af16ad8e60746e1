"""Scores whose guesses and targets are in two units."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

SCALED = """
rents = x[:, :1] * 50 + 700 + torch.randn(96, 1)
middle, spread = rents[:64].mean(), rents[:64].std()
net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1))
opt = torch.optim.Adam(net.parameters(), 0.02)
for epoch in range(6):
    for a, b in DataLoader(TensorDataset(x[:64], (rents[:64] - middle) / spread), 16, shuffle=True):
        loss = nn.functional.mse_loss(net(a), b)
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        SCORE
"""


@pytest.mark.parametrize(
    "score, told",
    [
        ("print((net(x[64:]) - rents[64:]).abs().mean().item())", True),
        ("print(nn.functional.mse_loss(net(x[64:]), rents[64:]).sqrt().item())", True),
        ("print((net(x[64:]) * spread + middle - rents[64:]).abs().mean().item())", False),
        ("print((net(x[64:]) - (rents[64:] - middle) / spread).abs().mean().item())", False),
    ],
)
def test_guesses_and_targets_of_a_score_are_in_one_unit(found, score, told):
    assert ("preprocessing_differs" in found(SCALED.replace("SCORE", score))) == told
