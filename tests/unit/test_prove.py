"""`prove` calls a step exact only where it is, finds what is wrong, and says by how much the impossible is off."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import truestep as ts
from laws.step_cases import identical, snapshot
from truestep.explain.claims import EXACT, IMPOSSIBLE, Claim, Proof, figure
from truestep.explain.prove import prove

SAMPLES = 10
CLASS_WEIGHT = torch.tensor([0.5, 1.0, 2.0, 0.25])


def batch(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    return torch.randn(SAMPLES, 3, dtype=dtype), torch.randn(SAMPLES, 2, dtype=dtype)


def labels() -> Tensor:
    found = torch.randint(4, (SAMPLES,))
    found[3] = -100
    return found


def network(*middle: nn.Module, out: int = 2) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 8), *middle, nn.Tanh(), nn.Linear(8, out))


def step_of(model: nn.Module, objective: Any, **options: Any) -> ts.TrainStep:
    return ts.TrainStep(model, objective, torch.optim.AdamW(model.parameters(), lr=0.01), **options)


def found(proof: Proof, words: str) -> list[Claim]:
    claims = [claim for claim in proof.claims if words in claim.claim]
    assert claims, f"no claim about {words!r} in\n{proof}"
    return claims


def by_the_sum_of_the_batch(output: Tensor, target: Tensor) -> Tensor:
    return (output / output.abs().sum() - target).square()


def test_a_plain_step_is_exact_and_float64_shows_that_only_rounding_was_left():
    proof = prove(step_of(network(), nn.MSELoss()), *batch())
    assert proof.exact
    assert not proof.off
    assert proof.words == "This step is exact on this model and data: all 8 claims hold."
    splits = found(proof, "micro-batches")
    assert [re.findall(r"\d+", claim.claim) for claim in splits] == [["1"], ["4", "2"], ["5"]]
    for claim in (*splits, *found(proof, "accumulated")):
        assert claim.error64 is not None
        assert claim.error < 1e-5
        assert claim.error64 < 1e-14
    assert found(proof, "sum, mean and none of MSELoss")
    assert found(proof, "continued")[0].error == 0


def test_ignored_targets_and_class_weights_are_counted_as_torch_counts_them():
    proof = prove(step_of(network(out=4), nn.CrossEntropyLoss(CLASS_WEIGHT)), torch.randn(SAMPLES, 3), labels())
    assert proof.exact, proof
    assert found(proof, "padding")[0].verdict == EXACT
    assert found(proof, "sum, mean and none of CrossEntropyLoss")


def test_batch_normalisation_cannot_be_split_and_says_by_how_much():
    proof = prove(step_of(network(nn.BatchNorm1d(8)), nn.MSELoss()), *batch())
    assert not proof.exact
    assert not proof.off
    for claim in (*found(proof, "micro-batches of 4"), *found(proof, "accumulated")):
        assert claim.verdict == IMPOSSIBLE
        assert claim.error > 1e-3
        assert claim.words.startswith("Batch normalisation (1) takes its mean and variance")
        assert "In evaluation mode, without what these layers do, the error is" in claim.words
    one = found(proof, "micro-batches of 1")[0]
    assert one.words.startswith("This cannot be run: Expected more than 1 value per channel")
    assert found(proof, "order")[0].verdict == EXACT


def test_dropout_under_a_split_is_measured_against_two_draws_of_the_whole_batch():
    proof = prove(step_of(network(nn.Dropout(0.5), nn.Dropout(0.2)), nn.MSELoss()), *batch())
    assert not proof.off
    claim = found(proof, "micro-batches of 5")[0]
    assert claim.verdict == IMPOSSIBLE
    drawn = re.search(r"off by (\S+), where two draws of the unsplit batch differ by (\S+)\.", claim.words)
    assert drawn is not None
    assert 0.1 < float(drawn[2]) / float(drawn[1]) < 10
    assert "the error is" in claim.words.split("In evaluation mode")[1]
    assert found(proof, "continued")[0].verdict == EXACT  # its draws are part of its state


@pytest.mark.parametrize("noise", [[], [nn.Dropout(0.5), nn.Dropout(0.2)], [nn.BatchNorm1d(8)]])
def test_a_term_that_couples_samples_without_saying_so_is_found_behind_any_layer(noise: list[nn.Module]):
    proof = prove(step_of(network(*noise), by_the_sum_of_the_batch), *batch())
    claim = found(proof, "micro-batches of 5")[0]
    assert re.fullmatch(r"off by \d\.\de-?\d", claim.verdict), proof
    assert claim.error > 1e-2
    assert "couples the samples" in claim.words
    assert proof.words.startswith("This step is not exact: ")
    assert claim in proof.off


def test_a_layer_of_the_model_that_couples_samples_is_found():
    class Centred(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x - x.mean(0)

    proof = prove(step_of(network(Centred()), nn.MSELoss()), *batch())
    assert found(proof, "accumulated")[0] in proof.off


def test_a_count_that_is_not_the_denominator_is_found():
    wrong = ts.Term(lambda o, y: F.mse_loss(o, y), reduction="mean", count=lambda o, y: 7)
    right = ts.Term(lambda o, y: F.mse_loss(o, y), reduction="mean", count=lambda o, y: y.numel())
    x, y = batch()
    assert prove(step_of(network(), ts.Objective(right)), x, y).exact
    proof = prove(step_of(network(), ts.Objective(wrong)), x, y)
    assert found(proof, "micro-batches of 4")[0] in proof.off
    assert found(proof, "micro-batches of 5")[0].verdict == EXACT  # equal parts weigh alike, whatever they count


def test_a_loss_that_says_that_it_couples_cannot_be_split_and_is_measured_all_the_same():
    term = ts.Term(nn.MSELoss(), of=lambda o, y: (o.sum(), y.sum()), couples=True)
    claim = found(prove(step_of(network(), ts.Objective(term)), *batch()), "micro-batches of 5")[0]
    assert claim.verdict == IMPOSSIBLE
    assert claim.words.startswith("The term MSELoss couples the samples of a batch (couples=True)")
    assert f"would be off by {figure(claim.error64)}" in claim.words
    assert claim.error > 0.1


def test_a_loss_that_returns_one_number_is_told_that_its_parts_would_agree():
    step = step_of(network(), ts.Objective(mine=lambda o, y: F.mse_loss(o, y)))
    claim = found(prove(step, *batch()), "micro-batches of 4")[0]
    assert claim.verdict == IMPOSSIBLE
    assert "Parts averaged by their samples would agree here, to" in claim.words


@pytest.mark.parametrize("amp", ["bfloat16", "float16"])
def test_half_precision_cannot_be_exact_and_float64_clears_the_step_itself(amp: str):
    proof = prove(step_of(network(), nn.MSELoss(), amp=amp), *batch())
    assert not proof.off, proof
    claim = found(proof, "micro-batches of 5")[0]
    assert claim.verdict == IMPOSSIBLE
    assert 1e-5 < claim.error < 1e-1
    assert claim.error64 is not None
    assert claim.error64 < 1e-14
    assert claim.words.startswith(f"{amp} keeps ")


def test_code_that_works_in_float32_whatever_it_is_given_is_not_called_wrong():
    weight = torch.tensor([1.0, 3.0])
    assert prove(step_of(network(), lambda o, y: ((o - y).float() * weight).square()), *batch()).exact


def test_a_gradient_that_cancels_is_not_called_wrong_for_its_rounding():
    x, y, model = torch.randn(50, 3), torch.randn(50, 1), nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.linalg.lstsq(x.double(), y.double()).solution.T)  # the least loss: its gradient is 0
    proof = prove(ts.TrainStep(model, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.1)), x, y)
    assert proof.exact, proof
    claim = max(found(proof, "micro-batches of "), key=lambda one: one.error)  # which one is off hangs on the processor
    assert claim.error > 1e-3
    assert claim.words.startswith("The gradient nearly cancels")


def test_a_model_that_cannot_run_in_float64_is_judged_by_its_own_rounding():
    class Single(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            if input.dtype is not torch.float32:
                raise TypeError("float32 only")
            return super().forward(input)

    proof = prove(step_of(Single(3, 2), nn.MSELoss()), *batch())
    assert proof.exact
    assert found(proof, "micro-batches of 5")[0].error64 is None
    assert "could not be tried in float64" in found(proof, "micro-batches of 5")[0].words


def test_state_that_no_state_dict_holds_breaks_the_resumed_run():
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.calls = nn.Linear(3, 2), 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return self.linear(x) * (1 + 0.01 * self.calls)

    model = Counting()
    claim = found(prove(step_of(model, nn.MSELoss()), *batch()), "continued")[0]
    assert claim.verdict.startswith("off by ")
    assert "keeps something that no state_dict holds" in claim.words
    assert model.calls == 0


def updater_with(parameters: list[Tensor], velocity: list[Tensor]) -> Callable[[float], None]:
    def momentum(number: float) -> None:
        for p, v in zip(parameters, velocity, strict=True):
            v.mul_(0.9).add_(p.grad / number)  # pyright: ignore[reportOptionalOperand]
            p -= 0.1 * v
            p.grad.zero_()  # pyright: ignore[reportOptionalMemberAccess]

    return momentum


@pytest.mark.parametrize("loss", [nn.MSELoss(), nn.MSELoss(reduction="sum"), nn.L1Loss(reduction="none")])
def test_a_plain_function_with_an_updater_written_by_hand(loss: nn.Module):
    w, b = torch.randn(3, 2, requires_grad=True), torch.zeros(2, requires_grad=True)

    def sgd(number: float) -> None:
        for p in (w, b):
            p -= 0.1 * p.grad / number  # pyright: ignore[reportOptionalOperand]

    assert prove(ts.TrainStep(lambda x: x @ w + b, loss, sgd, params=[w, b]), *batch()).exact


def test_what_an_updater_written_by_hand_keeps_for_itself_is_named_and_put_back():
    w, v = torch.randn(3, 2, requires_grad=True), torch.full((3, 2), 0.5)
    before = [w.detach().clone(), v.clone()]
    proof = prove(ts.TrainStep(lambda x: x @ w, nn.MSELoss(), updater_with([w], [v]), params=[w]), *batch())
    assert proof.off == tuple(found(proof, "continued"))
    assert identical(before, [w.detach(), v])


def test_lbfgs_and_several_optimizers_with_a_schedule():
    model = network()
    lbfgs = torch.optim.LBFGS(model.parameters(), max_iter=3)
    assert prove(ts.TrainStep(model, nn.MSELoss(), lbfgs), *batch()).exact
    sgd = torch.optim.SGD(model[0].parameters(), lr=0.1, momentum=0.9)
    adam = torch.optim.Adam(model[2].parameters())
    schedule = torch.optim.lr_scheduler.StepLR(sgd, 1, 0.5)
    several = ts.TrainStep(model, nn.MSELoss(), [sgd, adam], clip_norm=0.1, schedule=schedule, micro_batch=3)
    assert prove(several, *batch()).exact


def test_everything_ends_as_it_was_to_the_bit():
    model = network(nn.BatchNorm1d(8), nn.Dropout(0.5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    step = ts.TrainStep(model, nn.MSELoss(), optimizer, micro_batch=4, schedule=schedule)
    x, y = batch()
    for _ in range(2):
        step(x, y)
    held, group, storage = snapshot(model, optimizer), optimizer.param_groups[0], model[0].weight.data_ptr()
    gradient = model[0].weight.grad.clone()
    random, lr, told = torch.get_rng_state(), group["lr"], (step.taken, schedule.state_dict())
    prove(step, x, y)
    assert identical(held, snapshot(model, optimizer))
    assert torch.equal(random, torch.get_rng_state())
    assert torch.equal(gradient, model[0].weight.grad)
    assert optimizer.param_groups[0] is group
    assert group["lr"] == lr
    assert (step.taken, schedule.state_dict()) == told
    assert model[0].weight.data_ptr() == storage
    assert model.training
    assert {tensor.dtype for tensor in model.parameters()} == {torch.float32}


def test_a_step_that_cannot_be_taken_says_why():
    x, y = batch()
    proof = prove(step_of(network(), nn.MSELoss()), x * float("nan"), y)
    assert not proof.exact
    assert "This step cannot be taken: step 1: the loss MSELoss is nan" in proof.claims[0].words
    nothing = prove(step_of(network(out=4), nn.CrossEntropyLoss()), x, torch.full((SAMPLES,), -100))
    assert "every target is ignored" in nothing.claims[0].words


def test_a_single_sample_is_no_batch_to_split():
    x, y = batch()
    proof = prove(step_of(network(), nn.MSELoss()), x[:1], y[:1])
    assert proof.exact
    assert not [claim for claim in proof.claims if "micro-batch" in claim.claim]


def test_the_table_shows_every_claim_and_the_page_escapes_names():
    loss = ts.Objective(**{"<b>": nn.MSELoss()})
    proof = prove(step_of(network(nn.Dropout(0.5), nn.Dropout(0.2)), loss), *batch())
    table, page = proof.table(), proof._repr_html_()
    assert repr(proof) == table
    assert all(claim.claim in table for claim in proof.claims)
    assert table.endswith(proof.words)
    assert "cannot be" in table
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert page.count("<tr>") == len(proof.claims) + 1


def test_figures_are_short():
    assert [figure(one) for one in (None, 0.0, 3.24e-3, 1.0, float("inf"), float("nan"))] == [
        "-", "0", "3.2e-3", "1.0e0", "inf", "-",
    ]  # fmt: skip
