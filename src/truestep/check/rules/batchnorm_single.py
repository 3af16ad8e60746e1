"""Batch normalisation learns from one sample at a time.

What: in training, the input of a BatchNorm layer holds a single sample.

Why: the statistics are then that sample's own: its level and contrast are removed, and the network never sees them. In
eval mode the running statistics are used, which keep them: what was learned does not hold.

Evidence: the shapes that BatchNorm layers saw in train mode, that the samples differed, and that the layer was later
used with its running statistics; or that the model gives one vector for each of many samples, as classifiers do.

False alarms: a single ragged batch does not count. Training on one image alone, as a deep image prior, and networks
that stay in train mode for good, and give an image for an image, use the same statistics all along.

Mend: a larger batch, or `GroupNorm` (`InstanceNorm` for images), which do not depend on the batch.

Wrong:
    loader = DataLoader(dataset, batch_size=1)        # with nn.BatchNorm2d in the model

Right:
    loader = DataLoader(dataset, batch_size=16)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from truestep.check.events import Forward
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS541", "batchnorm_single", "batch statistics of one sample", "error", "modes")
OFTEN, MANY = 5, 20
NEVER = "the running statistics that they leave were not put to use in this run"


@dataclass(slots=True)
class Norm:
    """What a BatchNorm layer saw: forwards of one sample and of several in train mode, and any in eval mode."""

    single: list[Forward] = field(default_factory=list)
    several: int = 0
    settled: int = 0
    rows: set[tuple[int, ...]] = field(default_factory=set)
    where: Forward | None = None
    vectors: bool = True


def look(trace: Trace) -> Iterator[Finding]:
    """Look at how many samples batch normalisation sees in training."""
    norms: dict[int, Norm] = {}
    waiting: list[Forward] = []
    for event in trace.of(Forward):
        if "BatchNorm" in event.kind and event.inputs and event.close:
            waiting.append(event)
        if event.depth == 0:
            for each in waiting:
                _count(norms.setdefault(each.module, Norm()), each, event)
            waiting.clear()
    for number, norm in norms.items():
        first = norm.where
        if first is None or len(norm.single) < OFTEN or len(norm.single) < norm.several:
            continue
        if len(norm.rows) > 2 and (norm.settled or (norm.vectors and len(norm.rows) >= MANY)):
            then = f"{plural(norm.settled, 'pass', 'passes')} then used the running statistics"
            shape = tuple(norm.single[0].inputs[0].shape)
            yield found(
                RULE,
                first.site,
                f"{trace.name(number)} is trained on batches of one sample",
                f"{len(norm.single)} of {len(norm.single) + norm.several} training passes that were looked at had the "
                f"shape {shape}, with {len(norm.rows)} different inputs; {then if norm.settled else NEVER}",
                "its statistics are that sample's own, so what is learned does not hold in eval mode",
                "use larger batches, or GroupNorm, which does not depend on the batch",
            )
            return


def _count(norm: Norm, event: Forward, root: Forward) -> None:
    if not event.training:
        norm.settled += 1
    elif event.grad and event.inputs[0].shape and event.inputs[0].shape[0] == 1:
        norm.single.append(event)
        norm.where = norm.where or root
        norm.vectors &= bool(root.outputs) and len(root.outputs[0].shape) <= 2
        norm.rows |= {each.rows for each in root.inputs[:1]}
    elif event.grad:
        norm.several += 1
