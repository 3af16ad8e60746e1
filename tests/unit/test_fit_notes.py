"""What `fit` says in words, once, when a person would otherwise not notice."""

import pytest
import torch
from torch import Tensor, nn, optim
from torch.utils.data import DataLoader

import truestep as ts
from laws.step_cases import same_weights
from unit.fit_cases import CASES, by_the_user, network, normalised, sgd, simple


def test_a_sum_is_said_once_in_the_words_of_the_issue():
    x, y = torch.randn(600, 3).double(), torch.randn(600, 1).double()
    model = nn.Linear(3, 1).double()
    run = simple(
        model=model, train=(x, y), objective=nn.MSELoss(reduction="sum"), optimizer=sgd(model, 1e-5), batch_size=256
    )
    assert run.notes == [
        "this objective is a sum over 256 samples: its gradient is 256 times that of the mean; "
        "lr / 256 gives the same weights."
    ]


def test_sums_over_elements_and_one_sum_of_several_terms_are_said():
    model, case = network(), CASES["values"]
    run = simple(train=case.data(8), objective=CASES["sum"].objective, model=model, optimizer=sgd(model, 1e-3))
    assert run.notes == [
        "this objective is a sum over 40 elements of 8 samples: its gradient is 40 times that of the mean; "
        "lr / 40 gives the same weights."
    ]
    run = simple(train=CASES["mixed"].data(8), objective=CASES["mixed"].objective)
    assert run.notes == [
        "the term summed is a sum over 40 elements of 8 samples: its gradient is 40 times that of the mean; "
        "a weight of 1 / 40 gives the same weights."
    ]


def test_a_sum_is_not_remarked_on_where_the_updater_divides_or_where_it_has_one_element():
    model = network()
    data = CASES["values"].data(8)
    run = simple(model=model, train=data, objective=nn.MSELoss(reduction="sum"), optimizer=by_the_user(model))
    assert run.notes == []
    one = nn.Linear(3, 1).double()
    run = simple(model=one, train=(data[0][:1], data[1][:1, :1]), objective=nn.MSELoss(reduction="sum"))
    assert run.notes == []


def test_what_cannot_be_exact_and_what_nobody_moves_is_said():
    model = normalised()
    run = simple(model=model, optimizer=optim.SGD(model[3].parameters(), 0.1), batch_size=7, micro_batch=4)
    assert run.notes[0] == (
        "no optimizer holds 0.weight, 0.bias, 1.weight and 1 more: they require gradients and stay as they are."
    )
    assert run.notes[1].startswith("batch normalisation (1) takes its mean and variance from each micro-batch")
    assert len(run.notes) == 2
    frozen = normalised()
    frozen[1].eval()
    assert simple(model=frozen, batch_size=7, micro_batch=4).notes == []


def test_skipped_batches_are_said_and_leave_the_weights():
    x, y = CASES["tokens"].data(6)
    y[2:4] = -100
    model, slow = network(), network()
    run = simple(model=model, train=(x, y), epochs=1, batch_size=2, shuffle=False)
    assert run.notes == ["step 2 skipped: nothing in the batch is counted: every target is ignored"]
    assert (run.history[0].steps, run.history[0].skipped, run.history[0].samples) == (2, 1, 4)
    simple(model=slow, train=(x[[0, 1, 4, 5]], y[[0, 1, 4, 5]]), epochs=1, batch_size=2, shuffle=False)
    assert same_weights(model, slow, rtol=0.0)


def test_a_first_batch_without_samples_delays_the_sentence_about_a_sum():
    x, y = CASES["values"].data(6)
    batches = [(x[:0], y[:0]), (x[:2], y[:2]), (x, y)]
    loader = DataLoader(batches, batch_size=None)  # pyright: ignore[reportArgumentType]
    run = simple(train=loader, objective=nn.MSELoss(reduction="sum"), epochs=1)
    assert run.notes[0] == "step 1 skipped: the batch has no samples"
    assert run.notes[1].startswith("this objective is a sum over 10 elements of 2 samples")
    assert len(run.notes) == 2


def test_one_number_a_batch_is_averaged_and_that_is_said():
    """Weighted by samples, in training and in validation; and a batch of such losses is not split."""

    def opaque(output: Tensor, target: Tensor) -> Tensor:
        return (output - target).abs().mean().sqrt()

    data = CASES["values"].data(7)
    model = network()
    options = {"model": model, "train": data, "objective": opaque, "batch_size": 4, "optimizer": sgd(model, 0.0)}
    run = simple(**options, validate=data, shuffle=False, epochs=1)
    outputs = model(data[0]).detach()
    parts = [float(opaque(outputs[a:b], data[1][a:b])) for a, b in ((0, 4), (4, 7))]
    assert run.history[0].train_loss == pytest.approx((4 * parts[0] + 3 * parts[1]) / 7, rel=1e-12)
    assert run.history[0].valid_loss == pytest.approx(float(opaque(outputs, data[1])), rel=1e-12)
    assert len(run.notes) == 1
    assert run.notes[0].startswith("the loss opaque returns one number and does not say of how many elements")
    assert run.notes[0].endswith(
        "The figures of opaque in the history are therefore averages over batches, weighted by samples."
    )
    for split in ({"micro_batch": 2}, {"accumulate": 2}):
        with pytest.raises(ts.CountError, match=r"^the loss opaque returns one number and does not say"):
            simple(**options, **split)


def test_a_term_that_couples_samples_is_averaged_and_that_is_said():
    data = CASES["values"].data(7)
    whole = ts.Term(nn.MSELoss(), of=lambda o, y: (o.sum(), y.sum()), couples=True)
    coupled = ts.Objective(each=nn.MSELoss(), whole=whole)
    run = simple(train=data, objective=coupled, batch_size=4)
    assert len(run.notes) == 1
    assert run.notes[0] == (
        "the term MSELoss couples the samples of a batch (couples=True): it cannot be split. "
        "The figures of whole in the history are therefore averages over batches, weighted by samples."
    )
    for split in ({"micro_batch": 2}, {"accumulate": 2}):
        with pytest.raises(
            ts.CountError, match=r"^the term whole couples the samples of a batch \(couples=True\), so its split"
        ):
            simple(train=data, objective=coupled, batch_size=4, **split)
