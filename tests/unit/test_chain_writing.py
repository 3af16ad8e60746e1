"""How a chain is written: LaTeX that can be typeset, sums that say all of an axis, numbers that are rounded once."""

import re
from collections.abc import Iterable

import pytest
import torch
from torch import nn

import truestep as ts
from truestep.explain.chain.notation import number
from truestep.explain.chain.write import Chain, write_out
from unit.chain_cases import NAMES, case, of_function


def sides(chains: Iterable[Chain]) -> set[str]:
    """Every side of every equation in LaTeX, one of those that differ in names, digits, signs and number of terms."""
    found: dict[str, str] = {}
    for side in (side for chain in chains for line in chain.steps for side in line.latex.split(" = ")):
        alike = re.sub(r"\d+(\.\d+)?", "0", re.sub(r"\\mathrm\{[\w.]*\}", "n", side))
        alike = alike.replace(r"\left(-0\right)", "0").replace(" - ", " + ").removeprefix("-")
        found[re.sub(r"( \+ .{3,}?)\1+", r"\1", alike)] = side
    return set(found.values())


def typeset(sides: Iterable[str]) -> None:
    mathtext = pytest.importorskip("matplotlib.mathtext")
    parser = mathtext.MathTextParser("path")
    for side in sides:
        parser.parse(f"${side}$")


def test_every_side_of_every_equation_can_be_typeset() -> None:
    found = sides(case(name, torch.float32).write() for name in NAMES)
    assert len(found) > 100
    assert all(side.isascii() for side in found)
    typeset(found)


@pytest.mark.parametrize("name", ["several terms", "relu", "ignored label"])
def test_the_latex_is_one_block_of_aligned_rows(name: str) -> None:
    chain = case(name, torch.float32).write()
    assert chain._repr_latex_() == f"$$\n{chain.latex}\n$$"
    first, *rows, last = chain.latex.split("\n")
    assert (first, last) == (r"\begin{aligned}", r"\end{aligned}")
    assert [row.replace(r"\&", "").count("&") for row in rows] == [1] * len(rows)
    assert all(row.endswith(r" \\") for row in rows[:-1])
    plain = re.sub(r"\\[{}]", "", chain.latex)
    assert all(plain[:place].count("{") >= plain[:place].count("}") for place in range(len(plain)))
    assert plain.count("{") == plain.count("}")
    assert plain.count(r"\left") == plain.count(r"\right")
    assert len(chain.steps) <= sum("=" in row for row in rows)


def test_names_that_latex_would_read_as_its_own_are_escaped() -> None:
    w = torch.ones(2, requires_grad=True)
    chain = write_out(lambda x: x @ w, nn.L1Loss(), torch.ones(1, 2), torch.zeros(1), {"a_b%{c}\\d^": w})
    typeset(sides([chain]))
    assert r"\mathrm{a\_b\%\{c\}\ d\ }_{0}" in chain.latex


def test_a_sum_over_a_part_of_an_axis_is_written_term_by_term() -> None:
    given = of_function(lambda x, w, b: x @ w + b, torch.float64, ts.Term(lambda o, y: (o[:2] - y[:2]) ** 2))
    (total,) = [line for line in given.write().steps if line.name == "total"]
    assert total.symbols == "(output[0] - target[0])² + (output[1] - target[1])²"
    given = of_function(lambda x, w, b: x @ w + b, torch.float64, ts.Term(lambda o, y: (o - y) ** 2))
    (total,) = [line for line in given.write().steps if line.name == "total"]
    assert total.symbols == "Σ_i (output[i] - target[i])²"


def test_numbers_are_rounded_once_and_short_decimals_are_exact() -> None:
    shown = {0.30004999: "0.3000", 2.5: "2.5", 3.0: "3", -0.0: "0", 1e-4: "0.0001", 0.00012345: "1.234e-04"}
    assert {value: number(value, 4) for value in shown} == shown
    assert number(float(torch.tensor(0.1)), 4) == "0.1"
    assert number(2.49999, 4) == "2.5000"  # rounded, and seen to be
    assert number(123456789.0, 4) == "1.235e+08"
