"""Items that are prepared by modules, as torchvision's transforms are: these are no passes of a model."""

from truestep.check import recorder
from truestep.check.events import Forward
from truestep.check.watch import Watching
from unit.program_cases import START, found_by_rules  # noqa: F401 - the fixture `found`

PREPARED = """
class Scale(nn.Module):
    def forward(self, one):
        return (one - 0.1) / 1.1
class Items(Dataset):
    def __init__(self, rows, classes):
        self.rows, self.classes, self.scale = rows, classes, Scale()
    def __len__(self):
        return len(self.rows)
    def __getitem__(self, row):
        return self.scale(self.rows[row]), self.classes[row]
net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Dropout(0.3), nn.Linear(12, 2))
opt = torch.optim.Adam(net.parameters(), 0.01)
held = torch.randn(160, 6)
train, test = DataLoader(Items(x, y), 16, shuffle=True), DataLoader(Items(held, (held[:, 0] > 0).long()), 120)
for epoch in range(4):
    net.train()
    epochs(train, 1)
    MODE
    right = 0
    with torch.no_grad():
        for a, b in test:
            right += (net(a).argmax(1) == b).sum().item()
    print(right / 160)
"""


def test_an_evaluation_is_looked_at_closely_however_many_items_were_prepared_for_it(found):
    assert found(PREPARED.replace("MODE", "pass")) == {"eval_in_train"}
    assert not found(PREPARED.replace("MODE", "net.eval()"))


def test_a_module_that_prepares_an_item_is_not_called_as_a_model():
    with Watching(strict=True) as seen:
        exec(START + PREPARED.replace("MODE", "net.eval()"), {"__name__": "prepared"})
    assert not [event for event in seen.trace.of(Forward) if event.kind == "Scale"]


TWO = """
big = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Dropout(0.3), nn.Linear(12, 2))
sgd = torch.optim.SGD(big.parameters(), 0.05)
big.MODE()
for step in range(40):
    rows = torch.randperm(96)[:16]
    first, second = net(x[rows]), big(x[rows])
    losses = [nn.functional.cross_entropy(out, y[rows]) for out in (first, second)]
    for loss, each in zip(losses, (opt, sgd)):
        each.zero_grad()
        loss.backward()
    opt.step()
    sgd.step()
"""


def test_of_two_models_that_run_before_either_steps_the_second_counts_too(found):
    assert found(TWO.replace("MODE", "eval")) == {"train_in_eval"}
    assert not found(TWO.replace("MODE", "train"))


SORTED = """
names = torch.arange(5).repeat_interleave(60)
order = ORDER
net = nn.Linear(6, 5)
opt = torch.optim.SGD(net.parameters(), 0.05)
for epoch in range(6):
    for start in range(0, 300, 10):
        rows = order[start : start + 10]
        taken = torch.stack([names.float()[row].repeat(6) + 0.1 * torch.randn(6) for row in rows])
        wanted = torch.tensor([int(names[row]) for row in rows])
        opt.zero_grad()
        nn.functional.cross_entropy(net(taken), wanted).backward()
        opt.step()
"""


def test_an_order_that_begins_again_is_seen_where_looks_end_in_the_second_epoch(found, monkeypatch):
    monkeypatch.setattr(recorder, "FIRST", 44)
    assert "not_shuffled" in found(SORTED.replace("ORDER", "range(300)"))
    assert "not_shuffled" not in found(SORTED.replace("ORDER", "torch.randperm(300).tolist()"))
