"""Folds that stay in the training data, and arrays that one line shuffles apart."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

FOLDS = """
x = torch.randn(100, 6)
y = x[:, :3].sum(1, keepdim=True) + 0.1 * torch.randn(100, 1)
loss = nn.MSELoss()
def rmse(net, a, b):
    net.eval()
    with torch.no_grad():
        return loss(net(a), b).sqrt().item()
def parts(k):
    kept = None
    for j in range(5):
        part = slice(j * 20, j * 20 + 20)
        if j == k:
            held = x[part], y[part]
        CASE
            kept = x[part], y[part]
        else:
            kept = torch.cat([kept[0], x[part]]), torch.cat([kept[1], y[part]])
    return kept, held
for k in range(5):
    kept, held = parts(k)
    net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))
    opt = torch.optim.Adam(net.parameters(), 0.02)
    for epoch in range(4):
        net.train()
        for a, b in DataLoader(TensorDataset(*kept), 20, shuffle=True):
            opt.zero_grad()
            loss(net(a), b).backward()
            opt.step()
        print(rmse(net, *kept), SCORE)
"""


@pytest.mark.parametrize(
    "case, score, told",
    [
        ("if kept is None:", "rmse(net, *held)", True),
        ("elif kept is None:", "rmse(net, *held)", False),
        ("if kept is None:", "rmse(net, x[:20], y[:20])", False),  # one and the same part of the training data
    ],
)
def test_a_fold_that_stays_in_the_training_data_is_told(found, case, score, told):
    assert ("tested_on_train" in found(FOLDS.replace("CASE", case).replace("SCORE", score))) == told


SHUFFLED = """
np.random.seed(0)
means = np.array([[0.0, 2, 1, 3], [3, 0, 2, 1], [1, 3, 0, 2]])
rows = np.concatenate([mean + 0.4 * np.random.randn(100, 4) for mean in means]).astype(np.float32)
kinds = np.repeat(np.arange(3), 100)
def batches(a, b):
    MIXED
    for at in range(0, len(a), 30):
        yield torch.from_numpy(a[at : at + 30]), torch.from_numpy(b[at : at + 30])
net = nn.Linear(4, 3)
opt = torch.optim.SGD(net.parameters(), 0.1)
for epoch in range(8):
    for a, b in batches(rows, kinds):
        update(a, b)
with torch.no_grad():
    print((net(torch.from_numpy(rows)).argmax(1).numpy() == kinds).mean())
"""


@pytest.mark.parametrize(
    "mixed, told",
    [
        ("a, b = np.random.permutation(a), np.random.permutation(b)", True),
        ("order = np.random.permutation(len(a)); a, b = a[order], b[order]", False),
    ],
)
def test_two_permutations_in_one_line_are_told(found, mixed, told):
    assert ("shuffled_apart" in found(SHUFFLED.replace("MIXED", mixed))) == told
