"""Updates by hand that divide the gradient of a mean by the samples once more."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

RUN = """
aim = x @ torch.arange(6.0) + 3
w, b = torch.zeros(6, requires_grad=True), torch.zeros(1, requires_grad=True)
def sgd(params, rate, size):
    with torch.no_grad():
        for p in params:
            p -= TAKEN
            p.grad.zero_()
for epoch in range(5):
    for rows in torch.randperm(96).split(12):
        LOSS
        sgd([w, b], 0.1, 12)
"""
MEAN = "((x[rows] @ w + b - aim[rows]) ** 2 / 2).mean().backward()"
CASES = {
    "mean, divided": ("rate * p.grad / size", MEAN, True),
    "mean, divided first": ("rate * (p.grad / size)", MEAN, True),
    "mean": ("rate * p.grad", MEAN, False),
    "sum": ("rate * p.grad / size", MEAN.replace("mean", "sum"), False),
    "as many passes": ("rate * p.grad / size", f"for _ in range(12): {MEAN}", False),
    "another number": ("rate * p.grad / 7", MEAN, False),
}


@pytest.mark.parametrize("taken, loss, told", CASES.values(), ids=CASES)
def test_the_gradient_of_a_mean_is_divided_once(found, taken, loss, told):
    assert ("rate_too_small" in found(RUN.replace("TAKEN", taken).replace("LOSS", loss))) is told
