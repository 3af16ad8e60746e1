"""A run that is interrupted after any step and gone on with ends in the very bits of the run that never was.

The short form stops twice in runs of 14 steps. The long form stops after every one of 50; with two workers in one case
after every one, and in the others after every seventh.
"""

import random
import signal

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from laws.resume_cases import LONG, STEPS, Case, covering, differences, halted, samples, train

CASES = covering()
WORKERS = Case("adamw", 0.3, True, (1, "step"), "step", 0.5, 2)
COUNTS = {"runs": 0, "stops": 0}


def assert_resumes(case: Case, folder, stops) -> None:
    whole = train(case)
    for stop in stops:
        place = folder / str(stop)
        halted(case, place, stop)
        again = train(case, checkpoint=place, resume=True)
        assert not differences(whole.state(), again.state()), f"stopped after step {stop}"
        COUNTS["stops"] += 1
    COUNTS["runs"] += 1


def test_the_workers_of_a_loader_draw_what_they_would_have(tmp_path):
    assert_resumes(WORKERS, tmp_path, range(1, STEPS + 1) if LONG else (14,))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_run_goes_on_to_the_same_bits(case: Case, tmp_path, figure):
    assert_resumes(case, tmp_path, range(1, STEPS + 1, 7 if case.workers == 2 else 1) if LONG else (2, 9))
    if case == CASES[-1]:
        how = "stopped by SIGINT after step k, gone on with, and every byte compared with the same run left alone"
        figure("resume is bit-exact", how, f"{COUNTS['stops']:,} stops in {COUNTS['runs']} runs", "0 differ")


def test_a_signal_does_not_wait_for_the_end_of_a_validation(tmp_path):
    """It ends the run between two batches of it, and what they drew is drawn again."""
    case = Case("momentum", 0.3, True, (3, "carry"), "epoch", None, "set")
    validations = []

    def drawn(output: Tensor, target: Tensor) -> Tensor:
        number = random.random() + float(torch.rand(()))
        if len(target) == 3:  # a batch of the validation, and none of the training
            validations.append(number)
            if len(validations) == 5:
                signal.raise_signal(signal.SIGINT)
        return torch.full(target.shape, number)

    own = {"validate": DataLoader(TensorDataset(*samples(9, 2)), 3), "metrics": {"drawn": drawn}}
    halted(case, tmp_path, 0, **own)
    assert len(validations) == 5  # of three in each epoch
    again = train(case, checkpoint=tmp_path, resume=True, **own)
    assert not differences(train(case, **own).state(), again.state())
