"""Parts of the data that are standardised, or numbered, each by itself; and those that only look so."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

FOLDS = """
table = torch.randn(120, 6) * 2 + 3
marks = (table[:, 0] > 3).long()
folds = np.array_split(np.random.default_rng(1).permutation(120), 4)
scores = []
for k in range(4):
    learn, held = np.concatenate(folds[:k] + folds[k + 1 :]), folds[k]
    usual, wide = table[learn].mean(0), table[learn].std(0)
    inputs, asked = [SCALED for rows in (learn, held)]
    net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 2))
    opt = torch.optim.Adam(net.parameters(), 0.02)
    for epoch in range(4):
        for rows in torch.randperm(90).split(30):
            update(inputs[rows], marks[learn][rows])
    with torch.no_grad():
        scores.append((net(asked).argmax(1) == marks[held]).float().mean().item())
print(sum(scores) / 4)
"""


@pytest.mark.parametrize(
    "scaled, told",
    [
        ("(table[rows] - table[rows].mean(0)) / table[rows].std(0)", True),
        ("(table[rows] - usual) / wide", False),  # on the very line that took the mean off its own rows just before
    ],
)
def test_folds_are_standardised_by_the_rows_that_an_index_array_takes(found, scaled, told):
    assert ("preprocessing_differs" in found(FOLDS.replace("SCALED", scaled))) == told


GAPS = """
def scaled(part):
    part = torch.where(torch.rand(part.shape) < 0.1, torch.nan, part)
    usual = (part if OWN else first).nanmean(0)
    wide = ((part - usual) ** 2).nanmean(0).sqrt()
    return torch.nan_to_num((part - usual) / wide)
first, second = x[:64] * 2 + 3, x[64:] * 2 + 4
inputs, asked = scaled(first), scaled(second)
for epoch in range(5):
    for rows in torch.randperm(64).split(16):
        update(inputs[rows], y[:64][rows])
with torch.no_grad():
    print((net(asked).argmax(1) == y[64:]).float().mean().item())
"""


def test_a_mean_over_what_is_no_gap_is_taken_off_as_any_other(found):
    assert "preprocessing_differs" in found(GAPS.replace("OWN", "True"))
    assert "preprocessing_differs" not in found(GAPS.replace("OWN", "False"))


BESIDE = """
def table(rows, usual, wide):
    kinds = np.arange(len(rows)) % 3
    beside = np.eye(3)[kinds] if SPREAD else kinds[:, None]
    return torch.tensor(np.concatenate([(rows - usual) / wide, beside], 1), dtype=torch.float32)
first, second = 2 * x[:64].numpy() + 3, 3 * x[64:].numpy() + 4
usual, wide = first.mean(0), first.std(0)
inputs = table(first, usual, wide)
asked = table(second, *((second.mean(0), second.std(0)) if OWN else (usual, wide)))
net = nn.Sequential(nn.Linear(inputs.shape[1], 12), nn.Tanh(), nn.Linear(12, 2))
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(5):
    for rows in torch.randperm(64).split(16):
        update(inputs[rows], y[:64][rows])
with torch.no_grad():
    print((net(asked).argmax(1) == y[64:]).float().mean().item())
"""


@pytest.mark.parametrize("spread", ["True", "False"])
def test_numbered_categories_stand_beside_columns_that_are_standardised_apart(found, spread):
    program = BESIDE.replace("SPREAD", spread)
    assert "preprocessing_differs" in found(program.replace("OWN", "True"))
    assert "preprocessing_differs" not in found(program.replace("OWN", "False"))


QUIET = """
few, asked = x[:64].clone(), x[64:].clone()
few[:, 5], asked[:, 5] = 0.0, BEFORE
few[0, 5] = 1e-4
usual, wide = few.mean(0), few.std(0) + 1e-5
inputs, asked = (few - usual) / wide, (asked - usual) / wide
for epoch in range(6):
    update(inputs, y[:64])
with torch.no_grad():
    print((net(asked).argmax(1) == y[64:]).float().mean().item())
"""


def test_a_column_that_training_rows_hardly_move_may_be_stretched_without_end_in_others(found):
    assert "preprocessing_differs" not in found(QUIET.replace("BEFORE", "(x[64:, 0] > 1.5).float()"))
    assert "preprocessing_differs" in found(QUIET.replace("BEFORE", "x[64:, 0] * 255"))  # of other units
