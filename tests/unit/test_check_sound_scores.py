"""Sound programs whose scores and losses once looked wrong, each beside the mistake that it looked like."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

ELBO = """
import copy
import math
wide = nn.Linear(6, 6)
opt = torch.optim.Adam(net.parameters(), 0.01)
best, kept = BEST, None
for epoch in range(8):
    for rows in torch.randperm(96).split(16):
        update(x[rows], y[rows])
    with torch.no_grad():
        mean, spread = net(x).chunk(2, 1)
        error = (((x[:, :1] - mean) / 0.5).pow(2).mul(0.5).sum(1) + math.log(0.5))
        apart = -0.5 * (1 + spread - mean.pow(2) - spread.clamp(-8, 8).exp()).sum(1)
        value = (error + apart).mean().item()
    if value WAY best:
        best, kept = value, copy.deepcopy(net.state_dict())
net.load_state_dict(kept)
"""


def test_a_loss_by_hand_with_a_divergence_is_no_share_of_hits(found):
    assert "best_wrong_way" not in found(ELBO.replace("BEST", "float('inf')").replace("WAY", "<"))


WAVES = """
def waves(count):
    begins = np.random.RandomState(0).randint(0, RANGE, (count, 1))
    return torch.tensor(np.sin((np.arange(9) + begins) / 2.0), dtype=torch.float32)
data = waves(40)
net = nn.Linear(8, 1)
opt = torch.optim.LBFGS(net.parameters(), max_iter=4)
for turn in range(8):
    def closure():
        opt.zero_grad()
        loss = nn.functional.mse_loss(net(data[TEST:, :-1]), data[TEST:, -1:])
        loss.backward()
        return loss
    opt.step(closure)
    with torch.no_grad():
        print(nn.functional.mse_loss(net(data[:TEST, :-1]), data[:TEST, -1:]).item())
"""


@pytest.mark.parametrize("span, test, told", [("60", "4", set()), ("40", "20", {"tested_on_train"})])
def test_one_row_that_occurs_twice_is_met_again_in_each_score_and_counts_once(found, span, test, told):
    assert found(WAVES.replace("RANGE", span).replace("TEST", test)) & {"tested_on_train"} == told


TOKENS = """
words = [torch.randint(1, 12, (int(n),)) for n in torch.randint(3, 9, (64,))]
def collate(rows):
    given = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    wanted = given.clone()
    MARK
    return given, wanted
