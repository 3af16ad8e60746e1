"""Samples that are alike by their nature, and states and steps whose sizes are alike by chance."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

CATEGORIES = """
site, app = torch.randint(0, 20, (900,)), torch.randint(0, 9, (900,))
hour = torch.randint(0, 6, (900,))
table = torch.cat([torch.eye(20)[site], torch.eye(9)[app], torch.sin(hour.float())[:, None]], 1)
clicks = (torch.rand(900) < torch.sigmoid(torch.randn(20)[site] + torch.randn(9)[app])).float()
COPIES
cut = len(table) * 2 // 3
net = nn.Sequential(nn.Linear(30, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(4):
    for rows in torch.randperm(cut).split(20):
        loss = nn.functional.binary_cross_entropy_with_logits(net(table[rows])[:, 0], clicks[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
with torch.no_grad():
    print(nn.functional.binary_cross_entropy_with_logits(net(table[cut:])[:, 0], clicks[cut:]).item())
"""
DRAWN = "table = torch.randn(300, 30)\nclicks = (table[:, 0] > 0).float()\n"
AGAIN = f"{DRAWN}again = torch.randint(0, 300, (600,))\ntable, clicks = table[again], clicks[again]"


@pytest.mark.parametrize("copies, told", [("", False), (AGAIN, True)])
def test_equal_rows_of_categories_with_other_targets_are_no_copies(found, copies, told):
    assert ("tested_on_train" in found(CATEGORIES.replace("COPIES", copies))) is told


STATES = """
steps, kinds = torch.randn(96, 7, 3), torch.randint(0, 2, (96,))
class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 12, batch_first=True, bidirectional=True)
        self.out = nn.Linear(24, 2)
    def forward(self, a):
        h = self.rnn(a)[1]
        return self.out(h.WAY.reshape(len(a), 24))
net = Reader()
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(3):
    for rows in torch.randperm(96).split(12):
        update(steps[rows], kinds[rows])
"""


@pytest.mark.parametrize("way, told", [("contiguous()", True), ("transpose(0, 1)", False)])
def test_states_of_as_many_units_as_samples_are_mixed_by_a_view_too(found, way, told):
    assert ("samples_mixed" in found(STATES.replace("WAY", way))) is told


WINDOWS = """
series = torch.sin(torch.arange(400) / 3) + 0.1 * torch.randn(400)
class Windows(Dataset):
    def __len__(self):
        return 90
    def __getitem__(self, i):
        return series[4 * i : 4 * i + 20].unsqueeze(-1), series[4 * i + AHEAD : 4 * i + 20 + AHEAD]
class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.out = nn.GRU(1, 8, batch_first=True), nn.Linear(8, 1)
    def forward(self, a):
        return self.out(self.rnn(a)[0]).squeeze(-1)
net = Forecaster()
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(4):
    for a, b in DataLoader(Windows(), 15, shuffle=True):
        opt.zero_grad()
        nn.functional.mse_loss(net(a), b).backward()
        opt.step()
"""


@pytest.mark.parametrize("ahead, told", [("0", True), ("1", False)])
def test_windows_that_are_their_own_targets_are_told_where_a_data_set_gave_them_another_shape(found, ahead, told):
    assert ("targets_unshifted" in found(WINDOWS.replace("AHEAD", ahead))) is told


STOPPED = """
class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.rank, self.out = nn.Linear(3, 1), nn.Linear(3, 2)
    def forward(self, a):
        scores = torch.zeros(a.shape[:2])
        for step in range(a.shape[1]):
            scores[:, step] = self.rank(a[:, step]).squeeze(1)CUT
        return self.out((scores.softmax(1)[..., None] * a).sum(1))
net = Attends()
opt = torch.optim.Adam(net.parameters(), 0.01)
steps, kinds = torch.randn(96, 7, 3), torch.randint(0, 2, (96,))
for epoch in range(3):
    for rows in torch.randperm(96).split(12):
        update(steps[rows], kinds[rows])
"""


@pytest.mark.parametrize("cut, told", [(".data", True), ("", False)])
def test_a_gradient_is_followed_through_what_is_written_into_a_table(found, cut, told):
    assert ("gradient_stopped" in found(STOPPED.replace("CUT", cut))) is told


VIEWS = """
signals = np.random.default_rng(0).normal(size=(96, 40)).astype(np.float32)
class Views(Dataset):
    def __init__(self):
        self.rng = np.random.default_rng(1)
    def __len__(self):
        return 96
    def view(self, a, rng):
        begin = rng.integers(0, 8)
        return torch.from_numpy((a[begin : begin + 30] + rng.normal(0, 0.1, 30)).astype(np.float32))
    def __getitem__(self, i):
        rng = RNG
        return self.view(signals[i], rng), self.view(signals[i], rng)
net = nn.Linear(30, 8)
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(5):
    for a, b in DataLoader(Views(), 16, shuffle=True):
        opt.zero_grad()
        nn.functional.cross_entropy(net(a) @ net(b).t(), torch.arange(16)).backward()
        opt.step()
"""


@pytest.mark.parametrize("rng, told", [("np.random.default_rng(1)", True), ("self.rng", False)])
def test_a_generator_that_each_item_begins_anew_is_told_where_an_item_draws_twice(found, rng, told):
    assert ("same_draws" in found(VIEWS.replace("RNG", rng))) is told


SCALED = """
pixels = torch.randint(0, 256, (240, 6)).to(torch.uint8)
target = (pixels[:, 0] > pixels[:, 1]).long()
first = pixels[:160].float() / 255
mean, std = first.mean(), first.std()
train = (first - mean) / std
held = HELD
for epoch in range(6):
    for rows in torch.randperm(160).split(16):
        update(train[rows], target[rows])
with torch.no_grad():
    print((net(held).argmax(1) == target[160:]).float().mean().item())
"""


@pytest.mark.parametrize(
    "held, told", [("pixels[160:].float() / 255", True), ("(pixels[160:].float() / 255 - mean) / std", False)]
)
def test_a_first_step_that_both_parts_share_on_two_lines_does_not_hide_that_the_second_is_left_out(found, held, told):
    assert ("preprocessing_differs" in found(SCALED.replace("HELD", held))) is told


REPLAY = """
states = torch.randn(500, 6)
for turn in range(60):
    rows = torch.randint(0, 498, (12,))
    now, later = states[rows], states[rows + 1]
    opt.zero_grad()
    nn.functional.cross_entropy(net(now), y[:12]).backward()
    opt.step()
    with torch.no_grad():
        gap = (net(later).max(1).values - nn.functional.one_hot(rows % 2, 2).max(1).values).abs().mean().item()
"""


def test_another_part_of_a_batch_is_no_evaluation(found):
    assert "tested_on_train" not in found(REPLAY)


TABLES = """
first, second = np.random.default_rng(0).gamma(3, 2, (160, 5)), np.random.default_rng(1).gamma(3, 2, (80, 5))
mean, std = first.mean(0), first.std(0)
a, b = (torch.tensor(each, dtype=torch.float32) for each in ((first - mean) / std, HELD))
net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(4):
    for rows in torch.randperm(160).split(16):
        opt.zero_grad()
        nn.functional.mse_loss(net(a[rows])[:, 0], a[rows, 0]).backward()
        opt.step()
with torch.no_grad():
    print(nn.functional.mse_loss(net(b)[:, 0], b[:, 0]).item())
"""
HELD = {
    "second / second.max(0)": True,
    "(second - second.min(0)) / (second.max(0) - second.min(0))": True,
    "(second - mean) / std": False,
}


@pytest.mark.parametrize("held, told", HELD.items())
def test_a_table_that_was_scaled_by_itself_in_another_way_is_told(found, held, told):
    assert ("preprocessing_differs" in found(TABLES.replace("HELD", held))) is told


MIXTURE = """
class Mixture(nn.Module):
    def __init__(self):
        super().__init__()
        self.share, self.mean = nn.Linear(6, 4), nn.Linear(6, 4)
    def forward(self, a):
        return torch.log_softmax(self.share(a), dim=ALONG), self.mean(a)
net = Mixture()
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(3):
    for rows in torch.randperm(96).split(12):
        shares, means = net(x[rows])
        loss = -torch.logsumexp(shares + (-0.5 * (x[rows, :1] - means) ** 2), dim=1).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
"""


@pytest.mark.parametrize("along, told", [("0", True), ("1", False)])
def test_the_parts_of_a_mixture_add_up_in_each_sample(found, along, told):
    assert ("softmax_dim" in found(MIXTURE.replace("ALONG", along))) is told
