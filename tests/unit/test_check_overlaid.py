"""Pairs that no longer match, where scores need no loss, or models are no modules."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

DISCS = """
def pairs(n):
    far = torch.arange(20.0)
    centre = torch.randint(4, 16, (n, 2, 1, 1)).float()
    near = (far[:, None] - centre[:, 0]) ** 2 + 3 * (far - centre[:, 1]) ** 2
    lit = (near < 16)[:, None]
    return lit.float() + 0.4 * torch.randn(n, 1, 20, 20), lit.float()
class Turned(Dataset):
    def __init__(self):
        self.pictures, self.masks = pairs(96)
    def __len__(self):
        return 96
    def __getitem__(self, k):
        one, other = torch.rand(2).tolist()
        return self.turn(self.pictures[k], one), self.turn(self.masks[k], OTHER)
    def turn(self, what, chance):
        return torch.flip(what, [-1]) if chance > 0.5 else what
net = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 1, 3, padding=1))
opt = torch.optim.Adam(net.parameters(), 0.01)
asked, wanted = pairs(32)
for epoch in range(4):
    for seen, mask in DataLoader(Turned(), 12, shuffle=True):
        loss = nn.functional.binary_cross_entropy_with_logits(net(seen), mask)
        opt.zero_grad()
        loss.backward()
        opt.step()
    with torch.no_grad():
        for seen, mask in DataLoader(TensorDataset(asked, wanted), 16):
            hit = (net(seen) > 0)
            SCORE
"""


@pytest.mark.parametrize(
    "other, score, told",
    [("other", "print(2 * (hit * mask).sum() / (hit.sum() + mask.sum()))", True),
     ("one", "print(2 * (hit * mask).sum() / (hit.sum() + mask.sum()))", False)],
)  # fmt: skip
def test_pictures_turned_without_their_masks_are_told_where_a_product_scores(found, other, score, told):
    program = DISCS.replace("OTHER", other).replace("SCORE", score)
    assert ("shuffled_apart" in found(program)) == told


BARE = """
marks = np.arange(300) % 3
table = np.random.RandomState(4).randn(300, 4) + marks[:, None]
np.random.seed(2)
SHUFFLE
x, y = torch.as_tensor(table, dtype=torch.float32), torch.as_tensor(marks)
weight, shift = torch.zeros(4, 3, requires_grad=True), torch.zeros(3, requires_grad=True)
cost = nn.CrossEntropyLoss()
opt = torch.optim.SGD([weight, shift], 0.1)
for epoch in range(6):
    for rows in torch.randperm(300).split(50):
        loss = cost(x[rows] @ weight + shift, y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
EACH = "np.random.shuffle(table)\nnp.random.shuffle(marks)"
ONCE = "order = np.random.permutation(300)\ntable, marks = table[order], marks[order]"
ALIKE = "np.random.shuffle(table)\nnp.random.seed(2)\nnp.random.shuffle(marks)"


@pytest.mark.parametrize("shuffle, told", [(EACH, True), (ONCE, False), (ALIKE, False)])
def test_arrays_shuffled_apart_are_told_by_predictions_where_the_model_is_no_module(found, shuffle, told):
    assert ("shuffled_apart" in found(BARE.replace("SHUFFLE", shuffle))) == told


VIEWS = """
HELPERS
class Pairs(Dataset):
    def __len__(self):
        return 96
    def __getitem__(self, k):
        draws = MADE
        one = blurred(x[k].numpy(), draws)
        draws = AGAIN
        other = blurred(x[k].numpy(), source=draws)
        return torch.from_numpy(one), torch.from_numpy(other)
net = nn.Linear(6, 8)
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(4):
    for a, b in DataLoader(Pairs(), 16, shuffle=True):
        table = nn.functional.normalize(net(a), dim=1) @ nn.functional.normalize(net(b), dim=1).T
        loss = nn.functional.cross_entropy(table / 0.2, torch.arange(16))
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
BLURRED = (
    "kept = np.random.RandomState(5)\ndef blurred(row, source):\n    return row + source.normal(0, 0.3, 6).astype('f')"
)
TURNED = (
    "kept = np.random.RandomState(5)\ndef blurred(row, source):\n"
    "    return row[source.permutation(6)] + kept.normal(0, 0.1, 6).astype('f')"
)
ANEW, OWN = "np.random.RandomState(3)", "np.random.RandomState(k)"


@pytest.mark.parametrize(
    "helpers, made, again, told",
    [
        (BLURRED, ANEW, ANEW, True),
        (BLURRED, "kept", "kept", False),
        pytest.param(BLURRED, OWN, "np.random.RandomState(k + 999)", False, marks=pytest.mark.long),
        (TURNED, ANEW, ANEW, False),  # one order of features for all
    ],
)
def test_a_generator_made_anew_is_told_where_a_helper_draws_with_it(found, helpers, made, again, told):
    program = VIEWS.replace("HELPERS", helpers).replace("MADE", made).replace("AGAIN", again)
    assert ("same_draws" in found(program)) == told
