"""What one step did: for every parameter the change, apart by cause, and it adds up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from truestep.core.errors import ConfigError
from truestep.core.outcome import StepOut

if TYPE_CHECKING:
    from truestep.explain.modules import ModuleRecord
    from truestep.explain.samples import Samples

OWN_RULE = "the optimizer's own rule"
ROUNDING = "rounding"


@dataclass(frozen=True, slots=True)
class Account:
    """What one step did to one parameter.

    `entries`: cause -> float64 tensor of the parameter's shape; their sum in this order is `change` to the last bit.
    `change`: the parameter after the step minus before, in float64, where float32 numbers subtract exactly.
    `momentum_by_step`: where a `Trail` was kept, steps back -> its part of the entry "momentum"; "older", what is from
    before the trail; and "rounding". Their sum in this order is that entry to the last bit.
    """

    name: str
    before: Tensor
    change: Tensor
    entries: Mapping[str, Tensor]
    momentum_by_step: Mapping[int | str, Tensor] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """Norm of the update over the norm of the weights, NaN for weights that are all zero."""
        weights = float(self.before.norm())
        return float(self.change.norm()) / weights if weights else float("nan")

    @property
    def shares(self) -> dict[str, float]:
        """How much of the change each cause made: `<entry, change> / <change, change>`, which adds up to 1.

        A cause that worked against the change has a negative share. Where nothing changed every share is 0.
        """
        whole = float((self.change * self.change).sum())
        return {cause: float((e * self.change).sum()) / whole if whole else 0.0 for cause, e in self.entries.items()}


@dataclass(frozen=True, slots=True)
class Ledger:
    """One step, explained.

    `ledger["fc.weight"]` is the account of a parameter; `out` what the step reported; `rules` how each parameter was
    updated; `clipped` the gradient norm before and after clipping; `cosines` between the gradients of two terms;
    `samples` losses and gradient norms by sample; `modules` activations and gradients by module; `notes` what could not
    be known; `step` which step it was, where that is not plain.
    """

    out: StepOut
    accounts: Mapping[str, Account]
    rules: Mapping[str, str]
    clipped: tuple[float, float]
    cosines: Mapping[tuple[str, str], float]
    samples: Samples
    modules: tuple[ModuleRecord, ...]
    notes: tuple[str, ...] = field(default_factory=tuple)
    step: str = ""

    def __getitem__(self, name: str) -> Account:
        if name not in self.accounts:
            raise ConfigError(f"this ledger has no parameter {name!r}: it has {', '.join(self.accounts)}.")
        return self.accounts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.accounts)

    def __len__(self) -> int:
        return len(self.accounts)

    @property
    def causes(self) -> tuple[str, ...]:
        """Every cause that moved a parameter, in the order of the rules, rounding last."""
        named = dict.fromkeys(cause for account in self.accounts.values() for cause in account.entries)
        return (*(cause for cause in named if cause != ROUNDING), ROUNDING)

    @property
    def shares(self) -> dict[str, float]:
        """How much of the whole update each cause made, over all parameters; adds up to 1."""
        whole = sum(float((account.change**2).sum()) for account in self.accounts.values())
        sums = dict.fromkeys(self.causes, 0.0)
        for account in self.accounts.values():
            for cause, entry in account.entries.items():
                sums[cause] += float((entry * account.change).sum())
        return {cause: figure / whole if whole else 0.0 for cause, figure in sums.items()}

    @property
    def words(self) -> str:
        """The plain sentence that says what mattered most."""
        from truestep.explain.words import in_a_sentence

        return in_a_sentence(self)

    def table(self) -> str:
        """The accounts as a table of plain text, with bars for the shares."""
        from truestep.explain.text import table

        return table(self)

    def to_html(self, path: str | Path) -> Path:
        """Write the ledger as one self-contained page and return its path."""
        from truestep.explain.html import write

        return write(self, path)

    def _repr_html_(self) -> str:
        from truestep.explain.html import page

        return page(self)

    def __repr__(self) -> str:
        return self.table()

    def plot(self) -> Any:
        """The shares of each cause by parameter as a matplotlib figure; needs the extra `plot`."""
        from truestep.plot import ledger_shares

        return ledger_shares({name: account.shares for name, account in self.accounts.items()}, self.causes, self.words)
