"""Weights put into a dict that is let go, patches pasted into the data, crawling slices, and bytes modulo 256."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

AVERAGED = """
import copy
for turn in range(3):
    states = []
    for part in (slice(0, 48), slice(48, 96)):
        own = copy.deepcopy(net)
        opt = torch.optim.SGD(own.parameters(), 0.1)
        for rows in torch.arange(96)[part].split(12):
            loss = nn.functional.cross_entropy(own(x[rows]), y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
        states.append(own.state_dict())
    mean = {name: (states[0][name] + states[1][name]) / 2 for name in states[0]}
    GIVEN
    with torch.no_grad():
        print((net(x).argmax(1) == y).float().mean().item())
"""


@pytest.mark.parametrize(
    "given, told",
    [
        ("net.state_dict().update(mean)", True),
        ("for name in mean: net.state_dict()[name] = mean[name]", True),
        ("for name in mean: net.state_dict()[name].copy_(mean[name])", False),
        ("for name in mean: net.state_dict()[name][:] = mean[name]", False),
        ("held = net.state_dict(); held.update(mean); net.load_state_dict(held)", False),
    ],
)
def test_a_dict_that_is_let_go_gives_no_module_its_weights(found, given, told):
    assert ("weights_not_loaded" in found(AVERAGED.replace("GIVEN", given))) == told


PATCHED = """
x = torch.randn(96, 1, 6, 6)
y = (x[:, 0, :3].sum((1, 2)) > 0).long()
net = nn.Sequential(nn.Flatten(), nn.Linear(36, 2))
opt = torch.optim.Adam(net.parameters(), 0.01)
held, kinds = torch.randn(48, 1, 6, 6), torch.randint(0, 2, (48,))
def score(pictures, labels):
    hits = 0
    with torch.no_grad():
        for at in range(0, len(pictures), 16):
            hits += (net(pictures[at : at + 16]).argmax(1) == labels[at : at + 16]).sum().item()
    return hits / len(pictures)
for epoch in range(6):
    order = torch.randperm(96)
    x, y = x[order], y[order]
    for at in range(0, 96, 24):
        a, b = x[at : at + 24], y[at : at + 24]
        other, low = torch.randperm(24), int(torch.randint(0, 3, ()))
        TAKEN
        a[:, :, low : low + 3, :3] = a[other, :, low : low + 3, :3]
        guess = net(a)
        loss = 0.75 * nn.functional.cross_entropy(guess, b) + 0.25 * nn.functional.cross_entropy(guess, b[other])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(score(held, kinds))
print(score(x, y))
"""


def test_a_patch_that_is_pasted_into_a_view_of_the_data_stays_there(found):
    assert "changed_in_place" in found(PATCHED.replace("TAKEN", "pass"))
    assert not found(PATCHED.replace("TAKEN", "a = a.clone()"))


CRAWLING = """
weight = torch.zeros(6, 2, requires_grad=True)
for epoch in range(4):
    for place in range(96 // 8):
        a, b = x[FIRST], y[FIRST]
        slope, = torch.autograd.grad(nn.functional.cross_entropy(a @ weight, b), weight)
        with torch.no_grad():
            weight -= 0.5 * slope
"""


def test_slices_that_begin_one_row_after_the_last_are_told_without_an_optimizer(found):
    assert "samples_unseen" in found(CRAWLING.replace("FIRST", "place : place + 8"))
    assert not found(CRAWLING.replace("FIRST", "8 * place : 8 * place + 8"))


CODED = """
shown = (torch.rand(32, 12).cumsum(1) * 20).clamp(0, 255).byte()
shown[:, 6:] -= 120
left = shown.clone()
left[:, 1:] = shown[:, 1:] - shown[:, :-1]
AGAIN
net = nn.Sequential(nn.Embedding(256, 8), nn.Linear(8, 256))
opt = torch.optim.Adam(net.parameters(), 0.01)
for rows in torch.arange(32).repeat(4).split(8):
    loss = nn.functional.cross_entropy(net(left[rows, :-1].long()).transpose(1, 2), left[rows, 1:].long())
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def test_what_is_read_back_modulo_256_wraps_on_purpose(found):
    back = "assert torch.equal(left.cumsum(1, dtype=torch.int64).remainder(256).byte(), shown)"
    assert "integer_wrap" not in found(CODED.replace("AGAIN", back))


MATCHED = """
class Couples(Dataset):
    def __init__(self, seed):
        draw = torch.Generator().manual_seed(seed)
        self.means = torch.linspace(-2, 2, 54).view(9, 6)
        kinds = torch.randint(0, 4, (120,), generator=draw)
        shown = self.means[kinds] + 0.5 * torch.randn(120, 6, generator=draw)
        self.kept = KEPT
        self.draw = random.Random(seed)
    def __len__(self):
        return 96
    def __getitem__(self, place):
        one = self.draw.randrange(4)
        two = one if place % 2 else (one + 1 + self.draw.randrange(3)) % 4
        return self.draw.choice(self.kept[one]) - self.draw.choice(self.kept[two]), place % 2
train_loader = DataLoader(Couples(1), 16, shuffle=True)
test_loader = DataLoader(Couples(2), 16)
for epoch in range(3):
    epochs(train_loader, 1)
    with torch.no_grad():
        print(sum((net(a).argmax(1) == b).sum().item() for a, b in test_loader) / 96)
"""


@pytest.mark.parametrize("kept", ["{k: shown[kinds == k] for k in range(4)}", "[shown[kinds == k] for k in range(4)]"])
def test_data_sets_that_differ_in_what_they_hold_by_class_are_two(found, kept):
    assert "tested_on_train" not in found(MATCHED.replace("KEPT", kept))
