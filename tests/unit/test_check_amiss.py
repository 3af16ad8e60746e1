"""Data sets that count a part of their items, losses at odds with their targets, parts scaled by their own ends."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

COUNTED = """
class Half(Dataset):
    def __init__(self, rows, classes):
        self.rows, self.classes = rows, classes
    def __len__(self):
        return LENGTH
    def __getitem__(self, row):
        ITEM
epochs(DataLoader(Half(x, y), 8, shuffle=True), 2)
"""
ONE = "return self.rows[row], self.classes[row]"
BOTH = "return torch.cat([self.rows[row][:3], self.rows[row + 48][:3]]), self.classes[row]"
EVERY = "return self.rows[2 * row], self.classes[2 * row + 1]"


def test_a_length_that_divides_is_told_where_items_leave_the_rest_out(found):
    half = COUNTED.replace("LENGTH", "len(self.rows) // 2")
    assert "samples_unseen" in found(half.replace("ITEM", ONE))
    assert "samples_unseen" not in found(COUNTED.replace("LENGTH", "len(self.rows)").replace("ITEM", ONE))
    for whole in (BOTH, EVERY):
        assert "samples_unseen" not in found(half.replace("ITEM", whole))
    shared = half.replace("ITEM", ONE) + "rest = torch.stack([x[row] for row in range(48, 96)])\n"
    assert "samples_unseen" not in found(shared)


MARGIN = """
sign = TARGET
line = nn.Linear(6, 1)
opt = torch.optim.SGD(line.parameters(), 0.05)
for step in range(12):
    rows = torch.randint(0, 96, (24,))
    out, wanted = line(x[rows]).squeeze(1), sign[rows]
    loss = LOSS
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


@pytest.mark.parametrize(
    "loss", ["torch.relu(1 - wanted * out).mean()", "nn.functional.soft_margin_loss(out, wanted)",
             "nn.functional.hinge_embedding_loss(out, wanted)"]
)  # fmt: skip
def test_losses_with_a_margin_take_targets_of_minus_one_and_one(found, loss):
    program = MARGIN.replace("LOSS", loss)
    assert "labels_off" in found(program.replace("TARGET", "(x[:, 0] > 0).float()"))
    assert "labels_off" not in found(program.replace("TARGET", "(x[:, 0] > 0).float() * 2 - 1"))
    assert "labels_off" not in found(program.replace("TARGET", "torch.sign(x[:, 0])"))


SCALED = """
raw = np.random.default_rng(0).gamma(2.0, 2.0, (160, 4))
def fit(part):
    return part.min(axis=0), part.max(axis=0)
low, high = fit(raw[:110])
first = torch.tensor((raw[:110] - low) / (high - low), dtype=torch.float32)
low, high = fit(OF)
second = torch.tensor((raw[110:] - low) / (high - low), dtype=torch.float32)
wanted = torch.tensor(raw.sum(1, keepdims=True) / 16, dtype=torch.float32)
net = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 1))
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(12):
    loss = nn.functional.mse_loss(net(first), wanted[:110])
    opt.zero_grad()
    loss.backward()
    opt.step()
with torch.no_grad():
    print(nn.functional.mse_loss(net(second), wanted[110:]).item())
"""
GRID = """
ends = np.linspace(0, 1, 12), np.linspace(0, 1, 15)
grids = (np.stack(np.meshgrid(*[end] * 3), -1).reshape(-1, 3) for end in ends)
first, second = (torch.tensor(grid, dtype=torch.float32) for grid in grids)
net = nn.Sequential(nn.Linear(3, 12), nn.Tanh(), nn.Linear(12, 1))
opt = torch.optim.Adam(net.parameters(), 0.01)
for epoch in range(8):
    loss = nn.functional.mse_loss(net(first), first.sum(1, keepdim=True))
    opt.zero_grad()
    loss.backward()
    opt.step()
with torch.no_grad():
    print(nn.functional.mse_loss(net(second), second.sum(1, keepdim=True)).item())
"""


def test_a_part_that_is_stretched_by_its_own_ends_is_told_and_a_grid_is_not(found):
    assert "preprocessing_differs" in found(SCALED.replace("OF", "raw[110:]"))
    assert "preprocessing_differs" not in found(SCALED.replace("OF", "raw[:110]"))
    assert "preprocessing_differs" not in found(GRID)


CODES = """
x = torch.sigmoid(x @ torch.randn(6, 20))
front, back = nn.Linear(20, 6), nn.Linear(3, 20)
opt = torch.optim.Adam([*front.parameters(), *back.parameters()], 0.03)
for step in range(90):
    rows = torch.randint(0, 96, (32,))
    mean, spread = front(x[rows]).chunk(2, 1)
    code = mean + (0.5 * spread).exp() * torch.randn_like(mean)
    apart = nn.functional.binary_cross_entropy_with_logits(back(code), x[rows], reduction=PARTS)
    away = (mean ** 2 + spread.exp() - 1 - spread).sum() * WEIGHT
    loss = apart + away
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def test_a_divergence_summed_beside_an_averaged_reconstruction_is_told_once_it_is_gone(found):
    assert "sum_with_mean_rate" in found(CODES.replace("PARTS", "'mean'").replace("WEIGHT", "0.5"))
    for parts, weight in (("'sum'", "0.5"), ("'mean'", "0.5 / 640")):
        assert "sum_with_mean_rate" not in found(CODES.replace("PARTS", parts).replace("WEIGHT", weight))


GRAPH = """
order = torch.randperm(96)
masks = {}
for name, part in (("train", order[:40]), ("test", order[40:])):
    masks[name] = torch.zeros(96, dtype=torch.bool)
    masks[name][part] = True
