"""Whether a batch that ends in runs of one value was filled up, or ends so by chance."""

from __future__ import annotations

from truestep.check.events import Forward, Op
from truestep.check.trace import Trace


def usual(trace: Trace, padded: Op) -> bool:
    """Whether the batches of a model hold the value only where they were filled up; of text some end so by chance."""
    value, shape = padded.args[2], padded.args[1]
    ends = {op.args[0] for op in trace.ops("padded") if op.args[2] == value}
    alike = others = 0
    for call in trace.of(Forward) if len(shape) == 2 else ():
        for each in call.inputs if not call.depth else ():
            values = each.values
            if values is None or len(each.shape) != 2 or not each.dtype.startswith("int"):
                continue
            alike += each.number in ends
            others += each.number not in ends and values.low <= value <= values.high
    return others <= alike
