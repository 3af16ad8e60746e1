"""The same samples train the same weights in every form; their order is a function of (seed, epoch)."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import truestep as ts
from laws.step_cases import same_weights
from reference import fit as by_hand
from reference import step
from truestep.data.batches import order
from unit.fit_cases import CASES, Items, Stream, network, same_figures, sgd, simple, weights, with_dropout

CASE = CASES["mixed"]
TOKENS = CASES["tokens"]
SAMPLES, BATCH, EPOCHS, SEED = 23, 5, 3, 11  # a ragged last batch of 3


class Doubled(TensorDataset):
    """A user's own data set made of tensors, which changes what it returns."""

    def __getitem__(self, index: Any) -> Any:
        x, y = super().__getitem__(index)
        return 2 * x, y


class Rows:
    """Nothing but `len` and positions."""

    def __init__(self, data: Any) -> None:
        self.items = Items(data)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, position: int) -> Any:
        return self.items[position]


def in_numpy(tree: Any) -> Any:
    return {name: value.numpy() for name, value in tree.items()} if isinstance(tree, dict) else tree.numpy()


def expected(
    case: Any, data: Any, epochs: list[list[list[int]]], valid: Any = None
) -> tuple[nn.Module, list[by_hand.Record]]:
    slow = network()
    update = by_hand.by_rule(slow, case.terms, [step.sgd(0.1, 0.9)] * 4)
    return slow, by_hand.fit(slow, case.terms, update, data, epochs, valid)


def trained(case: Any, train: Any, batch_size: int | None = BATCH, valid: Any = None) -> tuple[nn.Module, ts.Run]:
    model = network()
    optimizer = sgd(model, momentum=0.9)
    run = ts.fit(model, train, case.objective, optimizer, EPOCHS, batch_size, valid, seed=SEED, progress=False)
    return model, run


MAPS = {
    "tensors": lambda x, y: (x, y),
    "a list of two": lambda x, y: [x, y],
    "arrays": lambda x, y: (in_numpy(x), in_numpy(y)),
    "a data set": lambda x, y: Items((x, y)),
    "rows": lambda x, y: Rows((x, y)),
}


@pytest.mark.parametrize("form", MAPS)
def test_every_form_of_the_same_samples_trains_the_same_weights(form: str):
    data, valid = CASE.data(SAMPLES), CASE.data(7, seed=2)
    model, run = trained(CASE, MAPS[form](*data), valid=MAPS[form](*valid))
    slow, history = expected(CASE, data, by_hand.windows(SAMPLES, BATCH, EPOCHS, SEED), valid)
    assert same_figures(run.history, history)
    assert same_weights(model, slow)
    assert run.notes[1:] == []  # the first one is about the sum


def test_a_tensor_data_set_is_its_tensors_and_a_subclass_is_asked_for_its_samples():
    x, y = TOKENS.data(SAMPLES)
    model, run = trained(TOKENS, TensorDataset(x, y), valid=TensorDataset(x, y))
    slow, history = expected(TOKENS, (x, y), by_hand.windows(SAMPLES, BATCH, EPOCHS, SEED), (x, y))
    assert same_figures(run.history, history)
    assert same_weights(model, slow)
    model, run = trained(TOKENS, Doubled(x, y), valid=Doubled(x, y))
    slow, history = expected(TOKENS, (2 * x, y), by_hand.windows(SAMPLES, BATCH, EPOCHS, SEED), (2 * x, y))
    assert same_figures(run.history, history)
    assert same_weights(model, slow)


