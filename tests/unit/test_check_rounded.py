"""Weights that are rounded on the way to the loss have a gradient of zeros; a gradient that is passed on has not."""

from unit.program_cases import found_by_rules  # noqa: F401 - the fixture `found`

ROUNDED = """
class Quantised(nn.Linear):
    def forward(self, given):
        scale = self.weight.detach().abs().max() / 7
        coarse = FLAT
        return nn.functional.linear(given, coarse * scale, self.bias)
net = nn.Sequential(Quantised(6, 12), nn.Tanh(), nn.Linear(12, 2))
opt = torch.optim.Adam(net.parameters(), 0.01)
epochs(DataLoader(TensorDataset(x, y), 16, shuffle=True))
"""


def test_weights_that_are_rounded_never_learn(found):
    for flat in (
        "torch.round(self.weight / scale)",
        "(self.weight / scale).floor().clamp(-7, 7)",
        "self.weight.sign()",
    ):
        assert found(ROUNDED.replace("FLAT", flat)) == {"gradient_stopped"}


def test_weights_whose_gradient_is_passed_on_do(found):
    straight = "self.weight / scale + ((self.weight / scale).round() - self.weight / scale).detach()"
    assert found(ROUNDED.replace("FLAT", straight)) == set()
    assert found(ROUNDED.replace("FLAT", "self.weight / scale")) == set()
    with_a_way_around = "self.weight / scale + 0.1 * (self.weight / scale).round()"
    assert found(ROUNDED.replace("FLAT", with_a_way_around)) == set()


SEQUENCE = """
loader = DataLoader(TensorDataset(x, y), 16, shuffle=True)
warm = torch.optim.lr_scheduler.LinearLR(opt, 0.1, total_iters=WARM)
rest = torch.optim.lr_scheduler.CosineAnnealingLR(opt, REST)
schedule = torch.optim.lr_scheduler.SequentialLR(opt, [warm, rest], [WARM])
for epoch in range(10):
    for a, b in loader:
        update(a, b)
        EACH
    ONCE
"""


def test_a_sequence_of_schedules_as_long_as_the_updates_is_not_stepped_by_epochs(found):
    sequence = SEQUENCE.replace("WARM", "6").replace("REST", "54")  # 10 epochs of 6 updates
    by_epoch = sequence.replace("EACH", "pass").replace("ONCE", "schedule.step()")
    assert found(by_epoch) == {"schedule_by_epoch"}
    assert found(sequence.replace("EACH", "schedule.step()").replace("ONCE", "pass")) == set()
    for length in ("34", "154"):  # another run's, as far as one can tell
        assert found(by_epoch.replace("54", length)) == set()
