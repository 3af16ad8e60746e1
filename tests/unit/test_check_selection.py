"""Rules of selection and reporting on programs with several mistakes at once: one must not hide the other."""

import runpy

import pytest

from truestep.check.rules import judge
from truestep.check.rules._readings import Figure, Reading
from truestep.check.rules.wrong_denominator import _divided
from truestep.check.site import NOWHERE
from truestep.check.watch import Watching

PROGRAM = """
import copy, torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x = torch.randn(170, 6)
y = (x[:, :1] + x[:, 1:2] > 0).float()
train_loader = DataLoader(TensorDataset(x[:64], y[:64]), batch_size=32)
valid_loader = DataLoader(TensorDataset(x[64:], y[64:]), batch_size=50)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1), nn.Sigmoid())
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
best = float("inf")
best_state = None
for epoch in range(5):
    for inputs, targets in train_loader:
        optimizer.zero_grad()
        criterion(model(inputs), targets).backward()
        optimizer.step()
    total = 0.0
    with torch.no_grad():
        for inputs, targets in valid_loader:
            total += criterion(model(inputs), targets).item()
    valid_loss = total / len(valid_loader)
    if valid_loss < best:
        best_state = TAKEN  # SET
    print(f"epoch {epoch}: {valid_loss:.4f}")
RESTORED
"""
WRONG = PROGRAM.replace("TAKEN", "model.state_dict()").replace("RESTORED", "model.load_state_dict(best_state)")
SET = ("  # SET", "\n        best = valid_loss")
COPIED = ("model.state_dict()", "copy.deepcopy(model.state_dict())")


@pytest.fixture
def found(tmp_path, monkeypatch):
    """What the rules find in a program: name -> level and source line."""
    monkeypatch.chdir(tmp_path)

    def check(program):
        path = tmp_path / "train.py"
        path.write_text(program)
        with Watching(strict=True) as seen:
            seen.ended(runpy.run_path(str(path), run_name="__main__"))
        return {each.name: (each.level, each.site.text) for each in judge(seen.trace, strict=True)}

    return check


def test_a_loss_that_only_falls_hides_neither_the_best_value_nor_the_reference(found):
    told = found(WRONG)
    assert told["best_never_updated"] == ("warning", "if valid_loss < best:")
    assert told["best_is_reference"] == ("error", "best_state = model.state_dict()  # SET")


def test_what_is_set_or_copied_is_not_told(found):
    assert "best_never_updated" not in found(WRONG.replace(*SET))
    assert "best_is_reference" not in found(WRONG.replace(*COPIED))


def test_a_best_value_that_is_set_elsewhere_in_the_loop_is_not_told(found):
    later = WRONG.replace("    print(", "    if epoch == 90:\n        best = valid_loss\n    print(")
    assert "best_never_updated" not in found(later)


def test_a_state_that_is_written_at_once_needs_no_copy(found):
    written = (
        PROGRAM.replace("TAKEN", "model.state_dict()").replace(*SET).replace("if valid_loss < best:", "if epoch < 3:")
    )
    saved = written.replace("    print(", "        torch.save(best_state, 'best.pt')\n    print(", 1)
    loaded = saved.replace("RESTORED", "model.load_state_dict(torch.load('best.pt'))")
    assert "best_is_reference" not in found(loaded)
    assert found(written.replace("RESTORED", ""))["best_is_reference"][0] == "warning"


DIVISIONS = [
    ("    valid_loss = total / len(valid_loader)", "valid_loss = total / len(valid_loader)", []),
    (
        "    valid_loss = sum(losses) / len(losses)",
        "valid_loss = sum(losses) / len(losses)",
        [("total = 0.0", "losses = []"), ("total += criterion(model(inputs), targets).item()",
         "value = criterion(model(inputs), targets).item()\n            losses.append(value)")],
    ),
    (
        "    valid_loss = float(np.mean(losses))",
        "valid_loss = float(np.mean(losses))",
        [("import copy", "import numpy as np, copy"), ("total = 0.0", "losses = []"),
         ("total += criterion(model(inputs), targets).item()",
          "losses.append(criterion(model(inputs), targets).item())")],
    ),
    (
        "    total /= len(valid_loader)\n    valid_loss = total",
        "total /= len(valid_loader)",
        [],
    ),
]  # fmt: skip


@pytest.mark.parametrize("line, text, changes", DIVISIONS)
def test_a_mean_of_means_is_told_where_it_is_divided(found, line, text, changes):
    program = WRONG.replace("    valid_loss = total / len(valid_loader)", line).replace(", nn.Sigmoid()", "")
    for old, new in changes:
        program = program.replace(old, new)
    assert found(program)["mean_of_means"][1] == text


HUNDRED = """
import torch
x = torch.randn(200, 3)
model = torch.nn.Linear(3, 1)
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, x.sum(1, keepdim=True)), batch_size=2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for epoch in range(3):
    running = 0.0
    for a, b in loader:
        loss = torch.nn.functional.mse_loss(model(a), b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()SIZE
    print(f"{running / 200:.4f}")
"""


def test_a_total_over_a_hundred_batches_is_no_hundredfold_mean(found):
    assert "wrong_denominator" not in found(HUNDRED.replace("SIZE", " * len(a)"))


@pytest.mark.parametrize("hits, share, wrong", [((1.0, 0.0), 0.5, False), ((9.0, 14.0), 11.5, True)])
def test_a_common_share_proves_no_division(hits, share, wrong):
    lines = [Reading(n, n, NOWHERE, value, "sum", 32, 32, 1, True) for n, value in enumerate(hits)]
    figure = Figure(9, "accuracy", share, NOWHERE, tuple(reversed(lines)))
    assert (_divided(figure, list(figure.readings), {}) is not None) == wrong


TWICE = """
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(130, 4)
y = x.sum(1, keepdim=True)
y[128:] += 30
net = nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
curve = []
for epoch in range(3):
    total, losses = 0.0, []
    for start in range(0, 130, 64):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(net(x[start : start + 64]), y[start : start + 64])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        total += loss.item()
    curve.append(sum(losses) / len(losses))
    mean = total / 3
"""


def test_a_mean_whose_losses_two_lines_read_is_told_once(tmp_path):
    path = tmp_path / "twice.py"
    path.write_text(TWICE)
    with Watching(strict=True) as seen:
        seen.ended(runpy.run_path(str(path)))
    told = judge(seen.trace, ["mean_of_means"], strict=True)
    assert [each.site.text for each in told] in (["mean = total / 3"], ["curve.append(sum(losses) / len(losses))"])
