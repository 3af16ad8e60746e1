"""Every reported figure is a total over a count: it does not depend on how the data were batched."""

import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import truestep as ts
from laws.step_cases import WEIGHT, close, same_weights
from reference import fit as by_hand
from unit.fit_cases import CASES, Items, Stream, network, normalised, sgd, simple, weights

METRICS = {
    "accuracy": ts.metrics.accuracy,
    "top": lambda o, y: ts.metrics.top_k(o, y, 2),
    "pair": lambda o, y: (o.sum(), len(y)),
}
SIZES = st.integers(1, 14)


@given(problem=st.sampled_from(sorted(CASES)), samples=st.integers(1, 13), size=SIZES, training=SIZES)
def test_figures_do_not_depend_on_the_batch_size(problem: str, samples: int, size: int, training: int):
    """Fixed weights: what training and validation report is the value of the whole data set, sample by sample."""
    case, model = CASES[problem], network()
    data = case.data(samples)
    whole = by_hand.figures(case.terms, model, *data, list(range(samples)))
    expected = by_hand.means(case.terms, [whole])
    for form in (data, Items(data), Stream(data)):
        found = ts.evaluate(model, form, case.objective, batch_size=size)
        assert close(found.loss, expected["loss"])
        assert found.samples == samples
        assert all(close(found.terms[name], expected[name]) for name in expected if name != "loss")
    options = {"model": model, "train": data, "objective": case.objective, "optimizer": sgd(model, 0.0), "epochs": 1}
    record = simple(**options, batch_size=training, validate=DataLoader(Items(data), batch_size=size)).history[0]
    assert close(record.valid_loss, expected["loss"])
    if not record.skipped:
        assert close(record.train_loss, expected["loss"])


