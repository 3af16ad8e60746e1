"""Training resumes from a checkpoint that does not hold the optimizer.

What: a checkpoint with the model and the progress of the run (its epoch, its scheduler) is loaded, and training goes
on with a new optimizer whose moments or momentum start from nothing; the checkpoint has no state for it, or the state
in it is not loaded.

Why: Adam's first steps after the resumption have the size of its first steps ever, and momentum is gone: the loss
jumps, and the run is not the one that was interrupted.

Evidence: the checkpoint's keys; a model that takes all its weights from it; an optimizer with a memory, new, never
given a state, which then makes the updates; and a run before with the same settings on the same data.

False alarms: fine-tuning with a rate or data of its own is no finding, nor is a checkpoint that is only evaluated, or
plain SGD, which has no memory. It is advice where the checkpoint has bare weights, or no run before was seen; and where
the script is made to resume but did not in this run.

Mend: save and load `optimizer.state_dict()` with the model's.

Wrong:
    torch.save({"model": model.state_dict(), "epoch": epoch}, path)

Right:
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch}, path)
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._resumed import resumptions, to_come
from truestep.check.trace import Trace

RULE = Rule("TS675", "saved_without_optimizer", "resumed without the optimizer's state", "error", "reporting")
WHY = "its moments or momentum start from nothing, so this is not the run that was interrupted"
MEND = 'save optimizer.state_dict() beside the model, and load it: optimizer.load_state_dict(state["optimizer"])'


def look(trace: Trace) -> Iterator[Finding]:
    """Follow each checkpoint that is read to the updates after it; without any, ask what the script would do."""
    said = False
    for one in resumptions(trace):
        said = True
        held = ", ".join(one.read.keys[:6]) if one.progress else "bare weights"
        yield found(
            RULE,
            one.site,
            f"the checkpoint holds {held}, and its optimizer is not loaded"
            if one.read.optimizers
            else f"the checkpoint holds {held}, and no optimizer",
            f"a new {one.made.kind} made {one.steps} updates after all {one.load.entries} tensors of the model were "
            f"restored, and was given no state" + (f"; the one before made {one.before}" if one.before else ""),
            WHY, MEND, level=None if one.progress and one.before else "advice",
        )  # fmt: skip
    if not said:
        for site, evidence in to_come(trace):
            yield found(
                RULE, site, "the checkpoint from which the script resumes holds no optimizer", evidence, WHY, MEND,
                level="advice",
            )  # fmt: skip
