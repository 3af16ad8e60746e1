"""Series and their windows: scaled by themselves, changed in place, compared, laid across, and schedules in epochs."""

import pytest
import torch

from truestep.check.mends.losses import Squeezed
from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

WINDOWS = """
series = np.cumsum(np.random.default_rng(0).normal(size=400)).astype(np.float32)
past, future = series[:300], series[300:]
def scaled(part, by):
    return (part - by.mean()) / by.std()
def windows(part):
    rows = np.lib.stride_tricks.sliding_window_view(part[:-1], 8)
    return torch.from_numpy(rows.copy()), torch.from_numpy(part[8:].copy())[:, None]
a, b = windows(scaled(past, past))
net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(4):
    for rows in torch.randperm(len(a)).split(32):
        opt.zero_grad()
        nn.functional.mse_loss(net(a[rows]), b[rows]).backward()
        opt.step()
with torch.no_grad():
    c, d = windows(scaled(future, BY))
    print((net(c) - d).abs().mean().item())
"""


@pytest.mark.parametrize("by, told", [("future", True), ("past", False)])
def test_a_series_that_was_standardised_by_itself_is_known_by_its_windows(found, by, told):
    assert ("preprocessing_differs" in found(WINDOWS.replace("BY", by))) is told


JITTER = """
class Windows(Dataset):
    def __init__(self):
        self.series = np.sin(np.arange(100) / 5).astype(np.float32)
    def __len__(self):
        return 90
    def __getitem__(self, i):
        window = self.series[i : i + 6]COPIED
        window += 0.01 * np.random.randn(6).astype(np.float32)
        return torch.from_numpy(window.copy()), int(self.series[i + 6] > 0)
epochs(DataLoader(Windows(), 15, shuffle=True))
"""


@pytest.mark.parametrize("copied, told", [("", True), (".copy()", False)])
def test_noise_that_piles_up_in_a_series_is_told_though_each_item_is_a_copy(found, copied, told):
    assert ("changed_in_place" in found(JITTER.replace("COPIED", copied))) is told


CURVES = """
net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
opt = torch.optim.Adam(net.parameters(), 0.01)
for turn in range(12):
    steps = torch.rand(16, 16)
    aim = torch.sin(3 * steps)
    guess = net(steps[..., None])SQUEEZED
    loss = ((guess - aim) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


@pytest.mark.parametrize("squeezed, told", [("", True), (".squeeze(-1)", False)])
def test_a_column_for_each_step_against_rows_of_as_many_steps_as_samples_is_told(found, squeezed, told):
    assert ("broadcast" in found(CURVES.replace("SQUEEZED", squeezed))) is told


LEADS = """
leads, kinds = torch.randn(90, 3, 15), torch.randint(0, 2, (90,))
def collate(items):
    whole = torch.stack([each for each, _ in items], dim=1)
    return whole.TURNED, torch.stack([kind for _, kind in items])
class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.out = nn.GRU(3, 8, batch_first=True), nn.Linear(8, 2)
    def forward(self, a):
        return self.out(self.rnn(a)[0][:, -1])
net = Reader()
opt = torch.optim.Adam(net.parameters(), 0.01)
epochs(DataLoader(TensorDataset(leads, kinds), 15, shuffle=True, collate_fn=collate), 2)
"""


@pytest.mark.parametrize("turned, told", [("reshape(len(items), 15, 3)", True), ("permute(1, 2, 0)", False)])
def test_samples_that_a_collate_function_reshapes_to_the_front_are_mixed(found, turned, told):
    assert ("samples_mixed" in found(LEADS.replace("TURNED", turned))) is told


MARKS = """
plan = torch.optim.lr_scheduler.MultiStepLR(opt, milestones=[9, 13], gamma=0.1)
for epoch in range(16):
    for rows in torch.randperm(96).split(12):
        update(x[rows], y[rows])
        BATCH
    EPOCH
"""


@pytest.mark.parametrize("batch, epoch, told", [("plan.step()", "", True), ("", "plan.step()", False)])
def test_milestones_beyond_the_first_epoch_of_batches_are_held_against_the_number_of_epochs(found, batch, epoch, told):
    assert ("schedule_by_batch" in found(MARKS.replace("BATCH", batch).replace("EPOCH", epoch))) is told


LATE = """
first, second = np.random.default_rng(0).gamma(3, 2, (160, 6)), np.random.default_rng(1).gamma(4, 2, (80, 6))
def prepare(part, by):
    return torch.tensor((part - by.mean(0)) / by.std(0), dtype=torch.float32)
a = prepare(first, first)
for epoch in range(12):
    for rows in torch.randperm(160).split(8):
        update(a[rows], (a[rows, 0] > 0).long())
c = prepare(second, BY)
net.eval()
with torch.no_grad():
    SCORED
"""
SCORED = (
    "print((net(c).argmax(1) == (c[:, 0] > 0)).float().mean().item())",
    "print(np.mean((net(c)[:, 1].view(-1).numpy() * 2 + 1 - second[:, 0]) ** 2))",
)


@pytest.mark.parametrize("scored", SCORED)
@pytest.mark.parametrize("by, told", [("second", True), ("first", False)])
def test_a_table_that_was_made_long_after_the_last_close_look_is_known_as_it_is_evaluated(found, by, told, scored):
    assert ("preprocessing_differs" in found(LATE.replace("BY", by).replace("SCORED", scored))) is told


@pytest.mark.parametrize("shape", [(5,), (4, 4)])
def test_the_mend_gives_a_column_the_shape_of_what_it_meets(shape):
    column, row = torch.zeros(*shape, 1), torch.ones(shape)
    for given in ((column, row), (row, column)):
        changed = Squeezed().mended(None, "mse_loss", given, {})
        assert changed is not None
        assert [each.shape for each in changed[0]] == [row.shape, row.shape]
    assert Squeezed().mended(None, "mse_loss", (row, row), {}) is None