@pytest.mark.parametrize("size", [2, 3, 5, 13])
def test_metrics_do_not_depend_on_the_batch_size(size: int):
    x, y = CASES["tokens"].data(13)
    model = network()
    output, kept = model(x).detach(), y >= 0
    best = output.topk(2).indices
    expected = {
        "accuracy": float((best[:, 0] == y)[kept].double().mean()),
        "top": float((best == y[:, None]).any(1)[kept].double().mean()),
        "pair": float(output.sum()) / 13,
    }
    record = simple(
        model=model, train=(x, y), optimizer=sgd(model, 0.0), epochs=1, batch_size=size, metrics=METRICS, micro_batch=2,
        shuffle=False, validate=DataLoader(TensorDataset(x, y), batch_size=size),
    ).history[0]  # fmt: skip
    for side in ("train", "valid"):
        assert {name: record[f"{side}_{name}"] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_the_validation_loss_by_tokens_and_class_weights_is_torchs_own_of_one_big_batch():
    """Sequences of which most is padding: an average over batches would be another number."""
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(10, 3, generator=generator, dtype=torch.float64)
    y = torch.randint(5, (10,), generator=generator)
    y[:6] = -100
    model = network()
    for loss in (nn.CrossEntropyLoss(WEIGHT), nn.CrossEntropyLoss(WEIGHT, label_smoothing=0.2), nn.CrossEntropyLoss()):
        output = model(x).detach()
        whole = float(loss(output, y))
        batches = [loss(output[a : a + 5], y[a : a + 5]) for a in (0, 5)]
        assert not close(whole, sum(float(one) for one in batches) / 2, 1e-3)
        assert close(ts.evaluate(model, (x, y), loss, batch_size=5).loss, whole)


def test_totals_are_added_up_in_float64():
    """Ten thousand batches in float32 would lose a digit with each."""
    torch.manual_seed(0)
    x, y = torch.randn(10_000, 1) + 3, torch.randn(10_000, 1)
    model = nn.Linear(1, 1)
    exact = float(F.mse_loss(model(x).detach().double(), y.double()))
    found = ts.evaluate(model, (x, y), nn.MSELoss(), [ts.metrics.mean_absolute_error], batch_size=10)
    assert found.loss == pytest.approx(exact, rel=2e-8)
    absolute = float((model(x).detach().double() - y.double()).abs().mean())
    assert found.metrics["mean_absolute_error"] == pytest.approx(absolute, rel=2e-8)


def test_a_term_that_is_not_a_number_is_not_left_out():
    """Only a term that counted nothing is: NaN in one of two terms is a loss of NaN."""
    x, y = CASES["values"].data(6)
    both = ts.Objective(fine=nn.MSELoss(), broken=lambda output, target: output + (target * 0 - 1).log())
    assert ts.evaluate(network(), (x, y), both).loss != ts.evaluate(network(), (x, y), nn.MSELoss()).loss
    assert torch.tensor(ts.evaluate(network(), (x, y), both).loss).isnan()
    ignored = {"values": y, "tokens": torch.full((6,), -100)}
    found = ts.evaluate(network(), (x, ignored), CASES["mixed"].objective)
    alone = {"values": found.terms["values"], "summed": found.terms["summed"]}
    assert close(found.loss, 0.5 * alone["values"] + 0.01 * alone["summed"])
    assert torch.tensor(found.terms["tokens"]).isnan()
    nothing = ts.evaluate(network(), (x, ignored["tokens"]), nn.CrossEntropyLoss())
    assert torch.tensor(nothing.loss).isnan()
    assert nothing.samples == 6


def test_a_loss_of_one_number_is_averaged_by_samples_and_says_why():
    x, y = CASES["values"].data(5)
    model = network()

    def opaque(output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().mean().sqrt()

    found = ts.evaluate(model, (x, y), opaque, batch_size=3)
    parts = [float(opaque(model(x[a:b]).detach(), y[a:b])) for a, b in ((0, 3), (3, 5))]
    assert close(found.loss, (3 * parts[0] + 2 * parts[1]) / 5)
    assert list(found.averaged) == ["opaque"]


# --- modes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("modes", [(True, True, True, True), (True, False, True, False), (False,) * 4])
def test_evaluation_is_in_evaluation_mode_and_every_mode_comes_back(modes: tuple[bool, ...]):
    model = normalised()
    model.training = modes[0]
    for module, mode in zip(model, modes, strict=True):
        module.training = mode
    seen: list[bool] = []
    model[2].register_forward_hook(lambda module, args, output: seen.append(module.training or torch.is_grad_enabled()))
    before = copy.deepcopy(model.state_dict())
    ts.evaluate(model, CASES["tokens"].data(6), nn.CrossEntropyLoss(), batch_size=4)
    assert seen == [False, False]
    assert [module.training for module in model] == list(modes)
    assert model.training == modes[0]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_modes_come_back_when_evaluation_fails():
    model = normalised()
    with pytest.raises(ZeroDivisionError):
        ts.evaluate(model, CASES["tokens"].data(6), nn.CrossEntropyLoss(), {"broken": lambda o, y: 1 // 0})
    assert all(module.training for module in model.modules())


def test_evaluation_moves_no_weights_and_leaves_no_gradients():
    model = network()
    before = weights(model)
    ts.evaluate(model, CASES["tokens"].data(6), nn.CrossEntropyLoss())
    assert all(torch.equal(a, b) for a, b in zip(before, weights(model), strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_plain_function_is_evaluated_where_its_data_are():
    x = torch.arange(4.0).unsqueeze(1)
    found = ts.evaluate(lambda inputs: inputs + 1, (x, x), nn.MSELoss(), ts.metrics.mean_absolute_error)
    assert (found.loss, found.metrics, found.samples) == (1.0, {"mean_absolute_error": 1.0}, 4)


def test_evaluation_in_half_precision():
    model = network().float()
    x, y = CASES["tokens"].data(6)
    exact = ts.evaluate(model, (x.float(), y), nn.CrossEntropyLoss()).loss
    for amp in ("bfloat16", "float16"):
        assert ts.evaluate(model, (x.float(), y), nn.CrossEntropyLoss(), amp=amp).loss == pytest.approx(exact, rel=0.02)


def test_validation_does_not_change_training():
    model, other = normalised(), normalised()
    simple(model=model, batch_size=7)
    simple(model=other, batch_size=7, validate=CASES["tokens"].data(5), metrics=ts.metrics.accuracy)
    assert same_weights(model, other, rtol=0.0)
    assert torch.equal(model[1].running_var, other[1].running_var)


@pytest.mark.parametrize("data", [(torch.tensor(1.0), torch.tensor(1.0)), (torch.ones(0, 3), torch.ones(0))])
def test_bad_data_for_validation_get_a_sentence(data: Any):
    with pytest.raises(ts.DataError, match=r"is a single number|the data are empty"):
        simple(validate=data)


def test_a_batch_size_of_0_is_refused():
    with pytest.raises(ts.ConfigError, match=r"^batch_size is a number of samples, at least 1, and not 0\.$"):
        ts.evaluate(network(), CASES["tokens"].data(4), nn.CrossEntropyLoss(), batch_size=0)
