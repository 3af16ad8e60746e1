"""A mend that can be done to a run confirms the findings in the wrong programs; the numbers of both runs decide."""

import pytest

from corpus import confirming, index
from truestep.check.confirm import Offer
from truestep.check.rules import rules

QUICK = {"never_cleared_b", "clip_after_step_a", "schedule_before_optimizer_a"}
UNTRIED = {
    "step_missing_d": "a GradScaler would have to take part",
    "clip_scaled_b": "the scale is kept by hand",
    "padding_counted_b": "a mask left the padding in: no ignore_index tells it",
    "samples_unseen_b": "slices of tensors, and no loader",
    "samples_unseen_c": "slices of tensors, and no loader",
    "samples_unseen_fu1": "parts of tensors, and no loader",
    "best_is_reference_b": "the model itself is kept, and no state of it",
    "rate_too_large_b": "the updates are made by hand",
    "rate_too_small_c": "the updates are made by hand",
    "clip_after_step_c": "the gradients are clipped by hand",
    "padding_counted_c": "the padding is filled in by hand, and no number stands for it",
    "padding_counted_d": "the padding is filled in by hand, and no number stands for it",
    "softmax_dim_w2": "with the right soft targets the loss is another figure, and may end higher",
    "softmax_twice_w1": "a distribution is handed the probabilities, and no loss",
    "best_is_reference_w1": "the parameters are kept by hand, and no state of a model",
    "clip_after_step_gr1": "the weights are moved by hand",
    "clip_after_step_mr1": "the gradients are rescaled by hand",
    "clip_after_step_h1": "the gradients are clipped and the weights moved by hand",
    "parameters_unheld_le1": "what is thawed has to be given to the optimizer",
    "padding_counted_da1": "the places that never were are told by a mask of the program's own",
    "padding_counted_ma1": "the errors of padded steps are zeros already, and only their count is wrong",
    "samples_unseen_r1": "parts of tensors, and no loader",
    "samples_unseen_ma1": "the data set's own length is wrong",
    "samples_unseen_le1": "the rows are chosen by a number",
    "functional_dropout_m1": "the mode is never switched, so that there is none to obey",
    "eval_in_train_mr1": "the teacher is called by the very lines that train the student",
    "eval_in_train_w4": "what is counted for each class is no number of the whole",
    "softmax_dim_ma1": "the logarithm is taken off by hand",
    "rate_too_small_gr1": "the updates are made by hand",
    "broadcast_e": "the column is a part of an expression that no call is handed",
}
BETTER_WRONG = {
    "softmax_dim_d": "heads that compete learn this task faster; their weights add up to no 1 all the same",
    "softmax_dim_da1": "with one state a batch each action is certain, and the loss of it nothing",
}
ELSEWHERE = {
    "clip_scaled_gr1": "it unscales behind its clipping, which may not be done twice: the rerun fails",
    "parameters_unheld_d": "it is told as optimizer_strangers",
}
MENDED = [
    entry for entry in index.WRONG
    if rules()[entry.slug].mend is not None and entry.ranks == 1 and entry.name not in ELSEWHERE
]  # fmt: skip


def test_most_rules_of_a_run_have_a_mend():
    assert len({entry.slug for entry in MENDED}) == 28


@pytest.mark.parametrize(
    "entry", [pytest.param(e, id=e.name, marks=() if e.name in QUICK else pytest.mark.long) for e in MENDED]
)
def test_a_mend_confirms_what_was_found(entry):
    told = confirming.confirmed(entry.path, {entry.slug})
    assert told
    for finding in told:
        words = finding.confirmation.words
        wanted = "cannot be tried" if entry.name in UNTRIED else "confirmed"
        assert finding.confirmation.verdict == ("not confirmed" if entry.name in BETTER_WRONG else wanted), words
        assert entry.name in UNTRIED or finding.confirmation.measured[0]["noise"] == 0
        assert "seed" not in words  # every program of the corpus seeds what it draws


@pytest.mark.parametrize("name", ["never_cleared_b", pytest.param("softmax_twice_a", marks=pytest.mark.long)])
def test_a_mend_that_does_nothing_confirms_nothing(name, monkeypatch):
    """The same runs with the mend only measured: the verdict hangs on what the mend does."""
    (entry,) = [entry for entry in MENDED if entry.name == name]
    order = Offer.order
    monkeypatch.setattr(Offer, "order", lambda offer, live: order(offer, live=False))
    assert [finding.confirmation.verdict for finding in confirming.confirmed(entry.path, {entry.slug})] != ["confirmed"]
