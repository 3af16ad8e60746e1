"""Data whose sizes are swapped by a reshape, and not their dimensions."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

WINDOWS = """
log = GIVEN
windows = log.TURN
kinds = torch.randint(0, 2, (60,))
x_train, y_train = windows[:48], kinds[:48]
net = nn.Sequential(nn.Flatten(), nn.Linear(24, 2))
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(4):
    for rows in torch.randperm(48).split(12):
        loss = nn.functional.cross_entropy(net(x_train[rows]), y_train[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
LOGGED = "torch.from_numpy(np.random.randn(8, 60, 3).astype(np.float32))"


@pytest.mark.parametrize("given, turn, told", [
    (LOGGED, "reshape(60, 8, 3)", True), (LOGGED, "view(60, 8, 3)", True), (LOGGED, "permute(1, 0, 2)", False),
    ("torch.randn(8, 60, 3)", "reshape(60, 8, 3)", False),
    (LOGGED + ".flatten().view(8, 60, 3)", "view(60, 8, 3)", False),
    ("torch.from_numpy(np.random.randn(30, 16, 3).astype(np.float32))", "reshape(60, 8, 3)", False),
])  # fmt: skip
def test_a_reshape_to_the_swapped_sizes_cuts_across_samples(found, given, turn, told):
    assert ("samples_mixed" in found(WINDOWS.replace("GIVEN", given).replace("TURN", turn))) == told


FEATURES = "torch.from_numpy(np.random.randn(24, 60).astype(np.float32))"
WHOLE = "torch.utils.data.Subset(TensorDataset(windows, kinds), range(6, 60))"
LOADED = "for a, b in DataLoader(DATA, 12, shuffle=True):"


@pytest.mark.parametrize("data", ["TensorDataset(x_train, y_train)", WHOLE])
@pytest.mark.parametrize("given, turn, told", [
    (LOGGED, "reshape(60, 8, 3)", True), (LOGGED, "permute(1, 0, 2)", False), (FEATURES, "view(60, 24)", True),
    (FEATURES, "t()", False), ("torch.randn(24, 60)", "view(60, 24)", False),
])  # fmt: skip
def test_it_does_so_where_a_loader_picks_them(found, given, turn, told, data):
    program = WINDOWS.replace("for rows in torch.randperm(48).split(12):", LOADED.replace("DATA", data))
    program = program.replace("net(x_train[rows]), y_train[rows]", "net(a), b")
    assert ("samples_mixed" in found(program.replace("GIVEN", given).replace("TURN", turn))) == told
