"""`compare` tells by which factor and in which direction two updates differ, and names the cause that it measured."""

import copy
import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import truestep as ts
from laws.step_cases import identical, snapshot
from truestep.core.errors import ConfigError
from truestep.explain.compare import Comparison, compare

SAMPLES = 16
SGD, ADAM, ADAMW = torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW
MEAN, SUM = nn.MSELoss(), nn.MSELoss(reduction="sum")
CLASS_WEIGHT = torch.tensor([0.5, 1.0, 2.0, 0.25])


def network(out: int = 1, middle: nn.Module | None = None) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 8), middle or nn.Tanh(), nn.Linear(8, out))


def step_of(model: nn.Module, objective: Any = MEAN, kind: Any = SGD, lr: float = 0.1, **options: Any) -> ts.TrainStep:
    own = {name: options.pop(name) for name in ("clip_norm", "micro_batch", "amp") if name in options}
    return ts.TrainStep(model, objective, kind(model.parameters(), lr=lr, **options), **own)


def batch() -> tuple[Tensor, Tensor]:
    return torch.randn(SAMPLES, 3), torch.randn(SAMPLES, 1)


def of_two(a: dict[str, Any], b: dict[str, Any]) -> Comparison:
    model = network()
    return compare(step_of(model, **a), step_of(copy.deepcopy(model), **b), *batch())


def half(output: Tensor, target: Tensor) -> Tensor:
    return (output - target).square() / 2


def test_a_sum_against_a_mean_is_the_sentence_a_person_needs():
    model = network()
    x, y = torch.randn(256, 3), torch.randn(256, 1)
    found = compare(step_of(model), step_of(model, SUM), x, y)
    assert found.words.startswith(
        "B's update is 256.000 times A's, in the same direction: divide its lr by 256. Cause:"
    )
    assert "A divides by 256, the number of samples, B takes their sum" in found.words
    assert found.equal_if == "lr x 0.00390625"
    assert found.ratio == pytest.approx(256, rel=1e-4)
    assert found.cosine == pytest.approx(1, abs=1e-8)
    back = compare(step_of(model, SUM), step_of(model), x, y)
    assert back.equal_if == "lr x 256"
    assert "multiply its lr by 256" in back.words


def test_the_factor_that_is_named_makes_the_updates_equal():
    model = network().double()
    x, y = (tensor.double() for tensor in batch())
    factor = float(compare(step_of(model), step_of(model, SUM), x, y).equal_if.removeprefix("lr x "))
    assert compare(step_of(model), step_of(model, SUM, lr=0.1 * factor), x, y).error < 1e-12


def test_equal_steps_are_called_equal():
    found = of_two({}, {})
    assert found.words == "A and B take the same step: their updates are equal to the bit."
    assert found.equal_if == ""
    assert found.error == 0
    assert found.causes == ()
    rounded = of_two({}, {"micro_batch": 5})
    assert "equal but for rounding" in rounded.words
    assert rounded.equal_if == ""


@pytest.mark.parametrize("first", [True, False])
def test_the_factor_one_half_of_a_squared_loss(first: bool):
    losses = [half, MEAN] if first else [MEAN, half]
    found = of_two({"objective": losses[0]}, {"objective": losses[1]})
    assert found.causes == (f"the factor 1/2 of the squared loss: {'B' if first else 'A'} leaves it out",)
    assert found.equal_if == ("lr x 0.5" if first else "lr x 2")


def test_twice_a_loss_that_is_no_square_is_not_called_the_half_of_a_square():
    found = of_two({"objective": nn.L1Loss()}, {"objective": lambda o, y: 2 * (o - y).abs()})
    assert found.equal_if == "lr x 0.5"
    assert "1/2" not in found.words
    assert "on the same outputs B's is 2 times A's" in found.words


def test_a_missing_division_in_an_accumulation():
    adds = ts.Objective(ts.Term(lambda o, y: F.mse_loss(o, y), reduction="sum"))
    found = of_two({}, {"objective": adds, "micro_batch": 4})
    assert found.causes == ("a missing division in the accumulation: B adds the means of its 4 micro-batches",)
    assert found.equal_if == "lr x 0.25"
    assert of_two({}, {"objective": adds}).causes == ()


