"""Totals that go on over several passes, on readings by hand: whole numbers may meet a quotient by chance."""

from dataclasses import replace

from truestep.check.rules._last_batch import hits_of_one
from truestep.check.rules._readings import Figure, Reading
from truestep.check.rules._unreset import over_one
from truestep.check.rules.wrong_denominator import _of_readings
from truestep.check.site import NOWHERE


def reading(n, hits, rows=50):
    """The hits of one of two batches of 50 in a pass; a pass is a run of a loader, after 10 updates more each."""
    run = 1 + n // 2
    return Reading(n, 10 * run, NOWHERE, hits, "sum", rows, rows, run, True)


def figures(hits, told):
    """What a name stood for after each pass; `told` makes it of the hits so far, those of the pass and of its last."""
    held = [reading(n, each) for n, each in enumerate(hits)]
    for end in range(2, len(held) + 1, 2):
        before = held[:end]
        values = [each.value for each in before]
        yield Figure(end, "accuracy", told(values), NOWHERE, tuple(before[::-1]))


def test_a_total_that_goes_on_is_told_by_what_grows():
    found = list(over_one(list(figures([41, 42, 43, 44, 45, 46], lambda hits: sum(hits) / 100))))
    assert [message for _, message, _ in found] == ["what was added up over 3 passes is divided by the 100 of one"]


def test_the_number_of_an_epoch_is_no_share_of_a_perfect_model():
    perfect = list(figures([50] * 6, lambda hits: sum(hits) / 100))
    assert list(over_one(perfect)) == []
    assert list(over_one([replace(each, value=int(each.value)) for each in perfect])) == []


def test_a_share_of_one_pass_says_nothing():
    assert list(over_one(list(figures([41, 42, 43, 44, 45, 46], lambda hits: sum(hits[-2:]) / 100)))) == []


def test_hits_of_the_last_batch_over_all_samples():
    found = list(hits_of_one(list(figures([41, 42, 43, 44, 45, 46], lambda hits: hits[-1] / 100))))
    assert [message for _, message, _ in found] == ["the sum of the last of 2 batches is divided by all 100 samples"]
    assert list(hits_of_one(list(figures([40, 50, 30, 50, 20, 50], lambda hits: hits[-1] / 100)))) == []


def shares(hits, told):
    """A figure beside the accuracies of the batches of 32 of a pass, over a loader of 400 items."""
    held = tuple(Reading(n, n, NOWHERE, hit / 32, "mean", 32, 32, 1, True) for n, hit in enumerate(hits))
    return _of_readings([Figure(len(hits), "accuracy", told, NOWHERE, held[::-1])], {400: "the items"}, set())


def test_the_share_of_other_rows_is_no_quotient_of_the_batches():
    assert shares([2, 4], 3 / 64) == []  # 100 * (2 / 32 + 4 / 32) / 400 is the same
    assert shares([2, 4], 6 / 32 / 400)
    assert shares([30] * 12 + [14], 100 * 374 / 32 / 400)
    assert shares([32, 32], 2 / 400)
