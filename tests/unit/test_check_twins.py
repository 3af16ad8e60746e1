"""Views and members of an ensemble that are drawn to differ, and are the same to the bit."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

VIEWS = """
class Views(Dataset):
    def __len__(self):
        return 96
    def __getitem__(self, row):
        return x[row] + self.noise(row), x[row] + self.noise(row)
    def noise(self, row):
        draw = DRAW
        return torch.from_numpy(draw.normal(0, 0.3, 6)).float()
kept = np.random.default_rng(1)
for epoch in range(2):
    for one, two in DataLoader(Views(), 16, shuffle=True):
        ASKED
        opt.zero_grad()
        (a - b).square().sum(1).mean().add(torch.exp(-a.var(0)).mean()).backward()
        opt.step()
"""
APART, JOINED = "a, b = net(one), net(two)", "a, b = net(torch.cat([one, two])).chunk(2)"
MADE_ANEW, BY_ROW = "np.random.default_rng(row)", "np.random.default_rng(1000 * row + 7)"


@pytest.mark.parametrize("asked", [APART, JOINED])
@pytest.mark.parametrize("draw, told", [(MADE_ANEW, True), (BY_ROW, True), ("kept", False)])
def test_two_views_that_are_drawn_with_one_seed_are_one(found, asked, draw, told):
    assert ("same_draws" in found(VIEWS.replace("ASKED", asked).replace("DRAW", draw))) == told


def test_an_input_that_is_its_own_target_is_no_second_view(found):
    sound = VIEWS.replace("ASKED", "a, b = nn.functional.pad(net(one), (0, 4)), two")
    assert "same_draws" not in found(sound.replace("DRAW", MADE_ANEW))


def test_two_masks_of_dropout_make_two_views_of_one(found):
    program = VIEWS.replace("ASKED", APART).replace("DRAW", MADE_ANEW)
    assert "same_draws" not in found("net.insert(1, nn.Dropout(0.2))\n" + program)
    assert "same_draws" in found("net.insert(1, nn.Dropout(0.0))\n" + program)


MEMBERS = """
def member(seed):
    torch.manual_seed(SEED)
    net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 2))
    opt = torch.optim.Adam(net.parameters(), 0.01)
    for epoch in range(4):
        for rows in torch.randperm(96).split(24):
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
    return net
nets = [member(seed) for seed in range(COUNT)]
with torch.no_grad():
    USED
"""
MEAN = "print((torch.stack([net(x) for net in nets]).mean(0).argmax(1) == y).float().mean().item())"
SUM = "total = nets[0](x)\n    total = total + nets[1](x)\n    print((total.argmax(1) == y).float().mean().item())"
ASIDE = "print(torch.equal(nets[0](x), nets[1](x)))"


@pytest.mark.parametrize("count, used, told", [(5, MEAN, True), (2, MEAN, True), (2, SUM, True), (2, ASIDE, False)])
def test_an_ensemble_of_equals_is_told_and_two_that_are_compared_are_not(found, count, used, told):
    program = MEMBERS.replace("COUNT", str(count)).replace("USED", used)
    assert ("same_draws" in found(program.replace("SEED", "0"))) == told
    assert "same_draws" not in found(program.replace("SEED", "seed"))