@pytest.mark.parametrize("form", ["loader", "loader with a sampler of batches", "stream", "loader of a stream"])
def test_loaders_and_streams_keep_their_own_order(form: str):
    data = CASE.data(SAMPLES)
    batches = [list(range(at, min(at + BATCH, SAMPLES))) for at in range(0, SAMPLES, BATCH)][::-1]
    made: dict[str, tuple[Any, int | None]] = {
        "loader": (DataLoader(Items(data), batch_size=BATCH), None),
        "loader with a sampler of batches": (DataLoader(Items(data), batch_sampler=batches), None),
        "stream": (Stream(data), BATCH),
        "loader of a stream": (DataLoader(Stream(data), batch_size=BATCH), BATCH),
    }
    train, batch_size = made[form]
    model, run = trained(CASE, train, batch_size, train)
    windows = by_hand.windows(SAMPLES, BATCH, EPOCHS, None)
    slow, history = expected(CASE, data, [batches] * EPOCHS if "sampler" in form else windows, data)
    assert same_figures(run.history, history)
    assert same_weights(model, slow)


@pytest.mark.parametrize("drop_last", [True, False])
def test_a_shuffled_loader_is_a_function_of_seed_and_epoch(drop_last: bool):
    data = TOKENS.data(SAMPLES)
    options: dict[str, Any] = {"batch_size": BATCH, "shuffle": True, "drop_last": drop_last}
    epochs = []
    for epoch in range(1, EPOCHS + 1):
        torch.manual_seed(by_hand.seed_of(SEED, epoch, 1))
        epochs.append([batch.tolist() for batch in DataLoader(range(SAMPLES), **options)])  # pyright: ignore[reportArgumentType]
    assert epochs[0] != epochs[1]
    torch.manual_seed(99)
    model, run = trained(TOKENS, DataLoader(Items(data), **options), None)
    slow, history = expected(TOKENS, data, epochs)
    assert same_figures(run.history, history)
    assert same_weights(model, slow)


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = network()

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.net(left * right)


@pytest.mark.parametrize(
    "wrap", [lambda d: d, Items, lambda d: DataLoader(Items(d), 4)], ids=["tensors", "items", "loader"]
)
@pytest.mark.parametrize("form", ["tuple", "dict"])
def test_inputs_of_several_tensors(form: str, wrap: Any):
    x, y = TOKENS.data(11)
    inputs = (x, x.flip(0)) if form == "tuple" else {"right": x.flip(0), "left": x}
    model, slow = Gated(), Gated()
    run = simple(
        model=model,
        train=wrap((inputs, y)),
        batch_size=4,
        optimizer=sgd(model),
        shuffle=False,
        validate=wrap((inputs, y)),
    )
    update = by_hand.by_rule(slow, TOKENS.terms, [step.sgd(0.1)] * 4)
    history = by_hand.fit(slow, TOKENS.terms, update, (inputs, y), by_hand.windows(11, 4, 2, None), (inputs, y))
    assert same_figures(run.history, history)
    assert same_weights(model, slow)


def test_data_without_targets():
    """An autoencoder: targets None, and a loss of the outputs alone."""
    x = torch.randn(9, 3).double()
    model = nn.Linear(3, 3).double()
    loss = ts.Objective(ts.Term(lambda output, target: output.square()))
    before = weights(model)
    run = simple(model=model, train=(x, None), objective=loss, batch_size=4, validate=(x, None))
    assert run.history[0].samples == 9
    assert run.history[1].valid_loss < run.history[0].valid_loss
    assert not torch.equal(before[0], weights(model)[0])


# --- order ----------------------------------------------------------------------------------------------------------


def orders(train: Any, model: nn.Module | None = None, epochs: int = 3, **options: Any) -> list[list[int]]:
    """The samples of each epoch in the order in which the model saw them: their number is their first feature."""
    seen: list[int] = []
    model = model or network()
    model.register_forward_pre_hook(lambda module, inputs: seen.extend(inputs[0][:, 0].int().tolist()))
    simple(model=model, train=train, epochs=epochs, batch_size=4, optimizer=sgd(model, 1e-9), **options)
    return [seen[at : at + SAMPLES] for at in range(0, len(seen), SAMPLES)]


def numbered() -> tuple[Tensor, Tensor]:
    x, y = TOKENS.data(SAMPLES)
    x[:, 0] = torch.arange(SAMPLES)
    return x, y


