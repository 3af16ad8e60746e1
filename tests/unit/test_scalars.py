"""Programs that are given plain numbers, and do without copies."""

import operator

import pytest
import torch

from truestep.core.errors import TraceError
from truestep.core.plans import draw
from truestep.core.program import trace
from truestep.core.recording import aten
from truestep.core.scalars import unlike

A, B = unlike(1), unlike(2)


def kinds(program):
    return [node.target for node in program.graph.nodes if node.op == "call_function"]


@pytest.mark.parametrize("combine", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow])
def test_arithmetic_of_numbers_is_done_anew_at_each_call(combine):
    def function(x, a, b):
        return x * combine(a, b) + combine(2, a) - combine(b, 3)

    program = trace(function, (torch.ones(3), A, B))
    for a, b in [(A, B), (0.5, 2.0), (1.0, 1.0)]:
        assert torch.equal(program(torch.arange(3.0), a, b), function(torch.arange(3.0), a, b))


def test_a_number_that_decides_what_is_computed_is_refused():
    for function in (lambda x, a: x if a > 0.5 else -x, lambda x, a: x * min(a, 0.5)):
        with pytest.raises(TraceError, match="a number that changes from step to step decides what is computed"):
            trace(function, (torch.ones(3), A))


def test_two_numbers_that_cannot_be_told_apart_are_refused():
    with pytest.raises(TraceError, match="two of its numbers cannot be told apart"):
        trace(lambda x, a, b: x * a + b, (torch.ones(3), A, A))


def test_numbers_that_are_unlike_others_are_unlike_one_another():
    assert len({unlike(seed) for seed in (*range(2000), 2**32)}) == 2001
    assert all(0.3 <= unlike(seed) <= 0.7 for seed in range(2000))


def moved(p, d, a):
    p.copy_(p * a + d)
    return ()


def read_after(p, d, a):
    new = p * a + d
    old = p.sum()
    p.copy_(new)
    return old


def seen_through_a_view(p, d, a):
    row = p[0]
    p.copy_(p * a + d)
    return row + 1


@pytest.mark.parametrize("function, settled", [(moved, True), (read_after, False), (seen_through_a_view, False)])
def test_what_is_copied_into_a_given_tensor_is_computed_there_unless_somebody_reads_the_old(function, settled):
    program = trace(function, (torch.randn(3, 4), torch.randn(3, 4), A))
    for a in (0.5, 2.0):
        one, d = torch.randn(3, 4), torch.randn(3, 4)
        other = one.clone()
        results = program(one, d, a), function(other, d, a)
        assert torch.equal(one, other)
        assert results[0] == () or torch.equal(*results)
    assert (aten.copy_.default not in kinds(program)) == settled


def test_a_gradient_is_not_copied_where_nobody_else_holds_it():
    def function(w, x):
        leaf = w.detach().requires_grad_()
        (leaf * x).sum().backward()
        return leaf.grad

    program = trace(function, (torch.randn(3), torch.randn(3)))
    assert aten.copy_.default not in kinds(program)
    w, x = torch.randn(3), torch.randn(3)
    assert torch.equal(program(w, x), x)


def test_programs_that_differ_have_other_keys():
    functions = [lambda x: x * 2, lambda x: x * 3, lambda x: x + torch.ones(3, dtype=torch.float64).to(x.dtype)]
    arguments = [torch.ones(3), torch.ones(4), torch.ones(3).double(), torch.ones(3, 3).t()]
    keys = {draw(trace(function, (torch.ones(3),))).key for function in functions}
    keys |= {draw(trace(functions[0], (argument,))).key for argument in arguments[1:]}
    keys |= {
        draw(trace(lambda x: x.to(torch.float64), (torch.ones(3),))).key,
        draw(trace(lambda x: x.to(torch.float16), (torch.ones(3),))).key,
    }
    assert len(keys) == 8
    assert draw(trace(functions[0], (torch.zeros(3),))).key == draw(trace(functions[0], (torch.ones(3),))).key
