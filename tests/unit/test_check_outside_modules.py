"""Networks and losses in plain functions: dropout there, a last layer of one row, an entropy beside a value."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

DROPPED = """
F = nn.functional
held, kinds = torch.randn(48, 6), torch.randint(0, 2, (48,))
w1, w2 = (torch.randn(6, 16) * 0.1).requires_grad_(), (torch.randn(16, 2) * 0.1).requires_grad_()
def model(a, training=True):
    return DROPPED @ w2
for epoch in range(5):
    for rows in torch.randperm(96).split(16):
        F.cross_entropy(model(x[rows]), y[rows]).backward()
        with torch.no_grad():
            for w in (w1, w2):
                w -= 0.1 * w.grad
                w.grad = None
    with torch.no_grad():
        print((SAID.argmax(1) == kinds).float().mean().item())
"""


@pytest.mark.parametrize(
    "dropped, said, told",
    [
        ("F.dropout(torch.relu(a @ w1), 0.5)", "model(held)", True),
        ("F.dropout(torch.relu(a @ w1), 0.5, training)", "model(held, False)", False),
        ("F.dropout(torch.relu(a @ w1), 0.5)", "sum(model(held) for _ in range(8))", False),  # Monte Carlo dropout
        ("torch.relu(F.dropout(a, 0.2) @ w1)", "model(held)", False),  # it may be a corruption of the input
    ],
)
def test_dropout_in_a_plain_function_goes_on_in_evaluation(found, dropped, said, told):
    assert ("functional_dropout" in found(DROPPED.replace("DROPPED", dropped).replace("SAID", said))) == told


BESIDE = """
class Scores(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 12), nn.Linear(12, 2)
    def inner(self, a):
        return self.last(nn.functional.dropout(self.first(a).tanh(), 0.4TOLD))
    def forward(self, a):
        return self.inner(a)
net = Scores()
opt = torch.optim.Adam(net.parameters(), 0.01)
held, kinds = torch.randn(48, 6), torch.randint(0, 2, (48,))
for epoch in range(5):
    net.train()
    epochs(DataLoader(TensorDataset(x, y), 16, shuffle=True), 1)
    net.eval()
    with torch.no_grad():
        print((net.inner(held).argmax(1) == kinds).float().mean().item())
"""


@pytest.mark.parametrize("told", ["", ", training=self.training"])
def test_dropout_in_a_method_beside_forward_is_told_the_mode_or_not(found, told):
    assert ("functional_dropout" in found(BESIDE.replace("TOLD", told))) == (not told)


@pytest.mark.parametrize(
    "switch, said, told",
    [
        ("pass", "net.guess(held)", True),
        ("pass", "sum(net.guess(held) for _ in range(8))", False),  # Monte Carlo dropout
        ("net.eval()", "net.guess(held)", False),
    ],
)
def test_layers_in_train_mode_that_a_method_beside_forward_calls_are_told(found, switch, said, told):
    kept = BESIDE.replace("nn.functional.dropout(self.first(a).tanh(), 0.4TOLD)", "self.drop(self.first(a).tanh())")
    kept = kept.replace("        self.first,", "        self.drop = nn.Dropout(0.4)\n        self.first,")
    kept = kept.replace("def inner", "def guess(self, a):\n        return self.inner(a)\n    def inner")
    program = kept.replace("    net.eval()", f"    {switch}").replace("net.inner(held)", f"({said})")
    assert ("eval_in_train" in found(program)) == told


ALIKE = """
first = torch.full((6, 12), 0.1).requires_grad_()
last = LAST.requires_grad_()
for epoch in range(6):
    for rows in torch.randperm(96).split(16):
        logits = torch.tanh(x[rows] @ first) @ last
        nn.functional.binary_cross_entropy_with_logits(logits, y[rows].float()).backward()
        with torch.no_grad():
            for w in (first, last):
                w -= 0.1 * w.grad
                w.grad = None
print(first.norm().item())
"""


@pytest.mark.parametrize("last, told", [("torch.full((12,), 0.1)", True), ("torch.randn(12)", False)])
def test_equal_units_that_a_vector_reads_never_part(found, last, told):
    assert ("identical_units" in found(ALIKE.replace("LAST", last))) == told


ACTED = """
from torch.distributions import Categorical
class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.action, self.value = nn.Linear(3, 16), nn.Linear(16, 3), nn.Linear(16, 1)
    def forward(self, a):
        a = torch.relu(self.body(a))
        return Categorical(logits=self.action(a)), self.value(a)
model = Policy()
opt = torch.optim.Adam(model.parameters(), 0.01)
for episode in range(30):
    logs, entropies, values, rewards = [], [], [], []
    for turn in range(8):
        chances, value = model(torch.randn(3))
        action = chances.sample()
        logs.append(chances.log_prob(action))
        entropies.append(chances.entropy())
        values.append(value)
        rewards.append(float(action.item() == turn % 3))
    returns, total = [], 0.0
    for reward in reversed(rewards):
        total = reward + 0.8 * total
        returns.insert(0, total)
    ahead = torch.tensor(returns) - torch.stack(values).squeeze(-1)
    gained = (torch.stack(logs) * ahead.detach()).mean()
    loss = -gained + 0.5 * ahead.pow(2).mean() - 0.01 * torch.stack(entropies).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
print(loss.item())
"""


def test_a_critic_beside_an_entropy_learns_from_returns_and_not_from_a_penalty(found):
    assert "gradient_stopped" not in found(ACTED)
