"""Epochs that are left after so many batches, inputs that many samples share, and parts that number their classes."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

SHORT = """
train = DataLoader(TensorDataset(x, y), 8, shuffle=SHUFFLE)
for epoch in range(4):
    for number, (a, b) in enumerate(train):
        update(a, b)
        if number + 1 == LIMIT:
            break
"""
DRAWN = """
class Fresh(Dataset):
    def __len__(self):
        return 100000
    def __getitem__(self, row):
        one = torch.randn(6)
        return one, int(one[:3].sum() > 0)
train = DataLoader(Fresh(), 8)
for epoch in range(4):
    for (a, b), _ in zip(train, range(6)):
        update(a, b)
"""


@pytest.mark.parametrize("shuffle, limit, told", [(False, "5", True), (True, "5", False), (False, "5 + epoch", False)])
def test_epochs_that_all_end_at_one_batch_of_a_fixed_order_leave_the_rest_untrained(found, shuffle, limit, told):
    names = found(SHORT.replace("SHUFFLE", str(shuffle)).replace("LIMIT", limit))
    assert ("samples_unseen" in names) is told


def test_the_length_of_a_data_set_that_draws_its_items_anew_says_nothing(found):
    assert "samples_unseen" not in found(DRAWN)


HOURS = """
hours = torch.randn(24, 6)[torch.arange(480) % 24]
seen = hours[:, :3].sum(1) + NOISE * torch.randn(480)
order = torch.arange(480) % 24 < 16
learn = torch.nonzero(order & (torch.arange(480) % 5 < 4))[:, 0]
held = torch.nonzero(torch.arange(480) % 5 == 4)[:, 0]
net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1))
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(5):
    for a, b in DataLoader(TensorDataset(hours[learn], seen[learn]), 32, shuffle=True):
        loss = ((net(a)[:, 0] - b) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        print(((net(hours[held])[:, 0] - seen[held]) ** 2).mean().item())
"""


def test_inputs_that_came_with_several_targets_are_no_copies_of_samples(found):
    assert "tested_on_train" not in found(HOURS.replace("NOISE", "0.3"))
    assert "tested_on_train" in found(HOURS.replace("NOISE", "0.0"))


SITES = """
kinds = torch.arange(6).repeat(40)
centres = 4 * torch.randn(6, 6)
def site(names):
    rows = torch.cat([centres[kinds[:120] % 6][kinds[:120] == each] + torch.randn(20, 6) for each in names])
    return TensorDataset(rows, torch.tensor([NUMBER for at, each in enumerate(names) for _ in range(20)]))
home, near, far = site(range(6)), site(range(6)), site([0, 2, 3, 4, 5])
net = nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 6))
opt = torch.optim.Adam(net.parameters(), 0.02)
def score(data):
    right = 0
    with torch.no_grad():
        for a, b in DataLoader(data, 50):
            right += (net(a).argmax(1) == b).sum().item()
    return right / len(data)
for epoch in range(12):
    epochs(DataLoader(home, 20, shuffle=True), 1)
    print(score(near))
print(score(far))
"""


def test_a_part_with_numbers_of_its_own_is_found_where_one_line_scores_all_parts(found):
    assert "labels_off" in found(SITES.replace("NUMBER", "at"))
    assert "labels_off" not in found(SITES.replace("NUMBER", "each"))
