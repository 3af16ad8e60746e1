"""Programs of stacked models are made shorter and return the same: products folded, constants computed once."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from truestep.core.agreement import agree
from truestep.core.folding import folded
from truestep.core.program import trace
from truestep.core.recording import aten


def counted(program, *targets):
    return sum(node.target in targets for node in program.graph.nodes)


def assert_same(program, twin, args, tolerance=1e-12):
    for one, other in zip(leaves(program(*args)), leaves(twin(*args)), strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, rtol=tolerance, atol=tolerance * float(one.abs().max()))


def leaves(tree):
    if isinstance(tree, torch.Tensor):
        return [tree]
    return [leaf for each in (tree.values() if isinstance(tree, dict) else tree) for leaf in leaves(each)]


def stacked_step(orders, grid, inputs, hidden, outputs):
    """A step of `orders` x `grid` small networks, the variants of an order on one batch; and its arguments."""
    model = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs)).double()
    params = {name: torch.randn(orders, grid, *p.shape, dtype=p.dtype) for name, p in model.named_parameters()}
    batch = torch.randn(orders, 7, inputs, dtype=torch.float64), torch.randn(orders, 7, outputs, dtype=torch.float64)
    rate = torch.rand(orders, grid, dtype=torch.float64)

    def loss(own, x, y):
        return F.mse_loss(torch.func.functional_call(model, own, (x,)), y)

    def step(params, rate, x, y):
        grown = {name: each.detach().requires_grad_() for name, each in params.items()}
        with torch.enable_grad():
            spread = y.unsqueeze(1).expand(orders, grid, *y.shape[1:])
            found = torch.vmap(torch.vmap(loss, in_dims=(0, None, 0)))(grown, x, spread)
            gradients = torch.autograd.grad(found.sum(), list(grown.values()))
        moved = {}
        for (name, each), gradient in zip(params.items(), gradients, strict=True):
            own = rate.reshape(orders, grid, *[1] * (each.dim() - 2))
            moved[name] = torch.addcmul(each, gradient, own, value=-1)
        return moved, found.detach()

    return step, (params, rate, *batch)


@pytest.mark.parametrize("shape", [(1, 5, 6, 4, 3), (3, 5, 6, 4, 3), (1, 4, 30, 20, 1), (2, 3, 17, 33, 18)])
def test_products_with_a_shared_factor_are_folded_in_forward_and_backward(shape):
    step, args = stacked_step(*shape)
    program = trace(step, args)
    twin = folded(program, args)
    assert twin is not program
    whole = [node for node in twin.graph.nodes if node.target is aten.bmm.default]
    if shape[0] == 1:  # the first layer's product, and the gradient of its weights
        assert counted(twin, aten.mm.default) == 2
    assert len(whole) + counted(twin, aten.mm.default) == counted(program, aten.bmm.default)
    assert_same(program, twin, args)


def test_a_factor_of_one_number_a_variant_is_not_left_to_addcmul():
    step, args = stacked_step(2, 3, 6, 4, 3)
    program = trace(step, args)
    twin = folded(program, args)
    assert counted(program, aten.addcmul.default) == 4
    assert counted(twin, aten.addcmul.default) == 0
    assert_same(program, twin, args)


@pytest.mark.parametrize("value", [1, -0.5])
def test_a_product_of_equal_shapes_stays_as_it_is(value):
    args = tuple(torch.randn(4, 5, dtype=torch.float64) for _ in range(3))
    program = trace(lambda a, b, c: torch.addcmul(a, b, c, value=value), args)
    assert counted(folded(program, args), aten.addcmul.default) == 1


def test_what_does_not_depend_on_the_arguments_is_computed_once():
    def function(x):
        ones = torch.full((3,), 5.0).expand(4, 3).clone()
        return x * ones.sum(1, keepdim=True) + torch.ones_like(x), ones

    args = (torch.randn(4, 3),)
    program = trace(function, args)
    twin = folded(program, args)
    assert counted(twin, aten.full.default, aten.expand.default, aten.clone.default, aten.sum.dim_IntList) == 0
    assert len(twin.held) > len(program.held)
    assert_same(program, twin, args, 0.0)
    assert_same(program, twin, (torch.randn(4, 3),), 0.0)


def test_products_with_one_are_left_out_and_others_are_not():
    args = (torch.randn(4), torch.randint(5, (4,)))
    program = trace(lambda x, n: (x * 1 / 1.0, x * 2, n * 1.0, x * True), args)
    twin = folded(program, args)
    assert counted(program, aten.mul.Tensor, aten.div.Tensor) - counted(twin, aten.mul.Tensor, aten.div.Tensor) >= 2
    assert [each.dtype for each in twin(*args)] == [each.dtype for each in program(*args)]
    assert_same(program, twin, args, 0.0)


def test_what_is_drawn_is_drawn_anew_in_each_call():
    args = (torch.randn(4),)
    twin = folded(trace(lambda x: x + torch.rand(4) * 1, args), args)
    assert not torch.equal(twin(*args), twin(*args))


def test_a_program_that_writes_keeps_its_constants_to_itself():
    def function(x):
        total = torch.zeros(3)
        total.add_(x)
        return total

    args = (torch.ones(3),)
    twin = folded(trace(function, args), args)
    assert torch.equal(twin(*args), torch.ones(3))
    assert torch.equal(twin(*args), torch.ones(3))


def test_a_rewrite_that_would_change_the_result_is_not_taken(monkeypatch):
    step, args = stacked_step(2, 3, 6, 4, 3)
    program = trace(step, args)
    monkeypatch.setattr("truestep.core.folding.agree", lambda *args: False)
    assert folded(program, args) is program


SUMS = torch.randn(4, 300)


EACH = (torch.float32, torch.float64, torch.bfloat16)


@pytest.mark.parametrize("dtype", EACH)
@pytest.mark.parametrize("twin, same", [
    (lambda x: (x.flip(1).sum(1), x.argmax(1)), EACH),  # another order
    (lambda x: (x.sum(1) * (1 + 1e-6), x.argmax(1)), ()),  # far below what one look in float32 shows
    (lambda x: (x.sum(1), x.argmin(1)), ()),
    (lambda x: (x.sum(1, keepdim=True), x.argmax(1)), ()),
    (lambda x: (x.sum(1).double(), x.argmax(1)), (torch.float64,)),
    (lambda x: (x.bfloat16().sum(1).to(x.dtype), x.argmax(1)), (torch.bfloat16,)),  # worse in its own precision alone
])  # fmt: skip
def test_programs_agree_where_only_the_order_of_a_sum_differs(dtype, twin, same):
    args = (SUMS.to(dtype),)
    program, other = (trace(function, args) for function in (lambda x: (x.sum(1), x.argmax(1)), twin))
    assert agree(program, other, args) == (dtype in same)


def test_what_is_not_finite_must_be_so_in_both():
    args = (torch.tensor([1e300, 1.0]).double(),)
    one, same, other = (trace(lambda x, k=k: x * k, args) for k in (1e300, 1e301, 1.0))
    assert not agree(one, other, args)
    assert agree(one, trace(lambda x: 1e300 * x, args), args)
    assert not agree(one, same, args)


def test_programs_that_cannot_be_run_in_float64_do_not_agree():
    args = (torch.ones(4),)
    program = trace(lambda x: x.view(torch.int32).view(2, 2) + 1, args)
    assert not agree(program, program, args)
