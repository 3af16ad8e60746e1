"""Rules read from live optimizers, whatever these hold; and what a rule says to input that cannot mean anything."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

from truestep.core import links, rules
from truestep.core.errors import ConfigError, ShapeError, TruestepError

OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "SGD": lambda p, **o: optim.SGD(p, momentum=0.9, dampening=0.1, weight_decay=0.01, **o),
    "Nesterov": lambda p, **o: optim.SGD(p, momentum=0.9, nesterov=True, **o),
    "Adam": lambda p, **o: optim.Adam(p, amsgrad=True, weight_decay=0.01, **o),
    "AdamW": lambda p, **o: optim.AdamW(p, **o),
    "RMSprop": lambda p, **o: optim.RMSprop(p, momentum=0.5, centered=True, **o),
    "Adagrad": lambda p, **o: optim.Adagrad(p, lr_decay=0.1, weight_decay=0.01, **o),
    "NAdam": lambda p, **o: optim.NAdam(p, weight_decay=0.01, decoupled_weight_decay=True, **o),
    "RAdam": lambda p, **o: optim.RAdam(p, betas=(0.9, 0.9), weight_decay=0.01, **o),
    "Adamax": lambda p, **o: optim.Adamax(p, weight_decay=0.01, **o),
}
every = pytest.mark.parametrize("name", OPTIMIZERS)


def weights(dtype: torch.dtype = torch.float32) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(shape).to(dtype).requires_grad_() for shape in ((67,), ())]


def predicted(optimizer: optim.Optimizer, step: int) -> dict[Tensor, Tensor]:
    """Gives every parameter a gradient, and tells where the rules that are read from the optimizer would put it."""
    generator = torch.Generator().manual_seed(step)
    twins = rules.of(optimizer)
    for w in twins:
        w.grad = torch.randn(w.shape, generator=generator).to(w)
    return {w: twin.rule.update(w.grad, w, twin.state)[0] for w, twin in twins.items() if w.grad is not None}


def follows(optimizer: optim.Optimizer, steps: int = 8) -> bool:
    """Whether each step of the optimizer is, bit for bit, the step that was read from it before."""
    for step in range(steps):
        expected = predicted(optimizer, step)
        optimizer.step()
        if not all(w.dtype == new.dtype and torch.equal(w, new) for w, new in expected.items()):
            return False
    return True


@every
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_chain_goes_on_where_the_optimizer_is(name: str, dtype: torch.dtype):
    assert follows(OPTIMIZERS[name](weights(dtype), lr=0.01))


@every
def test_groups_keep_their_own_options_and_their_order(name: str):
    a, b = weights()
    optimizer = OPTIMIZERS[name]([{"params": [b], "lr": 0.1, "weight_decay": 0.5}, {"params": [a]}], lr=0.01)
    twins = rules.of(optimizer)
    assert list(twins) == [b, a]
    assert [twin.group for twin in twins.values()] == [0, 1]
    assert [twin.rule.hyper["lr"] for twin in twins.values()] == [0.1, 0.01]
    assert twins[b].rule.hyper["weight_decay"] == 0.5
    assert follows(optimizer)


@every
@pytest.mark.parametrize("rate", [torch.tensor(0.01), torch.tensor([0.01]), torch.tensor(0.01, dtype=torch.float64)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_a_rate_in_a_tensor_is_rounded_as_torch_rounds_it(name: str, rate: Tensor, dtype: torch.dtype):
    assert follows(OPTIMIZERS[name](weights(dtype), lr=rate))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("beta", [0.4, 0.9])
def test_betas_in_tensors_are_rounded_as_torch_rounds_them(dtype: torch.dtype, beta: float):
    assert follows(optim.Adam(weights(dtype), lr=0.01, betas=(torch.tensor(beta), torch.tensor(0.999))))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_decay_in_a_tensor_is_read(momentum: float):
    assert follows(optim.SGD(weights(), lr=0.1, momentum=momentum, weight_decay=torch.tensor(0.1)))


@every
def test_a_schedule_is_followed(name: str):
    optimizer = OPTIMIZERS[name](weights(), lr=torch.tensor(0.1))
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for _ in range(4):
        twin = next(iter(rules.of(optimizer).values()))
        rate = float(twin.rule.hyper["lr"])
        assert follows(optimizer, 1)
        schedule.step()  # it changes a rate in a tensor in place
        assert float(twin.rule.hyper["lr"]) == rate


@every
def test_what_was_read_is_a_copy(name: str):
    optimizer = OPTIMIZERS[name](weights(), lr=0.01)
    assert follows(optimizer, 2)
    twins = rules.of(optimizer)
    before = copy.deepcopy([twin.state for twin in twins.values()])
    assert follows(optimizer, 2)
    for twin, state in zip(twins.values(), before, strict=True):
        assert all(torch.equal(torch.as_tensor(twin.state[key]), torch.as_tensor(state[key])) for key in state)


@every
def test_a_loaded_state_is_gone_on_from(name: str):
    first, second = (OPTIMIZERS[name](weights(torch.float64), lr=0.01) for _ in range(2))
    assert follows(first, 3)
    second.load_state_dict(first.state_dict())
    assert follows(second, 3)


@every
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=str)
def test_the_layout_in_memory_does_not_matter(name: str, layout: torch.memory_format):
    w = torch.randn(3, 5, 7, 7).to(memory_format=layout).requires_grad_()
    turned = torch.randn(33, 9).t().requires_grad_()
    assert follows(OPTIMIZERS[name]([w, turned], lr=0.01))


FUSED = ("SGD", "Nesterov", "Adam", "AdamW", "Adagrad")


@pytest.mark.parametrize("name, program", [(n, "foreach") for n in OPTIMIZERS] + [(n, "fused") for n in FUSED])
def test_other_programs_for_the_same_formula_are_near(name: str, program: str):
    """They round in another order: each step within 4 ulp of the larger of the weights before and after it."""
    optimizer = OPTIMIZERS[name](weights(), lr=0.01, **{program: True})
    for step in range(8):
        expected = predicted(optimizer, step)
        before = {w: w.detach().clone() for w in expected}
        optimizer.step()
        for w, new in expected.items():
            ulp = torch.finfo(w.dtype).eps * torch.maximum(before[w].abs(), w.detach().abs())
            assert ((new - w.detach()).abs() <= 4 * ulp).all()


def test_a_buffer_that_has_not_begun_is_a_first_step():
    """Checkpoints of old versions of torch hold None for it."""
    (w, _) = held = weights()
    optimizer = optim.SGD(held, lr=0.1, momentum=0.9, dampening=0.5)
    optimizer.state[w]["momentum_buffer"] = None
    assert rules.of(optimizer)[w].state == {}
    assert follows(optimizer)


def test_an_optimizer_that_has_no_rule_is_named_with_those_that_have():
    known = "SGD, Adam, AdamW, RMSprop, Adagrad, NAdam, RAdam, Adamax"
    sentence = f"Rprop has no rule that can be taken apart; the optimizers of torch that have one are {known}."
    with pytest.raises(ConfigError) as found:
        rules.of(optim.Rprop(weights()))
    assert str(found.value) == sentence

    class Mine(optim.SGD):
        """It may do anything in its step."""

    with pytest.raises(ConfigError, match="Mine has no rule"):
        rules.of(Mine(weights()))


@every
def test_the_number_of_steps_may_be_a_tensor(name: str):
    """So that a compiled loop is built once and not for every number: float64 of shape (1,)."""
    w = weights(torch.float64)[0]
    rule = rules.of(OPTIMIZERS[name]([w], lr=0.01))[w].rule
    one, state = w.detach(), rule.init(w)
    two, other = one, {**state, **({"step": torch.zeros(1, dtype=torch.float64)} if "step" in state else {})}
    for _ in range(12):
        g = torch.randn_like(one)
        (one, state), (two, other) = rule.update(g, one, state), rule.update(g, two, other)
        assert torch.allclose(one, two, rtol=1e-6 if name == "NAdam" else 1e-13, atol=0)


@pytest.mark.parametrize("limit", [1e-4, 1e6])
def test_the_factor_of_clipping_is_torch_s(limit: float):
    w = [torch.zeros_like(each, requires_grad=True) for each in weights()]
    for each in w:
        each.grad = 1e-3 * torch.randn_like(each)
    norm = torch.stack([each.grad.norm() for each in w if each.grad is not None]).norm()
    rule = rules.sgd(lr=1.0)
    expected = [rule.update(each.grad, each, {}, {"clip": links.clip_factor(norm, limit)})[0] for each in w]
    assert links.clip_factor(float(norm), limit) == pytest.approx(float(links.clip_factor(norm, limit)))
    nn.utils.clip_grad_norm_(w, limit)
    optim.SGD(w, lr=1.0).step()
    assert all(map(torch.equal, w, expected))


def test_rounding_takes_what_another_gradient_and_another_program_did():
    w, g = torch.ones(3), torch.full((3,), 0.1)
    moves = rules.sgd(0.5).itemise(g, w, {}, whole=g + 0.01, new=w - 1)
    assert moves["gradient"].tolist() == pytest.approx([-0.05] * 3)
    assert moves["rounding"].tolist() == pytest.approx([-0.95] * 3)
    assert sum(moves.values()).tolist() == [-1.0] * 3
    moves = rules.sgd(0.5).itemise(g, w, {}, whole=g + 0.01)
    assert moves["rounding"].tolist() == pytest.approx([-0.005] * 3, rel=1e-4)


def test_decoupled_decay_may_stand_anywhere_in_a_chain():
    rule, w = rules.adamw(0.1, weight_decay=0.5), weights()[0]
    moved = replace(rule, links=(rule.links[-1], *rule.links[:-1]))
    g, state = torch.randn_like(w), rule.init(w)
    assert torch.equal(moved.update(g, w, state)[0], rule.update(g, w, state)[0])
    mine, theirs = moved.itemise(g, w, state), rule.itemise(g, w, state)
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[cause], theirs[cause]) for cause in mine)


def test_terms_in_float64_do_not_widen_the_parameter():
    w, g = weights()[0], torch.randn(67, dtype=torch.float64)
    new, _ = rules.adam().update({"a": g, "b": g}, w, rules.adam().init(w))
    assert new.dtype == torch.float32


def test_a_chain_is_shown_by_the_names_of_its_links():
    assert repr(rules.adamw()) == "AdamW: clipping → Adam → learning rate → decoupled decay"
    rule = rules.sgd(0.1, 0.9, 0.0, 0.1, True, maximize=True)
    assert repr(rule) == "SGD: clipping → maximize → coupled decay → Nesterov momentum → learning rate"


W = torch.zeros(2, 3)
REFUSED: dict[str, tuple[Callable[[], Any], type[TruestepError], str]] = {
    "negative rate": (lambda: rules.sgd(lr=-1.0), ConfigError, "SGD: lr is at least 0, and not -1.0."),
    "rate of nothing": (lambda: rules.adam(lr=float("nan")), ConfigError, "Adam: lr is at least 0, and not nan."),
    "one variant": (lambda: rules.adamw(eps=torch.tensor([1.0, -1.0])), ConfigError, "AdamW: eps is at least 0, and"),
    "beta": (lambda: rules.nadam(betas=(0.9, 1.0)), ConfigError, "NAdam: beta2 is at least 0 and below 1, and not 1"),
    "start": (lambda: rules.adagrad(initial_accumulator_value=-1), ConfigError, "Adagrad: initial_accumulator_value "),
    "nesterov": (lambda: rules.sgd(nesterov=True), ConfigError, "Nesterov momentum needs a momentum above 0 and"),
    "unread": (
        lambda: rules.sgd().update(W, W, {}, {"momentum": 0.9}), ConfigError,
        "SGD has no 'momentum' here: its chain is SGD: clipping → learning rate, which reads clip, lr.",
    ),
    "state": (lambda: rules.adam().update(W, W, {}), ConfigError, "the state lacks 'step' of Adam: begin with rule.in"),
    "nothing": (lambda: rules.sgd().update({}, W, {}), ConfigError, "an update needs a gradient"),
    "gradient": (
        lambda: rules.sgd().update(torch.zeros(3), W, {}), ShapeError,
        "the gradient 'gradient' of shape (3,) belongs to another parameter than this one of shape (2, 3).",
    ),
    "whole": (lambda: rules.sgd().itemise(W, W, {}, whole=W[0]), ShapeError, "the gradient of shape (3,) belongs to"),
    "new": (lambda: rules.sgd().itemise(W, W, {}, new=W[0]), ShapeError, "the new parameter of shape (3,) belongs"),
    "stack": (
        lambda: rules.sgd(lr=torch.ones(5, 1, 1)).update(W, W, {}), ShapeError,
        "lr of shape (5, 1, 1) does not broadcast into a parameter of shape (2, 3): for V stacked variants it is (V, 1",
    ),
    "complex": (lambda: rules.sgd().update(W * 1j, W, {}), ConfigError, "the gradient 'gradient' is complex: update"),
    "sparse": (lambda: rules.sgd().update(W.to_sparse(), W, {}), ConfigError, "the gradient 'gradient' is sparse"),
    "name": (
        lambda: rules.sgd().itemise({"decay": W}, W, {}), ConfigError,
        "a loss term is called 'decay', which is a cause of its own beside the loss terms: rename it.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_mean_anything_gets_one_sentence(case: str):
    call, kind, words = REFUSED[case]
    with pytest.raises(kind) as found:
        call()
    assert words in str(found.value)
    assert str(found.value).endswith(".")
