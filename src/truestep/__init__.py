"""truestep: every training step exact, explained, checked, fast.

The names here are the public surface; `ts.data`, `ts.metrics`, `ts.events`, `ts.plot`, `ts.recipes`, `ts.lessons` and
`ts.d2l` hold more.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

from truestep import data
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
from truestep.explain.explain import explain
from truestep.fit import events, metrics
from truestep.fit.evaluate import Evaluation, evaluate
from truestep.fit.fit import fit
from truestep.fit.history import History, Record
from truestep.fit.run import Run
from truestep.fit.saving import Checkpoints
from truestep.sweep.sweep import sweep
from truestep.sweep.tune import tune

if TYPE_CHECKING:
    from truestep import d2l, lessons, plot, recipes
    from truestep.explain.chain.write import Chain, write_out
    from truestep.explain.claims import Proof
    from truestep.explain.compare import Comparison, compare
    from truestep.explain.ledger import Account, Ledger
    from truestep.explain.prove import prove
    from truestep.explain.trail import Trail
    from truestep.sweep.draws import choice, loguniform, uniform
    from truestep.sweep.study import Study

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
    "per_epoch",
    "per_step",
    "plot",
    "prove",
    "recipes",
    "sweep",
    "tune",
    "uniform",
    "write_out",
]


# What a program that only trains never needs is loaded when used: surfaces, and the rarer ways to look at a step.
_LATER = {
    "Account": "explain.ledger",
    "Chain": "explain.chain.write",
    "Comparison": "explain.compare",
    "Ledger": "explain.ledger",
    "Proof": "explain.claims",
    "Study": "sweep.study",
    "Trail": "explain.trail",
    "choice": "sweep.draws",
    "compare": "explain.compare",
    "loguniform": "sweep.draws",
    "prove": "explain.prove",
    "uniform": "sweep.draws",
    "write_out": "explain.chain.write",
}


def __getattr__(name: str) -> object:
    if name in ("d2l", "lessons", "plot", "recipes"):
        return _import_module(f"truestep.{name}")
    if name in _LATER:
        return getattr(_import_module(f"truestep.{_LATER[name]}"), name)
    raise AttributeError(f"module 'truestep' has no attribute {name!r}")
