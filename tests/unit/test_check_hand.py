"""What a program does by hand: gather gradients, scale losses, set rates, put weights back; right and wrong."""

import runpy

import pytest

from truestep.check.rules import judge
from truestep.check.watch import Watching

START = """
import torch
from torch import nn
import torch.nn.functional as F
torch.manual_seed(0)
x = torch.randn(160, 6)
y = x[:, :1].sin() + 0.3
net = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
weights = list(net.parameters())
"""


@pytest.fixture
def levels(tmp_path, monkeypatch):
    """What the rules find in a program: name -> level."""
    monkeypatch.chdir(tmp_path)

    def check(program):
        path = tmp_path / f"train_{len(list(tmp_path.iterdir()))}.py"  # what is parsed is kept by name
        path.write_text(START + program)
        with Watching(strict=True) as seen:
            seen.ended(runpy.run_path(str(path), run_name="__main__"))
        return {each.name: each.level for each in judge(seen.trace, strict=True)}

    return check


GATHERED = """
opt = torch.optim.SGD(weights, lr=0.05)
for step in range(6):
    sums = [torch.zeros_like(p) for p in weights]
    for rows in torch.randperm(160)[:32].split(8):
        DIFFERENTIATE
        for total, g in zip(sums, grads):
            total += g
    for p, total in zip(weights, sums):
        p.grad = total SHARE
    opt.step()
"""
WAYS = (
    "grads = torch.autograd.grad(F.mse_loss(net(x[rows]), y[rows]), weights)",
    "net.zero_grad(); F.mse_loss(net(x[rows]), y[rows]).backward(); grads = [p.grad for p in weights]",
)


@pytest.mark.parametrize("way", WAYS, ids=("grad", "backward"))
def test_gradients_that_are_gathered_by_hand_are_to_be_divided_too(levels, way):
    program = GATHERED.replace("DIFFERENTIATE", way)
    assert levels(program.replace("SHARE", ""))["accumulation_not_divided"] == "warning"
    assert "accumulation_not_divided" not in levels(program.replace("SHARE", "/ 4"))


TWO = """
other = nn.Linear(1, 6)
mine, its = torch.optim.SGD(weights, lr=0.05), torch.optim.SGD(other.parameters(), lr=0.05)
for step in range(6):
    mine.zero_grad()
    F.mse_loss(net(x), y).backward()
    BETWEEN
    F.mse_loss(net(x + 0.1), y).backward()
    mine.step()
    its.zero_grad()
    F.mse_loss(other(net(x)), x).backward()
    its.step()
"""


def test_passes_that_are_cleared_unread_are_told_of_one_of_two_optimizers(levels):
    assert levels(TWO.replace("BETWEEN", "net.zero_grad()"))["cleared_before_step"] == "error"
    assert "cleared_before_step" not in levels(TWO.replace("BETWEEN", ""))


SHARPNESS = """
opt = torch.optim.SGD(weights, lr=0.05)
for step in range(6):
    opt.zero_grad()
    F.mse_loss(net(x), y).backward()
    with torch.no_grad():
        old = [p.clone() for p in weights]
        for p in weights:
            p.add_(0.01 * p.grad / p.grad.norm())
    opt.zero_grad()
    F.mse_loss(net(x), y).backward()
    FIRST
    with torch.no_grad():
        for p, o in zip(weights, old):
            p.copy_(o)
    THEN
"""


def test_weights_that_are_put_back_behind_the_step_undo_it(levels):
    assert levels(SHARPNESS.replace("FIRST", "opt.step()").replace("THEN", ""))["update_undone"] == "error"
    assert "update_undone" not in levels(SHARPNESS.replace("FIRST", "").replace("THEN", "opt.step()"))


