"""The table and the folders agree."""

from collections import Counter

from corpus import index
from corpus.entry import HERE


def names(folder):
    return {path.stem for path in (HERE / folder).glob("*.py")}


def test_every_program_has_an_entry_and_a_twin():
    assert [name for name, count in Counter(entry.name for entry in index.WRONG).items() if count > 1] == []
    assert {entry.name for entry in index.WRONG} == names("wrong") == names("right")


def test_every_rule_has_at_least_two_wrong_programs():
    assert [slug for slug, count in Counter(entry.slug for entry in index.WRONG).items() if count < 2] == []


def test_the_line_of_a_mistake_is_found_once():
    assert {entry.name: entry.lines for entry in index.WRONG if len(entry.lines) != 1} == {}


def test_a_twin_is_the_same_program_but_for_its_mend():
    for entry in index.WRONG:
        wrong, right = entry.path.read_text().splitlines(), entry.twin.read_text().splitlines()
        assert wrong != right, entry.name
        assert (Counter(wrong) & Counter(right)).total() > 0.8 * len(wrong), entry.name


def test_at_least_forty_correct_programs_look_suspicious():
    assert len(index.CORRECT) >= 40


def programs():
    return [path for folder in ("wrong", "right", "correct") for path in (HERE / folder).glob("*.py")]


def test_no_program_knows_truestep():
    assert [path.name for path in programs() if "truestep" in path.read_text()] == []


def test_every_program_tells_what_it_measured():
    assert [path.name for path in programs() if "result = " not in path.read_text()] == []
