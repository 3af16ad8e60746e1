"""Totals over one of the parts that a data set was shared out into, divided by the size of the whole one."""

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

PARTS = """
from torch.utils.data import Subset
data = TensorDataset(x, y)
learn, held = Subset(data, range(0, 64)), Subset(data, range(64, 96))
train, test = DataLoader(learn, 16, shuffle=True), DataLoader(held, 16)
for epoch in range(4):
    epochs(train, 1)
    far = 0.0
    with torch.no_grad():
        for a, b in test:
            far += nn.functional.cross_entropy(net(a), b, reduction="sum").item()
    score = far / len(SET)
    print(f"{epoch}: {score:.4f}")
"""
CLIENTS = """
from torch.utils.data import Subset
data = TensorDataset(x, y)
clients = [DataLoader(Subset(data, range(at, at + 48)), 16) for at in (0, 48)]
train = DataLoader(TensorDataset(x[:80] + 0.1, y[:80]), 16, shuffle=True)
for epoch in range(4):
    epochs(train, 1)
    share = 0.0
    for client in clients:
        far = 0.0
        with torch.no_grad():
            for a, b in client:
                far += nn.functional.cross_entropy(net(a), b, reduction="sum").item()
        share += far / len(data)
        print(f"{epoch}: {share:.4f}")
"""


def test_a_total_over_a_part_divided_by_the_size_of_the_whole_set_is_found(found):
    assert "wrong_denominator" in found(PARTS.replace("SET", "held.dataset"))
    assert "wrong_denominator" not in found(PARTS.replace("SET", "held"))


def test_shares_of_clients_whose_parts_make_up_the_set_are_sound(found):
    assert "wrong_denominator" not in found(CLIENTS)
