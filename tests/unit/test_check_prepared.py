"""Items that are prepared by modules, as torchvision's transforms are: these are no passes of a model."""

import pytest

from truestep.check import recorder
from truestep.check.events import Forward
from truestep.check.rules._readings import Figure, Reading, near
from truestep.check.rules.wrong_denominator import _sound
from truestep.check.site import Site
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


FOUND = """
net = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 2))
opt = torch.optim.SGD(net.parameters(), 0.01)
net.train()
for number in range(40):
    rows = torch.randperm(96)[:16]
    loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
    print(loss.item())
    if SKIPPED:
        continue
    opt.zero_grad()
    loss.backward()
    opt.step()
"""


def test_a_pass_of_a_training_line_that_led_to_no_update_is_no_evaluation(found):
    assert not found(FOUND.replace("SKIPPED", "number == 39"))
    assert "eval_in_train" in found(FOUND.replace("SKIPPED", "number % 8 == 7"))


def readings(run, hits, size):
    return [Reading(0, 0, Site("train.py", 9, "hits"), each, "sum", size, size, run, True) for each in hits]


@pytest.mark.parametrize(
    "value, sound",
    [
        (154 / 300, True),  # the share of the last pass
        (385 / 800, True),  # that of the pass before, which 154 hits over 8 batches of 40 would give too
        (340.0, True),  # the samples of so many batches: 300 and one of 40
        (154 / 8, False),  # hits over batches
    ],
)
def test_what_a_pass_gives_is_sound_also_where_another_pass_came_after_it(value, sound):
    held = [*readings(2, [14, *[20] * 7], 37.5), *readings(1, [20, 19] * 9 + [17, 17], 40), *readings(0, [3], 8)]
    figure = Figure(99, "accuracy", value, Site("train.py", 20, "train"), tuple(held))
    assert any(near(value, each) for each in _sound(figure)) is sound
