"""The gate: every wrong program is named by its own rule, and nothing else raises an alarm.

`GATE=never_cleared,broadcast` asks these rules alone; `corpus/gate.py` prints recall and false alarms as a table.
"""

import os

import pytest

from corpus import gate, index
from truestep.check.rules import rules

ASKED = set(os.environ.get("GATE", "").split(",")) - {""} or None
SAMPLE = 20  # every twentieth in the quick suite, all of them in `make test-long`
WRITTEN = set(rules())


def sampled(items, name):
    quick = [bool(ASKED) or number % SAMPLE == 0 for number in range(len(items))]
    return [
        pytest.param(item, id=name(item), marks=() if soon else pytest.mark.long)
        for item, soon in zip(items, quick, strict=True)
    ]


CHOSEN = [entry for entry in index.WRONG if not ASKED or set(entry.accepted) & ASKED]


def test_every_mistake_has_a_rule():
    assert {entry.slug for entry in index.WRONG} <= WRITTEN


def shown(findings):
    return "\n".join(map(str, findings))


@pytest.mark.parametrize("entry", sampled(CHOSEN, lambda entry: entry.name))
def test_a_mistake_is_named(entry):
    assert gate.named(entry, ASKED), f"{entry.mistake}\n{shown(gate.findings(entry.path, ASKED))}"


@pytest.mark.parametrize("entry", sampled(index.WRONG, lambda entry: entry.name))
def test_a_twin_raises_no_alarm(entry):
    assert shown(gate.alarms(entry.twin, ASKED)) == ""


@pytest.mark.parametrize("path", sampled(index.CORRECT, lambda path: path.stem))
def test_a_correct_program_raises_no_alarm(path):
    assert shown(gate.alarms(path, ASKED)) == ""
