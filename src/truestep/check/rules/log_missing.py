"""A loss of log-probabilities is given probabilities, or plain scores.

What: the input of `nll_loss` or `kl_div` is not the logarithm of a probability.

Why: `nll_loss` is minus the mean of the entries at the targets: of probabilities it lies between -1 and 0, its gradient
vanishes where the model is wrong and sure, and of plain scores it has no lower bound at all. `kl_div` then measures no
divergence.

Evidence: a log-probability is never above zero. In every call no entry is below zero; or entries are above zero and
come straight from a layer.

False alarms: log-densities may be positive, but come from no layer directly, and some of them are negative.

Mend: `log_softmax` in place of `softmax`; or hand the scores to `cross_entropy`.

Wrong:
    loss = F.nll_loss(F.softmax(logits, dim=1), y)

Right:
    loss = F.nll_loss(F.log_softmax(logits, dim=1), y)
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.mends.losses import Logarithms
from truestep.check.rules import found
from truestep.check.rules._chains import by_line, origin
from truestep.check.trace import LossCall, Trace

RULE = Rule("TS340", "log_missing", "probabilities where log-probabilities are due", "error", "losses")
MENDING = Logarithms()
LAYERS = {"linear", "addmm", "matmul", "conv1d", "conv2d", "conv3d", "bilinear"}
NEAR = 1e-4


def look(trace: Trace) -> Iterator[Finding]:
    """Look at the sign of what should be logarithms, then at likelihoods by hand."""
    yield from _picked(trace)
    for calls in by_line(call for call in trace.losses() if call.name in ("nll_loss", "kl_div")):
        first = calls[0]
        values = [call.prediction.values for call in calls]
        low = min((each.low for each in values if each is not None), default=0.0)
        high = max((each.high for each in values if each is not None), default=0.0)
        if None in values or not any(call.op.grad and call.prediction.needs_grad for call in calls):
            continue
        positive = all(each is not None and each.low >= 0 and each.high > NEAR for each in values)
        scores = all(_scores(trace, call) for call in calls)
        if positive or scores:
            maker = first.prediction.maker.removesuffix("Backward0")
            kind = "probabilities" if positive and high <= 1 + NEAR else "plain scores"
            yield found(
                RULE,
                first.op.site,
                f"{first.name} is due log-probabilities, and its input are {kind}",
                f"in {len(calls)} calls the entries lie between {low:.4g} and {high:.4g}, and a log-probability is "
                f"never above zero; made by {maker or 'an unseen operation'}",
                "without the logarithm the loss is no likelihood: it does not punish sure mistakes",
                "use log_softmax in place of softmax, or hand the scores to cross_entropy",
            )


def _picked(trace: Trace) -> Iterator[Finding]:
    """Minus the mean of the probabilities of the targets: a likelihood by hand without its logarithm, perhaps."""
    roots = {root.number for backward in trace.backwards() for root in backward.roots}
    for op in trace.ops("softmax"):
        for pick in (user for out in op.out for user in trace.users(out, op.n)):
            if (
                not op.grad
                or not pick.out
                or not _one_each(pick, op.inputs[0].shape)
                or pick.inputs[0].needs_grad is False
            ):
                continue
            ends = [user for user in trace.users(pick.out[0], pick.n) if user.name in ("mean", "sum", "neg")]
            later = [user for end in ends for user in trace.users(end.out[0], end.n)]
            names = {each.name for each in (*ends, *later)}
            outs = {out.number for each in (*ends, *later) for out in each.out}
            if names <= {"mean", "sum", "neg"} and "neg" in names and outs & roots:
                yield found(
                    RULE, pick.site, "the probabilities of the targets are summed, not their logarithms",
                    f"softmax of {tuple(op.inputs[0].shape)} on line {op.site.line}, one entry of each row, and minus "
                    "their mean is differentiated",
                    "the gradient vanishes where the model is wrong and sure", "take log_softmax in place of softmax",
                    level="advice",
                )  # fmt: skip
                return


def _one_each(op: Op, shape: tuple[int, ...]) -> bool:
    """Whether a call takes one entry of each row of an (N, C) table."""
    if len(shape) != 2:
        return False
    if op.name == "gather":
        return op.arg(1, "dim") in (1, -1) and op.out[0].shape in ((shape[0], 1), (shape[0],))
    index = op.args[1] if op.name == "__getitem__" and len(op.args) > 1 else None
    return (
        isinstance(index, tuple)
        and len(index) == 2
        and op.out[0].shape == shape[:1]
        and all(isinstance(each, Seen) for each in index)
    )


def _scores(trace: Trace, call: LossCall) -> bool:
    values, maker = call.prediction.values, origin(trace, call.prediction, call.op.n)
    return values is not None and values.high > NEAR and maker is not None and maker.name in LAYERS
