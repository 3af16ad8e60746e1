"""Training resumes from a checkpoint that does not hold the optimizer.

What: a checkpoint with the model and the progress of the run (its epoch, its scheduler) is loaded, and training goes
on with a new optimizer whose moments or momentum start from nothing.

Why: Adam's first steps after the resumption have the size of its first steps ever, and momentum is gone: the loss
jumps, and the run is not the one that was interrupted.

Evidence: the checkpoint's keys; a model that takes all its weights from it; an optimizer with a memory, new, never
given a state, which then makes the updates; and a run before of the same kind and settings, where one was seen.

False alarms: fine-tuning from bare weights with an optimizer of its own is no finding, nor is a checkpoint that is only
evaluated, or plain SGD, which has no memory.

Mend: save and load `optimizer.state_dict()` with the model's.

Wrong:
    torch.save({"model": model.state_dict(), "epoch": epoch}, path)

Right:
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, path)
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import OptimizerMade, Saved, StateLoaded, Step
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.trace import Trace

RULE = Rule("TS675", "saved_without_optimizer", "resumed without the optimizer's state", "error", "reporting")
PROGRESS = ("epoch", "step", "iter", "sched", "round")


def look(trace: Trace) -> Iterator[Finding]:
    """Follow each checkpoint that is read to the updates after it."""
    loads = trace.of(StateLoaded)
    steps = trace.of(Step)
    for read in trace.of(Saved):
        if read.how != "load" or read.optimizers or not read.keys:
            continue
        module = next(
            (load for load in loads if load.of == "module" and load.n > read.n and load.matched == load.entries), None
        )
        resumed = any(load.of == "scheduler" and load.n > read.n for load in loads)
        progress = [key for key in read.keys if any(word in key.lower() for word in PROGRESS)]
        if module is None or not (resumed or progress) or _own(trace, module, read):
            continue
        if any(load.of == "optimizer" and load.n > read.n for load in loads):
            continue
        made = _mover(trace, module, steps)
        if made is None:
            continue
        after = sum(step.optimizer == made.optimizer for step in steps)
        saves = [each for each in trace.of(Saved) if each.how == "save" and each.keys == read.keys and each.n < read.n]
        yield found(
            RULE,
            saves[-1].site if saves else read.site,
            f"the checkpoint holds {', '.join(read.keys[:6])}, and no optimizer",
            f"a new {made.kind} made {after} updates after all {module.entries} tensors of the model were restored, "
            "and was given no state",
            "its moments or momentum start from nothing, so this is not the run that was interrupted",
            'save optimizer.state_dict() beside the model, and load it: optimizer.load_state_dict(state["optimizer"])',
        )


def _own(trace: Trace, load: StateLoaded, read: Saved) -> bool:
    """Whether the file is the bare state of the module: weights, and no progress of a run."""
    facts = trace.modules.get(load.owner)
    return facts is not None and set(read.keys) <= {*facts.parameters, *facts.buffers}


def _mover(trace: Trace, load: StateLoaded, steps: list[Step]) -> OptimizerMade | None:
    """The optimizer with a memory that first moves the restored model, if it is new and like one before."""
    facts = trace.modules.get(load.owner)
    own = set() if facts is None else set(facts.parameters.values())
    stepped = {step.optimizer for step in steps if step.n < load.n}
    moved = {step.optimizer for step in steps if step.n > load.n} - stepped
    for number, made in trace.optimizers().items():
        group = made[0].groups[0]
        remembers = made[0].kind != "SGD" or bool(group.get("momentum"))
        if number in moved and trace.held(number) & own and remembers:
            earlier = [each[0] for other, each in trace.optimizers().items() if other in stepped]
            alike = any(each.kind == made[0].kind and _plain(each) == _plain(made[0]) for each in earlier)
            return made[0] if alike or not earlier else None
    return None


def _plain(made: OptimizerMade) -> dict[str, object]:
    return {key: made.groups[0].get(key) for key in ("momentum", "betas", "weight_decay", "eps", "alpha")}