ADAPTED = """
opt = torch.optim.SGD(weights, lr=0.05)
old = [p.detach().clone() for p in weights]
for rows in torch.arange(160).split(20):
    opt.zero_grad()
    F.mse_loss(net(x[rows]), y[rows]).backward()
    opt.step()
    with torch.no_grad():
        USE
        for p, o in zip(weights, old):
            p.copy_(o)
"""


def test_weights_that_are_adapted_to_one_sample_are_put_back_on_purpose(levels):
    assert levels(ADAPTED.replace("USE", "pass"))["update_undone"] == "error"
    assert "update_undone" not in levels(ADAPTED.replace("USE", "print(net(x[rows]).mean().item())"))


SCALED = """
opt = torch.optim.SGD(weights, lr=0.05)
scale = torch.tensor(1024.0)
for step in range(6):
    opt.zero_grad()
    for rows in torch.arange(160).split(80):
        (scale * F.mse_loss(net(x[rows]), y[rows]) / 2).backward()
    FIRST
    for p in weights:
        p.grad = p.grad / scale
    THEN
    opt.step()
"""


def test_a_scale_that_is_a_tensor_is_taken_out_before_the_clipping_too(levels):
    clip = "nn.utils.clip_grad_norm_(weights, 0.5)"
    assert levels(SCALED.replace("FIRST", clip).replace("THEN", ""))["clip_scaled"] == "error"
    assert "clip_scaled" not in levels(SCALED.replace("FIRST", "").replace("THEN", clip))


PLAIN = """
for step in range(30):
    loss = F.mse_loss(net(x), y)
    net.zero_grad()
    loss.backward()
    with torch.no_grad():
        for p in weights:
            p -= RATE * p.grad
"""


def test_the_rate_of_updates_by_hand_is_measured(levels):
    assert levels(PLAIN.replace("RATE", "1e-6"))["rate_too_small"] == "error"
    assert levels(PLAIN.replace("RATE", "0.01 / 160"))["rate_too_small"] == "error"
    assert "rate_too_small" not in levels(PLAIN.replace("RATE", "0.02"))


NAMED = """
lr = 0.1
opt = torch.optim.SGD(weights, lr=lr)
for epoch in range(8):
    for rows in torch.randperm(160).split(40):
        opt.zero_grad()
        F.mse_loss(net(x[rows]), y[rows]).backward()
        opt.step()
    lr = lr * 0.7
    USE
    print(epoch, f"rate {lr:.4f}")
"""


def test_a_rate_that_only_a_name_has_is_no_schedule(levels):
    assert levels(NAMED.replace("USE", ""))["schedule_never"] == "error"
    assert levels(NAMED.replace("USE", "dict(opt.param_groups[0])['lr'] = lr"))["schedule_never"] == "error"
    assert levels(NAMED.replace("USE", "opt.lr = lr"))["schedule_never"] == "error"
    assert "schedule_never" not in levels(NAMED.replace("USE", "opt.param_groups[0]['lr'] = lr"))
    assert "schedule_never" not in levels(NAMED.replace("USE", "noise = lr * torch.randn(3)"))


BY_HAND = """
opt = torch.optim.SGD(weights, lr=0.1)
step = 0
for epoch in range(10):
    for rows in torch.randperm(160).split(16):
        for group in opt.param_groups:
            group["lr"] = SCHEDULE
        opt.zero_grad()
        F.mse_loss(net(x[rows]), y[rows]).backward()
        opt.step()
        step += 1
"""


def test_rates_that_are_set_by_hand_are_held_against_epochs_and_updates(levels):
    assert levels(BY_HAND.replace("SCHEDULE", "0.1 * 0.5 ** (step // 3)"))["schedule_by_batch"] == "error"
    assert "schedule_by_batch" not in levels(BY_HAND.replace("SCHEDULE", "0.1 * 0.5 ** (epoch // 3)"))
    assert levels(BY_HAND.replace("SCHEDULE", "0.1 * min(1, (epoch + 1) / 60)"))["schedule_by_epoch"] == "error"
    assert "schedule_by_epoch" not in levels(BY_HAND.replace("SCHEDULE", "0.1 * min(1, (step + 1) / 60)"))


