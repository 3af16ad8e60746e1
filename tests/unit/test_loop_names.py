"""The sum at the root of a loss is taken apart into terms with the names that the program gives them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, l1_loss, mse_loss

from truestep.explain.loop.roots import MOST, roots
from unit.loop_cases import batches, explained, network

w = torch.tensor([0.5, -1.0, 2.0, 1.5, -0.5], requires_grad=True)
"""A weight of this module: a program's own variable."""


def penalty(model: nn.Module) -> Tensor:
    return sum((p.square().sum() for p in model.parameters()), torch.zeros(()))


def trained(loss_of: Callable[[nn.Module, Tensor, Tensor], None]) -> list[str]:
    """The causes of the first update of a loop whose loss is made, and differentiated, by a function."""

    def loop() -> None:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for x, y in batches():
            optimizer.zero_grad()
            loss_of(model, x, y)
            optimizer.step()

    return [cause for cause in explained(loop).causes if cause != "rounding"]


def by_variables(model: nn.Module, x: Tensor, y: Tensor) -> None:
    mse = mse_loss(model(x), y)
    size = penalty(model)
    loss = mse + 0.01 * size
    loss.backward()


def by_expressions(model: nn.Module, x: Tensor, y: Tensor) -> None:
    loss = mse_loss(model(x), y) + 0.01 * penalty(model)
    loss.backward()


def step_by_step(model: nn.Module, x: Tensor, y: Tensor) -> None:
    loss = mse_loss(model(x), y)
    loss = loss / 2
    loss += 0.1 * l1_loss(model(x), y)
    loss.backward()


def in_a_dict(model: nn.Module, x: Tensor, y: Tensor) -> None:
    losses = {"mse": mse_loss(model(x), y), "mae": l1_loss(model(x), y)}
    sum(losses.values()).backward()


# fmt: off
def on_one_line(model: nn.Module, x: Tensor, y: Tensor) -> None:
    loss = mse_loss(model(x), y) + penalty(model); loss.backward()  # noqa: E702
# fmt: on


def in_a_list(model: nn.Module, x: Tensor, y: Tensor) -> None:
    terms = [mse_loss(model(x), y), penalty(model)]
    sum(terms).backward()


def at_once(model: nn.Module, x: Tensor, y: Tensor) -> None:
    (mse_loss(model(x), y) - 0.5 * cross_entropy(model(x), y.softmax(1))).backward()


def by_sample(model: nn.Module, x: Tensor, y: Tensor) -> None:
    loss = ((model(x) - y) ** 2).sum(1) + 0.01 * model[0].weight.square().sum()
    loss.mean().backward()


def with_a_constant(model: nn.Module, x: Tensor, y: Tensor) -> None:
    loss = 3.0 - mse_loss(model(x), y) * 2
    torch.autograd.backward(loss)


def called_like_a_cause(model: nn.Module, x: Tensor, y: Tensor) -> None:
    momentum = mse_loss(model(x), y)
    decay = penalty(model)
    (momentum + decay).backward()


def hidden(model: nn.Module, x: Tensor, y: Tensor) -> None:
    def made() -> Tensor:
        return mse_loss(model(x), y) + l1_loss(model(x), y)

    made().backward()


@pytest.mark.parametrize(
    "loss, names",
    [
        (by_variables, ["mse", "size"]),
        (by_expressions, ["mse_loss(model(x), y)", "penalty(model)"]),
        (step_by_step, ["mse_loss(model(x), y)", "l1_loss(model(x), y)"]),
        (in_a_dict, ["losses['mse']", "losses['mae']"]),
        (on_one_line, ["mse_loss(model(x), y)", "penalty(model)"]),
        (in_a_list, ["terms[0]", "terms[1]"]),
        (at_once, ["mse_loss(model(x), y)", "cross_entropy(model(x), y.softmax(1))"]),
        (by_sample, ["((model(x) - y) ** 2).sum(1)", "model[0].weight.square().sum()"]),
        (with_a_constant, ["loss"]),
        (called_like_a_cause, ["momentum (term)", "decay (term)"]),
        (hidden, ["mse loss", "mean"]),
    ],
)
def test_a_term_is_called_what_the_program_calls_it(loss, names):
    assert trained(loss) == names


def test_each_root_gets_the_gradient_that_the_backward_pass_would_give_it():
    a, b = w.square().sum(), w.exp().sum()
    found = roots((3 * a - b / 4 + 7) * 0.5)
    assert [float(root.gradient) for root in found] == [1.5, -0.125]
    parts = [torch.autograd.grad([r.edge], [w], [r.gradient], retain_graph=True)[0] for r in found]
    (whole,) = torch.autograd.grad((3 * a - b / 4 + 7) * 0.5, [w])
    torch.testing.assert_close(parts[0], 1.5 * 2 * w.detach())
    torch.testing.assert_close(sum(parts), whole)


@pytest.mark.parametrize(
    "loss",
    [
        lambda: (w - torch.ones(5)).mean(),  # a difference from data is one term
        lambda: ((w - 1) ** 2).mean(),
        lambda: w.sum() * w.exp().sum(),  # a product is no sum
        lambda: torch.stack([w.sum() * k for k in range(1, MOST + 2)]).sum(),  # too long a sum
        lambda: w.exp().sum().expand(3).clone()[1],
    ],
)
def test_what_is_no_sum_of_a_few_terms_is_one(loss):
    assert len(roots(loss())) == 1


def test_a_sum_of_a_few_stacked_terms_is_taken_apart():
    assert len(roots(torch.stack([w.sum(), w.exp().sum(), w.abs().max()]).mean())) == 3


def test_weights_without_a_module_are_called_as_the_program_calls_them():
    def loop() -> None:
        slope, offsets = torch.ones(2, requires_grad=True), [torch.zeros(1, requires_grad=True)]
        optimizer = torch.optim.SGD([slope, *offsets, torch.nn.Parameter(torch.ones(1))], lr=0.1)
        while True:
            optimizer.zero_grad()
            loss = (slope.sum() + offsets[0] - 1).square().sum()
            loss.backward()
            optimizer.step()

    assert list(explained(loop, 2)) == ["slope", "offsets[0]", "parameter 2"]
