"""The sentences of a ledger say what mattered most, with its numbers, and never that something else did."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from truestep.explain.figures import about, number, percent, short, shorten, width
from truestep.explain.words import in_a_sentence, sentences
from unit.ledger_cases import HOSTILE, REAL, chosen, module

NAN = math.nan

SAID = {
    "helpers and an opponent": (
        chosen({"mse": 0.83, "momentum": 0.21, "decay": -0.04, "rounding": 1e-8}),
        "mse made 83 % of the update, momentum 21 %, and decay worked against it by 4 %.",
    ),
    "two helpers": (chosen({"mse": 0.6, "momentum": 0.4}), "mse made 60 % of the update and momentum 40 %."),
    "one helper, one opponent": (
        chosen({"mse": 1.25, "momentum": -0.25}),
        "mse made 125 % of the update, and momentum worked against it by 25 %.",
    ),
    "two opponents": (
        chosen({"mse": 1.5, "decay": -0.2, "momentum": -0.3}),
        "mse made 150 % of the update, and momentum and decay worked against it by 30 % and 20 %.",
    ),
    "one cause": (chosen({"mse": 1.0, "rounding": 0.0}), "mse made all of the update."),
    "nearly one": (chosen({"mse": 0.997, "decay": 0.003}), "mse made nearly all (99.7 %) of the update."),
    "many": (
        chosen({"a": 0.4, "b": 0.3, "c": 0.15, "d": 0.1, "e": 0.05}),
        "a made 40 % of the update, b 30 %, c 15 %, and 2 other causes 15 %.",
    ),
    "more than can be worth a word": (
        chosen({f"t{i}": 1 / 256 for i in range(256)}),
        "t0 made 0.39 % of the update, t1 0.39 %, t2 0.39 %, and 253 other causes 99 %.",
    ),
    "clipping": (
        chosen({"mse": 10.0, "clipping": -9.2, "momentum": 0.2}, clipped=(12.4, 0.992)),
        "Clipping cut the gradient from 12.4 to 0.992; with that counted, "
        "mse made 80 % of the update and momentum 20 %.",
    ),
    "rounding": (
        chosen({"mse": 0.5, "rounding": 0.5}),
        "mse made 50 % of the update and rounding 50 %.",
    ),
    "a fight": (
        chosen({"a": 1.6, "b": -0.6}, cosines={("a", "b"): -0.62, ("a", "c"): -0.4}),
        "a made 160 % of the update, and b worked against it by 60 %; a and b pull against each other (cosine -0.62).",
    ),
    "no fight": (chosen({"a": 1.0}, cosines={("a", "b"): -0.29, ("a", "c"): NAN}), "a made all of the update."),
    "a skipped step": (
        chosen({"mse": 0.0}, change=0.0, skipped=True, reason="step 3 skipped: the loss mse is nan"),
        "No weight moved; step 3 skipped: the loss mse is nan.",
    ),
    "a rate of zero": (
        chosen({"mse": 0.0}, change=0.0, lr=0.0),
        "Nothing moved: the learning rate of this step is 0.",
    ),
    "no gradient": (
        chosen({"mse": 0.0}, change=0.0, grad_norm=0.0),
        "Nothing moved: the gradient of every parameter is zero.",
    ),
    "an idle optimizer": (chosen({"mse": 0.0}, change=0.0), "Nothing moved: the optimizer left every weight."),
    "too small a step": (
        chosen({"mse": 1e-9, "rounding": -1e-9}, change=0.0),
        "Nothing moved: the causes cancelled out or were too small for the precision of the weights.",
    ),
    "infinite": (
        chosen({"mse": math.inf}, change=math.inf),
        "The update holds values that are not finite, or too large or too small to square: no share can be told.",
    ),
    "too small to square": (
        chosen({"mse": 1e-200}, change=1e-200),
        "The update holds values that are not finite, or too large or too small to square: no share can be told.",
    ),
}


@pytest.mark.parametrize("ledger, said", SAID.values(), ids=SAID)
def test_the_sentence_says_what_mattered_most(ledger, said):
    assert in_a_sentence(ledger) == said
    assert ledger.words == said


@pytest.mark.parametrize("case", REAL.values(), ids=REAL)
def test_what_clipping_left_of_the_terms_and_all_other_causes_make_the_whole(case):
    ledger = case()
    shares = dict(ledger.shares)
    before, after = ledger.clipped
    if shares.pop("clipping", None) is None:
        return
    left = sum(share * after / before if cause in ledger.out.totals else share for cause, share in shares.items())
    assert left == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize("case", REAL.values(), ids=REAL)
def test_every_table_has_one_plain_sentence_that_a_terminal_can_show(case):
    for said in sentences(case()).values():
        assert said.endswith(".")
        assert said.isprintable()
        assert len(said) < 500


def test_the_parameters_that_moved_furthest_and_not_at_all_are_named():
    assert sentences(chosen({"mse": 1.0}))["accounts"] == "weight moved furthest for its size, by 25 % of its norm."
    assert sentences(chosen({"mse": 0.0}, change=0.0))["accounts"] == "1 did not move: weight."


@pytest.mark.parametrize(
    "losses, norms, said",
    [
        ([3.0, 1.0], [2.0, 1.0], "Sample 0 is the hardest: 75 % of the loss, 1.5 times an even share, and its gradient "
         "has norm 2."),
        ([3.0, 1.0], [1.0, 2.0], "Sample 0 is the hardest: 75 % of the loss, 1.5 times an even share, and its gradient "
         "has norm 1; sample 1 pulls hardest, with norm 2."),
        ([3.0, 1.0], [NAN, NAN], "Sample 0 is the hardest: 75 % of the loss, 1.5 times an even share."),
        ([2.0, 2.0], [1.0, 1.0], "No sample is harder than another: each adds 2 to the loss, and its gradient has "
         "norm 1."),
        ([-3.0, -1.0], [1.0, 1.0], "Sample 1 adds the most to the loss, -1, and its gradient has norm 1."),
        ([NAN, 1.0], [1.0, 1.0], "The loss is not finite for 1 of 2 samples: 0."),
        ([2.0], [1.0], "The only sample adds 2 to the loss, and its gradient has norm 1."),
        ([], [], "The batch has no samples."),
    ],
)  # fmt: skip
def test_the_hardest_sample_is_named(losses, norms, said):
    ledger = chosen({"mse": 1.0}, losses=torch.tensor(losses).double(), norms=torch.tensor(norms).double())
    assert sentences(ledger)["samples"] == said


@pytest.mark.parametrize(
    "modules, said",
    [
        ([module("0", dead=0.25), module("1", dead=0.5)],
         "ReLU 1 has the most dead units: 50 % are zero for every sample."),
        ([module("", "Tanh", saturated=0.07)], "Tanh is the most saturated: 7 % of its output is at a limit."),
        ([module("a", dead=0.0)], "No unit is dead or saturated."),
        ([module("a", "Linear", gradient=0.5), module("b", "Linear", gradient=2.0),
          module("a", "Linear", gradient=9.0, call=2)],
         "The gradient has norm 2 at the output of Linear b and 0.5 at that of Linear a."),
        ([module("a", nans=3), module("b", nans=9, dead=0.5)],
         "ReLU a is the first module whose output is not finite: 3 NaN and 0 infinite of 32 values."),
    ],
)  # fmt: skip
def test_dead_and_saturated_units_and_the_way_of_the_gradient_are_told(modules, said):
    assert sentences(chosen({"mse": 1.0}, modules=tuple(modules)))["modules"] == said


@pytest.mark.parametrize(
    "cosines, said",
    [
        ({("a", "b"): -0.5}, "a and b pull against each other: the cosine of their gradients is -0.50."),
        ({("a", "b"): 0.9}, "a and b pull the same way: the cosine of their gradients is 0.90."),
        ({("a", "b"): 0.1}, "a and b hardly touch each other: the cosine of their gradients is 0.10."),
        ({("a", "b"): 0.9, ("a", "c"): 0.4},
         "No two terms fight: even a and c pull the same way: the cosine of their gradients is 0.40."),
        ({("a", "b"): NAN}, "No two terms have gradients to compare."),
    ],
)  # fmt: skip
def test_the_terms_that_fight_are_named(cosines, said):
    assert sentences(chosen({"a": 1.0}, cosines=cosines))["cosines"] == said


@pytest.mark.parametrize(
    "value, table, sentence",
    [
        (0.0, "0", "0"), (-0.0, "0", "0"), (1.0, "1.000", "1"), (12.4, "12.40", "12.4"), (0.5725, "0.5725", "0.573"),
        (-0.041449, "-0.04145", "-0.0414"), (1234.5678, "1,235", "1,235"), (123456.7, "123,457", "123,457"),
        (1234567.0, "1.235e6", "1.23e6"), (0.00012345, "0.0001234", "0.000123"), (0.000012, "1.200e-5", "1.2e-5"),
        (999999.9, "1.000e6", "1e6"), (9.9999, "10.00", "10"), (NAN, "nan", "nan"), (-math.inf, "-inf", "-inf"),
    ],
)  # fmt: skip
def test_numbers_have_four_digits_in_tables_and_three_in_sentences(value, table, sentence):
    assert number(value) == table
    assert short(value) == sentence


@given(st.floats(-1e300, 1e300))
def test_a_number_reads_as_itself_within_its_digits(value):
    assert float(number(value).replace(",", "")) == pytest.approx(value, rel=5.1e-4)
    assert float(short(value).replace(",", "")) == pytest.approx(value, rel=5.1e-3)


@pytest.mark.parametrize(
    "share, table, sentence",
    [
        (0.0, "0 %", "0 %"), (0.831, "83.1 %", "83 %"), (-0.0412, "-4.1 %", "-4.1 %"), (1e-9, "<0.1 %", "1e-7 %"),
        (12.4, "1,240.0 %", "1,240 %"), (1e7, "1.000e9 %", "1.0e9 %"), (0.0005, "0.1 %", "0.05 %"), (NAN, "nan", None),
    ],
)  # fmt: skip
def test_shares_read_as_per_cent_and_never_as_zero_unless_they_are(share, table, sentence):
    assert percent(share) == table
    assert sentence is None or about(share) == sentence


@given(st.one_of(st.text(), st.sampled_from(HOSTILE)), st.integers(3, 40))
def test_a_shortened_name_fits_and_moves_no_cursor(name, most):
    found = shorten(name, most)
    assert width(found) <= most
    assert found.isprintable()
    if name.isprintable() and width(name) <= most:
        assert found == name
