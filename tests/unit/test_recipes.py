"""The forms of a recipe end in the same weights, however the batch is split, and every recipe learns."""

import inspect
from pathlib import Path

import pytest
import torch

import truestep as ts
from truestep import recipes
from truestep.recipes import lenet5, linreg, mlp, softmax, weight_decay

MODULES = {name: recipes.load(name) for name in recipes.names()}
BOTH = [name for name, module in MODULES.items() if module.FORMS == ("by-hand", "built-in")]
SHARED = Path(__file__).parents[3] / "shared" / "data"


def data_for(name, dtype):
    """A small data set of the kind that the recipe has, in the given precision."""
    if name == "linreg":
        split = linreg.draw(0)
    elif name == "weight-decay":
        split = ts.data.weight_decay()
    else:
        split = ts.data.digits(28 if name == "lenet5" else 8)
    (x, y), (u, v) = split
    kinds = {True: dtype, False: torch.int64}
    train, test = (x[:70].to(dtype), y[:70].to(kinds[y.is_floating_point()])), (u[:40].to(dtype), v[:40])
    return ts.data.Split(train, (test[0], test[1].to(kinds[v.is_floating_point()])), "some", split.classes)


def weights(module, form, dtype=torch.float64, **options):
    """The trained tensors by name of their place, those of layers turned the way that a plain function has them."""
    name = module.__name__.rpartition(".")[2].replace("_", "-")
    run = module.train(form, data_for(name, dtype), progress=False, **options)
    return [p.detach().T if form == "built-in" and p.dim() == 2 else p.detach() for p in run.parameters]


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-13), (torch.float32, 1e-5)])
def test_both_forms_end_in_the_same_weights(name, dtype, tolerance):
    options = {"epochs": 3, "batch_size": 16}  # 70 samples: the last batch is ragged
    by_hand, built_in = (weights(MODULES[name], form, dtype, **options) for form in MODULES[name].FORMS)
    assert len(by_hand) == len(built_in) > 1
    for one, other in zip(by_hand, built_in, strict=True):
        assert one.dtype == dtype
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name, form", [(name, form) for name, module in MODULES.items() for form in module.FORMS])
def test_the_weights_do_not_depend_on_the_split(name, form):
    if name == "lenet5":
        options = {"epochs": 1, "batch_size": 32}
    else:
        options = {"epochs": 2, "batch_size": 16}
    whole, split = (weights(MODULES[name], form, micro_batch=m, **options) for m in (None, 7))
    for one, other in zip(whole, split, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", MODULES)
def test_the_weights_depend_on_the_seed_and_on_no_state_of_the_caller(name):
    found = []
    for state, seed in ((1, 0), (2, 0), (2, 1)):
        torch.manual_seed(state)
        found.append(weights(MODULES[name], MODULES[name].FORMS[0], epochs=1, seed=seed))
    assert all(torch.equal(one, other) for one, other in zip(found[0], found[1], strict=True))
    assert not any(torch.equal(one, other) for one, other in zip(found[0], found[2], strict=True))


@pytest.mark.parametrize("form", linreg.FORMS)
def test_linear_regression_finds_what_made_the_data(form):
    run = linreg.train(form, progress=False)
    w, b = (p.detach().flatten().tolist() for p in run.parameters)
    assert w == pytest.approx([2.0, -3.4], abs=2e-3)
    assert b == pytest.approx([4.2], abs=2e-3)
    assert (run.steps, run.history[-1].samples) == (300, 1000)
    assert run.best is not None
    assert run.best.valid_loss == pytest.approx(linreg.NOISE**2, rel=0.3)
    assert linreg.learned(run).endswith("the data were made with w = [2.0, -3.4], b = 4.2")


def test_the_squared_error_has_no_factor_one_half():
    output, y = torch.tensor([[3.0], [1.0]]), torch.tensor([[1.0], [1.0]])
    assert linreg.squared_error(output, y).tolist() == [[4.0], [0.0]]


def test_the_log_softmax_by_hand_is_that_of_torch_for_scores_that_overflow_exp():
    scores = torch.tensor([[1000.0, 999.0, -1000.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(softmax.log_softmax(scores), torch.log_softmax(scores, 1))


def test_the_relu_by_hand_passes_no_gradient_at_zero():
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    mlp.relu(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 0.0, 1.0]


@pytest.mark.parametrize("module", [softmax, mlp])
def test_a_dense_network_learns_real_digits(module):
    run = module.train(data=ts.data.digits(8), epochs=10, progress=False)
    assert run.history[-1].valid_accuracy > 0.8


@pytest.mark.parametrize("form, epochs", [("modern", 2), ("classic", 5)])
def test_lenet5_learns_from_a_slice_of_the_digits(form, epochs):
    (x, y), (u, v) = ts.data.digits()
    split = ts.data.Split((x[:800], y[:800]), (u[:100], v[:100]), "some")
    run = lenet5.train(form, split, epochs=epochs, progress=False)
    assert run.history[-1].valid_accuracy > 0.5  # guessing names one of ten


@pytest.mark.parametrize("form", lenet5.FORMS)
def test_lenet5_has_the_61_706_parameters_that_it_has_in_every_textbook(form):
    net, params = lenet5.model(form, torch.zeros(1, 1, 28, 28))
    assert sum(p.numel() for p in params) == 61_706
    assert net(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


@pytest.mark.parametrize("form", weight_decay.FORMS)
def test_weight_decay_trades_training_error_for_test_error_and_size(form):
    free, held = (weight_decay.train(form, weight_decay=strength, progress=False) for strength in (0.0, 3.0))
    assert free.history[-1].train_error < held.history[-1].train_error < 0.01
    assert held.history[-1].valid_error < 0.01 * free.history[-1].valid_error
    assert held.parameters[0].norm() < 0.1 * free.parameters[0].norm()


def test_both_forms_of_weight_decay_report_the_same_error():
    one, other = (weight_decay.train(form, epochs=2, progress=False).history for form in weight_decay.FORMS)
    for name in ("train_error", "valid_error"):
        assert one[name] == pytest.approx(other[name], rel=1e-5)


@pytest.mark.parametrize("name", MODULES)
def test_every_recipe_keeps_the_contract(name):
    module = MODULES[name]
    parameters = inspect.signature(module.train).parameters
    assert list(parameters)[:6] == ["form", "data", "epochs", "batch_size", "lr", "seed"]
    assert parameters["fit"].kind is inspect.Parameter.VAR_KEYWORD
    assert parameters["form"].default == module.FORMS[0]
    assert parameters["seed"].default == 0
    title = (module.__doc__ or "").partition("\n")[0]
    assert title.endswith(".")
    assert ":" in title
    with pytest.raises(ts.ConfigError, match=r"there is no form 'none'; it is one of "):
        module.train("none")


def test_a_recipe_is_found_with_a_hyphen_or_an_underscore():
    assert recipes.load("weight-decay") is recipes.load("weight_decay") is weight_decay


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(
        ts.ConfigError, match=r"^there is no recipe 'lenet'; did you mean lenet5\? it is one of linreg, "
    ):
        recipes.load("lenet")


@pytest.mark.long
def test_lenet5_reads_94_of_100_digits_by_hands_it_never_saw():
    for seed in range(3):
        run = lenet5.train(seed=seed, progress=False)
        assert run.best is not None
        assert run.best.valid_accuracy > 0.94


@pytest.mark.long
def test_lenet5_passes_97_percent_on_mnist_within_10_epochs(monkeypatch):
    if not (SHARED / "mnist").is_dir():
        pytest.skip("the MNIST files are not beside the repository")
    monkeypatch.setenv("TRUESTEP_DATA", str(SHARED))
    run = lenet5.train(data="mnist", epochs=10, progress=False)
    assert run.best is not None
    assert run.best.valid_accuracy > 0.97
