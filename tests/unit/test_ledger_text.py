"""The text of a ledger is aligned, bounded, and says no other number than the ledger does."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truestep.explain.figures import number, percent, width
from truestep.explain.sheets import SHOWN, Bar, facts, looks, sheets, spans
from truestep.explain.text import BAR, LABEL, NAME, WIDTH, bar, drawn, rows, table
from truestep.explain.words import sentences
from unit.ledger_cases import HOSTILE, REAL, chosen, deep, everything, hostile, skipped, unknown

WIDEST = 150
SHARES = st.floats(-50, 50)


def sheet(ledger, key):
    return next(one for one in sheets(ledger) if one.key == key)


@pytest.mark.parametrize("case", REAL.values(), ids=REAL)
def test_the_text_of_a_ledger_is_bounded_and_has_nothing_that_a_terminal_obeys(case):
    ledger = case()
    text = table(ledger)
    assert text == ledger.table() == repr(ledger)
    assert all(line.isprintable() for line in text.splitlines())
    assert max(map(width, text.splitlines())) <= WIDEST
    assert len(text.splitlines()) < 200


@pytest.mark.parametrize("case", REAL.values(), ids=REAL)
def test_every_column_has_one_width(case):
    for one in sheets(case()):
        title, heads, rule, *body = drawn(one).splitlines()
        assert title == one.title
        widths = [len(dashes) for dashes in rule.split("  ")]
        assert width(heads) <= sum(widths) + 2 * (len(widths) - 1)
        for row in rows(one):
            assert all(width(line) <= w for cell, w in zip(row, widths, strict=True) for line in cell.splitlines())
        assert len(body) >= len(one.rows[: one.shown])


@pytest.mark.parametrize("case", REAL.values(), ids=REAL)
def test_under_each_table_stands_its_sentence(case):
    ledger = case()
    text = " ".join(table(ledger).split())
    for one in sheets(ledger):
        assert one.words == sentences(ledger)[one.key]
        assert one.words in text


def test_the_shares_shown_are_those_of_the_ledger():
    ledger = everything()
    causes = {row[0]: row[2] for row in sheet(ledger, "causes").rows}
    assert {cause: cell.value for cause, cell in causes.items()} == ledger.shares
    assert sum(cell.value for cell in causes.values()) == pytest.approx(1)
    for name, _, change, ratio, bars in sheet(ledger, "accounts").rows:
        account = ledger[name]
        assert change == number(float(account.change.norm()))
        assert ratio == f"{number(100 * account.ratio, 3)} %"
        assert {each.cause: each.value for each in bars} == {
            cause: share for cause, share in account.shares.items() if abs(share) >= 0.0005
        }
        assert all(each.text == percent(each.value) for each in bars)


def test_the_tables_show_terms_samples_modules_and_the_facts_of_the_step():
    ledger = everything()
    assert [one.key for one in sheets(ledger)] == ["causes", "accounts", "terms", "cosines", "samples", "modules"]
    before, after = ledger.clipped
    assert dict(facts(ledger))["gradient norm"] == f"{number(before)}, clipped to {number(after)}"
    terms = {row[0]: row for row in sheet(ledger, "terms").rows}
    assert terms["mae"][1:5] == (number(ledger.out.totals["mae"]), "96", number(ledger.out.terms["mae"]), "0.5")
    assert sum(row[5].value for row in terms.values()) == pytest.approx(1)
    index, loss, norm = ledger.samples.hardest(1)[0]
    first = sheet(ledger, "samples").rows[0]
    assert (first[0], first[1], first[4]) == (str(index), number(loss), number(norm))
    assert [row[:2] for row in sheet(ledger, "modules").rows] == [
        ("0", "Linear"), ("1", "ReLU"), ("2", "Linear"), ("3", "Sigmoid"),
    ]  # fmt: skip


def test_what_could_not_be_known_is_told_once():
    text = table(unknown())
    assert "note: SignUpdates has no rule" in text
    assert "the optimizer's own rule" in text
    ledger = skipped()
    assert " ".join(table(ledger).split()).count(ledger.out.reason) == 1


def test_of_many_rows_the_largest_are_shown_and_the_others_counted():
    ledger = deep()
    accounts, samples = sheet(ledger, "accounts"), sheet(ledger, "samples")
    changes = [float(ledger[name].change.norm()) for name, *_ in accounts.rows]
    assert changes == sorted(changes, reverse=True)
    assert len(rows(accounts)) == SHOWN["accounts"]
    assert "\nand 40 more\n" in drawn(accounts)
    assert "\nand 20 more\n" in drawn(samples)
    assert "more" not in drawn(sheet(everything(), "accounts"))


def test_hostile_names_are_shortened_and_harmless():
    text = table(hostile())
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert HOSTILE[0] in text
    assert "层" * 20 not in text
    assert "…" in text


def test_names_and_causes_have_bounded_columns():
    one = sheet(chosen({"m" * 90: 0.5, "decay": 0.5}), "accounts")
    line = drawn(one).splitlines()[3]
    assert max(map(len, line.split())) == LABEL
    assert all(width(row[0]) <= NAME for row in rows(sheet(hostile(), "accounts")))


@given(st.lists(SHARES, min_size=1, max_size=8))
def test_bars_are_as_long_as_their_shares_and_grow_from_one_zero(shares):
    axis = min(0.0, *shares), max(1.0, *shares)
    drawn_bars = [bar(share, axis) for share in shares]
    assert len(set(map(len, drawn_bars))) == 1
    zero = [one.find("|") for one in drawn_bars]
    assert len(set(zero)) == 1
    for share, text in zip(shares, drawn_bars, strict=True):
        left, right = (text[: zero[0]], text[zero[0] + 1 :]) if zero[0] >= 0 else ("", text)
        blank, full = (right, left) if share < 0 else (left, right)
        assert not blank.strip()
        length = full.count("█") + (full.count("▌") + full.count("▐")) / 2
        assert abs(length - abs(share) / (axis[1] - axis[0]) * BAR) <= 1.01
        assert full == (full.strip().rjust(len(full)) if share < 0 else full.strip().ljust(len(full)))


def test_a_figure_that_is_not_finite_has_no_bar():
    assert bar(math.nan, (0.0, 1.0)) == " " * BAR
    assert bar(math.inf, (-1.0, 1.0)).strip() == "|"


def test_one_axis_serves_all_rows_and_holds_zero_and_one():
    one = sheet(chosen({"a": 3.0, "b": -1.5, "c": -0.5}), "accounts")
    assert spans(one, stacked=False) == {4: (-1.5, 3.0)}
    assert spans(one, stacked=True) == {4: (-2.0, 3.0)}
    assert spans(sheet(chosen({"a": 0.5, "b": 0.5}), "causes"), stacked=False) == {2: (0.0, 1.0)}


def test_every_cause_has_its_own_look():
    causes = [*(f"term {i}" for i in range(8)), "decay", "momentum", "clipping", "rounding"]
    found = looks(causes)
    assert list(found) == causes
    assert len(set(found.values())) == len(causes)
    assert {hatched for _, hatched in (found[cause] for cause in causes[:4] + causes[8:])} == {False}


def test_sentences_are_folded_at_the_width_of_a_page():
    ledger = chosen({f"a rather long name of a loss term {i}": 0.25 for i in range(4)})
    assert all(len(line) <= WIDTH for line in drawn(sheet(ledger, "causes")).splitlines())


def test_a_bar_is_its_figure_beside_blocks():
    one = sheet(chosen({"a": 1.0, "b": 0.5, "c": -0.5}), "causes")
    assert isinstance(one.rows[0][2], Bar)
    assert [row[2] for row in rows(one)] == [
        "100.0 %        |█████████████",
        " 50.0 %        |██████▌      ",
        "-50.0 % ▐██████|             ",
        "    0 %        |             ",
    ]
