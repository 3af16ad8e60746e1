"""Windows of micro-batches whose gradients are clipped before the step: what is cleared inside them has no say."""

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

WINDOW = """
losses = []
for turn in range(12):
    CLEARED_ONCE
    for rows in torch.randperm(96)[:64].split(16):
        CLEARED_EACH
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows]) / 4
        loss.backward()
        losses.append(loss.item())
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    opt.step()
"""
CLEAR = "opt.zero_grad()"


def test_passes_that_are_cleared_before_the_clipped_one_are_told(found):
    each = WINDOW.replace("CLEARED_ONCE", "").replace("CLEARED_EACH", CLEAR)
    assert found(each) == {"cleared_before_step"}
    assert found(each.replace("    nn.utils.clip", "    # nn.utils.clip")) == {"cleared_before_step"}


def test_a_window_that_is_cleared_once_is_left_alone(found):
    assert found(WINDOW.replace("CLEARED_ONCE", CLEAR).replace("CLEARED_EACH", "pass")) == set()


NORMS = """
for turn in range(12):
    rows = torch.randperm(96)[:32]
    norms = []
    for part in rows.split(8):
        opt.zero_grad()
        nn.functional.cross_entropy(net(x[part]), y[part]).backward()
        norms.append(READ)
    opt.zero_grad()
    nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    opt.step()
"""


def test_passes_whose_gradients_are_read_before_they_are_cleared_have_had_their_say(found):
    assert found(NORMS.replace("READ", "nn.utils.clip_grad_norm_(net.parameters(), float('inf')).item()")) == set()
    assert found(NORMS.replace("READ", "sum(p.grad.norm() for p in net.parameters()).item()")) == set()
