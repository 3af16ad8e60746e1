"""A run that is interrupted after any step and gone on with ends in the very bits of the run that never was.

The short form stops twice in runs of 14 steps. The long form stops after every one of 50; with two workers in one case
after every one, and in the others after every seventh.
"""

import pytest

from laws.resume_cases import LONG, STEPS, Case, covering, differences, halted, train

WORKERS = Case("adamw", 0.3, True, (1, "step"), "step", 0.5, 2)


def assert_resumes(case: Case, folder, stops) -> None:
    whole = train(case)
    for stop in stops:
        place = folder / str(stop)
        halted(case, place, stop)
        again = train(case, checkpoint=place, resume=True)
        assert not differences(whole.state(), again.state()), f"stopped after step {stop}"


@pytest.mark.parametrize("case", covering(), ids=str)
def test_a_run_goes_on_to_the_same_bits(case: Case, tmp_path):
    assert_resumes(case, tmp_path, range(1, STEPS + 1, 7 if case.workers == 2 else 1) if LONG else (2, 9))


def test_the_workers_of_a_loader_draw_what_they_would_have(tmp_path):
    assert_resumes(WORKERS, tmp_path, range(1, STEPS + 1) if LONG else (14,))
