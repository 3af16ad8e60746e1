"""Every update rule is its twin in `torch.optim`, its textbook formula, and the sum of its causes."""

import inspect
import itertools
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, optim

from reference import optimizers
from truestep.core import rules, rules_of
from truestep.core.links import clip_factor, echo

RATES = (1e-12, 1e-3, 1.0, 1e6)
WEIGHTS = (0.0, 1e-6, 1.0, 1e6, 1e15)
GRADIENTS = (0.0, 1e-12, 1e-3, 1.0, 1e6, 1e15, 1.0)
SIZE = 67  # some vectors of the CPU and a rest
B = (False, True)
DECAY: dict[str, Any] = {"weight_decay": (0.0, 0.01), "maximize": B}
GRIDS: dict[str, dict[str, Any]] = {
    "SGD": {**DECAY, "momentum": (0.0, 0.9), "dampening": (0.0, 0.1), "nesterov": B},
    "Adam": {**DECAY, "amsgrad": B, "decoupled_weight_decay": B},
    "AdamW": {**DECAY, "amsgrad": B},
    "RMSprop": {**DECAY, "momentum": (0.0, 0.9), "centered": B},
    "Adagrad": {**DECAY, "lr_decay": (0.0, 0.1), "initial_accumulator_value": (0.0, 0.1)},
    "NAdam": {**DECAY, "momentum_decay": (4e-3, 0.1), "decoupled_weight_decay": B},
    "RAdam": {**DECAY, "decoupled_weight_decay": B},
    "Adamax": DECAY,
}
Case = tuple[str, dict[str, Any]]


def cases(name: str) -> Iterator[Case]:
    for values in itertools.product(*GRIDS[name].values()):
        options = dict(zip(GRIDS[name], values, strict=True))
        if not options.get("nesterov") or (options["momentum"] and not options["dampening"]):
            yield name, options


CASES = [case for name in GRIDS for case in cases(name)]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, [case[0], *case[1].values()])))
every_rule = pytest.mark.parametrize("name", GRIDS)
both_dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def rule_of(case: Case, **changes: Any) -> rules.Rule:
    return rules.RULES[case[0]](**case[1], **changes)


def spread(scales: tuple[float, ...], dtype: torch.dtype, seed: int, size: int = SIZE) -> Tensor:
    """Normal numbers times the scales in turn."""
    generator = torch.Generator().manual_seed(seed)
    scale = torch.tensor([scales[k % len(scales)] for k in range(size)], dtype=torch.float64)
    return (torch.randn(size, generator=generator, dtype=torch.float64) * scale).to(dtype)


@cache
def gradient(dtype: torch.dtype, step: int) -> Tensor:
    return spread(GRADIENTS, dtype, 1000 + step)


def same(a: Any, b: Any) -> bool:
    """Bit for bit, but for the sign of zero and the payload of NaN."""
    a, b = torch.as_tensor(a), torch.as_tensor(b)
    return a.dtype == b.dtype and bool(((a == b) | (a.isnan() & b.isnan())).all())


def same_state(a: Any, b: Any) -> bool:
    return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)


def close(a: Tensor, b: Tensor, summands: dict[str, Tensor]) -> bool:
    """To a few last bits of the float64 numbers that were added."""
    return bool(((a - b).abs() <= 1e-14 * sum(each.abs() for each in summands.values())).all())


@every_rule
def test_every_argument_of_torch_that_changes_the_formula_is_known(name: str):
    twin = getattr(optim, name)
    programs = {"params", "foreach", "capturable", "differentiable", "fused"}
    assert inspect.signature(twin).parameters.keys() - programs == set(rules_of.OPTIONS[twin])
    ours = inspect.signature(rules.RULES[name]).parameters
    assert ours.keys() == set(rules_of.OPTIONS[twin])
    defaults = {key: inspect.signature(twin).parameters[key].default for key in ours}
    assert {key: each.default for key, each in ours.items()} == defaults


@both_dtypes
@every_case
def test_a_rule_is_its_twin_bit_for_bit(case: Case, dtype: torch.dtype):
    """100 steps at four rates, over weights and gradients of all sizes; read from the live optimizer on the way."""
    weights = [spread(WEIGHTS, dtype, k).requires_grad_() for k in range(len(RATES))]
    groups = [{"params": [w], "lr": lr} for w, lr in zip(weights, RATES, strict=True)]
    optimizer = getattr(optim, case[0])(groups, foreach=False, **case[1])
    made = [rule_of(case, lr=lr) for lr in RATES]
    mine = [(w.detach().clone(), rule.init(w)) for w, rule in zip(weights, made, strict=True)]
    for step in range(1, 101):
        for k, w in enumerate(weights):
            w.grad = gradient(dtype, 4 * step + k)
            mine[k] = made[k].update(w.grad, *mine[k])
        optimizer.step()
        assert all(same(new, w.detach()) for (new, _), w in zip(mine, weights, strict=True)), step
        if step in (1, 10, 37, 100):
            live = rules.of(optimizer)
            assert all(same_state(live[w].state, state) for (_, state), w in zip(mine, weights, strict=True))
        if step == 37:  # from here on by what was read
            made = [live[w].rule for w in weights]
            mine = [(w.detach().clone(), live[w].state) for w in weights]
    assert all(weights[k].isfinite().all() for k in (0, 1, 2)), "or equal bits would mean little"


