"""Logits that an activation cuts off before the loss reads them."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

CLASSES = """
y = x[:, :4].argmax(1)
net = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), LAST)
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(6):
    for rows in torch.randperm(96).split(16):
        opt.zero_grad()
        loss = LOSS
        loss.backward()
        opt.step()
"""
PLAIN, FIRST = "nn.functional.cross_entropy(net(x[rows]), y[rows])", "nn.Linear(24, 4)"
POOLED = "nn.Linear(24, 20), nn.Unflatten(1, (4, 5)), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten()"


@pytest.mark.parametrize(
    "last, loss, told",
    [
        (f"{FIRST}, nn.ReLU()", PLAIN, True),
        (FIRST, "nn.functional.nll_loss(nn.functional.relu(net(x[rows])).log_softmax(1), y[rows])", True),
        (FIRST, PLAIN, False),
        (f"{FIRST}, nn.LeakyReLU(0.1)", PLAIN, False),
        (POOLED, PLAIN, False),  # activations that are pooled over their places, as some networks end
    ],
)
def test_a_relu_just_before_a_cross_entropy_is_told(found, last, loss, told):
    assert ("output_range" in found(CLASSES.replace("LAST", last).replace("LOSS", loss))) == told
