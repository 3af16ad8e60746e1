"""Folds that scale inputs and targets each in their own way, so that no sample has the same bits in two of them."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

PARTS = {
    "by number": "def fold(k):\n    return torch.cat([part for j, part in enumerate(parts) if j != k]), parts[k]\n",
    "by a mask": (
        "where = torch.arange(96) % 4\n"
        "def fold(k):\n    return where != k, where == k\n"
    ),
}  # fmt: skip
PROGRAM = """
parts = torch.randperm(96).chunk(4)
aims = x[:, :1] + 0.1 * torch.randn(96, 1)
def new():
    return nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1))
FOLD
def data(k):
    rest, left = fold(k)
    mean, std, centre = x[rest].mean(0), x[rest].std(0), aims[rest].mean()
    return (x[rest] - mean) / std, aims[rest] - centre, (x[left] - mean) / std, aims[left] - centre
def score(a, b):
    with torch.no_grad():
        return nn.functional.mse_loss(net(a), b).sqrt().item()
def adam():
    weights = list(net.parameters())
    return torch.optim.Adam([{"params": weights[::2], "weight_decay": 0.1}, {"params": weights[1::2]}], 0.01)
BEFORE
for k in range(4):
    PREPARE
    a, b, a_left, b_left = data(k)
    for epoch in range(4):
        for inputs, targets in BATCHES:
            opt.zero_grad()
            nn.functional.mse_loss(net(inputs), targets).backward()
            opt.step()
    print(score(a, b), score(a_left, b_left))
"""
SLICES = """
def slices(of, k):
    ends = [(24 * j, 24 * j + 24) for j in range(4)]
    return torch.cat([of[first:end, :] for j, (first, end) in enumerate(ends) if j != k]), of[24 * k : 24 * k + 24, :]
"""
SLICED = {
    "FOLD": SLICES, "rest, left = fold(k)": "(a, a_left), (b, b_left) = slices(x, k), slices(aims, k)",
    "x[rest]": "a", "aims[rest]": "b", "x[left]": "a_left", "aims[left]": "b_left",
}  # fmt: skip
LOADER = "DataLoader(TensorDataset(a, b), 16, shuffle=True)"
HAND = "[(a[rows], b[rows]) for rows in torch.randperm(len(a)).split(16)]"
ONE = "net = new()\nstart = {name: one.clone() for name, one in net.state_dict().items()}\nopt = adam()"
CARRIED = {
    "one optimizer": (ONE, "pass"),
    "an optimizer for each fold": (ONE, "opt = adam()"),
}
ANEW = {
    "a net for each fold": (ONE, "net = new()\n    opt = adam()"),
    "the first weights again": (ONE, "net.load_state_dict(start)\n    opt = adam()"),
    "weights drawn again": (ONE, "for one in net.parameters():\n        one.data.normal_(0, 0.3)"),
}


def program(fold, batches, before, prepare):
    text = PROGRAM
    for old, now in SLICED.items() if fold == "by slices" else [("FOLD", PARTS[fold])]:
        text = text.replace(old, now)
    return text.replace("BATCHES", batches).replace("BEFORE", before).replace("PREPARE", prepare)


@pytest.mark.parametrize("batches", [LOADER, HAND], ids=["loader", "hand"])
@pytest.mark.parametrize("fold", ["by number", "by a mask", "by slices"])
def test_one_model_that_goes_through_all_folds_is_told_though_each_is_scaled_by_itself(found, fold, batches):
    for before, prepare in CARRIED.values():
        assert "tested_on_train" in found(program(fold, batches, before, prepare))


@pytest.mark.parametrize("batches", [LOADER, HAND], ids=["loader", "hand"])
@pytest.mark.parametrize("how", ANEW)
def test_a_model_that_begins_anew_in_each_fold_is_silent(found, how, batches):
    assert "tested_on_train" not in found(program("by number", batches, *ANEW[how]))


OTHERS = {
    "tasks in turn": "def fold(k):\n    return parts[k][:18], parts[k][18:]\n",
    "more and more data": "def fold(k):\n    return torch.cat(parts[: k + 1])[: 24 * k + 18], parts[k][18:]\n",
    "one part stays apart": "def fold(k):\n    return torch.cat(parts[:3]), parts[3]\n",
}


@pytest.mark.parametrize("how", OTHERS)
def test_one_model_that_learns_on_from_other_parts_is_silent(found, how):
    text = PROGRAM.replace("FOLD", OTHERS[how]).replace("BATCHES", HAND)
    assert "tested_on_train" not in found(text.replace("BEFORE", ONE).replace("PREPARE", "pass"))
