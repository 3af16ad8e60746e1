"""Terms of a loss that count outputs beyond a threshold, and slices of predictions against a row of targets."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

TERM = """
def missed(out, wanted):
    said = SAID
    return 1 - (said * wanted).sum() / wanted.sum().clamp(min=1)
class Missed(nn.Module):
    forward = staticmethod(missed)
for epoch in range(4):
    for a, b in DataLoader(TensorDataset(x, y), 16, shuffle=True):
        out = net(a)
        loss = nn.functional.cross_entropy(out, b) + 0.5 * LOSS
        opt.zero_grad()
        loss.backward()
        opt.step()
"""


@pytest.mark.parametrize("loss", [pytest.param("missed(out, b)", marks=pytest.mark.long), "Missed()(out, b)"])
@pytest.mark.parametrize(
    "said, told",
    [
        ("(out.softmax(1)[:, 1] > 0.5).float()", True),
        ("out.argmax(1)", True),
        ("out.softmax(1)[:, 1]", False),
        ("(out[:, 1] > out[:, 0]).float() * out.softmax(1)[:, 1]", False),
    ],
)
def test_a_term_that_counts_what_no_gradient_passes_is_told(found, said, told, loss):
    assert ("gradient_stopped" in found(TERM.replace("SAID", said).replace("LOSS", loss))) == told


QUANTILES = """
net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 3))
opt = torch.optim.Adam(net.parameters(), 0.01)
real = x[:, 0] * 2
for epoch in range(3):
    for a, b in DataLoader(TensorDataset(x, real), 16, shuffle=True):
        out, loss = net(a), 0
        for place, share in enumerate((0.1, 0.5, 0.9)):
            errors = ERRORS
            loss = loss + torch.max((share - 1) * errors, share * errors).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
"""


@pytest.mark.parametrize(
    "errors, told",
    [
        ("b - out[:, place : place + 1]", True),
        ("b - out[..., place : place + 1]", True),
        ("b - out[:, place]", False),
        ("b[:, None] - out[:, place : place + 1]", False),
    ],
)
def test_a_slice_of_predictions_against_a_row_of_targets_is_a_table(found, errors, told):
    assert ("broadcast" in found(QUANTILES.replace("ERRORS", errors))) == told