@every_case
def test_a_rule_is_its_textbook_formula(case: Case, monkeypatch: pytest.MonkeyPatch):
    name, options = case
    if name == "AdamW":
        name, options = "Adam", {**options, "decoupled_weight_decay": True}
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # in it torch keeps NAdam's product of momenta
    try:
        rule, lr, size = rule_of(case, lr=0.1), 0.1, 5
        w, steps = spread((1.0, 100.0), torch.float64, 0, size), 100 if name == "SGD" else 30
        grads = [spread((1.0, 1e-3, 30.0), torch.float64, k + 1, size) for k in range(steps)]
        paths = [
            optimizers.walk(getattr(optimizers, name.lower()), float(w[i]), [float(g[i]) for g in grads], lr, **options)
            for i in range(size)
        ]
        state = rule.init(w)
        for step, g in enumerate(grads):
            w, state = rule.update(g, w, state)
            expected = torch.tensor([path[step] for path in paths])
            assert torch.allclose(w, expected, rtol=1e-11, atol=1e-11), (step, w - expected)
    finally:
        torch.set_default_dtype(before)


STACKED: dict[str, tuple[float, ...]] = {
    "lr": (1e-12, 1e-3, 0.5, 1e3), "weight_decay": (0.0, 0.01, 0.1, 1.0), "momentum": (0.9, 0.0, 0.5, 0.99),
    "dampening": (0.0, 0.1, 0.3, 0.0), "eps": (1e-8, 1e-10, 1e-3, 0.1), "alpha": (0.99, 0.9, 0.5, 0.2),
    "lr_decay": (0.0, 0.1, 1.0, 0.01), "momentum_decay": (4e-3, 0.0, 0.1, 1.0),
    "initial_accumulator_value": (0.0, 0.1, 1.0, 2.0), "beta1": (0.9, 0.0, 0.8, 0.99), "beta2": (0.999, 0.9, 0.6, 0.5),
}  # fmt: skip


def variants(case: Case) -> tuple[rules.Rule, list[rules.Rule]]:
    """Four variants as one rule whose every number is a tensor, and each as a rule of its own."""
    flags = {key: value for key, value in case[1].items() if isinstance(value, bool)}
    left = {"dampening"} if flags.get("nesterov") else set()
    names = [key for key in rules_of.OPTIONS[getattr(optim, case[0])] if key in STACKED and key not in left]

    def value(key: str, k: int | None) -> Any:
        return STACKED[key][k] if k is not None else torch.tensor(STACKED[key], dtype=torch.float64)[:, None]

    def made(k: int | None) -> rules.Rule:
        numbers = {key: value(key, k) for key in names}
        if "betas" in rules_of.OPTIONS[getattr(optim, case[0])]:
            numbers["betas"] = (value("beta1", k), value("beta2", k))
        ahead = (
            {"nesterov": flags["nesterov"] and (k is None or numbers["momentum"] > 0)} if "nesterov" in flags else {}
        )
        return rules.RULES[case[0]](**numbers, **{**flags, **ahead})

    return made(None), [made(k) for k in range(4)]


@every_case
def test_stacked_variants_move_as_each_on_its_own(case: Case):
    stacked, alone = variants(case)
    weights = torch.stack([spread((0.0, 1e-6, 1.0, 1e3), torch.float64, k) for k in range(4)])
    own = [(weights[k], rule.init(weights[k])) for k, rule in enumerate(alone)]
    state = stacked.init(weights)
    for step in range(10):
        grads = torch.stack([spread((1.0, 1e-3, 1e3, 0.0, 1.0), torch.float64, 50 * step + k) for k in range(4)])
        weights, state = stacked.update(grads, weights, state)
        own = [rule.update(grads[k], *own[k]) for k, rule in enumerate(alone)]
        expected = torch.stack([w for w, _ in own])
        largest = expected.abs().amax(1, keepdim=True)
        assert ((weights - expected).abs() <= 1e-12 * largest).all()


