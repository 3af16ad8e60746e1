"""Weights of terms that no optimizer holds, and teachers that were left as they were trained."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

TERMS = """
body, one, two = nn.Sequential(nn.Linear(6, 12), nn.ReLU()), nn.Linear(12, 1), nn.Linear(12, 1)
spread = torch.zeros(2, requires_grad=True)
held = [*body.parameters(), *one.parameters(), *two.parameters()] + HELD
opt = torch.optim.Adam(held, 0.01)
for epoch in range(4):
    for rows in torch.randperm(96).split(12):
        h = body(x[rows])
        first = nn.functional.mse_loss(one(h), x[rows, :1])
        second = nn.functional.binary_cross_entropy_with_logits(two(h)[:, 0], y[rows].float())
        loss = torch.exp(-spread[0]) * first + spread[0] + torch.exp(-spread[1]) * second + spread[1]
        opt.zero_grad()
        loss.backward()
        opt.step()
"""


@pytest.mark.parametrize("held, told", [("[]", True), ("[spread]", False)])
def test_weights_of_two_terms_that_no_optimizer_holds_are_told(found, held, told):
    assert ("parameters_unheld" in found(TERMS.replace("HELD", held))) is told


TEACHES = """
net = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Dropout(0.4), nn.Linear(24, 2))
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(20):
    net.train()
    for rows in torch.randperm(96).split(8):
        update(x[rows], y[rows])
MODE
small = nn.Linear(6, 2)
opt = torch.optim.Adam(small.parameters(), 0.01)
for epoch in range(3):
    for rows in torch.randperm(96).split(12):
        with torch.no_grad():
            aim = net(x[rows]).softmax(1)
        loss = nn.functional.kl_div(small(x[rows]).log_softmax(1), aim, reduction="batchmean")
        opt.zero_grad()
        loss.backward()
        opt.step()
"""


@pytest.mark.parametrize("mode, told", [("pass", True), ("net.eval()", False)])
def test_a_teacher_that_trained_for_long_is_told_to_teach_in_train_mode(found, mode, told):
    assert ("eval_in_train" in found(TEACHES.replace("MODE", mode))) is told
