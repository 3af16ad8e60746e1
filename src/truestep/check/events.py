"""The kinds of event in the record of a run. Everything here is plain numbers and words: no tensor, no module.

Every event has `n` (its place in the record, from 1), `site` (the user's line), `update` (how many updates were
complete when it happened), and `close` (whether the watch looked closely then: else no `Op`s, no digests).
Here are calls, modules, data and names; `changes.py` has gradients, optimizers, schedulers and states.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from truestep.check.looks import Seen
from truestep.check.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What all events have."""

    n: int
    site: Site
    update: int
    close: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Op(Event):
    """A call of a torch function, method or property by the user's code or by a module (close looks only).

    `name` is torch's own: "softmax", "cross_entropy", "sub", "eq", "__getitem__", "sub_", "detach", "data" (reading
    `t.data`), "data=" and "grad=" and "requires_grad=" (writing them). In `args` and `words` every tensor is a `Seen`;
    `out` are the tensors that came out. `module` is the innermost module whose forward was running (0: none), `within`
    all of them from the outermost.
    """

    name: str
    args: tuple[Any, ...]
    words: dict[str, Any]
    out: tuple[Seen, ...]
    grad: bool
    module: int = 0
    within: tuple[int, ...] = ()
    _inputs: tuple[Seen, ...] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def inputs(self) -> tuple[Seen, ...]:
        """All tensors among the arguments, in order, those in lists too."""
        if self._inputs is None:  # rules ask for them again and again
            object.__setattr__(self, "_inputs", tuple(_tensors((*self.args, *self.words.values()))))
        return self._inputs or ()

    def arg(self, place: int, word: str, default: Any = None) -> Any:
        """An argument by its place or its name."""
        return self.args[place] if len(self.args) > place else self.words.get(word, default)


def _tensors(values: Any) -> list[Seen]:
    found: list[Seen] = []
    for value in values:
        if isinstance(value, Seen):
            found.append(value)
        elif isinstance(value, tuple | list):
            found += _tensors(value)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward(Event):
    """A module's forward that returned. `depth` 0 is a call by the user's code, deeper ones are calls by modules.

    `training` is the module's own flag, `grad` the grad mode, `autocast` whether autocast was on. On close looks the
    inputs and outputs at depth 0 carry `rows` (digests of rows) and `values`. `began` is the `n` at which it began.
    `weights` marks the weights of an evaluation seen closely, and of the training that follows it until an update: the
    same for equal weights, in a copy too (0: not known).
    """

    module: int
    kind: str
    depth: int
    training: bool
    grad: bool
    autocast: bool
    inputs: tuple[Seen, ...]
    outputs: tuple[Seen, ...]
    began: int
    weights: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleMade(Event):
    """A module was built; `inside` is the module whose forward was running then (0: none)."""

    module: int
    kind: str
    inside: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced(Event):
    """A module was given another parameter under the name of one that it had: the numbers `before` and `after`."""

    module: int
    name: str
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode(Event):
    """`train(...)` or `eval()` was called on a module by the user (not what it passes on to its children)."""

    module: int
    training: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LoaderMade(Event):
    """A DataLoader was built. `dataset` is its number, `base` that of the dataset below all Subsets.

    `chosen` are the indices of the Subsets into the base (None: all). `sampler` is the class of the sampler, `kind`
    that of the base. `generators` names the random generators that the base holds, or knows by a global name, and draws
    its items with; `seeded` says whether a `worker_init_fn` may reach them. `stored` has its tensors, arrays and lists
    by name with a digest each, `within` the numbers of the data sets that it is made of. `tables` are those
    of its tables whose columns were standardised, or stretched from 0 to 1, by themselves: number, shape, `Columns`.
    `rows` are the numbers of the tensors in the base that have one row for each of its items.
    """

    loader: int
    dataset: int
    base: int
    chosen: tuple[int, ...] | None
    size: int | None
    batch_size: int | None
    drop_last: bool
    sampler: str
    workers: int
    seeded: bool
    generators: tuple[str, ...] = ()
    stored: tuple[tuple[str, int], ...] = ()
    within: tuple[int, ...] = ()
    kind: str = ""
    tables: tuple[tuple[int, tuple[int, ...], tuple[float, ...]], ...] = ()
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoaderStart(Event):
    """A pass over a loader begins; `run` is the number of this pass."""

    loader: int
    run: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch(Event):
    """A loader handed out a batch: `place` in its pass from 0, `index` the indices drawn (None: not known).

    `tensors` are the tensors in it, in order; on close looks with `rows` and `values`.
    """

    loader: int
    run: int
    place: int
    index: tuple[Any, ...] | None
    tensors: tuple[Seen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoaderEnd(Event):
    """A pass over a loader came to its end (not when the loop was left early)."""

    loader: int
    run: int
    batches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Event):
    """A tensor became a Python number or list: `how` is "item", "tolist", "__float__", "numpy", "__format__", ...

    `value` is the number (None for lists and arrays), `of` the tensor.
    """

    how: str
    value: float | None
    of: Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded(Event):
    """A random state was seeded: `who` is "torch", "random" or "numpy"."""

    who: str
    value: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shuffled(Event):
    """`random.shuffle` of a list of `size` items; `ordinal`: they were whole numbers, as indices are.

    `beside` holds the other lists of that length that the user's names stand for: name, distinct items, the first 64.
    `order` is a digest of the order that they were brought into. `numpy.random.shuffle` and `permutation` are told so
    too, with nothing beside; their `order` is a digest of the outcome.
    """

    size: int
    ordinal: bool
    beside: tuple[tuple[str, int, tuple[Any, ...]], ...]
    order: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed(Event):
    """The user printed a line."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Names(Event):
    """The names that the user's code held at a moment (`when`: "print", "state_dict", "save", "deepcopy", "end", ...).

    name -> a float, int, bool, str or None as it is; ("tensor", number, storage) and the number that one of one element
    holds, ("module", number), ("optimizer", number), ("data", number), ("dict", number, storages of the tensors in it),
    ("list", length, plain values, storages) for those. What objects and containers hold is "self.best",
    "best['loss']", "runs[-1][0]", and "runs[:][0]" the list of what all rows hold at one place. Local names first.
    """

    when: str
    held: dict[str, Any] = field(default_factory=dict)
