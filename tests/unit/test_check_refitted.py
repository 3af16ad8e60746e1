"""Scalers that are fitted anew on the held-out part: of tables made by torch alone, and of series behind loaders."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

TABLES = """
class Scaler:
    def fit(self, part):
        CENTRE
        return self
    def scaled(self, part):
        return (part - self.mean) / self.std
old, new = torch.randn(160, 6) * 3 + 4, torch.randn(ROWS, 6) * 2 + 5
scaler = Scaler().fit(old)
a = scaler.scaled(old)
for epoch in range(6):
    for rows in torch.randperm(160).split(8):
        update(a[rows], (old[rows, 0] > 4).long())
c = SCALED
net.eval()
with torch.no_grad():
    print((net(c).argmax(1) == (new[:, 0] > 4)).float().mean().item())
"""
CENTRES = (
    ("80", "self.mean, self.std = part.mean(0, keepdim=True), part.std(0, keepdim=True)"),
    ("160", "self.std, self.mean = torch.std_mean(part, 0)"),
)


@pytest.mark.parametrize("rows, centre", CENTRES)
@pytest.mark.parametrize("scaled, told", [("Scaler().fit(new).scaled(new)", True), ("scaler.scaled(new)", False)])
def test_a_table_made_by_torch_long_after_the_last_close_look_has_statistics_of_its_own(
    found, scaled, told, rows, centre
):
    program = TABLES.replace("SCALED", scaled).replace("CENTRE", centre).replace("ROWS", rows)
    assert ("preprocessing_differs" in found(program)) is told


WHOLE = """
z = (x - x.mean(0)) / x.std(0)
for epoch in range(10):
    for rows in torch.randperm(96).split(8):
        update(z[rows] + 0.1 * torch.randn(len(rows), 6), y[rows])
again = AGAIN
with torch.no_grad():
    print((net(again).argmax(1) == y).float().mean().item())
"""


@pytest.mark.parametrize("again", ["z", "z.clone()", "z.flip(0)", "(x - x.mean(0)) / x.std(0)"])
def test_the_table_of_training_itself_is_no_other_though_noise_was_added_for_training(found, again):
    assert "preprocessing_differs" not in found(WHOLE.replace("AGAIN", again))


EACH = """
def own(part):
    return (part - part.mean(0)) / part.std(0, correction=0)
people = [torch.randn(40, 6) * (at + 1) + at for at in range(6)]
a = torch.cat([own(each) for each in people[:4]])
marks = (a[:, 0] > 0).long()
for epoch in range(6):
    for rows in torch.randperm(160).split(8):
        update(a[rows], marks[rows])
c = torch.cat([own(each) for each in people[4:]])
with torch.no_grad():
    print((net(c).argmax(1) == (c[:, 0] > 0)).float().mean().item())
"""


def test_where_each_person_is_standardised_alone_the_held_out_ones_may_be_too(found):
    assert "preprocessing_differs" not in found(EACH)


SERIES = """
rng = np.random.default_rng(1)
def course(drift):
    return np.cumsum(rng.normal(drift, 1, (120, FEATURES)), 0)
learn, held = [course(0.1) for _ in range(6)], [course(0.3) for _ in range(HELD)]
def scaled(parts, by):
    by = np.concatenate(by)
    return [(each - by.mean(0)) / by.std(0) for each in parts]
class Windows(Dataset):
    def __init__(self, parts):
        xs, ys = [], []
        for part in parts:
            part = part.astype(np.float32)SQUEEZED
            view = np.stack([part[at : at + 6] for at in range(len(part) - 5)])
            xs.append(view[:, :5])
            ys.append(view[:, 5:]LAST)
        self.x, self.y = np.concatenate(xs), np.concatenate(ys)
    def __len__(self):
        return len(self.y)
    def __getitem__(self, at):
        return self.x[at].copy(), self.y[at]
net = nn.Sequential(nn.Flatten(), nn.Linear(5 * FEATURES, 8), nn.Tanh(), nn.Linear(8, FEATURES))
opt = torch.optim.Adam(net.parameters(), 0.01)
def guess(a, b):
    return net(a).view(b.shape)
for epoch in range(3):
    for a, b in DataLoader(Windows(LEARN), 32, shuffle=True):
        opt.zero_grad()
        nn.functional.mse_loss(guess(a, b), b).backward()
        opt.step()
with torch.no_grad():
    total = 0.0
    for a, b in DataLoader(Windows(TEST), 64):
        total += (guess(a, b) - b).pow(2).sum().item()
    print(total)
"""
LISTS = {
    "joined": ("scaled(learn, learn)", "scaled(held, held)"),
    "of training": ("scaled(learn, learn)", "scaled(held, learn)"),
    "each alone": ("[scaled([each], [each])[0] for each in learn]", "[scaled([each], [each])[0] for each in held]"),
}


@pytest.mark.parametrize("held", ["1", "3"])
@pytest.mark.parametrize("features, squeezed, last", [("1", "[:, 0]", "[:, 0]"), ("1", "", ""), ("2", "", "[:, 0]")])
@pytest.mark.parametrize("way", LISTS)
def test_series_that_are_joined_for_their_statistics_are_known_by_windows_and_targets(
    found, way, features, squeezed, last, held
):
    program = SERIES.replace("LEARN", LISTS[way][0]).replace("TEST", LISTS[way][1]).replace("HELD", held)
    program = program.replace("FEATURES", features).replace("SQUEEZED", squeezed).replace("LAST", last)
    assert ("preprocessing_differs" in found(program)) is (way == "joined")
