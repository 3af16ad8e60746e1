"""Rewrites of single operations: each applies where it should, computes the same, and nothing else changes."""

import warnings

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from truestep.core.errors import TraceError
from truestep.core.inductor import compiled
from truestep.core.lowering import FUSING, QUICKER, TINY
from truestep.core.program import trace, unrolled
from truestep.core.recording import aten

TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-6}
BOTH = pytest.mark.parametrize("dtype", TOLERANCE)


def operations(function, arguments, rewrites):
    return [str(node.target) for node in trace(function, arguments, rewrites).graph.nodes if node.op == "call_function"]


def agrees(function, arguments, rewrites):
    """The rewritten result beside the plain one, relative to the largest entry."""
    found, expected = trace(function, arguments, rewrites)(*arguments), function(*arguments)
    return float((found - expected).abs().max() / expected.abs().max()) <= TOLERANCE[expected.dtype]


def sizes(*shapes, dtype):
    return tuple(torch.randn(shape, dtype=dtype) for shape in shapes)


@BOTH
def test_a_narrow_product_is_the_transposed_one(dtype):
    given = sizes((32, 50), (50, 10), dtype=dtype)
    assert operations(torch.mm, given, QUICKER) == [
        "aten.t.default",
        "aten.t.default",
        "aten.mm.default",
        "aten.t.default",
    ]
    assert agrees(torch.mm, given, QUICKER)


@BOTH
def test_a_narrow_layer_keeps_its_bias(dtype):
    given = sizes((10,), (32, 50), (50, 10), dtype=dtype)
    assert "aten.unsqueeze.default" in operations(torch.addmm, given, QUICKER)
    assert agrees(torch.addmm, given, QUICKER)
    assert agrees(lambda *a: torch.addmm(*a, beta=0.5, alpha=2.0), given, QUICKER)


@BOTH
def test_a_stack_of_narrow_products_is_transposed_too(dtype):
    given = sizes((3, 32, 50), (3, 50, 10), dtype=dtype)
    assert operations(torch.bmm, given, QUICKER).count("aten.transpose.int") == 3
    assert agrees(torch.bmm, given, QUICKER)


@pytest.mark.parametrize("rows, columns", [(8, 10), (32, 16)])
def test_a_product_that_is_not_narrow_stays(rows, columns):
    assert operations(torch.mm, sizes((rows, 50), (50, columns), dtype=torch.float32), QUICKER) == ["aten.mm.default"]


@BOTH
@pytest.mark.parametrize("stack", [(), (4,)])
def test_a_tiny_product_becomes_products_and_a_sum(dtype, stack):
    multiply = torch.bmm if stack else torch.mm
    given = sizes((*stack, 8, 2), (*stack, 2, 3), dtype=dtype)
    assert operations(multiply, given, FUSING)[-2:] == ["aten.mul.Tensor", "aten.sum.dim_IntList"]
    assert agrees(multiply, given, FUSING)


@BOTH
def test_a_tiny_layer_keeps_its_bias(dtype):
    given = sizes((3,), (8, 2), (2, 3), dtype=dtype)
    assert "aten.addmm.default" not in operations(torch.addmm, given, FUSING)
    assert agrees(lambda *a: torch.addmm(*a, beta=0.5, alpha=2.0), given, FUSING)


def test_a_product_above_the_limit_is_not_taken_for_tiny():
    given = sizes((TINY, 9), (9, 20), dtype=torch.float32)
    assert operations(torch.mm, given, FUSING) == ["aten.mm.default"]


@BOTH
@pytest.mark.parametrize("stack", [(), (4,)])
@pytest.mark.parametrize("inner", [1, 5, 8])
def test_a_product_of_few_layers_becomes_a_sum_of_outer_products(dtype, stack, inner):
    multiply = torch.bmm if stack else torch.mm
    given = sizes((*stack, 101, inner), (*stack, inner, 200), dtype=dtype)
    found = operations(multiply, given, FUSING)
    assert (found.count("aten.mul.Tensor"), found.count("aten.add.Tensor")) == (inner, inner - 1)
    assert not {"aten.mm.default", "aten.bmm.default"} & set(found)
    assert agrees(multiply, given, FUSING)