def test_class_weights_divide_by_their_sum_or_by_the_samples():
    model, labels = network(out=4), torch.randint(4, (SAMPLES,))
    elements = ts.Objective(ce=lambda o, y: F.cross_entropy(o, y, CLASS_WEIGHT, reduction="none"))
    found = compare(
        step_of(model, nn.CrossEntropyLoss(CLASS_WEIGHT)), step_of(model, elements), torch.randn(SAMPLES, 3), labels
    )
    weight = float(CLASS_WEIGHT[labels].sum())
    assert found.ratio == pytest.approx(weight / SAMPLES, rel=1e-4)
    assert f"A divides by {weight:.6g}, the sum of the class weights of the targets" in found.words
    assert "B divides by 16, the number of samples" in found.words
    assert float(found.equal_if.removeprefix("lr x ")) == pytest.approx(SAMPLES / weight, rel=1e-4)


def test_l2_against_decoupled_decay_of_an_adaptive_rule():
    found = of_two({"kind": ADAM, "weight_decay": 0.1}, {"kind": ADAMW, "weight_decay": 0.1})
    assert found.causes == ("decay: L2 in the gradient in A and decoupled from it in B",)
    assert found.equal_if == ""
    assert re.match(r"B's update points \S+ degrees away from A's and is \S+ times as long; they differ", found.words)


def test_l2_against_decay_beside_the_step_is_found_in_the_weights_themselves():
    model, lr, decay = network(), 0.1, 0.05
    parameters = list(model.parameters())

    def decoupled(number: float) -> None:
        for p in parameters:
            p.mul_(1 - decay)
            p -= lr * p.grad / number

    found = compare(step_of(model, weight_decay=decay), ts.TrainStep(model, MEAN, decoupled), *batch())
    assert found.equal_if == f"weight_decay x {lr:g}"
    assert "The difference is -0.045 times the weights" in found.words
    assert "A takes 0.005 of them a step and B 0.05" in found.words
    back = compare(ts.TrainStep(model, MEAN, decoupled), step_of(model, weight_decay=decay), *batch())
    assert back.equal_if == "weight_decay x 10"
    assert "A takes 0.05 of them a step and B 0.005" in back.words


def test_another_strength_of_decay():
    found = of_two({"weight_decay": 0.1}, {"weight_decay": 0.4})
    assert found.causes == ("weight_decay is 0.1 in A and 0.4 in B",)
    assert found.equal_if == "weight_decay x 0.25"


def test_another_learning_rate():
    found = of_two({"lr": 0.1}, {"lr": 1.0})
    assert found.causes == ("lr is 0.1 in A and 1 in B",)
    assert found.equal_if == "lr x 0.1"


def test_a_learning_rate_in_a_tensor_stays_the_same_tensor():
    model = network()
    rate = torch.tensor(1.0)
    b = ts.TrainStep(model, MEAN, SGD(model.parameters(), lr=rate))
    assert compare(step_of(model), b, *batch()).equal_if == "lr x 0.1"
    assert b.updates.optimizers[0].param_groups[0]["lr"] is rate
    assert float(rate) == 1.0


def test_clipping_that_is_active_in_only_one():
    found = of_two({}, {"clip_norm": 0.01})
    assert re.fullmatch(
        r"clipping: A does not clip its gradient of norm (\S+), B cuts its gradient from \1 to 0.01", found.causes[0]
    )
    assert float(found.equal_if.removeprefix("lr x ")) == pytest.approx(1 / found.ratio, rel=1e-3)
    assert "equal" in of_two({}, {"clip_norm": 1e6}).words


def test_the_momentum_of_earlier_steps():
    model = network()
    x, y = batch()
    fresh, used = (step_of(copy.deepcopy(model), momentum=0.9) for _ in range(2))
    for _ in range(3):
        used(x, y)
    assert compare(fresh, used, x, y).causes == ("momentum: only B carries state of earlier steps",)
    assert compare(used, fresh, x, y).causes == ("momentum: only A carries state of earlier steps",)
    assert compare(fresh, used, x, y).equal_if == ""


def test_several_causes_are_told_apart():
    found = of_two({"lr": 0.3, "weight_decay": 0.1}, {"lr": 0.1, "clip_norm": 0.01})
    assert sorted(cause.split()[0] for cause in found.causes) == ["clipping:", "lr", "weight_decay"]
    assert found.equal_if == ""


def test_rules_that_differ_are_said_to_differ():
    found = of_two({}, {"kind": ADAM})
    assert "the rules themselves differ: SGD in A and Adam in B" in found.words
    assert found.causes == ()


def test_a_factor_that_adam_divides_out_is_mentioned():
    found = of_two({"kind": ADAM}, {"kind": ADAM, "objective": SUM})
    assert "B's gradient is 16 times A's, which clipping or the optimizer's own denominators take out." in found.words