CLIPPED = """
opt = torch.optim.SGD(weights, lr=0.01)
for step in range(8):
    CLEAR
    F.mse_loss(net(x), y).backward()
    nn.utils.clip_grad_norm_(weights, 0.1)
    opt.step()
"""


def test_gradients_that_were_clipped_are_to_be_cleared_too(levels):
    assert levels(CLIPPED.replace("CLEAR", "pass"))["never_cleared"] == "error"
    assert "never_cleared" not in levels(CLIPPED.replace("CLEAR", "opt.zero_grad()"))


LAYERS = """
import copy
class Noise(nn.Module):
    def forward(self, h):
        return h + 0.1 * torch.rand_like(h) if self.training else h
net = nn.Sequential(nn.Linear(6, 16), LAYER, nn.Tanh(), nn.Linear(16, 1))
mean = copy.deepcopy(net)
opt = torch.optim.SGD(net.parameters(), lr=0.05)
for epoch in range(4):
    TRAIN
    for rows in torch.randperm(120).split(20):
        opt.zero_grad()
        F.mse_loss(net(x[rows]), y[rows]).backward()
        opt.step()
        with torch.no_grad():
            for e, p in zip(mean.parameters(), net.parameters()):
                e.lerp_(p, 0.1)
    EVAL
    with torch.no_grad():
        print(F.mse_loss(MODEL(x[120:]), y[120:]).item())
with torch.no_grad():
    print(F.mse_loss(MODEL(x[120:]), y[120:]).item())
"""


def test_layers_of_ones_own_that_ask_for_the_mode_are_trained_in_train_mode(levels):
    program = LAYERS.replace("LAYER", "Noise()").replace("MODEL", "net").replace("EVAL", "net.eval()")
    assert levels(program.replace("TRAIN", "pass"))["train_in_eval"] == "error"
    assert "train_in_eval" not in levels(program.replace("TRAIN", "net.train()"))


@pytest.mark.parametrize("model", ["net", "mean"])
def test_a_model_and_its_average_are_scored_in_eval_mode(levels, model):
    program = LAYERS.replace("LAYER", "nn.Dropout(0.2)").replace("TRAIN", "net.train()").replace("MODEL", model)
    assert levels(program.replace("EVAL", "pass"))["eval_in_train"] == "error"
    assert "eval_in_train" not in levels(program.replace("EVAL", f"{model}.eval()"))


RENEWED = """
from torch.utils.data import DataLoader, TensorDataset
loader, held = (DataLoader(TensorDataset(x, y), batch_size=40) for _ in range(2))
MADE
for epoch in range(5):
    INSIDE
    for a, b in loader:
        opt.zero_grad()
        F.mse_loss(net(a), b).backward()
        opt.step()
    for one in (loader, held):
        print(sum(F.mse_loss(net(a), b).item() for a, b in one))
"""


def test_passes_that_only_score_do_not_make_stages_of_a_training(levels):
    made = "opt = torch.optim.Adam(weights, lr=0.01)"
    assert levels(RENEWED.replace("MADE", "").replace("INSIDE", made))["optimizer_recreated"] == "error"
    assert "optimizer_recreated" not in levels(RENEWED.replace("MADE", made).replace("INSIDE", "pass"))


REBOUND = """
for step in range(8):
    F.mse_loss(net(x), y).backward()
    with torch.no_grad():
        for p in weights:
            UPDATE
            p.grad = None
"""


def test_clearing_a_new_tensor_does_not_make_it_a_parameter(levels):
    assert levels(REBOUND.replace("UPDATE", "p = p - 0.05 * p.grad"))["update_rebound"] == "error"
    assert "update_rebound" not in levels(REBOUND.replace("UPDATE", "p -= 0.05 * p.grad"))
