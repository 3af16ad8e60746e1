"""Programs: the same bits as the function, or a sentence that says why there is none."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn import functional as F

from truestep.core.errors import TraceError
from truestep.core.nesting import flat, rebuilt
from truestep.core.program import trace, unrolled
from truestep.core.spelling import spell

MODELS = {
    "linear": (lambda: nn.Linear(3, 2), (5, 3)),
    "perceptron": (lambda: nn.Sequential(nn.Linear(3, 7), nn.GELU(), nn.LayerNorm(7), nn.Linear(7, 2)), (5, 3)),
    "convolutions": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3, groups=2), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 2)),
        (5, 2, 8, 8),
    ),
    "maxima": (lambda: nn.Sequential(nn.Conv2d(1, 1, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(9, 2)), (5, 1, 8, 8)),
    "attention": (
        lambda: nn.Sequential(nn.TransformerEncoderLayer(8, 2, 16, 0.0), nn.Flatten(), nn.Linear(24, 2)),
        (5, 3, 8),
    ),
    "recurrent": (lambda: Last(nn.GRU(4, 2, batch_first=True)), (5, 3, 4)),
}  # fmt: skip


class Last(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, inputs):
        return self.inner(inputs)[0][:, -1]


def step_of(model):
    """A whole step of Adam's kind, written with functions: the loss and gradient, an average, the update."""

    def step(state, inputs, labels, lr):
        params, average = state
        found, loss = grad_and_value(lambda p: F.cross_entropy(functional_call(model, p, (inputs,)), labels))(params)
        average = {k: 0.9 * v + 0.1 * found[k] for k, v in average.items()}
        return ({k: v - lr * average[k] for k, v in params.items()}, average), loss

    return step


def arguments(model, shape, dtype=torch.float32):
    params = {k: v.detach().to(dtype) for k, v in model.named_parameters()}
    state = (params, {k: torch.zeros_like(v) for k, v in params.items()})
    return state, torch.randn(shape, dtype=dtype), torch.randint(2, shape[:1]), torch.tensor(0.1, dtype=dtype)


