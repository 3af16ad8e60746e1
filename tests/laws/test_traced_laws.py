"""The laws of the step, held by steps that are taken as programs: the same functions, on examples of theirs."""

import contextlib
from typing import Any

import pytest
import torch

import truestep as ts
from laws import test_step, test_updates
from laws.step_cases import PROBLEMS
from truestep.core.traced import AtOnce


class _Programs(ts.TrainStep):
    """A step that has been learnt before its first window: everything is put back, so that the law sees no other."""

    taken_as_programs = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, compile=True, **options)

    def window(self, batches: Any) -> Any:
        quick, before = self.quick, self.taken
        assert isinstance(quick, AtOnce)
        shape = len(quick.traced._known)
        if not shape and not before:
            self._learn(batches)
        _Programs.taken_as_programs += bool(quick.traced._known)
        return super().window(batches)

    def _learn(self, batches: Any) -> None:
        tensors = [*self.updates.parameters, *self.running]
        held = [tensor.detach().clone() for tensor in tensors]
        with contextlib.suppress(ts.TruestepError):
            super().window(batches)
        with torch.no_grad():
            for tensor, value in zip(tensors, held, strict=True):
                tensor.copy_(value)
        self.taken = 0


def law(function: Any, **given: Any) -> Any:
    inner = getattr(function, "hypothesis", None)
    return pytest.param((function if inner is None else inner.inner_test, given), id=function.__name__)


SIZES = {"samples": 7, "micro": 3, "seed": 1}
LAWS = [
    *(
        law(test_step.test_micro_batch_changes_nothing, problem=PROBLEMS[name], scale=1.0, **SIZES)
        for name in ("mean", "tokens", "elements and rows", "sum beside mean")
    ),
    law(
        test_step.test_windows_equal_one_batch, problem=PROBLEMS["tokens"], samples=8, edges=[2, 2, 5], micro=3, seed=1
    ),
    law(test_step.test_the_order_of_samples_changes_nothing, problem=PROBLEMS["mean"], **SIZES),
    law(test_step.test_padding_changes_nothing, padding=4, **SIZES),
    law(test_step.test_a_sum_is_n_times_the_mean, **SIZES),
    law(test_step.test_clipping_acts_on_the_final_gradient, problem=PROBLEMS["tokens"], limit=1e-3),
    law(test_step.test_gradients_of_the_step_before_are_forgotten, problem=PROBLEMS["mean"]),
    law(test_updates.test_frozen_parameters_that_the_optimizer_holds_stay, problem="mean"),
    law(test_updates.test_a_parameter_that_takes_no_part_is_left_alone, problem="mean"),
]


@pytest.mark.parametrize("case", LAWS)
def test_the_laws_of_the_step_hold_for_programs(case: Any, monkeypatch: pytest.MonkeyPatch):
    function, given = case
    monkeypatch.setattr(ts, "TrainStep", _Programs)
    _Programs.taken_as_programs = 0
    function(**given)
    assert _Programs.taken_as_programs
