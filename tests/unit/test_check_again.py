"""Draws that come back each epoch, though they look like chance."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

RANKED = """
data = TensorDataset(x, y)
ranks = DistributedSampler(data, num_replicas=1, rank=0)
loader = DataLoader(data, 16, sampler=ranks)
for epoch in range(4):
    ranks.set_epoch(EACH)
    for a, b in loader:
        update(a, b)
"""
SAMPLER = """
class Mixed(Sampler):
    def __init__(self):
        self.turn = 0
    def __iter__(self):
        self.turn += 1
        yield from torch.randperm(96, generator=torch.Generator().manual_seed(EACH)).tolist()
    def __len__(self):
        return 96
epochs(DataLoader(TensorDataset(x, y), 16, sampler=Mixed()))
"""
STREAM = """
class Stream(IterableDataset):
    turn = 0
    def __iter__(self):
        self.turn += 1
        rng = random.Random(EACH)
        rows = list(range(96))
        rng.shuffle(rows)
        for row in rows:
            yield x[row], y[row]
epochs(DataLoader(Stream(), 16))
"""
NOISE = """
table = x.numpy()
def epoch_of(turn):
    draw = np.random.default_rng(EACH)
    for first in range(0, 96, 24):
        noisy = table[first : first + 24] + draw.normal(0, 0.3, (24, 6))
        yield torch.tensor(noisy, dtype=torch.float32), y[first : first + 24]
for turn in range(5):
    for a, b in epoch_of(turn):
        update(a, b)
"""
PAIRS = """
def pick(dice):
    rows = [dice.randrange(96) for _ in range(16)] + dice.sample(range(96), 8)
    return torch.tensor(rows)
dice = random.Random(3)
for step in range(20):
    EACH
    rows = pick(dice)
    update(x[rows], y[rows])
"""
SEEDED = """
table = x.numpy()
def some(n):
    EACH
    rows = np.random.choice(96, n)
    return torch.from_numpy(table[rows]), y[torch.from_numpy(rows)]
for step in range(12):
    update(*some(16))
"""
ITEMS = """
class Blurred(Dataset):
    def __len__(self):
        return 96
    def __getitem__(self, row):
        torch.manual_seed(EACH)
        return x[row] + 0.3 * torch.randn(6), y[row]
epochs(DataLoader(Blurred(), 12), 5)
"""


@pytest.mark.parametrize(
    "program, wrong, right",
    [
        (RANKED, "0", "epoch"),
        (SAMPLER, "1", "self.turn"),
        pytest.param(STREAM, "1", "self.turn", marks=pytest.mark.long),
        (NOISE, "1", "turn"),
        (PAIRS, "dice = random.Random(3)", "pass"),
        pytest.param(SEEDED, "np.random.seed(1)", "pass", marks=pytest.mark.long),
        (ITEMS, "1", "row"),
    ],
)
def test_draws_that_come_back_each_epoch_are_told_and_those_of_each_epoch_are_not(found, program, wrong, right):
    assert "same_draws" in found(program.replace("EACH", wrong))
    assert "same_draws" not in found(program.replace("EACH", right))


SORTED = """
class ByLength(Sampler):
    def __iter__(self):
        return iter(sorted(range(96), key=lambda row: float(x[row].sum())))
    def __len__(self):
        return 96
epochs(DataLoader(TensorDataset(x, y), 16, sampler=ByLength()))
"""
WEIGHTED = """
def train():
    rng = random.Random(0)
    for epoch in range(5):
        rows = list(range(96))
        rng.shuffle(rows)
        for first in range(0, 96, 16):
            weight = torch.tensor([0.4, 0.6])
            a, b = x[rows[first : first + 16]], y[rows[first : first + 16]]
            loss = nn.functional.cross_entropy(net(a), b, weight=weight)
            opt.zero_grad()
            loss.backward()
            opt.step()
train()
"""
MADE_UP = """
def stream():
    rng = np.random.default_rng(0)
    for _ in range(6):
        rows = rng.normal(size=(16, 6))
        yield torch.tensor(rows, dtype=torch.float32), torch.tensor(rows.sum(1) > 0).long()
for epoch in range(5):
    for a, b in stream():
        update(a, b)
"""


PERMUTED = """
def moved(rows, task):
    dice = np.random.RandomState(SEED)
    order = torch.from_numpy(dice.permutation(6))
    return rows[:, order]
for step in range(24):
    rows = torch.randint(0, 96, (16,))
    update(moved(x[rows], step % 3), y[rows])
"""
TASKS = """
def batches_of(task):
    dice = np.random.RandomState(task)
    order = dice.permutation(96)
    for first in range(0, 48, 16):
        rows = torch.from_numpy(order[first : first + 16])
        yield x[rows], y[rows]
for turn in range(12):
    for a, b in batches_of(turn % 3):
        update(a, b)
"""


@pytest.mark.parametrize(
    "program", [SORTED, WEIGHTED, MADE_UP, TASKS, PERMUTED.replace("SEED", "0"), PERMUTED.replace("SEED", "task")]
)
def test_orders_by_length_or_of_features_constants_and_tasks_are_no_draws_that_come_back(found, program):
    assert "same_draws" not in found(program)
