"""A class that says whether a value is an improvement, and the loop that keeps the model where it is."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

STOPPER = """
import copy
class Stopper:
    def __init__(self):
        self.best, self.waited = FIRST, 0
    def improved(self, value):
        BODY
stopper = Stopper()
for epoch in range(10):
    for rows in torch.randperm(96)[:64].split(16):
        update(x[rows], y[rows])
    with torch.no_grad():
        loss = nn.functional.cross_entropy(net(x), y).item()
    if stopper.improved(loss):
        state = copy.deepcopy(net.state_dict())
USED
"""
SAYS = """if value SIGN self.best:
            SET
            self.waited = 0
            return True
        self.waited += 1
        return False"""
NAMED = """better = value SIGN self.best
        if better:
            SET
        return better"""


@pytest.mark.parametrize("body", [SAYS, NAMED])
@pytest.mark.parametrize(
    "first, sign, put, told",
    [
        ("float('inf')", "<", "self.best = value", set[str]()),
        ("float('inf')", "<", "self.last = value", {"best_never_updated"}),
        ("-1.0", ">", "self.best = value", {"best_wrong_way"}),
        ("0.0", "<", "self.best = value", {"best_wrong_way"}),  # which never comes true
    ],
)
def test_what_a_method_says_of_a_value_is_read_in_its_body(found, body, first, sign, put, told):
    used = "" if first == "0.0" else "net.load_state_dict(state)"
    program = STOPPER.replace("BODY", body).replace("SIGN", sign).replace("SET", put)
    assert found(program.replace("FIRST", first).replace("USED", used)) == told