@given(
    case=st.sampled_from(CASES),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    terms=st.integers(1, 4),
    lr=st.sampled_from(RATES),
    size=st.sampled_from([0.0, 1e-15, 1.0, 1e15]),
    limit=st.sampled_from([None, 1e-3, 1e3]),
    seed=st.integers(0, 1000),
)
def test_the_causes_add_up_to_the_change(
    case: Case, dtype: torch.dtype, terms: int, lr: float, size: float, limit: float | None, seed: int
):
    """Exactly, and the rounding is a few ulp of all that was added (in float64 the causes themselves are rounded)."""
    rule, ulp = rule_of(case, lr=lr), (2 if dtype == torch.float32 else 16) * torch.finfo(dtype).eps
    w = spread(WEIGHTS, dtype, seed) * size
    state = rule.init(w)
    for step in range(4):
        parts = {f"term {k}": spread(GRADIENTS[k:], dtype, seed + 10 * step + k) for k in range(terms)}
        norm = torch.stack(list(parts.values())).sum(0).norm()
        hyper = {} if limit is None else {"clip": clip_factor(norm, limit)}
        moves = rule.itemise(parts, w, state, hyper)
        new, state = rule.update(parts, w, state, hyper)
        change = new.double() - w.double()
        finite, sizes = change.isfinite(), sum(move.abs() for move in list(moves.values())[:-1])
        assert torch.equal(sum(moves.values())[finite], change[finite])
        assert list(moves)[-1] == "rounding"
        assert list(moves)[:terms] == list(parts)
        bound = ulp * (sizes + w.double().abs() + new.double().abs()) + torch.finfo(dtype).tiny
        assert (moves["rounding"].abs() <= bound)[finite].all()
        w = new


@every_case
def test_all_causes_share_what_the_step_would_be_without_the_others(case: Case):
    """A term of twice the gradient has twice the entry, whatever the denominator; none of both has none."""
    rule, w = rule_of(case), spread((1.0,), torch.float64, 0)
    state = rule.init(w)
    for step in range(8):
        g = spread((1.0, 1e-3), torch.float64, step + 1)
        moves = rule.itemise({"one": g, "two": 2 * g, "none": 0 * g}, w, state)
        assert close(moves["two"], 2 * moves["one"], moves)
        assert not moves["none"].any()
        if not case[1]["maximize"]:
            assert (moves["one"] * g <= 0).all(), "a term moves the weights down its own gradient"
        w, state = rule.update(3 * g, w, state)
    assert ("decay" in moves) == bool(rule.hyper.get("weight_decay"))
    assert ("momentum" in moves) == bool("beta1" in rule.hyper or "momentum" in rule.hyper)


@pytest.mark.parametrize("case", list(cases("SGD")), ids=str)
def test_the_entry_of_a_cause_is_what_the_step_loses_without_it(case: Case):
    """True of a rule that is linear: the step is taken again without each cause."""
    w, clip = spread((1.0,), torch.float64, 0), {"clip": 0.25}
    rule, history = rule_of(case, lr=0.1), spread((1.0,), torch.float64, 1)
    undecayed = rule_of((case[0], {**case[1], "weight_decay": 0.0}), lr=0.1)
    _, state = rule.update(history, w, rule.init(w))
    a, b = spread((1.0,), torch.float64, 2), spread((3.0,), torch.float64, 3)
    moves = rule.itemise({"a": a, "b": b}, w, state, clip)
    full, _ = rule.update(a + b, w, state, clip)
    at_rest = {name: torch.zeros_like(value) for name, value in state.items()}
    lost = {
        "decay": full - undecayed.update(a + b, w, state, clip)[0],
        "momentum": full - rule.update(a + b, w, at_rest, clip)[0],
        "clipping": full - rule.update(a + b, w, state)[0],
        "a": rule.update(a + b, w, state)[0] - rule.update(b, w, state)[0],
    }
    for cause, expected in lost.items():
        assert close(moves.get(cause, torch.zeros_like(w)), expected, {**moves, "weight": w}), cause


@pytest.mark.parametrize("nesterov, dampening", [(False, 0.0), (False, 0.3), (True, 0.0)])
def test_momentum_comes_apart_by_steps(nesterov: bool, dampening: float):
    rule = rules.sgd(0.1, 0.9, dampening, 0.01, nesterov)
    w, seen = spread((1.0,), torch.float64, 0), []
    state = rule.init(w)
    for step in range(9):
        g = spread((1.0,), torch.float64, step + 1)
        moves = rule.itemise(g, w, state)
        parts = [
            -0.1 * echo(back, 0.9, dampening, nesterov, first=back == len(seen)) * old
            for back, old in enumerate(reversed(seen), 1)
        ]
        carried = sum(parts, torch.zeros_like(w))
        assert close(moves.get("momentum", torch.zeros_like(w)), carried, moves)
        assert close(moves["gradient"], -0.1 * echo(0, 0.9, dampening, nesterov, first=not seen) * g, moves)
        seen.append(g + 0.01 * w)
        w, state = rule.update(g, w, state)


@every_case
def test_a_rule_changes_nothing_that_it_is_given(case: Case):
    rule, w, g = rule_of(case), spread((1.0,), torch.float32, 0).requires_grad_(), spread((1.0,), torch.float32, 1)
    state = rule.init(w)
    for _ in range(3):
        given = [w.detach(), g, *(value for value in state.values() if isinstance(value, Tensor))]
        before = [each.clone() for each in given]
        moves = rule.itemise(g, w, state)
        w, state = rule.update(g, w, state)
        results = [w, *state.values(), *moves.values()]
        assert all(map(same, given, before))
        assert not any(isinstance(each, Tensor) and each.requires_grad for each in results)
        pointers = {each.data_ptr() for each in given}
        assert not any(isinstance(each, Tensor) and each.data_ptr() in pointers for each in results)
