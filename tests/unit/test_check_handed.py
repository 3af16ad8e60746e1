"""Best models that are kept by a function which is handed the outcome of the comparison."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

PROGRAM = """
import copy, os, shutil, tempfile
aims = x[:, :1] + torch.randn(96, 1)
net = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
opt = torch.optim.Adam(net.parameters(), 0.02)
best_loss = FIRST
folder = tempfile.mkdtemp()
KEEP
def main():
    global best_loss
    for epoch in range(8):
        for part in torch.arange(48).split(16):
            opt.zero_grad()
            nn.functional.mse_loss(net(x[part]), aims[part]).backward()
            opt.step()
        with torch.no_grad():
            loss = nn.functional.mse_loss(net(x[48:]), aims[48:]).item()
        LOOP
        print("test loss", loss)
main()
net.load_state_dict(torch.load(os.path.join(folder, "best.pt")))
"""
COPIED = """
def keep(state, is_best):
    path = os.path.join(folder, "last.pt")
    torch.save(state, path)
    if is_best:
        shutil.COPY(path, os.path.join(folder, "best.pt"))
"""
SAVED = """
def keep(state, is_best):
    if is_best:
        torch.save(state, os.path.join(folder, "best.pt"))
"""
NAMED = "is_best = loss SIGN best_loss\n        UPDATE\n        keep(net.state_dict(), is_best)"
INLINE = "keep(net.state_dict(), is_best=loss SIGN best_loss)\n        UPDATE"
WAYS = [
    (COPIED.replace("COPY", "copyfile"), NAMED),
    (COPIED.replace("COPY", "copy2"), INLINE),
    (COPIED.replace("COPY(path, ", "copyfile(src=path, dst="), INLINE),
    (SAVED, NAMED),
    (SAVED, INLINE),
]


def _program(keep, loop, update="best_loss = min(loss, best_loss)", sign="<", first="float('inf')"):
    words = {"KEEP": keep, "LOOP": loop, "SIGN": sign, "UPDATE": update, "FIRST": first}
    program = PROGRAM
    for word, text in words.items():
        program = program.replace(word, text)
    return program


@pytest.mark.parametrize("keep, loop", WAYS)
def test_a_best_value_that_is_never_set_is_told_where_a_function_is_handed_the_outcome(found, keep, loop):
    assert found(_program(keep, loop, "pass")) == {"best_never_updated"}
    assert not found(_program(keep, loop))


@pytest.mark.parametrize("keep, loop", WAYS[1:4])
def test_a_comparison_the_wrong_way_is_told_there_too(found, keep, loop):
    assert found(_program(keep, loop, "best_loss = max(loss, best_loss)", ">", "0.0")) == {"best_wrong_way"}


PRINTED = """
def keep(state, is_best):
    torch.save(state, os.path.join(folder, "best.pt"))
    if is_best:
        print("*")
"""


def test_a_flag_that_only_prints_is_no_choice(found):
    assert not found(_program(PRINTED, NAMED, "pass"))
