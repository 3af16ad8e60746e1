"""Two views that a program makes without a loader: drawn twice to differ, or one batch that is looked up twice."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

VIEWS = """
data = x.numpy()
class Augment:
    def __init__(self, seed):
        self.seed, self.kept = seed, np.random.default_rng(seed)
    def __call__(self, rows):
        rng = DRAW
        return torch.from_numpy((rows + rng.normal(0, 0.3, rows.shape)).astype(np.float32))
augment = Augment(3)
for epoch in range(2):
    for rows in np.random.permutation(96).reshape(6, 16):
        batch = data[rows]
        ASKED
        opt.zero_grad()
        (a - b).square().sum(1).mean().add(torch.exp(-torch.cat([a, b]).var(0)).mean()).backward()
        opt.step()
"""
APART = "a, b = net(augment(batch)), net(augment(batch))"
JOINED = "one, two = augment(batch), augment(batch)\n        a, b = net(torch.cat([one, two])).chunk(2)"
ANEW, KEPT = "np.random.default_rng(self.seed)", "self.kept"


@pytest.mark.parametrize("asked", [APART, JOINED])
def test_two_views_of_a_generator_that_is_built_at_each_call_are_one(found, asked):
    program = VIEWS.replace("ASKED", asked)
    assert "same_draws" in found(program.replace("DRAW", ANEW))
    assert "same_draws" not in found(program.replace("DRAW", KEPT))


NOISY = """
kept = np.random.default_rng(3), torch.Generator().manual_seed(3)
def noise(shape):
    DRAW
def jitter(rows):
    return rows + 0.3 * noise(rows.shape)
for epoch in range(2):
    for rows in torch.randperm(96).split(16):
        one = jitter(x[rows].numpy())
        two = jitter(x[rows].numpy())
        a, b = (net(torch.as_tensor(each).float()) for each in (one, two))
        opt.zero_grad()
        (a - b).square().sum(1).mean().add(torch.exp(-a.var(0)).mean()).backward()
        opt.step()
"""
SEEDED = "np.random.seed(3)\n    return np.random.normal(0, 1, shape)"
BUILT = "return np.random.default_rng(3).normal(0, 1, shape)"
DRAWN = "return kept[0].normal(0, 1, shape)"
OURS = "return torch.randn(shape, generator=torch.Generator().manual_seed(3)).numpy()"
ONE = "return torch.randn(shape, generator=kept[1]).numpy()"


@pytest.mark.parametrize("draw, told", [(SEEDED, True), (BUILT, True), (DRAWN, False), (OURS, True), (ONE, False)])
def test_a_seed_set_for_each_view_is_told_whoever_draws(found, draw, told):
    assert ("same_draws" in found(NOISY.replace("DRAW", draw))) == told


AGAIN = """
def train():
    rng = np.random.default_rng(3)
    for epoch in range(2):
        for rows in np.array_split(rng.permutation(96), 6):
            one, two = torch.from_numpy(x.numpy()[rows]), torch.from_numpy(x.numpy()[rows])GRADIENT
            a, b = net(one)[:, 0], net(two)[:, 1]
            opt.zero_grad()
            (a - x[rows, 0]).square().mean().add((b - x[rows, 1]).square().mean()).backward()
            opt.step()
train()
"""


@pytest.mark.parametrize("gradient", ["", ".requires_grad_()"])
def test_a_batch_that_is_looked_up_twice_is_no_second_view(found, gradient):
    assert "same_draws" not in found(AGAIN.replace("GRADIENT", gradient))


def test_two_masks_of_dropout_make_two_views_of_one_draw(found):
    program = VIEWS.replace("ASKED", APART).replace("DRAW", ANEW)
    assert "same_draws" not in found("net.insert(1, nn.Dropout(0.2))\n" + program)
