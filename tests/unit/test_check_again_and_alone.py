"""Draws that come again with their seed, and scores that are weighed alone."""

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

SCORES = """
class Weighed(nn.Module):
    def __init__(self):
        super().__init__()
        self.score, self.out = nn.Linear(4, 1), nn.Linear(4, 2)
    def forward(self, given):
        scores = self.score(given).transpose(1, 2)
        return self.out((torch.softmax(scores, dim=DIM) @ given).squeeze(1))
x = torch.randn(96, PLACES, 4)
net = Weighed()
opt = torch.optim.Adam(net.parameters(), 0.01)
epochs(DataLoader(TensorDataset(x, y), 16, shuffle=True))
"""
"""What stands at several places is weighed by its scores."""


def test_a_softmax_over_one_entry_weighs_nothing(found):
    assert found(SCORES.replace("DIM", "1").replace("PLACES", "5")) == {"softmax_dim"}
    assert found(SCORES.replace("DIM", "-1").replace("PLACES", "5")) == set()
    assert found(SCORES.replace("DIM", "1").replace("PLACES", "1")) == set()  # there is one place alone


CORRUPTED = """
class Noise:
    def __init__(self, seed):
        self.seed, self.own = seed, torch.Generator().manual_seed(seed)
    def __call__(self, given):
        generator = GENERATOR
        return given + 0.3 * torch.randn(given.shape, generator=generator)
noise, fixed = Noise(1), Noise(2)(x)  # the second is drawn once, to evaluate with
for epoch in range(3):
    for rows in torch.randperm(96).split(16):
        update(noise(x[rows]), y[rows])
    with torch.no_grad():
        print(nn.functional.cross_entropy(net(fixed), y).item())
"""


def test_a_generator_that_is_made_at_each_call_draws_the_same_beside_another_draw(found):
    assert found(CORRUPTED.replace("GENERATOR", "torch.Generator().manual_seed(self.seed)")) == {"same_draws"}
    assert "same_draws" not in found(CORRUPTED.replace("GENERATOR", "self.own"))


NEGATIVES = """
table = nn.Embedding(40, 8)
opt = torch.optim.Adam(table.parameters(), 0.01)
own, chances = torch.Generator().manual_seed(3), torch.rand(40)
for step in range(12):
    generator = GENERATOR
    words = torch.multinomial(chances, 10, replacement=True, generator=generator)
    centre = torch.randint(0, 40, (16,))
    loss = nn.functional.softplus((table(centre) @ table(words).t())).mean() - table(centre).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def test_words_that_are_drawn_with_the_same_seed_each_time_are_told(found):
    assert found(NEGATIVES.replace("GENERATOR", "torch.Generator().manual_seed(3)")) == {"same_draws"}
    assert found(NEGATIVES.replace("GENERATOR", "own")) == set()
