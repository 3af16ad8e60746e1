"""Totals that the log sets back to zero within a pass, and what is divided by all of its batches afterwards."""

import pytest

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

LOGGED = """
given, wanted = torch.randn(220, 6), torch.randn(220, 2)
loader = DataLoader(TensorDataset(given, wanted), 10, shuffle=True)
class Hand:
    def __len__(self):
        return 22
    def __iter__(self):
        order = torch.randperm(220)
        return ((given[order[i : i + 10]], wanted[order[i : i + 10]]) for i in range(0, 220, 10))
class Meter:
    def __init__(self):
        self.held, self.curve = 0.0, []
    def close(self, batches):
        self.curve.append(SHARE)
        return self.curve[-1]
meter = Meter()
for epoch in range(4):
    since = 0
    for number, (a, b) in enumerate(loader):
        loss = (net(a) - b).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        meter.held += loss.item()
        since += 1
        if since == 8:
            SHOW
            BACK
    told = meter.close(len(loader))
    print(TOLD)
    meter.held = 0.0
"""
BACK = "meter.held = 0.0; since = 0"
SHOW = "print('step', number, meter.held / since)"
NAMED = "'epoch', epoch, 'loss', told"


@pytest.fixture(name="either", params=["loader", "Hand()"])
def found_either_way(found, request):
    """What the rules find where a loader makes the batches, or the loop cuts them itself."""
    return lambda program: found(program.replace("enumerate(loader)", f"enumerate({request.param})"))


@pytest.mark.parametrize("told", [NAMED, "f'epoch {epoch}: {told:.3f}'"])
def test_what_is_left_of_a_total_that_is_told_for_the_pass_is_found(either, told):
    program = LOGGED.replace("SHOW", SHOW).replace("TOLD", told).replace("self.curve[-1]", "self.curve.pop()")
    assert "wrong_denominator" in either(program.replace("BACK", BACK).replace("SHARE", "self.held / batches"))


@pytest.mark.parametrize(
    "back, share",
    [
        ("pass", "self.held / batches"),  # never set back within a pass
        (BACK, "self.held / 6"),  # the last batches, divided by themselves
        (BACK, "self.held"),
        (BACK, "self.held / 9"),  # by nothing that is known
    ],
)
def test_totals_of_a_pass_and_means_of_the_last_batches_are_sound(either, back, share):
    program = LOGGED.replace("SHOW", SHOW).replace("TOLD", NAMED).replace("BACK", back).replace("SHARE", share)
    assert "wrong_denominator" not in either(program)


@pytest.mark.parametrize("factor", ["float('nan')", "float('inf')", "1e307"])
def test_losses_that_are_no_numbers_or_too_large_for_a_total_are_left_alone(found, factor):
    program = (
        LOGGED.replace("SHOW", SHOW).replace("TOLD", NAMED).replace("BACK", BACK).replace("SHARE", "self.held / 9")
    )
    assert "wrong_denominator" not in found(program.replace("loss.item()", f"loss.item() * {factor}"))
    assert "wrong_denominator" not in found(
        program.replace("loss.item()", f"(loss.detach().double() * {factor}).item()")
    )
