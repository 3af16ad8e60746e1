"""What a check sees of arrays and lists: what was read of tensors, and what a data set stores."""

import runpy

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from truestep.check.rewrites import tables
from truestep.check.rules import judge
from truestep.check.watch import Watching

START = """
import random
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
torch.manual_seed(0)
random.seed(0)
x = torch.randn(300, 6)
y = (x[:, 0] > 0).long()
net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(net.parameters(), 0.01)
def train(x, y):
    for b in torch.randperm(len(x)).split(30):
        opt.zero_grad()
        nn.functional.cross_entropy(net(x[b]), y[b]).backward()
        opt.step()
"""


@pytest.fixture
def levels(tmp_path, monkeypatch):
    """What the rules find in a program: name -> level."""
    monkeypatch.chdir(tmp_path)

    def check(program):
        path = tmp_path / "train.py"
        path.write_text(START + program)
        with Watching(strict=True) as seen:
            seen.ended(runpy.run_path(str(path), run_name="__main__"))
        return {each.name: each.level for each in judge(seen.trace, strict=True)}

    return check


class Scaled(Dataset):
    """Scales an item of its array, in place or not."""

    def __init__(self, inside):
        self.rows, self.inside = np.ones((20, 3)), inside

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, item):
        row = self.rows[item]
        if self.inside:
            row *= 1.5
            return torch.tensor(row)
        return torch.tensor(row * 1.5)


@pytest.mark.parametrize("inside", [True, False])
def test_what_making_a_batch_writes_into_a_data_set_is_told(inside):
    with Watching(strict=True) as seen:
        loader = DataLoader(Scaled(inside), batch_size=5, shuffle=True)
        for _ in range(3):
            list(loader)
    told = [op.args[2] for op in seen.trace.ops("fetch wrote")]
    assert told == [("rows@0",)] * 2 * inside  # in the first pass nothing had changed before


def test_counts_that_a_data_set_keeps_of_its_items_are_no_data_of_theirs():
    data = Scaled(True)
    before = tables(data)
    data.visits = np.zeros((20, 2), int)
    data.halves = torch.zeros(20, 2, dtype=torch.bfloat16)  # which numpy does not have
    after = tables(data)
    assert after.keys() == before.keys()
    assert all((after[name] == before[name]).all() for name in before)


@pytest.mark.parametrize("pick, told", [("y[:32]", {"labels_off"}), ("1 - y[:32]", set[str]())])
def test_two_classes_that_stand_for_one_another_are_told_by_lists_of_guesses(levels, pick, told):
    found = levels(f"""
for epoch in range(6):
    train(x[32:], 1 - y[32:])
with torch.no_grad():
    guess = net(x[:32]).argmax(1).tolist()
print(sum(a == b for a, b in zip(guess, ({pick}).tolist())))
""")
    assert {name for name in found if name == "labels_off"} == told


@pytest.mark.parametrize("second, told", [("labels", True), ("order", False)])
def test_a_list_of_indices_is_shuffled_beside_labels_and_is_none_itself(levels, second, told):
    found = levels(f"""
words, labels = [[i, i + 1] for i in range(60)], [i % 2 for i in range(60)]
order = list(range(60))
random.shuffle(words)
random.shuffle({second})
""")
    assert ("shuffled_apart" in found) == told


def test_short_draws_come_back_by_chance(levels):
    found = levels("""
for step in range(60):
    rows = torch.stack([torch.randint(0, 11, (int(n),)).sum() for n in torch.randint(2, 7, (30,))])
    train(rows[:, None] + x[:30], y[:30])
""")
    assert "same_draws" not in found


@pytest.mark.parametrize("length, told", [(2, True), (1, False)])
def test_a_data_set_that_counts_one_window_less_than_fits_leaves_one_unseen(levels, length, told):
    found = levels(f"""
class Windows(Dataset):
    def __len__(self):
        return len(x) - 6 - {length} + 1
    def __getitem__(self, i):
        return x[i : i + 6, 0], y[i + 6]
for epoch in range(2):
    for a, b in DataLoader(Windows(), batch_size=30, shuffle=True):
        opt.zero_grad()
        nn.functional.cross_entropy(net(a), b).backward()
        opt.step()
""")
    assert ("samples_unseen" in found) == told


HASHED = """
texts = ["".join(random.choice("abcdefgh") for _ in range(40)) for _ in range(300)]
def histogram(text):
    codes = np.frombuffer(text.encode(), dtype=np.uint8)
    bucket = codes[:-1] * np.uint8(31) + codes[1:]
    return COUNTED
rows = torch.tensor(np.stack([histogram(text) for text in texts]), dtype=torch.float32)
net = nn.Linear(rows.shape[1], 2)
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(3):
    train(rows, y)
"""


def test_bytes_that_wrap_on_purpose_are_counted_or_are_places(levels):
    assert "integer_wrap" not in levels(HASHED.replace("COUNTED", "np.bincount(bucket, minlength=256)"))
    assert "integer_wrap" not in levels(HASHED.replace("COUNTED", "np.eye(256)[bucket].sum(0)"))
    assert levels(HASHED.replace("COUNTED", "bucket / 255"))["integer_wrap"] == "error"


def test_products_with_a_large_odd_byte_are_hashes(levels):
    spread = HASHED.replace("COUNTED", "bucket / 255")
    assert "integer_wrap" not in levels(spread.replace("np.uint8(31)", "np.uint8(167)"))
    assert levels(spread.replace("np.uint8(31)", "167"))["integer_wrap"] == "error"
