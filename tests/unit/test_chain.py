"""One step written out: the worked example to the last digit, every number against autograd and against itself."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.function import Function

import truestep as ts
from truestep.explain.chain.notation import number
from truestep.explain.chain.write import LINES, PARAMETERS, SAMPLES, Chain, write_out
from unit.chain_cases import NAMES, OPAQUE, TARGET, B, Case, W, X, case, of_function
from unit.chain_reader import Interval, compute

DTYPES = [torch.float32, torch.float64]
LESSON = """Forward, output
  output[0] = w · x[0] + b = -0.2505 · 1 + 0.9166 = 0.6661
  output[1] = w · x[1] + b = -0.2505 · 2 + 0.9166 = 0.4156
  output[2] = w · x[2] + b = -0.2505 · 3 + 0.9166 = 0.1651

Loss
  total = Σ_i (output[i] - target[i])² = (0.6661 - 1.5)² + (0.4156 - 2.5)² + (0.1651 - 3.5)² = 16.1617
  loss = total / count = 16.1617 / 3 = 5.3872

Backward, by output
  ∂loss/∂output[0] = ∂loss/∂total · ∂total/∂output[0] = 2 · (output[0] - target[0]) / count
                   = 2 · (0.6661 - 1.5) / 3 = -0.5559
  ∂loss/∂output[1] = ∂loss/∂total · ∂total/∂output[1] = 2 · (output[1] - target[1]) / count
                   = 2 · (0.4156 - 2.5) / 3 = -1.3896
  ∂loss/∂output[2] = ∂loss/∂total · ∂total/∂output[2] = 2 · (output[2] - target[2]) / count
                   = 2 · (0.1651 - 3.5) / 3 = -2.2233

Gradients of the parameters
  ∂loss/∂w = Σ_i ∂loss/∂output[i] · ∂output[i]/∂w = Σ_i ∂loss/∂output[i] · x[i]
           = -0.5559 · 1 + (-1.3896) · 2 + (-2.2233) · 3 = -10.0049
  ∂loss/∂b = Σ_i ∂loss/∂output[i] · ∂output[i]/∂b = Σ_i ∂loss/∂output[i]
           = -0.5559 + (-1.3896) + (-2.2233) = -4.1688