def test_a_step_uphill():
    found = of_two({}, {"maximize": True})
    assert found.cosine == pytest.approx(-1)
    assert (
        "in the opposite direction: one of the two climbs. Cause: maximize is False in A and True in B" in found.words
    )


def test_both_steps_draw_the_same_random_numbers_and_a_mode_is_a_cause():
    model = network(middle=nn.Dropout(0.5))
    x, y = batch()
    assert compare(step_of(model), step_of(copy.deepcopy(model)), x, y).error == 0
    found = compare(step_of(model), step_of(copy.deepcopy(model).eval()), x, y)
    assert found.causes == ("mode: the model is in training mode in only one of the two",)


def test_terms_are_compared_by_name():
    a = ts.Objective(mse=MEAN, mae=(0.5, nn.L1Loss()))
    b = ts.Objective(mse=MEAN, mae=(1.0, nn.L1Loss()))
    assert of_two({"objective": a}, {"objective": b}).causes == ("the weight of mae is 0.5 in A and 1 in B",)
    alone = of_two({"objective": a}, {"objective": ts.Objective(mse=MEAN, other=nn.L1Loss())}).causes[0]
    assert alone == "only A has the term mae; only B has the term other"


def test_the_model_of_b_may_stand_elsewhere_and_is_left_there():
    model, other = network(), network()
    a, b = step_of(model, momentum=0.9), step_of(other, SUM, momentum=0.9)
    x, y = batch()
    a(x, y)
    held = [snapshot(s.model, s.updates.optimizers[0]) for s in (a, b)]
    random = torch.get_rng_state()
    assert compare(a, b, x, y).rows
    assert identical(held[0], snapshot(model, a.updates.optimizers[0]))
    assert identical(held[1], snapshot(other, b.updates.optimizers[0]))
    assert torch.equal(random, torch.get_rng_state())
    assert (a.taken, b.taken) == (1, 0)


def test_plain_functions_with_updaters_written_by_hand():
    w, b = torch.zeros(3, 1, requires_grad=True), torch.zeros(1, requires_grad=True)

    def step_with(lr: float) -> ts.TrainStep:
        def sgd(number: float) -> None:
            for p in (w, b):
                p -= lr * p.grad / number  # pyright: ignore[reportOptionalOperand]

        return ts.TrainStep(lambda x: x @ w + b, MEAN, sgd, params=[w, b])

    found = compare(step_with(0.1), step_with(0.4), *batch())
    assert found.equal_if == "lr x 0.25"
    assert [row.name for row in found.rows] == ["parameter 0", "parameter 1"]
    assert not w.detach().any()


def test_rows_say_where_the_difference_lies():
    model = network()
    frozen = copy.deepcopy(model)
    frozen[0].requires_grad_(False)
    found = compare(step_of(model), step_of(frozen), *batch())
    rows = {row.name: row for row in found.rows}
    assert rows["0.weight"].norm_b == 0
    assert rows["2.weight"].cosine == pytest.approx(1)
    assert rows["0.weight"].share + rows["0.bias"].share == pytest.approx(1)
    assert "0.weight (" in found.words


@pytest.mark.filterwarnings("error")
def test_nothing_and_nan_are_said_honestly():
    still = of_two({}, {"lr": 0.0})
    assert still.words == "B does not move any weight. B: its learning rate is 0."
    assert still.cosine != still.cosine
    assert still.equal_if == ""
    both = of_two({"lr": 0.0}, {"lr": 0.0})
    assert both.words.startswith("Neither step moves any weight.")
    assert "is lost in the rounding of the weights" in of_two({}, {"lr": 1e-20}).words
    model, (x, y) = network(), batch()
    failed = compare(step_of(model), step_of(model), x * float("nan"), y)
    assert failed.words.startswith("A takes no step: step 1: the loss MSELoss is nan")


def test_models_of_another_make_are_refused():
    with pytest.raises(ConfigError, match=r"2\.weight has the shape \(1, 8\) in A and \(2, 8\) in B"):
        compare(step_of(network()), step_of(network(out=2)), *batch())


def test_it_shows_itself_and_escapes_names():
    found = of_two({}, {"objective": SUM})
    assert repr(found).startswith(found.words)
    assert "0.weight" in repr(found)
    evil = Comparison(1.0, 1.0, 0.0, "", "<script>", (), found.rows)
    assert "<script>" not in evil._repr_html_()
    assert repr(Comparison(1.0, 1.0, 0.0, "", "only words")) == "only words"