def test_the_order_is_a_function_of_seed_and_epoch_alone():
    data = numbered()
    first = orders(data)
    assert first == [by_hand.order(SAMPLES, 0, epoch) for epoch in (1, 2, 3)]
    torch.manual_seed(123)
    assert orders(data, epochs=5)[:3] == first  # neither the random state nor the number of epochs
    assert orders(data, with_dropout()) == first
    assert orders(Items(data)) == first
    assert orders(data, micro_batch=3, accumulate=2, tail="carry") == first
    assert orders(data, seed=1) == [by_hand.order(SAMPLES, 1, epoch) for epoch in (1, 2, 3)]
    assert orders(data, shuffle=False) == [list(range(SAMPLES))] * 3
    assert orders(Items(data), shuffle=False) == [list(range(SAMPLES))] * 3


def test_near_seeds_and_epochs_have_unrelated_orders():
    found = [tuple(by_hand.order(SAMPLES, seed, epoch)) for seed in range(12) for epoch in range(1, 13)]
    assert len(set(found)) == 144


def test_dropout_draws_the_same_for_tensors_and_for_a_data_set():
    data = TOKENS.data(SAMPLES)
    ends = []
    for train in (data, Items(data)):
        model = with_dropout()
        simple(model=model, train=train, batch_size=4, optimizer=sgd(model), validate=train)
        ends.append(model)
    assert same_weights(*ends, rtol=0.0)


def test_the_users_tensors_are_left_as_they_are():
    x, y = TOKENS.data(SAMPLES)
    before = x.clone(), y.clone()
    model = network()
    simple(model=model, train=(x, y), validate=(x, y))
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


# --- batch sizes ----------------------------------------------------------------------------------------------------


def test_a_loader_for_validation_may_have_another_batch_size_than_training():
    x, y = TOKENS.data(SAMPLES)
    run = simple(train=(x, y), batch_size=4, validate=DataLoader(TensorDataset(x, y), batch_size=7))
    whole = simple(train=(x, y), batch_size=4, validate=(x, y))
    assert run.history["valid_loss"] == pytest.approx(whole.history["valid_loss"], rel=1e-12)
    run = simple(train=(x, y), batch_size=4, validate=DataLoader(Stream((x, y)), batch_size=7))
    assert run.history["valid_loss"] == pytest.approx(whole.history["valid_loss"], rel=1e-12)


def test_256_samples_a_batch_where_nothing_says_it():
    x, y = CASES["values"].data(300)
    for train in ((x, y), Items((x, y)), Stream((x, y))):
        assert simple(train=train, objective=nn.MSELoss(), epochs=1).history[0].steps == 2


class Slope(nn.Module):
    """The derivative of its output with respect to its inputs, which must require a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.autograd.grad(self.inner(x).sum(), x, create_graph=True)[0]


@pytest.mark.parametrize("compile", [False, "exact"])
def test_data_that_require_gradients_are_trained_on_batch_by_batch(compile: Any):
    """All batches of an epoch hung on one graph, which the backward pass of the first freed."""
    x, y = torch.linspace(0, 1, SAMPLES).reshape(-1, 1), torch.ones(SAMPLES, 1)
    wanted = x.clone().requires_grad_()
    for data, makes in (((wanted * 2, y), lambda: nn.Linear(1, 1)), ((wanted, y), Slope)):
        torch.manual_seed(0)
        model = makes()
        slow = copy.deepcopy(model)
        ts.fit(model, data, nn.MSELoss(), sgd(model), EPOCHS, BATCH, seed=SEED, progress=False, compile=compile)
        assert wanted.grad is None
        update = sgd(slow)
        for epoch in range(1, EPOCHS + 1):
            for rows in order(SAMPLES, SEED, epoch).split(BATCH):
                update.zero_grad()
                inputs = data[0].detach()[rows].requires_grad_()
                nn.functional.mse_loss(slow(inputs), y[rows]).backward()
                update.step()
        for mine, plain in zip(model.parameters(), slow.parameters(), strict=True):
            torch.testing.assert_close(mine, plain)
