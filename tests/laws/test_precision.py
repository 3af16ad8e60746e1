"""Mixed precision: half-precision forward passes, whole-precision totals, and float16 that finds its scale."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

import truestep as ts
from laws.step_cases import identical, snapshot
from truestep.core.errors import ConfigError
from truestep.core.outcome import StepOut


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def batch(samples: int = 12, scale: float = 1.0) -> tuple[Tensor, Tensor]:
    labels = torch.arange(samples) % 4
    labels[::5] = -100
    return scale * torch.randn(samples, 8), labels


def step_of(model: nn.Module, loss: Any = None, **options: Any) -> ts.TrainStep:
    loss = loss or nn.CrossEntropyLoss(torch.tensor([0.5, 1.0, 2.0, 3.0]))
    return ts.TrainStep(model, loss, optim.SGD(model.parameters(), 0.1, momentum=0.9), **options)


def taken(step: ts.TrainStep, x: Tensor, y: Tensor) -> StepOut:
    """The first step for which the scale of float16 is small enough: totals that are divided late overflow sooner."""
    while (out := step(x, y)).skipped:
        assert "overflowed" in out.reason
    return out


@pytest.mark.parametrize("amp", ["bfloat16", torch.bfloat16, "float16"])
@pytest.mark.parametrize("late", [False, True])
def test_a_split_step_in_half_precision_is_the_whole_one(amp: Any, late: bool):
    loss = ts.Term(nn.CrossEntropyLoss(), of=lambda o, y: (o, y)) if late else nn.CrossEntropyLoss()
    whole, split, full = network(), network(), network()
    x, y = batch()
    a = taken(step_of(whole, loss, amp=amp), x, y)
    b = taken(step_of(split, loss, amp=amp, micro_batch=5), x, y)
    c = step_of(full, loss)(x, y)
    assert a.loss == pytest.approx(b.loss, rel=1e-5)  # the same half-precision products, summed in float32
    assert a.grad_norm == pytest.approx(b.grad_norm, rel=1e-2)
    assert a.loss == pytest.approx(c.loss, rel=1e-2)
    assert a.loss != c.loss, "nothing was computed in half precision"
    pairs = zip(whole.parameters(), split.parameters(), strict=True)
    assert all(torch.allclose(p, q, atol=2e-3) for p, q in pairs)


@pytest.mark.parametrize("amp", ["bfloat16", "float16"])
def test_totals_weights_and_gradients_keep_their_precision(amp: str):
    model, seen = network(), []

    def loss(output: Tensor, target: Tensor) -> Tensor:
        seen.append((output.dtype, torch.is_autocast_enabled("cpu")))
        return (output - 1).square()

    step_of(model, loss, amp=amp, micro_batch=4)(*batch())
    assert seen == [(torch.float32, False)] * 3
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_small_gradients_survive_float16_by_its_scale():
    """1e-9 is nothing in float16, whose least number is 6e-8."""
    model = network()
    tiny = ts.Objective(tiny=(1e-9, nn.CrossEntropyLoss()))
    out = step_of(model, tiny, amp="float16")(*batch())
    reference = step_of(network(), tiny)(*batch())
    assert out.grad_norm == pytest.approx(reference.grad_norm, rel=0.2)
    assert out.grad_norm > 0


@pytest.mark.parametrize("micro", [None, 5])
def test_an_overflow_of_float16_skips_the_step_and_halves_the_scale(micro: int | None):
    model = network()
    step = step_of(model, ts.Objective(loud=(1e4, nn.CrossEntropyLoss())), amp="float16", micro_batch=micro)
    scaler = step.precision.scaler
    assert scaler is not None
    before, skipped = snapshot(model), 0
    while (out := step(*batch())).skipped:
        skipped += 1
        assert "float16 overflowed, so its loss scale is halved" in out.reason
        assert identical(before, snapshot(model))
        assert scaler.get_scale() == 2.0 ** (16 - skipped)
    assert 0 < skipped < 16
    assert not identical(before, snapshot(model))


def test_a_batch_that_counts_nothing_leaves_the_scale_in_order():
    model = network()
    step = step_of(model, amp="float16")
    x, y = batch()
    assert step(x, torch.full_like(y, -100)).skipped
    assert not step(x, y).skipped
    assert step(x, torch.full_like(y, -100)).skipped


def test_an_unknown_precision_is_refused():
    with pytest.raises(ConfigError, match=r"^amp knows 'bfloat16', 'float16' and None, and 'half' is none of them\.$"):
        step_of(network(), amp="half")
