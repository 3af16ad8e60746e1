"""Every wrong program really goes wrong, measured beside its corrected twin; every correct one runs."""

import math

import pytest

from corpus import index, running

SAMPLE = 20  # every twentieth in the quick suite, all of them in `make test-long`


def sampled(items, name):
    marks = [() if number % SAMPLE == 0 else pytest.mark.long for number in range(len(items))]
    return [pytest.param(item, id=name(item), marks=mark) for item, mark in zip(items, marks, strict=True)]


def measured(path, ranks):
    return running.run(path).measured if ranks == 1 else running.run_on_ranks(path, ranks)[0]


@pytest.mark.parametrize("entry", sampled(index.WRONG, lambda entry: entry.name))
def test_a_wrong_program_has_its_effect_and_its_twin_has_not(entry):
    wrong, right = measured(entry.path, entry.ranks), measured(entry.twin, entry.ranks)
    assert entry.effect(wrong, right), f"{entry.mistake} wrong: {wrong}, right: {right}"
    assert not entry.effect(right, right), f"the measure of {entry.name} cannot tell the twin from the mistake"


@pytest.mark.parametrize("path", sampled(index.CORRECT, lambda path: path.stem))
def test_a_correct_program_trains(path):
    ran = running.run(path)
    assert ran.printed
    assert all(math.isfinite(value) for value in ran.names["result"].values())
