"""truestep: every training step exact, explained, checked, fast.

The names here are the public surface; `ts.data`, `ts.metrics`, `ts.events`, `ts.plot`, `ts.notebook`, `ts.recipes`,
`ts.lessons` and `ts.d2l` hold more.
"""

import sys as _sys
from importlib import import_module as _import_module
from types import ModuleType as _ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truestep import d2l, data, lessons, notebook, plot, recipes
    from truestep.check.report import Report
    from truestep.check.watch import watch
    from truestep.core.errors import (
        CheckpointError,
        ConfigError,
        CountError,
        DataError,
        NonFiniteError,
        ShapeError,
        TruestepError,
    )
    from truestep.core.groups import decay_groups
    from truestep.core.loss import Loss
    from truestep.core.objective import Objective, Term
    from truestep.core.outcome import StepOut
    from truestep.core.schedule import per_epoch, per_step
    from truestep.core.step import TrainStep
    from truestep.explain.chain.write import Chain, write_out
    from truestep.explain.claims import Proof
    from truestep.explain.compare import Comparison, compare
    from truestep.explain.explain import explain
    from truestep.explain.ledger import Account, Ledger
    from truestep.explain.prove import prove
    from truestep.explain.trail import Trail
    from truestep.fit import events, metrics
    from truestep.fit.evaluate import Evaluation, evaluate
    from truestep.fit.fit import fit
    from truestep.fit.history import History, Record
    from truestep.fit.run import Run
    from truestep.fit.saving import Checkpoints
    from truestep.sweep.draws import choice, loguniform, uniform
    from truestep.sweep.study import Study
    from truestep.sweep.sweep import sweep
    from truestep.sweep.tune import tune

__version__ = "0.1.0"
__all__ = [
    "Account",
    "Chain",
    "CheckpointError",
    "Checkpoints",
    "Comparison",
    "ConfigError",
    "CountError",
    "DataError",
    "Evaluation",
    "History",
    "Ledger",
    "Loss",
    "NonFiniteError",
    "Objective",
    "Proof",
    "Record",
    "Report",
    "Run",
    "ShapeError",
    "StepOut",
    "Study",
    "Term",
    "Trail",
    "TrainStep",
    "TruestepError",
    "choice",
    "compare",
    "d2l",
    "data",
    "decay_groups",
    "evaluate",
    "events",
    "explain",
    "fit",
    "lessons",
    "loguniform",
    "metrics",
    "notebook",
    "per_epoch",
    "per_step",
    "plot",
    "prove",
    "recipes",
    "sweep",
    "tune",
    "uniform",
    "watch",
    "write_out",
]


# Every name is loaded when it is first used, so that a program pays for what it asks for and for nothing else.
_HOMES = {
    "Account": "explain.ledger",
    "Chain": "explain.chain.write",
    "CheckpointError": "core.errors",
    "Checkpoints": "fit.saving",
    "Comparison": "explain.compare",
    "ConfigError": "core.errors",
    "CountError": "core.errors",
    "DataError": "core.errors",
    "Evaluation": "fit.evaluate",
    "History": "fit.history",
    "Ledger": "explain.ledger",
    "Loss": "core.loss",
    "NonFiniteError": "core.errors",
    "Objective": "core.objective",
    "Proof": "explain.claims",
    "Record": "fit.history",
    "Report": "check.report",
    "Run": "fit.run",
    "ShapeError": "core.errors",
    "StepOut": "core.outcome",
    "Study": "sweep.study",
    "Term": "core.objective",
    "Trail": "explain.trail",
    "TrainStep": "core.step",
    "TruestepError": "core.errors",
    "choice": "sweep.draws",
    "compare": "explain.compare",
    "decay_groups": "core.groups",
    "evaluate": "fit.evaluate",
    "explain": "explain.explain",
    "fit": "fit.fit",
    "loguniform": "sweep.draws",
    "per_epoch": "core.schedule",
    "per_step": "core.schedule",
    "prove": "explain.prove",
    "sweep": "sweep.sweep",
    "tune": "sweep.tune",
    "uniform": "sweep.draws",
    "watch": "check.watch",
    "write_out": "explain.chain.write",
}
_MODULES = {
    "d2l": "d2l",
    "data": "data",
    "events": "fit.events",
    "lessons": "lessons",
    "metrics": "fit.metrics",
    "notebook": "notebook",
    "plot": "plot",
    "recipes": "recipes",
}


def __getattr__(name: str) -> object:
    if name in _MODULES:
        found: object = _import_module(f"truestep.{_MODULES[name]}")
    elif name in _HOMES:
        found = getattr(_import_module(f"truestep.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'truestep' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Surface(_ModuleType):
    """`fit`, `sweep` and `explain` are packages too: importing a module of theirs must not hide the public function."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, _ModuleType)):
            super().__setattr__(name, value)


_sys.modules[__name__].__class__ = _Surface