Update, plain SGD
  w_new = w - lr · ∂loss/∂w = -0.2505 - 0.01 · (-10.0049) = -0.1505
  b_new = b - lr · ∂loss/∂b = 0.9166 - 0.01 · (-4.1688) = 0.9583"""


def by_hand(dtype: torch.dtype) -> Chain:
    w, b = torch.tensor(W, dtype=dtype, requires_grad=True), torch.tensor(B, dtype=dtype, requires_grad=True)
    x, target = torch.tensor(X, dtype=dtype), torch.tensor(TARGET, dtype=dtype)
    return write_out(lambda x: w * x + b, nn.MSELoss(), x, target, {"w": w, "b": b}, lr=0.01)


def by_module(dtype: torch.dtype) -> Chain:
    model = nn.Linear(1, 1, dtype=dtype)
    nn.init.constant_(model.weight, W)
    nn.init.constant_(model.bias, B)
    x, target = torch.tensor(X, dtype=dtype)[:, None], torch.tensor(TARGET, dtype=dtype)[:, None]
    return write_out(model, nn.MSELoss(), x, target, lr=0.01)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_worked_example_is_the_lesson_to_the_last_digit(dtype: torch.dtype) -> None:
    assert by_hand(dtype).text == LESSON
    numbers = [re.findall(r"-?\d+\.?\d*(?![\d\]])", line.text.split(" = ")[-1]) for line in by_module(dtype).steps]
    assert numbers == [re.findall(r"-?\d+\.?\d*", line.text.split(" = ")[-1]) for line in by_hand(dtype).steps]
    renamed = re.sub(r"\bweight", "w", re.sub(r"\bbias", "b", by_module(dtype).text))
    assert re.sub(" +", " ", renamed) == re.sub(" +", " ", LESSON)


def gradients(case: Case) -> dict[str, Tensor | None]:
    loss = case.objective(case.model(case.inputs), case.targets).mean
    found = torch.autograd.grad(loss, list(case.parameters.values()), allow_unused=True)
    return dict(zip(case.parameters, found, strict=True))


def rounded(value: float, actual: float, digits: int, slack: float) -> bool:
    """Whether a number prints as the actual one does, as far as the precision of its type tells."""
    return number(value, digits) == number(actual, digits) or abs(value - actual) <= slack * max(1.0, abs(actual))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_every_printed_gradient_is_that_of_autograd(name: str, dtype: torch.dtype) -> None:
    given = case(name, dtype)
    lines = given.write().steps
    printed = [line for line in lines if line.title == "Gradients of the parameters"]
    actual = [g for gradient in gradients(given).values() if gradient is not None for g in gradient.flatten().tolist()]
    slack = 1e-5 if dtype == torch.float32 else 1e-13
    assert len(printed) == len(actual)
    for line, gradient in zip(printed, actual, strict=True):
        assert rounded(line.value, gradient, 4, slack), (line.text, gradient)
        assert line.text.endswith(f" = {number(line.value, 4)}")


@pytest.mark.parametrize("name", NAMES)
def test_outputs_their_gradients_and_the_loss_are_those_of_torch(name: str) -> None:
    given = case(name, torch.float64)
    lines = {line.name: line.value for line in given.write().steps}
    output = given.model(given.inputs)
    loss = given.objective(output, given.targets).mean
    (by_output,) = torch.autograd.grad(loss, output)
    kept = output.reshape(3, -1) if output.shape[1:].numel() > 1 else output.reshape(3)
    for place in torch.ones_like(kept).nonzero().tolist():
        named = f"output[{','.join(map(str, place))}]"
        assert lines[named] == kept[tuple(place)].item()
        assert lines[f"∂loss/∂{named}"] == pytest.approx(float(by_output.reshape(kept.shape)[tuple(place)]), abs=1e-14)
    assert lines["loss"] == loss.item()


@pytest.mark.parametrize("name", ["relu", "several terms", "ignored label", "products"])
def test_the_update_is_the_step_of_plain_sgd(name: str) -> None:
    given = case(name, torch.float64)
    lines = [line.value for line in given.write(lr=0.1).steps if line.title.startswith("Update")]
    step = torch.optim.SGD(given.parameters.values(), lr=0.1)
    given.objective(given.model(given.inputs), given.targets).mean.backward()
    step.step()
    after = [value for parameter in given.parameters.values() for value in parameter.flatten().tolist()]
    assert lines == pytest.approx(after, abs=1e-15)
    assert not any(line.title.startswith("Update") for line in given.write(lr=None).steps)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("digits, dtype", [(4, torch.float32), (10, torch.float64)])
def test_every_printed_line_gives_its_value_from_the_numbers_that_stand_in_it(
    name: str, digits: int, dtype: torch.dtype
) -> None:
    slack = 1e-5 if dtype == torch.float32 else 1e-12
    for line in case(name, dtype).write(digits).steps:
        value = line.text.split(" = ")[-1]
        assert line.numbers in line.text.split(" = ")
        assert value == number(line.value, digits)
        assert compute(line.numbers, digits).holds(compute(value, digits), slack), line.text


@pytest.mark.parametrize("name", NAMES)
def test_no_minus_follows_another_sign(name: str) -> None:
    for line in case(name, torch.float64).write().steps:
        assert not re.search(r"[-+·/] ?-", line.text), line.text


def leaves(given: Case) -> Iterator[tuple[str, float]]:
    named = {name.replace("0.", "linear0.").replace("2.", "linear2."): p for name, p in given.parameters.items()}
    kept = {"x": 1, "target": 1}
    for name, tensor in {**named, "x": given.inputs, "target": given.targets}.items():
        shape = list(tensor.shape)
        while shape and shape[-1] == 1 and len(shape) > kept.get(name, 0):
            shape.pop()
        flat = tensor.detach().double().reshape(shape)
        for place in torch.ones(shape).nonzero().tolist() if shape else [[]]:
            index = f"[{','.join(map(str, place))}]" if place else ""
            yield f"{name}{index}", float(flat[tuple(place)])


@pytest.mark.parametrize("name", NAMES)
def test_every_formula_in_symbols_gives_the_value_too(name: str) -> None:
    given = case(name, torch.float64)
    lines = given.write().steps
    parts = given.objective.parts(given.model(given.inputs), given.targets)
    several = len(parts) > 1
    values = dict(leaves(given)) | {line.name: line.value for line in lines} | {"lr": 0.1}
    for term, part in parts.items():
        values |= {
            f"count_{term}" if several else "count": float(part.count),
            f"λ_{term}": given.objective.weights[term],
        }
    names = {name: Interval(value, value) for name, value in values.items()}
    for line in lines:
        assert compute(line.symbols, 12, names).holds(Interval(line.value, line.value), 2e-7), line.text


@pytest.mark.parametrize("name", OPAQUE)
def test_an_operation_known_by_name_only_has_the_derivatives_that_autograd_measured(name: str) -> None:
    given = of_function(OPAQUE[name], torch.float64)
    chain = given.write()
    assert f"{name.removesuffix('_')}(" in chain.text.replace("native_", "")
    assert "()" not in chain.text  # it says what it works on, also where that has no effect
    assert "known by name only" in chain.remarks[-1]
    actual = torch.cat([gradient.flatten() for gradient in gradients(given).values() if gradient is not None]).tolist()
    printed = [line.value for line in chain.steps if line.title == "Gradients of the parameters"]
    assert printed == pytest.approx(actual, abs=1e-12)


def test_nothing_is_left_behind() -> None:
    model = nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1d(2), nn.Dropout(0.5), nn.Linear(2, 1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x, state = torch.randn(3, 1), torch.get_rng_state()
    first = write_out(model, nn.MSELoss(), x, x, lr=0.1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
    assert write_out(model, nn.MSELoss(), x, x, lr=0.1).text == first.text  # the same dropout


def test_what_the_loss_does_not_reach_is_said() -> None:
    w, b = torch.ones(2, requires_grad=True), torch.ones((), requires_grad=True)
    x, y = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.zeros(2)
    chain = write_out(lambda x: x @ w, nn.MSELoss(), x, y, {"w": w, "b": b}, lr=0.1)
    assert "The loss does not depend on b: its gradient is None, and a step leaves it alone." in chain.remarks
    assert not any(line.name in ("∂loss/∂b", "b_new") for line in chain.steps)
    ignored = case("ignored label", torch.float32).write()
    assert [line.text for line in ignored.steps if line.name == "∂loss/∂output[1,0]"] == ["∂loss/∂output[1,0] = 0"]
    assert ignored.remarks[-1].startswith("Where a derivative is 0 and no formula stands there, nothing in the loss")


def test_a_term_that_counts_nothing_is_left_out() -> None:
    terms = ts.Objective(a=nn.MSELoss(), b=ts.Term(nn.MSELoss(), of=lambda o, y: (o[:0], y[:0])))
    given = of_function(lambda x, w, b: x @ w + b, torch.float64, terms)
    (loss,) = [line for line in given.write().steps if line.name == "loss"]
    assert loss.symbols == "total_a / count_a"
    assert loss.value == float(given.objective(given.model(given.inputs), given.targets))


class Straight(Function):
    """A backward that is not the derivative of its forward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.sign()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def refused(**changed: Any) -> str:
    w, b = torch.ones(2, requires_grad=True), torch.ones((), requires_grad=True)
    given = {
        "model": lambda x: x @ w + b,
        "objective": nn.MSELoss(),
        "inputs": torch.ones(3, 2),
        "targets": torch.zeros(3),
        "named_parameters": {"w": w, "b": b},
    }
    function = changed.pop("function", None)
    given |= {"model": lambda x: function(x, w, b)} if function else {}
    with pytest.raises(ts.TruestepError) as caught:
        write_out(**(given | changed))
    return str(caught.value)


