"""Scores that are quotients of counts, made of each batch or of all batches together."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

RARE = """
marks = (x[:, :2].sum(1) > 1.6).float()
net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
opt = torch.optim.Adam(net.parameters(), 0.05)
for _ in range(30):
    loss = nn.functional.binary_cross_entropy_with_logits(net(x), marks)
    opt.zero_grad()
    loss.backward()
    opt.step()
more = torch.randn(SIZE, 6)
rare = (more[:, :2].sum(1) + 0.4 * torch.randn(SIZE) > 1.6).float()
def ratio(up, down):
    return up / down if down else 0.0
def evaluate(each, whole):
    totals, shares = np.zeros(3), []
    with torch.no_grad():
        for inputs, labels in CUT:
            counts = each(net(inputs), labels)
            totals += counts
            shares.append(ratio(2 * counts[0], 2 * counts[0] + counts[1] + counts[2]))
    return ratio(2 * totals[0], 2 * totals[0] + totals[1] + totals[2]) if whole else sum(shares) / len(shares)
def counts(logits, labels):
    guess = (logits > 0).float()
    return [(guess * labels).sum().item(), (guess * (1 - labels)).sum().item(), ((1 - guess) * labels).sum().item()]
def arrays(logits, labels):
    guess, labels = (logits > 0).long().numpy(), labels.numpy()
    return [(guess * labels).sum(), (guess * (1 - labels)).sum(), ((1 - guess) * labels).sum()]
SCORE
print("f1", score)
"""


LOADER = "DataLoader(TensorDataset(more, rare), 25)"
SLICES = "((more[i : i + 25], rare[i : i + 25]) for i in range(0, len(more), 25))"
ORDER = "((more[some], rare[some]) for some in torch.randperm(len(more)).split(25))"
GROUPS = "((more[some], rare[some]) for some in (torch.arange(len(more)) // 25 == k for k in range(11)))"


def scored(score, size=260, cut=LOADER):
    return RARE.replace("SCORE", score).replace("SIZE", str(size)).replace("CUT", cut)


@pytest.mark.parametrize("cut", [LOADER, SLICES, ORDER])
@pytest.mark.parametrize("how", ["counts", "arrays"])
def test_a_score_of_counts_that_is_averaged_over_batches_is_found(found, how, cut):
    assert "mean_of_means" in found(scored(f"score = evaluate({how}, False)", cut=cut))
    assert "mean_of_means" not in found(scored(f"score = evaluate({how}, True)", cut=cut))


def test_batches_of_one_size_may_be_queries_and_both_scores_may_be_told(found):
    assert "mean_of_means" not in found(scored("score = evaluate(counts, False)", 250))
    assert "mean_of_means" not in found(scored("score = evaluate(counts, False)", 250, SLICES))
    both = "score, whole = evaluate(counts, False), evaluate(counts, True)"
    assert "mean_of_means" not in found(scored(both))


def test_a_score_that_is_averaged_over_the_groups_of_a_set_is_meant(found):
    assert "mean_of_means" not in found(scored("score = evaluate(counts, False)", cut=GROUPS))
    assert "mean_of_means" in found(scored("score = evaluate(counts, False)", cut=SLICES))
