"""Padding is counted in the loss.

What: sequences of different lengths were padded, and the loss takes the padded positions for targets like any other; or
the padded errors are set to zero, and the mean still divides by all positions.

Why: a part of the loss is about nothing. The model is rewarded for predicting padding, the reported loss is too small,
and the weight of a sequence depends on its neighbours in the batch.

Evidence: the lengths that were padded and the value that they were padded with, against the loss's `ignore_index`; an
input whose rows end in runs of one value that stands nowhere else, nor in most other batches, with a loss over as many
places, none left out; or the share of positions that a mask of lengths or tokens leaves, against the number that the
mean divides by.

Or the last step of a recurrent layer, `out[:, -1]`, is read of sequences of which most had ended before; or a model
averages over all steps, though the program has the lengths, or a mask, of just these sequences.

A class that the scores of the program leave out, `y != PAD`, and the loss does not is told as advice.

False alarms: a loss that is kept by position and masked afterwards, picked with the mask, weighted by class or packed
counts no padding. Tokens that fill up a target without any token for the end may be there to be predicted.

Mend: `ignore_index=PAD`, or `(loss * mask).sum() / mask.sum()`.

Wrong:
    loss = F.cross_entropy(logits.transpose(1, 2), padded)

Right:
    loss = F.cross_entropy(logits.transpose(1, 2), padded, ignore_index=PAD)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from math import prod

from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.mends.losses import Ignored
from truestep.check.rules import found
from truestep.check.rules._chains import SHAPES, SOUND, compared, root
from truestep.check.rules._filled import usual
from truestep.check.rules._last_state import last_states
from truestep.check.rules._left_in import LOSSES, masked, masks, share
from truestep.check.rules._pooled import pooled
from truestep.check.site import Site
from truestep.check.trace import LossCall, Trace

RULE = Rule("TS346", "padding_counted", "padding counted in the loss", "error", "losses")
MENDING = Ignored()
CLASSES = ("cross_entropy", "nll_loss")
IGNORED = -100
SHORTER = "the end of a short sequence is washed out by padding, and its answer depends on its neighbours in the batch"
WHY = "a part of the loss is about padding, and the weight of a sequence depends on its neighbours in the batch"


def look(trace: Trace) -> Iterator[Finding]:
    """Look for padded positions among what losses average."""
    lines: dict[tuple[str, int], list[tuple[Site, str, str | float]]] = defaultdict(list)
    for call in trace.losses():
        if call.name in LOSSES and call.op.grad and call.prediction.needs_grad and call.reduction != "none":
            evidence = _padded(trace, call) or _tokens(trace, call) or _zeroed(trace, call)
            if evidence:
                told, mend = evidence
                lines[call.op.site.place].append((call.op.site, told, mend))
    for told in _filled(trace):
        lines[told[0].place].append(told)
    for op in trace.ops("mean", "sum"):
        evidence = masked(trace, op) if op.grad and op.out and not op.out[0].shape else ""
        if evidence:
            mend = "divide by the number of positions that are left: (loss * mask).sum() / mask.sum()"
            lines[op.site.place].append((op.site, evidence, mend))
    for calls in lines.values():
        site, evidence, mend = calls[0]
        padding = None if isinstance(mend, str) else mend  # what the loss should ignore
        yield found(
            RULE,
            site,
            "padded positions count in the loss",
            f"in {len(calls)} calls; in the first, {evidence}",
            WHY,
            f"pass ignore_index={mend:g}" if padding is not None else str(mend),
            facts={"ignored": padding},
        )
    yield from _unscored(trace)
    for site, evidence in last_states(trace):
        fix = "out[torch.arange(len(out)), lengths - 1], or pack_padded_sequence and the last state"
        yield found(
            RULE, site, "a state behind the padding stands for each sequence", evidence, SHORTER, fix, "warning"
        )
    for site, evidence in pooled(trace):
        fix = "average over the steps of each sequence: (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)"
        yield found(RULE, site, "padded steps count in the mean over a sequence", evidence, SHORTER, fix, "warning")


def _unscored(trace: Trace) -> Iterator[Finding]:
    """Places that were filled up with a class which the loss counts, and which the program's own scores leave out."""
    padded = {op.args[0]: op for op in trace.ops("padded")}
    for op in trace.ops(*CLASSES) if padded else ():
        if len(op.inputs) != 2 or not op.grad or op.words.get("reduction", "mean") != "mean":
            continue
        prediction, target = op.inputs
        shape = root(trace, target, op.n, SOUND).shape
        given = _given(trace, prediction, op.n, padded) if len(shape) >= 2 and target.values is not None else None
        if given is None or given.args[1][:2] != shape[:2] or prod(shape) != prod(target.shape):
            continue
        value, hidden, places = given.args[2:5]
        low = None if target.values is None else target.values.low
        mask = _skipped(trace, value) if value == low != op.words.get("ignore_index", IGNORED) else None
        if mask is not None:
            yield found(
                RULE,
                op.site,
                f"padded positions count in the loss, as class {value:g}",
                f"{hidden} of {places} places of the input were filled up with {value:g}, {op.name} counts the targets "
                f"that are {value:g}, and line {mask.site.line} leaves them out of the score",
                WHY,
                f"pass ignore_index={value:g}",
                "advice",
                facts={"ignored": float(value)},
            )
            return


