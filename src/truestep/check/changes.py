"""The kinds of event that tell of gradients, optimizers, schedulers and states; `events.py` has the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from truestep.check.events import Event
from truestep.check.looks import Digest, Seen


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf of a graph: `before` and `after` the backward pass digest its `.grad` (None: there was none).

    `weight` digests its own value at that time. `parameter` says whether it is an `nn.Parameter`. `alike` are those of
    its first two dimensions along which all slices hold the same numbers: 0 where all rows do.
    """

    number: int
    storage: int
    shape: tuple[int, ...]
    before: Digest | None
    after: Digest | None
    weight: Digest | None
    parameter: bool = False
    alike: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backward(Event):
    """A backward pass: `roots` what was differentiated (on close looks with `values`), `seeded` if given a gradient.

    `leaves` are the leaves that its graph reaches (close looks). `how` is "backward" or "grad" (torch.autograd.grad,
    which fills no `.grad`). `nodes` lists the names of the autograd nodes from the root, first the root's own, breadth
    first, at most 400. `kept` says whether the graph was to be kept, `made` whether create_graph was asked for.
    `nested`: one pass inside another, as of a checkpoint. `given` digests what torch.autograd.grad returned, in order,
    and `results` are the numbers of these tensors (close looks only).
    """

    how: str
    roots: tuple[Seen, ...]
    seeded: bool
    leaves: tuple[Leaf, ...]
    nodes: tuple[str, ...]
    kept: bool
    made: bool
    nested: bool
    given: tuple[Digest, ...] = ()
    results: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clear(Event):
    """Gradients cleared: `how` is "optimizer", "module" (zero_grad of either) or "hand" (`.grad = None`, `zero_()`).

    `owner` is the optimizer or module. `held` are (number, norm) of the leaves that had a gradient; the norm is None
    where the watch did not look closely. An empty `held` cleared nothing.
    """

    how: str
    owner: int
    held: tuple[tuple[int, float | None], ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """One parameter over an optimizer's step: its gradient, and its value before and after (close looks only).

    `change` is the Euclidean norm of after - before.
    """

    number: int
    grad: Digest | None
    before: Digest | None
    after: Digest | None
    change: float
    needs_grad: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Event):
    """An optimizer's step that returned. `rates` are the learning rates of its groups as they were used.

    `moved` has every parameter that it holds (close looks). `began` is the `n` at which it began: with a closure,
    the backward passes between lie inside. `nested` is a step inside another optimizer's step.
    """

    optimizer: int
    kind: str
    rates: tuple[float, ...]
    moved: tuple[Moved, ...]
    began: int
    closure: bool
    nested: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerMade(Event):
    """An optimizer was built, or was given one more group (`added`).

    `groups` holds the plain settings of each (lr, momentum, weight_decay, ...) and under "params" the numbers of its
    parameters; `optimizer` its number, `kind` the name of its class. `weights` marks these parameters as they were
    then (see `weights.mark`).
    """

    optimizer: int
    kind: str
    groups: tuple[dict[str, Any], ...]
    added: bool = False
    weights: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip(Event):
    """Gradients were clipped: `how` is "norm" or "value", `norm` the norm before (None for values)."""

    how: str
    params: tuple[int, ...]
    most: float
    norm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaler(Event):
    """A GradScaler was used: `how` is "scale", "unscale_", "step" or "update"; `factor` its scale then."""

    how: str
    scaler: int
    optimizer: int
    factor: float
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerMade(Event):
    """A scheduler was built; `settings` are its plain attributes (T_max, step_size, gamma, mode, total_steps, ...)."""

    scheduler: int
    kind: str
    optimizer: int
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerStep(Event):
    """The user called a scheduler's step; `metric` is what was given to it (None: nothing, or an epoch)."""

    scheduler: int
    kind: str
    optimizer: int
    metric: float | None
    before: tuple[float, ...]
    after: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTaken(Event):
    """`state_dict()` was called on a "module", an "optimizer" or a "scheduler" (`of`).

    `storages` are those of its tensors. `trace.living` has `state` where the dict itself still lives at the end. For a
    module `weights` is a mark of some of its weights, as in `StateLoaded`, `Saved` and `Forward`: 0 is not known.
    """

    of: str
    owner: int
    state: int
    storages: tuple[int, ...]
    weights: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLoaded(Event):
    """`load_state_dict` returned. For a module: how many of its `entries` the given state names (`matched`), how many
    of these share the module's own memory (`shared`), whether all of these were equal already (`same`); `strict`.
    `weights` mark what the module holds afterwards.
    """

    of: str
    owner: int
    entries: int
    given: int
    matched: int
    shared: int
    same: bool
    strict: bool
    weights: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved(Event):
    """`torch.save`, `torch.load` or `copy.deepcopy` (`how`) of something, or "copyfile" of a file that was saved.

    `keys` are the keys of a dict, `modules` and `optimizers` the numbers of those whose state is in it (whole, or as a
    state dict); `tensors` counts those in it, `weights` marks each module that is in it whole. `counts` are the keys
    under which whole numbers stand, as that of an epoch.
    """

    how: str
    keys: tuple[str, ...]
    modules: tuple[int, ...]
    optimizers: tuple[int, ...]
    tensors: int
    weights: tuple[int, ...] = ()
    counts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RankLook(Event):
    """A step of an optimizer on this rank against the same step on rank `other` of `ranks`; `step` is its event.

    For each parameter in `numbers`: whether it had the same bits on both ranks `before` and `after` the step, and
    whether its gradient had (`grads`); None where there was nothing but zeros. `norms` are those of the first parameter
    that differs after the step, here and there.
    """

    step: int
    optimizer: int
    other: int
    ranks: int
    numbers: tuple[int, ...]
    before: tuple[bool | None, ...]
    after: tuple[bool | None, ...]
    grads: tuple[bool | None, ...]
    norms: tuple[float, float] | None