@BOTH
@pytest.mark.parametrize("window", [2, (2, 3)])
def test_pooling_without_overlap_is_a_mean_and_so_is_its_gradient(dtype, window):
    given = sizes((2, 3, 4, 6), dtype=dtype)

    def pool(x):
        return F.avg_pool2d(x, window)

    def slope(x):
        return grad(lambda x: (F.avg_pool2d(x, window) ** 3).sum())(x)

    assert "aten.avg_pool2d.default" not in operations(pool, given, QUICKER)
    assert "aten.avg_pool2d_backward.default" not in operations(slope, given, QUICKER)
    assert agrees(pool, given, QUICKER)
    assert agrees(slope, given, QUICKER)


@pytest.mark.parametrize(
    "pool",
    [
        lambda x: F.avg_pool2d(x, 2, stride=1),
        lambda x: F.avg_pool2d(x, 2, padding=1),
        lambda x: F.avg_pool2d(x, 4),
        lambda x: F.avg_pool2d(x, 4, ceil_mode=True),
        lambda x: F.avg_pool2d(x, 2, divisor_override=3),
    ],
)
def test_any_other_pooling_stays(pool):
    assert operations(pool, sizes((2, 3, 6, 6), dtype=torch.float32), QUICKER) == ["aten.avg_pool2d.default"]


def test_a_rewrite_may_use_the_operation_that_it_rewrites():
    twice = {aten.mm.default: lambda a, b: 2 * torch.mm(a, b)}
    a, b = torch.ones(2, 2), torch.eye(2)
    assert torch.equal(trace(torch.mm, (a, b), twice)(a, b), 2 * a)


# --- the compiler ---------------------------------------------------------------------------------------------------


def whole_step(model):
    def step(state, fixed, row):
        inputs, labels = (data.index_select(0, row) for data in fixed)

        def loss(params):
            value = F.cross_entropy(functional_call(model, params, (inputs,)), labels)
            return value, value

        found, value = grad(loss, has_aux=True)(state)
        return {name: weight - 0.1 * found[name] for name, weight in state.items()}, value

    return step


@pytest.mark.long
@BOTH
def test_a_compiled_stack_of_steps_agrees_with_the_plain_one(dtype):
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, groups=2), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 3)
    ).to(dtype)
    state = {name: torch.stack([p.detach(), p.detach() * 2]) for name, p in model.named_parameters()}
    fixed = (torch.randn(40, 2, 8, 8, dtype=dtype), torch.randint(3, (40,)))
    rows = torch.stack([torch.stack([torch.randperm(40)[:20] for _ in range(2)]) for _ in range(2)])
    step = vmap(whole_step(model), in_dims=(0, None, 0))
    program = trace(unrolled(step, 2), (state, fixed, rows))
    fast = compiled(program)
    after, losses = fast(state, fixed, rows)
    expected, their_losses = program(state, fixed, rows)
    assert torch.allclose(losses, their_losses, rtol=TOLERANCE[dtype], atol=0)
    for name, weight in expected.items():
        assert float((after[name] - weight).abs().max() / weight.abs().max()) <= TOLERANCE[dtype]


def test_an_update_in_place_is_compiled_in_place():
    def update(weights, found, lr):
        weights.sub_(lr * found)
        return weights.square().sum()

    given = (torch.ones(5), torch.arange(5.0), torch.tensor(0.5))
    fast, ours = compiled(trace(update, given)), [tensor.clone() for tensor in given]
    total = fast(*ours)
    assert torch.allclose(ours[0], given[0] - 0.5 * given[1])
    assert torch.allclose(total, ours[0].square().sum())


def test_what_draws_is_not_compiled():
    with pytest.raises(TraceError, match="it draws random numbers"):
        compiled(trace(lambda x: F.dropout(x, 0.5), (torch.ones(4),)))


def test_without_a_compiler_a_sentence_says_so(monkeypatch):
    program = trace(lambda x: x.sin() + 0.125, (torch.ones(4),))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself, when the compiler is loaded for the first time
        import torch._inductor.compile_fx as doors

    def none(*args, **options):
        raise NotImplementedError("nobody is at home\nat all")

    monkeypatch.setattr(doors, "compile_fx_inner", none)
    with pytest.raises(TraceError, match=r"refused it \(NotImplementedError: nobody is at home\)"):
        compiled(program)
    monkeypatch.delattr(doors, "compile_fx_inner")
    with pytest.raises(TraceError, match=r"refused it \(ImportError"):
        compiled(program)