def _skipped(trace: Trace, value: float) -> Op | None:
    """Where targets other than one class are picked, to be compared with what was picked in the same way."""
    for mask in trace.ops("ne"):
        if mask.args[1:] != (value,) or not mask.inputs[0].dtype.startswith("int"):
            continue
        for out in mask.out:
            picks = [op for op in trace.users(out, mask.n) if op.name == "__getitem__" and len(op.inputs) == 2]
            made = {each.number: op.inputs[0].number for op in picks for each in op.out}
            for equal in trace.ops("eq") if len(made) > 1 else ():
                sources = {made.get(each.number) for each in equal.inputs}
                if len(sources) == 2 and None not in sources and mask.inputs[0].number in sources:
                    return mask
    return None


def _padded(trace: Trace, call: LossCall) -> tuple[str, str | float] | None:
    """Targets that `pad_sequence` made of sequences of different lengths, with a value that is not ignored."""
    op = _source(trace, call.target, call.op.n)
    if op is None or op.name != "pad_sequence" or not op.inputs or call.op.words.get("weight") is not None:
        return None
    if call.op.words.get("kept", prod(call.target.shape)) < prod(call.target.shape):
        return None  # what was filled up may have been marked as ignored where nobody looked
    value, lengths = op.arg(2, "padding_value", 0.0), [each.shape[0] for each in op.inputs if each.shape]
    whole, held = max(lengths) * len(lengths), sum(lengths)
    ignored = call.op.words.get("ignore_index", -100)
    if held == whole or (call.name in CLASSES and value == ignored) or masks(trace, call.prediction, call.op.n):
        return None
    told = (
        f"{whole - held} of {whole} target positions were padded with {value:g} ({min(lengths)} to {max(lengths)} long)"
    )
    if call.name in CLASSES:
        return f"{told}, and {call.name} ignores {ignored}", float(value)
    return f"{told}, and {call.name} averages all of them", "average over the positions that are no padding"


def _filled(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Losses over every place of sequences that somebody filled up by hand before the model was given them."""
    padded = {op.args[0]: op for op in trace.ops("padded") if usual(trace, op)}
    if not padded:
        return
    values = {op.args[2] for op in padded.values()}
    for op in trace.ops(*LOSSES, "sub"):
        if len(op.inputs) < 2 or not op.grad or (op.name == "sub" and not compared(trace, op)):
            continue
        one, other = op.inputs[:2]
        if one.needs_grad == other.needs_grad or op.words.get("reduction", "mean") != "mean":
            continue
        prediction, target = (one, other) if one.needs_grad else (other, one)
        shape = root(trace, target, op.n, SOUND).shape
        given = _given(trace, prediction, op.n, padded) if len(shape) >= 2 else None
        if given is None or given.args[1][:2] != shape[:2] or prod(shape) != prod(target.shape) or len(values) > 1:
            continue
        value, hidden, places, ended = given.args[2:]
        if op.name in CLASSES and not _counts(op, target, value, ended):
            continue
        yield (
            op.site,
            f"{hidden} of {places} places of the input were filled up with {value:g}, at the ends of its rows alone, "
            f"and {op.name} averages all {prod(shape[:2])}",
            "average over the places that hold data: (loss * mask).sum() / mask.sum(), or ignore_index",
        )


def _counts(op: Op, target: Seen, value: float, ended: bool) -> bool:
    """Whether padding counts among targets that are classes.

    Where the padding is itself a target, and no other token tells the end, the model may have to predict where to end.
    """
    kept, values = op.words.get("kept"), target.values
    left_out = kept < prod(target.shape) if kept is not None else values is None or values.low <= IGNORED
    if len(op.args) > 2 or op.words.get("weight") is not None or left_out or values is None:
        return False
    return ended or not values.low <= value <= values.high


def _given(trace: Trace, prediction: Seen, before: int, padded: dict[int, Op], most: int = 200) -> Op | None:
    """The padded input that a prediction was made of; None where a mask had a part in it last."""
    return next(
        (padded[seen.number] for seen, _ in trace.back([prediction], before, most) if seen.number in padded), None
    )


def _source(trace: Trace, seen: Seen, before: int) -> Op | None:
    """What made a tensor, behind other shapes of it and plain slices; None where positions were picked."""
    for _ in range(20):
        op = trace.maker(seen, before)
        if op is None or op.name not in SHAPES or not op.inputs:
            return op
        first, *others = op.inputs
        if op.name == "__getitem__" and others and (op.words.get("places") is None or len(first.shape) < 2):
            return None  # whole sequences that are picked keep their padding
        seen, before = first, op.n
    return None


def _tokens(trace: Trace, call: LossCall) -> tuple[str, str | float] | None:
    """Tokens of a vocabulary whose embedding has a padding index, which is among the targets and not ignored."""
    values, ignored = call.target.values, call.op.words.get("ignore_index", -100)
    if call.name not in CLASSES or values is None or call.op.words.get("weight") is not None:
        return None
    if len(root(trace, call.target, call.op.n).shape) < 2 or len(call.prediction.shape) < 2:
        return None
    for number, facts in trace.modules.items():
        pad, size = facts.settings.get("padding_idx"), facts.settings.get("num_embeddings")
        same = facts.kind == "Embedding" and pad is not None and size == call.prediction.shape[1]
        if same and pad != ignored and pad in (values.low, values.high):
            told = f"the targets hold {pad}, the padding index of {trace.name(number)}"
            return f"{told}, and {call.name} ignores {ignored}", float(pad)
    return None


def _zeroed(trace: Trace, call: LossCall) -> tuple[str, str] | None:
    """A loss whose prediction was set to zero where there is padding."""
    made = masks(trace, call.prediction, call.op.n)
    if made is None or call.name in CLASSES or call.reduction != "mean":
        return None
    return share(made, prod(call.prediction.shape)), "keep the loss by position and divide by the sum of the mask"