def test_what_cannot_be_written_out_is_refused_in_one_sentence() -> None:
    big = nn.Linear(64, 1)
    assert refused(model=big, named_parameters=None, inputs=torch.ones(3, 64), targets=torch.zeros(3, 1)) == (
        f"the model has 65 parameters and a chain is written out for at most {PARAMETERS}: give a smaller one of the "
        "same kind, say with 2 hidden units."
    )
    assert refused(inputs=torch.ones(9, 2), targets=torch.zeros(9)) == (
        f"the batch has 9 samples and a chain is written out for at most {SAMPLES}: give inputs[:8] and targets[:8]."
    )
    deep = nn.Sequential(*(nn.Sequential(nn.Linear(2, 2), nn.Tanh()) for _ in range(10)))
    assert refused(model=deep, named_parameters=None, inputs=torch.ones(8, 2), targets=torch.zeros(8, 2)) == (
        f"this step has 702 equations and at most {LINES} are written out: give fewer samples, or a smaller model."
    )
    assert refused(inputs=torch.ones(3, 2000)) == (
        "a tensor of shape (3, 2000) is too large to write out: give fewer samples, or a smaller model."
    )
    assert "more than 5,000 numbers, too large to write out" in refused(
        function=lambda x, w, b: sum((x @ w + b) for _ in range(2000))
    )
    assert refused(named_parameters=None) == (
        "a plain function does not name its parameters: give named_parameters={'w': w, 'b': b}."
    )
    assert "the parameter w must be a tensor of real numbers, and is int" in refused(named_parameters={"w": 1})
    assert "digits is a number of decimals from 1 to 12, and not 0." in refused(digits=0)
    assert "lr is a finite number, the rate of plain SGD, and not nan." in refused(lr=float("nan"))
    assert "sparse tensors cannot be written out" in refused(inputs=torch.ones(3, 2).to_sparse())


def test_a_gradient_that_the_formulas_do_not_give_is_refused() -> None:
    assert refused(function=lambda x, w, b: Straight.apply(x @ w + b)) == (
        "autograd's gradient of w is 2 and its formulas give 0: a hook or a backward of its own changes it, so this "
        "step cannot be written out."
    )
    assert "complex numbers, which cannot be written out" in refused(
        function=lambda x, w, b: torch.fft.fft(x @ w).abs()
    )
    noisy = refused(function=lambda x, w, b: nn.functional.rrelu(x @ w - 9 + b, training=True))
    assert "rrelu_with_noise gives other numbers when it runs again" in noisy
    assert "output[0] is inf" in refused(function=lambda x, w, b: x @ w / (b - 1))
    assert "the derivative of the loss by h1[2] is nan" in refused(function=lambda x, w, b: torch.sqrt(x @ w + b - 3))
    assert "autograd's gradient of w is nan" in refused(function=lambda x, w, b: torch.sqrt((x @ w + b) * 0))
    assert "does not depend on the parameters" in refused(function=lambda x, w, b: (x @ w + b).detach())
