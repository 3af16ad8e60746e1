"""Means of batches that are reported as roots, or as perplexities."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

PROGRAM = """
import math
aims = SIZE * (x[:, 0] + torch.randn(96) * torch.where(torch.arange(96) < 64, 0.2, 2.0))
net = nn.Linear(6, 1)
opt = torch.optim.Adam(net.parameters(), 0.05)
held = DataLoader(TensorDataset(x, aims), 40)
def score():
    parts = []
    with torch.no_grad():
        for a, b in held:
            parts.append((nn.functional.mse_loss(net(a)[:, 0], b).item(), WEIGHT))
    mean = sum(m * w for m, w in parts) / sum(w for _, w in parts)
    return math.SHAPE(mean)
for epoch in range(6):
    for part in torch.randperm(96).split(32):
        opt.zero_grad()
        nn.functional.mse_loss(net(x[part])[:, 0], aims[part]).backward()
        opt.step()
    REPORT
"""
PRINTED, NAMED = "print(f'validation {score():.5f}')", "value = score()\n    print('epoch', epoch)"


def _program(shape, weight, report, size="1"):
    program = PROGRAM.replace("SHAPE", shape).replace("WEIGHT", weight).replace("REPORT", report)
    return program.replace("SIZE", size)


@pytest.mark.parametrize("report", [PRINTED, NAMED])
@pytest.mark.parametrize("shape, size", [("sqrt", "1"), ("sqrt", "100"), ("exp", "1")])
def test_a_mean_of_means_is_told_in_whatever_shape_it_is_reported(found, shape, size, report):
    assert found(_program(shape, "1", report, size)) == {"mean_of_means"}
    assert not found(_program(shape, "len(b)", report, size))


ROOTS = """
aims = 100 * (x[:, 0] + torch.randn(96) * torch.where(torch.arange(96) < 64, 0.2, 2.0))
net = nn.Linear(6, 1)
opt = torch.optim.Adam(net.parameters(), 0.05)
held = DataLoader(TensorDataset(x, aims), 40)
def score():
    errors = []
    with torch.no_grad():
        for a, b in held:
            errors.append((net(a)[:, 0] - b).square()EACH)
    return ALL
for epoch in range(6):
    for part in torch.randperm(96).split(32):
        opt.zero_grad()
        nn.functional.mse_loss(net(x[part])[:, 0], aims[part]).backward()
        opt.step()
    print(f"off by {score():.2f}")
"""


def test_a_mean_of_roots_is_told_where_each_print_shows_it_with_two_decimals(found):
    by_batch = ROOTS.replace("EACH", ".mean().sqrt().item()").replace("ALL", "float(np.mean(errors))")
    assert found(by_batch) == {"mean_of_means"}
    assert not found(ROOTS.replace("EACH", "").replace("ALL", "torch.cat(errors).mean().sqrt().item()"))


def test_errors_that_are_added_up_as_tensors_from_a_zero_on_are_told(found):
    program = ROOTS.replace("EACH", ".mean()").replace(".square()", ".abs()")
    assert found(program.replace("ALL", "(sum(errors, torch.zeros(())) / len(held)).item()")) == {"mean_of_means"}


ARRAYS = (
    ROOTS.replace("(net(a)[:, 0] - b).square()EACH", "(net(a)[:, 0].numpy(), b.numpy())")
    .replace("score():.2f", "(value := score()):.2f")
    .replace("100 * (", "1 * (")
    .replace("0.2, 2.0", "0.2, 0.6")
)


@pytest.mark.parametrize("formula", ["np.abs(p - t).mean()", "1 - ((p - t) ** 2).sum() / ((t - t.mean()) ** 2).sum()"])
def test_errors_and_shares_of_arrays_are_told_where_they_are_averaged_by_batch(found, formula):
    assert found(ARRAYS.replace("ALL", f"float(np.mean([{formula} for p, t in errors]))")) == {"mean_of_means"}
    whole = f"(lambda p, t: float({formula}))(*map(np.concatenate, zip(*errors)))"
    assert not found(ARRAYS.replace("ALL", whole))


def test_perplexities_of_batches_are_told_where_they_are_averaged(found):
    program = PROGRAM.replace("REPORT", PRINTED).replace("SIZE", "1").replace("WEIGHT", "len(b)")
    by_batch = "return sum(math.exp(m) for m, _ in parts) / len(parts)"
    assert found(program.replace("return math.SHAPE(mean)", by_batch)) == {"mean_of_means"}
