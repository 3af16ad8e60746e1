"""Weights that are held to what they were: by a copy, or by a reference, which holds nothing."""

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

PENALTY = """
loader = DataLoader(TensorDataset(x, y), 16, shuffle=True)
epochs(loader, 2)
start = {name: KEPT for name, p in net.named_parameters()}
for epoch in range(3):
    for a, b in loader:
        near = sum(((p - start[name]) ** 2).sum() for name, p in net.named_parameters())
        loss = nn.functional.cross_entropy(net(a), 1 - b) + 0.5 * near
        opt.zero_grad()
        loss.backward()
        opt.step()
"""


def test_weights_are_not_held_to_themselves(found):
    for kept in ("p", "p.detach()", "p.data"):
        assert found(PENALTY.replace("KEPT", kept)) == {"best_is_reference"}, kept


def test_weights_are_held_to_copies(found):
    for kept in ("p.detach().clone()", "torch.zeros_like(p)", "p.data.clone().requires_grad_(False)"):
        assert found(PENALTY.replace("KEPT", kept)) == set(), kept


REPTILE = """
import copy
loader = DataLoader(TensorDataset(x, y), 16, shuffle=True)
for task in range(8):
    before = KEPT
    inner = torch.optim.SGD(net.parameters(), 0.05)
    for a, b in loader:
        loss = nn.functional.cross_entropy(net(a), (b + task) % 2)
        inner.zero_grad()
        loss.backward()
        inner.step()
    after = net.state_dict()
    net.load_state_dict({name: before[name] + 0.2 * (after[name] - before[name]) for name in before})
"""


def test_a_step_from_where_the_task_began_needs_a_copy_of_it(found):
    assert found(REPTILE.replace("KEPT", "net.state_dict()")) == {"best_is_reference"}
    assert found(REPTILE.replace("KEPT", "copy.deepcopy(net.state_dict())")) == set()


SLOPE = """
loader = DataLoader(TensorDataset(x, y), 16, shuffle=True)
for epoch in range(3):
    for a, b in loader:
        kept = {name: p.detach() for name, p in net.named_parameters()}
        loss = nn.functional.cross_entropy(net(a), b)
        loss = loss * torch.exp(sum((p - p.detach()).sum() for p in net.parameters()))
        loss = loss + (net[0].weight[1:] - net[0].weight[:-1]).square().sum()
        opt.zero_grad()
        loss.backward()
        opt.step()
"""


def test_a_zero_that_is_made_on_purpose_and_neighbours_of_one_weight_are_none(found):
    assert found(SLOPE) == set()