class Speaker(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(12, 16, padding_idx=0)
        self.reads, self.says = nn.GRU(16, 16, batch_first=True), nn.Linear(16, 12)
    def forward(self, given):
        return self.says(self.reads(self.words(given))[0])
net = Speaker()
opt = torch.optim.Adam(net.parameters(), 0.01)
loader = DataLoader(words, 8, shuffle=True, collate_fn=collate)
for epoch in range(6):
    batches = iter(loader)
    for step in range(len(loader) // 4):
        four = [next(batches) for _ in range(4)]
        count = sum((wanted[:, 1:] > 0).sum() for _, wanted in four)
        opt.zero_grad()
        for given, wanted in four:
            said = net(given)[:, :-1].reshape(-1, 12)
            loss = nn.functional.cross_entropy(said, wanted[:, 1:].reshape(-1), ignore_index=-100, reduction="sum")
            (loss / count).backward()
        opt.step()
"""


@pytest.mark.parametrize("mark, told", [("wanted[wanted == 0] = -100", set()), ("pass", {"padding_counted"})])
def test_padding_that_is_marked_as_ignored_does_not_count(found, mark, told):
    assert found(TOKENS.replace("MARK", mark)) & {"padding_counted"} == told


TIMES = """
def collate(rows):
    return torch.stack([a for a, _ in rows], 1), torch.tensor([b for _, b in rows])
class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.reads, self.says = nn.GRU(3, 12), nn.Linear(12, 2)
    def forward(self, given):
        return self.says(self.reads(given)[0].mean(0))
pairs = [(torch.randn(16, 3), n % 2) for n in range(104)]
net = Reader()
opt = torch.optim.Adam(net.parameters(), 0.01)
loader = DataLoader(pairs, 16, shuffle=True, collate_fn=collate)
for epoch in range(5):
    net.train()
    for a, b in loader:
        update(a, b)
    net.eval()
    total = 0.0
    with torch.no_grad():
        for a, b in loader:
            total += nn.functional.cross_entropy(net(a), b, reduction="sum").item()
    print(total / COUNT)
"""


@pytest.mark.parametrize("count, told", [("len(loader.dataset)", set()), ("(16 * len(loader))", {"wrong_denominator"})])
def test_batches_that_lie_time_first_are_counted_by_their_samples(found, count, told):
    assert found(TIMES.replace("COUNT", count)) & {"wrong_denominator", "samples_mixed"} == told


COPIES = """
whole = torch.cat([x.repeat(10, 1) + torch.randn(960, 6), torch.randn(1400, 6)])
again = torch.cat([torch.arange(2360), torch.randint(0, 400, (700,))])
whole = whole[again]
order = torch.randperm(len(whole))
seen, unseen = whole[order[:1500]], whole[order[1500:]]
if APART:
    unseen = torch.randn(1500, 6)
for epoch in range(3):
    for rows in torch.randperm(1500).split(50):
        update(seen[rows], (seen[rows, :3].sum(1) > 0).long())
net.eval()
with torch.no_grad():
    print((net(unseen).argmax(1) == (unseen[:, :3].sum(1) > 0)).float().mean().item())
"""


@pytest.mark.parametrize("apart, told", [("True", set()), ("False", {"tested_on_train"})])
def test_copies_are_found_in_a_score_of_some_thousand_rows(found, apart, told):
    assert found(COPIES.replace("APART", apart)) & {"tested_on_train"} == told


def test_copies_are_found_where_only_the_guesses_are_read(found):
    guesses = (
        "guesses = net(unseen).argmax(1).numpy()\n    print((guesses == (unseen.numpy()[:, :3].sum(1) > 0)).mean())"
    )
    program = COPIES.split("    print(")[0] + "    " + guesses
    assert found(program.replace("APART", "False")) == {"tested_on_train"}
    assert found(program.replace("APART", "True")) == set()
    of_all = (
        program.replace("APART", "False").replace("net(unseen)", "net(whole)").replace("unseen.numpy", "whole.numpy")
    )
    assert found(of_all) == set()


BY_HAND = """
rate, best, kept = 1.0, None, None
for epoch in range(12):
    for rows in torch.randperm(64).split(16):
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        net.zero_grad()
        loss.backward()
        for p in net.parameters():
            p.data.add_(p.grad, alpha=-rate)
    with torch.no_grad():
        score = nn.functional.cross_entropy(net(x[64:]), y[64:]).item()
    if not best or score < best:
        kept = {name: value.clone() for name, value in net.state_dict().items()}
        SET
net.load_state_dict(kept)
"""


def test_a_best_value_that_stays_none_is_told_where_weights_are_updated_by_hand(found):
    assert found(BY_HAND.replace("SET", "pass")) & {"best_never_updated"} == {"best_never_updated"}
    assert found(BY_HAND.replace("SET", "best = score")) & {"best_never_updated"} == set()


ENDS = """
words = [(torch.randint(1, 12, (int(n),)), n % 2) for n in torch.randint(LEAST, 20, (96,))]
class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.reads, self.says = nn.Embedding(12, 8), nn.GRU(8, 16), nn.Linear(16, 2)
    def forward(self, given, lengths):
        states = self.reads(self.words(given))[0]
        return self.says(STATE)
def collate(rows):
    return nn.utils.rnn.pad_sequence([a for a, _ in rows]), torch.tensor([[len(a), b] for a, b in rows])
net = Judge()
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(6):
    for given, marks in DataLoader(words, 16, shuffle=True, collate_fn=collate):
        loss = nn.functional.cross_entropy(net(given, marks[:, 0]), marks[:, 1])
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
LAST, OWN = "states[-1]", "states[lengths - 1, torch.arange(len(lengths))]"


@pytest.mark.parametrize(
    "least, state, told",
    [
        ("4", LAST, {"padding_counted"}),
        ("4", "states.select(0, -1)", {"padding_counted"}),
        ("4", OWN, set()),
        ("19", LAST, set()),
    ],
)
def test_a_state_behind_the_padding_is_not_the_end_of_a_sequence(found, least, state, told):
    assert found(ENDS.replace("LEAST", least).replace("STATE", state)) == told