net = nn.Linear(6, 2)
opt = torch.optim.Adam(net.parameters(), 0.05)
for epoch in range(12):
    loss = nn.functional.cross_entropy(net(x)[masks["train"]], y[masks["train"]])
    opt.zero_grad()
    loss.backward()
    opt.step()
with torch.no_grad():
    right = net(x)[masks["OF"]].argmax(1) == y[masks["OF"]]
    print("CALLED accuracy", right.float().mean().item())
"""


def test_a_mask_of_other_nodes_that_is_never_used_makes_a_test_score_one_of_training(found):
    assert "tested_on_train" in found(GRAPH.replace("OF", "train").replace("CALLED", "test"))
    assert "tested_on_train" not in found(GRAPH.replace("OF", "test").replace("CALLED", "test"))
    assert "tested_on_train" not in found(GRAPH.replace("OF", "train").replace("CALLED", "training"))


APART = """
rows = np.random.RandomState(1).randn(400, 6)
classes = (rows[:, 0] > 0).astype("int64")
np.random.seed(2)
SHUFFLE
x, y = torch.from_numpy(rows).float(), torch.from_numpy(classes)
epochs(DataLoader(TensorDataset(x, y), 40, shuffle=True))
"""
EACH = "np.random.shuffle(rows)\nnp.random.shuffle(classes)"
TAKEN = "rows = rows[np.random.permutation(400)]\nclasses = classes[np.random.permutation(400)]"
DRAWN = "one = np.random.permutation(400)\nother = np.random.permutation(400)\nnp.random.RandomState(3).shuffle(rows)"
ALIKE = "np.random.shuffle(rows)\nnp.random.seed(2)\nnp.random.shuffle(classes)"


def test_two_arrays_shuffled_in_neighbouring_lines_whose_rows_are_unrelated_then_are_told(found):
    assert "shuffled_apart" in found(APART.replace("SHUFFLE", EACH))
    assert "shuffled_apart" in found(APART.replace("SHUFFLE", TAKEN))
    assert "shuffled_apart" not in found(APART.replace("SHUFFLE", DRAWN)), "what they put in order is not known"
    assert "shuffled_apart" not in found(APART.replace("SHUFFLE", ALIKE))


PARTS = """
from torch.utils.data import Subset, SubsetRandomSampler
data, order = TensorDataset(x, y), torch.randperm(96).tolist()
NAMED_loader = DataLoader(Subset(data, order[PART]), 12)
epochs(DataLoader(data, 12, sampler=SubsetRandomSampler(order[:60])))
with torch.no_grad():
    for a, b in NAMED_loader:
        print((net(a).argmax(1) == b).float().mean().item())
"""


@pytest.mark.parametrize("name, part, told", [("test", ":60", True), ("test", "60:", False), ("again", ":60", False)])
def test_a_test_on_just_the_items_of_training_is_told_where_others_are_in_no_pass(found, name, part, told):
    assert ("tested_on_train" in found(PARTS.replace("NAMED", name).replace("PART", part))) is told


MOMENTA = """
from torch.utils.data import default_collate
items = [row.clone() for row in x]
momenta = [torch.zeros_like(each) for net in (net, nn.Linear(6, 2), nn.Linear(6, 2)) for each in net.parameters()]
def prepared(rows):
    PREPARED
    return default_collate([items[row] for row in rows]), y[rows]
for epoch in range(3):
    for a, b in DataLoader(range(96), 12, collate_fn=prepared):
        update(a, b)
        for momentum in momenta:
            momentum.mul_(0.9).add_(0.1)
"""


def test_items_that_are_scaled_at_each_visit_are_told_and_momenta_are_not(found):
    assert "changed_in_place" in found(MOMENTA.replace("PREPARED", "for row in rows: items[row].mul_(0.5)"))
    assert "changed_in_place" not in found(MOMENTA.replace("PREPARED", "pass"))


CIPHER = """
plain = torch.randint(97, 121, (96, 40), dtype=torch.uint8)
secret = plain + torch.randint(0, 256, (96, 1), dtype=torch.uint8)
x = torch.zeros(96, 256).scatter_add_(1, secret.long(), torch.ones(96, 40))USED
net = nn.Linear(256, 2)
opt = torch.optim.Adam(net.parameters(), 0.01)
epochs(DataLoader(TensorDataset(x, y), 12))
"""


def test_bytes_that_are_symbols_may_wrap_round(found):
    assert "integer_wrap" not in found(CIPHER.replace("USED", ""))
    assert "integer_wrap" in found(CIPHER.replace("USED", " + secret.float().mean()"))


CONTRASTED = """
one, two, same = x[:48], x[48:], (y[:48] == y[48:]).float()
for step in range(12):
    rows = torch.randperm(48)[:20]
    far, alike = nn.functional.pairwise_distance(net(one[rows]), net(two[rows])KEPT), same[rows]
    loss = (alike * far.pow(2) + (1 - alike) * (2 - far).clamp(min=0).pow(2)).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
PRIOR = """
levels = torch.linspace(0, 1, 20)
for step in range(12):
    rows = torch.randperm(96)[:20]
    far = net(x[rows])[:, :1].pow(2)
    table = levels * far
    loss = table.min(1).values.mean() + table.mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def test_a_distance_kept_as_a_column_meets_all_labels(found):
    assert "broadcast" in found(CONTRASTED.replace("KEPT", ", keepdim=True"))
    assert "broadcast" not in found(CONTRASTED.replace("KEPT", ""))
    assert "broadcast" not in found(PRIOR)
