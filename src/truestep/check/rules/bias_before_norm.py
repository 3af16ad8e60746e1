"""A bias that the normalisation behind it takes out again.

What: a linear layer or convolution with a bias is followed at once by a batch norm (or an instance norm).

Why: the norm subtracts the mean of each channel, and the bias with it: its gradient is zero but for rounding, it never
learns, and costs memory and time. The norm has a bias of its own.

Evidence: the call whose output the norm reads, and the norms of the gradients of bias and weight.

False alarms: layer norm and group norm take the mean over several channels: there a bias does something.

Mend: `bias=False` in the layer before the norm.

Wrong:
    nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16)

Right:
    nn.Conv2d(8, 16, 3, bias=False), nn.BatchNorm2d(16)
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.rules import found
from truestep.check.rules._words import plural
from truestep.check.trace import Trace

RULE = Rule("TS903", "bias_before_norm", "a bias before a normalisation", "advice", "advice")
LAYERS = {"linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d"}
OFTEN = 3


def look(trace: Trace) -> Iterator[Finding]:
    """Look at what made the input of each norm."""
    pairs: dict[int, tuple[int, Op]] = {}
    for norm in trace.ops("batch_norm", "instance_norm"):
        layer = trace.maker(norm.inputs[0], norm.n) if norm.inputs and norm.grad else None
        if layer is not None and layer.name in LAYERS:
            weight, bias = layer.arg(1, "weight"), layer.arg(2, "bias")
            if isinstance(weight, Seen) and isinstance(bias, Seen) and bias.needs_grad:
                pairs.setdefault(bias.number, (weight.number, layer))
    norms: dict[int, list[float]] = {}
    for event in trace.backwards() if pairs else ():
        for leaf in event.leaves:
            if leaf.after is not None:
                norms.setdefault(leaf.number, []).append(leaf.after.norm)
    idle = [b for b, (w, _) in pairs.items() if len(norms.get(b, [])) >= OFTEN and w in norms
            and max(norms[b]) <= 1e-4 * max(norms[w])]  # fmt: skip
    if idle:
        weight, layer = pairs[idle[0]]
        yield found(
            RULE,
            layer.site,
            f"{plural(len(idle), 'bias stands', 'biases stand')} before a normalisation that takes out what it adds: "
            f"{trace.name(idle[0])}",
            f"over {len(norms[idle[0]])} passes its gradient was at most {max(norms[idle[0]]):.2g}, that of "
            f"{trace.name(weight)} up to {max(norms[weight]):.2g}",
            "it cannot learn, and the normalisation has a bias of its own",
            "bias=False in the layer before the norm",
        )
