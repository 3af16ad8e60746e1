"""Two tapes are the same only where each line is: operation, arguments, and the kinds of their numbers."""

import operator
from typing import Any

import pytest

from truestep.core.tape import Tape


def tape(value: Any, target: Any = operator.add, place: int = 0) -> Tape:
    found = Tape()
    lines = [found.given("given_0"), found.given("given_1")]
    found.returns([found.call(target, (lines[place], [value, (lines[1],)]), {"alpha": value})])
    return found


@pytest.mark.parametrize("value", [1, 1.0, True, None, float("nan"), "mean", -0.0])
def test_a_tape_is_the_same_as_one_that_says_the_same(value: Any):
    assert tape(value).same(tape(type(value)(value) if value is not None else None))


@pytest.mark.parametrize("one, other", [(1, 1.0), (1, True), (0.0, -0.0), (1.0, float("nan")), (2, 3), ((1,), [1])])
def test_numbers_of_other_kinds_are_told_apart(one: Any, other: Any):
    assert not tape(one).same(tape(other))


def test_other_operations_and_other_places_are_told_apart():
    assert not tape(1).same(tape(1, operator.sub))
    assert not tape(1).same(tape(1, place=1))


def test_a_graph_has_the_lines_of_the_tape_in_their_order():
    nodes = list(tape(2.0).graph().nodes)
    assert [node.op for node in nodes] == ["placeholder", "placeholder", "call_function", "output"]
    assert nodes[2].args == (nodes[0], [2.0, (nodes[1],)])
    assert nodes[2].kwargs == {"alpha": 2.0}
    assert nodes[3].args == ((nodes[2],),)
