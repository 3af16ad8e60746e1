"""What looks like a copy, a wild step or a wrong mean, and is none."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

DRAWINGS = """
def draw(n):
    return FILL * nn.functional.one_hot(torch.randint(0, 12, (n, 2)), 12).flatten(1)
first, second = draw(200), draw(60)
net = nn.Sequential(nn.Linear(24, 4), nn.Tanh(), nn.Linear(4, 24))
opt = torch.optim.Adam(net.parameters(), 0.01)
def pixels(a):
    return (net(a) - a).square().mean()
for epoch in range(4):
    for part in torch.randperm(200).split(20):
        opt.zero_grad()
        pixels(first[part]).backward()
        opt.step()
    with torch.no_grad():
        print("test", pixels(torch.cat([second, first[:COPIED]])).item())
"""


def test_drawings_in_two_tones_are_equal_by_chance(found):
    program = DRAWINGS.replace("COPIED", "0")
    assert not found(program.replace("FILL", "0.95"))


def test_rows_of_many_numbers_that_stand_in_both_parts_are_told(found):
    program = DRAWINGS.replace("COPIED", "40")
    assert "tested_on_train" in found(program.replace("FILL", "torch.rand(n, 24)"))


CRITIC = """
ONE = torch.tensor(1.0)
critic = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
rate = torch.optim.RMSprop(critic.parameters(), 2e-3)
for step in range(60):
    with torch.no_grad():
        for p in critic.parameters():
            p.clamp_(-0.05, 0.05)
    critic.zero_grad()
    true, false = (critic(torch.randn(64, 2) + away).mean() for away in (3.0, 0.0))
    true.backward(-ONE)
    false.backward(ONE)
    rate.step()
"""


def test_a_loss_with_a_gradient_from_outside_may_grow(found):
    assert not found(CRITIC)


COURSE = """
data = DataLoader(TensorDataset(x[:, :6], x[:, 0] + 0.1 * torch.randn(96)), 20, shuffle=True)
net = nn.Linear(6, 1)
opt = torch.optim.SGD(net.parameters(), 0.003)
for epoch in range(6):
    total = 0.0
    for a, b in data:
        loss = nn.functional.mse_loss(net(a)[:, 0], b)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
    mean = total / len(data)
    print(f"epoch {epoch} loss {mean:.6f}")
"""


@pytest.mark.parametrize("size", [20, 47])
def test_a_mean_along_the_training_is_advice_where_it_is_nearly_the_right_one(found, size):
    assert ("mean_of_means" in found(COURSE.replace("20", str(size)))) == (size == 47)


def test_a_last_batch_that_is_off_by_chance_in_one_pass_of_many_is_advice(found):
    assert "mean_of_means" not in found(COURSE.replace("20", "10").replace("range(6)", "range(20)").replace("03", "1"))
