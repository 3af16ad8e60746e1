"""Batches that are mixed with themselves in another order, and their targets with them."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

MIXED = """
shares = nn.functional.one_hot(y, 2).float()
def soft(logits, wanted):
    return -(wanted * logits.log_softmax(1)).sum(1).mean()
for epoch in range(4):
    for rows in torch.randperm(96).split(24):
        a, b, t = x[rows], y[rows], shares[rows]
        k = torch.rand(()).item()
        order = torch.randperm(len(a))
        other = OTHER
        LOSS
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
SHARES = "loss = soft(net(k * a + (1 - k) * a[order]), k * t + (1 - k) * t[other])"
LOSSES = (
    "guess = net(k * a + (1 - k) * a[order]); "
    "loss = k * nn.functional.cross_entropy(guess, b) + (1 - k) * nn.functional.cross_entropy(guess, b[other])"
)


@pytest.mark.parametrize("loss", [SHARES, LOSSES])
def test_partners_and_their_targets_have_one_order(found, loss):
    program = MIXED.replace("LOSS", loss)
    assert "shuffled_apart" in found(program.replace("OTHER", "torch.randperm(len(a))"))
    assert not found(program.replace("OTHER", "order"))