def same(one, other):
    (a, nesting), (b, own) = flat(one), flat(other)
    return nesting == own and all(x.dtype == y.dtype and torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_a_program_returns_the_bits_of_the_function_on_other_numbers(name):
    make, shape = MODELS[name]
    model = make()
    step = step_of(model)
    program = trace(step, arguments(model, shape))
    for _ in range(3):
        given = arguments(model, shape)
        assert same(program(*given), step(*given))


def test_a_stack_of_variants_is_a_program_too():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    data, labels = torch.randn(30, 3), torch.randint(2, (30,))

    def one(params, order, lr):
        inputs, targets = data.index_select(0, order), labels.index_select(0, order)
        found, loss = grad_and_value(lambda p: F.cross_entropy(functional_call(model, p, (inputs,)), targets))(params)
        return {k: v - lr * found[k] for k, v in params.items()}, loss

    def given():
        params = {k: torch.randn(6, *v.shape) for k, v in model.named_parameters()}
        return params, torch.stack([torch.randperm(30)[:5] for _ in range(6)]), torch.rand(6)

    stacked = vmap(one)
    program, arguments = trace(stacked, given()), given()
    assert same(program(*arguments), stacked(*arguments))


def test_unrolled_steps_are_the_steps_one_after_another():
    model = MODELS["perceptron"][0]()
    step = step_of(model)
    state, _, labels, lr = arguments(model, (5, 3))
    inputs, rows = torch.randn(20, 3), torch.stack([torch.randperm(20)[:5] for _ in range(4)])

    def one(state, fixed, row):
        return step(state, fixed[0].index_select(0, row), fixed[1], fixed[2])

    program = trace(unrolled(one, 4), (state, (inputs, labels, lr), rows))
    after, losses = program(state, (inputs, labels, lr), rows)
    for number, row in enumerate(rows):
        state, loss = one(state, (inputs, labels, lr), row)
        assert torch.equal(loss, losses[number])
    assert same(after, state)


def test_an_update_in_place_changes_the_tensors_that_are_given_and_tracing_none():
    def update(weights, found):
        torch._foreach_mul_(weights, 0.5)
        torch._foreach_add_(weights, found, alpha=-0.1)
        return [torch.stack(torch._foreach_norm(found))]

    weights, found = [torch.ones(3), torch.ones(2)], [torch.ones(3), torch.ones(2)]
    program = trace(update, (weights, found))
    assert program.writes
    assert weights[0].tolist() == [1, 1, 1]
    twin = [weight.clone() for weight in weights]
    assert same(program(weights, found), update(twin, found))
    assert same(weights, twin)
    assert weights[0].tolist() != [1, 1, 1]


def test_dropout_draws_what_the_function_draws_and_tracing_draws_nothing():
    before = torch.get_rng_state()
    program = trace(lambda x: F.dropout(x, 0.5), (torch.ones(40),))
    assert program.draws
    assert torch.equal(before, torch.get_rng_state())
    for seed in range(3):
        torch.manual_seed(seed)
        ours = program(torch.ones(40))
        torch.manual_seed(seed)
        assert torch.equal(ours, F.dropout(torch.ones(40), 0.5))


def test_what_a_function_closes_over_is_read_at_each_call():
    weight = torch.ones(3)
    program = trace(lambda x: x * weight, (torch.ones(3),))
    weight.mul_(2)
    assert program(torch.ones(3)).tolist() == [2, 2, 2]


OUTSIDE = torch.ones(3)
CALLS = iter(range(100))
REFUSED = {
    "reads a number from a tensor": lambda x: x * float(x.sum()),
    "reads a number": lambda x: x if x.sum() > 0 else -x,
    r"takes values out of torch \(numpy\)": lambda x: x + torch.from_numpy(x.numpy()),
    r"takes values out of torch \(tolist\)": lambda x: x + torch.tensor(x.tolist()),
    "depends on values": lambda x: x[x > 0].sum(),
    "changes the shape of an argument in place": lambda x: x.unsqueeze_(0),
    "changes a tensor in place that it was not given": lambda x: OUTSIDE.add_(x),
    "use different numbers": lambda x: x + torch.tensor(float(next(CALLS))),
    "do not carry out the same operations": lambda x: x + next(CALLS),
    "returns something that is no tensor": lambda x: (x, 3.0),
    "IndexError": lambda x: x[7],
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_repeated_is_refused_in_a_sentence(words):
    with pytest.raises(TraceError, match=words):
        trace(REFUSED[words], (torch.ones(3),))
    assert OUTSIDE.tolist() == [1, 1, 1]


def test_what_is_neither_a_tensor_nor_a_float_is_refused():
    with pytest.raises(TraceError, match="every argument must be a tensor or a float"):
        trace(lambda x, lr: x * lr, (torch.ones(3), 1))


def test_a_program_refuses_what_it_was_not_traced_for():
    program = trace(lambda x: x * 2, (torch.ones(3),))
    for other in (torch.ones(4), torch.ones(3, dtype=torch.float64), [torch.ones(3)]):
        with pytest.raises(TraceError, match="trace it again"):
            program(other)


def test_nothing_is_held_longer_than_it_is_needed():
    program = trace(lambda x: ((x + 1) * 2 - 3).sum(), (torch.ones(3),))
    text = spell(program.graph, program.takes, program.returns)[0]
    assert [line.strip() for line in text.splitlines() if "del" in line] == [
        "del add_tensor",
        "del mul_tensor",
        "del sub_tensor",
    ]


def test_a_nesting_is_put_together_as_it_was():
    tree = {"a": [1, (2, None)], "b": (3,)}
    leaves, nesting = flat(tree)
    assert leaves == [1, 2, 3]
    assert rebuilt(nesting, leaves) == tree


def test_a_strict_program_fits_only_what_lies_as_it_did():
    args = (torch.randn(3, 4), torch.randn(1, 4))
    program = trace(lambda a, b: a + b, args)
    strict = replace(program, given=tuple(replace(like, strict=True) for like in program.given))
    turned = (torch.randn(4, 3).t(), args[1])
    assert program.fits(*turned)
    assert not strict.fits(*turned)
    assert strict.fits(args[0], torch.randn(4, 1).t())  # a side of 1 has no stride that matters
