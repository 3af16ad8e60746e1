"""Tables that a loader draws from, and whether each was standardised by itself."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

LOADERS = """
class Rows(Dataset):
    def __init__(self, table, marks):
        self.table, self.marks = table, marks
    def __len__(self):
        return len(self.marks)
    def __getitem__(self, place):
        return torch.as_tensor(self.table[place]), self.marks[place]

def score(loader):
    right = 0
    with torch.no_grad():
        for a, b in loader:
            right += (net(a).argmax(1) == b).sum().item()
    return right / len(loader.dataset)

first, second = x[:64] * 2 + 3, x[64:] * 3 + 4
SCALED
learn, held = KIND(first, y[:64]), KIND(second, y[64:])
EPOCHS
print(score(DataLoader(held, 16)))
"""
OWN = {
    "means": "first, second = [(one - one.mean(0)) / one.std(0) for one in (first, second)]",
    "ends": "first, second = [(one - one.amin(0)) / (one.amax(0) - one.amin(0)) for one in (first, second)]",
    "middles": "def far(one):\n    return one.quantile(0.75, 0) - one.quantile(0.25, 0)\n"
    "first, second = [(one - one.quantile(0.5, 0)) / far(one) for one in (first, second)]",
}
USUAL = {
    "means": "first, second = [(one - first.mean(0)) / first.std(0) for one in (first, second)]",
    "ends": "first, second = [(one - first.amin(0)) / (first.amax(0) - first.amin(0)) for one in (first, second)]",
    "middles": "def far(one):\n    return one.quantile(0.75, 0) - one.quantile(0.25, 0)\n"
    "first, second = [(one - first.quantile(0.5, 0)) / far(first) for one in (first, second)]",
}


@pytest.mark.parametrize("kind", ["TensorDataset", "Rows"])
@pytest.mark.parametrize("way", ["means", "ends", "middles"])
@pytest.mark.parametrize("times", [4, pytest.param(40, marks=pytest.mark.long)])  # 40: no one looks any more
def test_tables_behind_loaders_are_standardised_each_by_itself(found, way, kind, times):
    arrays = "\nfirst, second = first.numpy(), second.numpy()" if kind == "Rows" else ""
    program = LOADERS.replace("KIND", kind).replace("EPOCHS", f"epochs(DataLoader(learn, 16, shuffle=True), {times})")
    assert "preprocessing_differs" in found(program.replace("SCALED", OWN[way] + arrays))
    assert "preprocessing_differs" not in found(program.replace("SCALED", USUAL[way] + arrays))


CLIENTS = """
def own(rows):
    return (rows - rows.mean(0)) / rows.std(0)

clients = [x[at : at + 32] * (at + 1) + at for at in (0, 32, 64)]
loaders = [DataLoader(TensorDataset(own(one), y[at : at + 32]), 8) for one, at in zip(clients, (0, 32, 64))]
for turn in range(3):
    for loader in loaders[:2]:
        epochs(loader, 1)
with torch.no_grad():
    print(sum((net(a).argmax(1) == b).sum().item() for a, b in loaders[2]) / 32)
"""


def test_where_every_client_has_its_own_scale_the_last_one_may_too(found):
    assert "preprocessing_differs" not in found(CLIENTS)


COPY = """
many = torch.randn(1600, 6)
marks, table = (many[:, 0] > 0).long(), (many - many.mean(0)) / many.std(0)
learn, held = TensorDataset(table, marks), TensorDataset(table.clone(), marks)
epochs(DataLoader(learn, 4), 1)
with torch.no_grad():
    loader = DataLoader(held, 4, sampler=range(1599, 799, -1))
    print(sum((net(a).argmax(1) == b).sum().item() for a, b in loader) / 800)
"""


def test_a_table_and_its_copy_were_standardised_together(found):
    assert "preprocessing_differs" not in found(COPY)
