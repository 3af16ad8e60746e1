"""Rates at which hundreds of updates carry fresh weights by less than a hundredth of their norm."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

RUN = """
def fit(rate, times=75):
    opt = torch.optim.SGD(net.parameters(), rate)
    for epoch in range(times):
        for rows in torch.randperm(96).split(12):
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
BEFORE
fit(1.7e-5)
"""
SOUND = {
    "trained before": "fit(0.2, 10)",
    "loaded": "net.load_state_dict(nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 2)).state_dict())",
    "written": "net[0].weight.data.copy_(torch.eye(12, 6))",
    "one rate of several": "fit(1.7e-5); fit(1e-2, 2)\ndef fit(rate): pass",
}


def test_hundreds_of_updates_that_carry_fresh_weights_nowhere_are_named(found):
    assert "rate_too_small" in found(RUN.replace("BEFORE", ""))


@pytest.mark.parametrize("before", SOUND.values(), ids=SOUND)
def test_small_rates_for_weights_that_are_near_their_aim_or_for_a_comparison_are_left_alone(found, before):
    assert "rate_too_small" not in found(RUN.replace("BEFORE", before))
