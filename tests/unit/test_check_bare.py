"""Models that are functions of plain tensors: what they are given in training and in evaluation."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

RUN = """
raw = torch.rand(240, 6) * 4 + 1
target = (raw[:, 0] > raw[:, 1]).long()
train, test = raw[:160], raw[160:]
mean, std = train.mean(0), train.std(0)
train, held = (train - mean) / std, HELD
w1 = (torch.randn(6, 16) * 0.3).requires_grad_()
b1 = torch.zeros(16, requires_grad=True)
w2 = (torch.randn(16, 2) * 0.3).requires_grad_()
b2 = torch.zeros(2, requires_grad=True)
def forward(a):
    return torch.relu(a @ w1 + b1) @ w2 + b2
def score(a, b):
    with torch.no_grad():
        return (forward(a).argmax(1) == b).float().mean().item()
for epoch in range(6):
    for rows in torch.randperm(160).split(16):
        loss = nn.functional.cross_entropy(forward(train[rows]), target[rows])
        grads = torch.autograd.grad(loss, [w1, b1, w2, b2])
        with torch.no_grad():
            for p, g in zip([w1, b1, w2, b2], grads):
                p -= 0.1 * g
print(score(held, target[160:]))
"""
PREPARED = {
    "as it is": ("test", True),
    "by its own numbers": ("(test - test.mean(0)) / test.std(0)", True),
    "by those of training": ("(test - mean) / std", False),
}


@pytest.mark.parametrize("held, told", PREPARED.values(), ids=PREPARED)
def test_what_a_function_is_given_in_evaluation_is_held_against_what_it_was_trained_on(found, held, told):
    assert ("preprocessing_differs" in found(RUN.replace("HELD", held))) is told


@pytest.mark.parametrize("first, told", [("80", True), ("160", False)])
def test_rows_that_a_function_was_trained_on_are_known_in_its_score(found, first, told):
    program = RUN.replace("HELD", f"((raw - mean) / std)[{first}:]").replace("target[160:]", f"target[{first}:]")
    assert ("tested_on_train" in found(program)) is told
