"""What is told to a place that nobody asks: the flag of the outermost module alone, a rate where no step reads it."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

EVALUATED = """
net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Dropout(0.3), nn.Linear(12, 2))
opt = torch.optim.Adam(net.parameters(), 0.01)
held, kinds = torch.randn(48, 6), torch.randint(0, 2, (48,))
loader = DataLoader(TensorDataset(x, y), 16, shuffle=True)
for epoch in range(4):
    net.train()
    net.training = True
    epochs(loader, 1)
    SWITCHED
    with torch.no_grad():
        print((net(held).argmax(1) == kinds).float().mean().item())
"""


@pytest.mark.parametrize(
    "switched, told",
    [
        ("net.training = False", True),
        ("net.eval()", False),
        ("for part in net.modules(): part.training = False", False),
        ("net.eval(); net[2].train()", False),  # Monte Carlo dropout
    ],
)
def test_the_flag_of_the_outermost_module_tells_its_parts_nothing(found, switched, told):
    assert ("eval_in_train" in found(EVALUATED.replace("SWITCHED", switched))) == told


RATED = """
loader = DataLoader(TensorDataset(x, y), 16, shuffle=True)
for epoch in range(8):
    epochs(loader, 1)
    if epoch % 2 == 1:
        SET
"""


@pytest.mark.parametrize(
    "words, told",
    [
        ('opt.defaults["lr"] = 0.01 * 0.5 ** epoch', True),
        ('opt.defaults["lr"] *= 0.5', True),
        ('opt.param_groups[0]["learning_rate"] = 0.01 * 0.5 ** epoch', True),
        ('for group in opt.param_groups: group["learning_rate"] = 0.01 * 0.5 ** epoch', True),
        ('for group in opt.param_groups: group["lr"] = 0.01 * 0.5 ** epoch', False),
        ('opt.param_groups[0]["lr"] *= 0.5', False),
        ('opt.defaults["lr"] = opt.param_groups[0]["lr"] = 0.01 * 0.5 ** epoch', False),
    ],
)
def test_a_rate_that_no_step_reads_is_told(found, words, told):
    assert ("schedule_never" in found(RATED.replace("SET", words))) == told


def test_a_key_of_a_group_that_the_program_reads_is_its_own(found):
    program = (
        RATED.replace("SET", 'opt.param_groups[0]["base_lr"] = 0.02') + '\nprint(opt.param_groups[0]["base_lr"])\n'
    )
    assert "schedule_never" not in found(program)
