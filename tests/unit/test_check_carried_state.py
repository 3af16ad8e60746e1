"""States that go from batch to batch: in order, as they should, and in an order that is drawn."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

READ = """
class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.read, self.out = nn.LAYER(2, 8, batch_first=True), nn.Linear(8, 1)
        self.state = None
    def forward(self, x):
        states, state = self.read(x, self.state)
        self.state = KEPT
        return self.out(states[:, -1])
net = Reader()
opt = torch.optim.Adam(net.parameters(), 0.01)
series = torch.randn(96, 7, 2)
sums = series.sum((1, 2))[:, None]
for epoch in range(2):
    BETWEEN
    for a, b in BATCHES:
        loss = nn.functional.mse_loss(net(a), b)
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
LOADER = "DataLoader(TensorDataset(series, sums), 16, shuffle=True)"
ROWS = "((series[rows], sums[rows]) for rows in torch.randperm(96).split(16))"
ORDER = "DataLoader(TensorDataset(series, sums), 16)"
LSTM, GRU = "tuple(each.detach() for each in state)", "state.detach()"


@pytest.mark.parametrize("layer, kept", [("LSTM", LSTM), ("GRU", GRU)])
@pytest.mark.parametrize("batches, told", [(LOADER, True), (ROWS, True), (ORDER, False)])
def test_a_state_is_carried_only_where_batches_follow_one_another(found, layer, kept, batches, told):
    program = READ.replace("LAYER", layer).replace("BATCHES", batches).replace("BETWEEN", "net.state = None")
    assert ("samples_mixed" in found(program.replace("KEPT", kept))) == told
    assert "samples_mixed" not in found(program.replace("KEPT", "None"))


WINDOWS = """
read, out = nn.GRU(2, 8, batch_first=True), nn.Linear(8, 1)
opt = torch.optim.Adam([*read.parameters(), *out.parameters()], 0.01)
series = torch.randn(96, 12, 2)
for epoch in range(2):
    for a in BATCHES:
        state = None
        for window in a.split(4, 1):
            states, state = read(window, state)
            loss = nn.functional.mse_loss(out(states), window.sum(2, keepdim=True))
            opt.zero_grad()
            loss.backward()
            opt.step()
            state = state.detach()
"""


@pytest.mark.parametrize(
    "batches", ["DataLoader(series, 16, shuffle=True)", "(series[rows] for rows in torch.randperm(96).split(16))"]
)
def test_the_windows_of_one_batch_hand_their_state_on(found, batches):
    assert "samples_mixed" not in found(WINDOWS.replace("BATCHES", batches))
    kept = WINDOWS.replace("        state = None\n", "").replace("for epoch", "state = None\nfor epoch", 1)
    assert "samples_mixed" in found(kept.replace("BATCHES", batches))
