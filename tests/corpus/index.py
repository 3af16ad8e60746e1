"""The corpus as a table: every wrong program with its mistake and its effect, and every correct one by its path."""

from corpus.entries import (
    advice,
    arrays,
    data,
    further,
    losses,
    modes,
    parameters,
    preparing,
    ranks,
    reporting,
    schedules,
    unseen,
    updates,
)
from corpus.entry import HERE

WRONG = [
    *updates.WRONG,
    *parameters.WRONG,
    *ranks.WRONG,
    *losses.WRONG,
    *data.WRONG,
    *preparing.WRONG,
    *modes.WRONG,
    *arrays.WRONG,
    *reporting.WRONG,
    *schedules.WRONG,
    *unseen.WRONG,
    *further.WRONG,
    *advice.WRONG,
]
CORRECT = sorted((HERE / "correct").glob("*.py"))
ADVICE = {entry.slug for entry in advice.WRONG}
