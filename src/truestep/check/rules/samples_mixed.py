"""Samples of a batch are mixed up with one another.

What: a `view` or `reshape` cuts across the samples where a transpose was meant; a recurrent layer or attention takes
the samples of the batch for the steps of a sequence, or runs over the rows of all samples in one line; predictions
are lined up with the targets of other samples; or a stream of tokens lies across the batch, not along time; or each
batch begins with the state that the one before left, in a random order of batches.

Why: what the model says of one sample is made of pieces of others. The shapes fit, so nothing fails, and the training
learns what can be learned in spite of it.

Evidence: the sample that each element belongs to, followed through the recorded calls from the batch to the call that
mixes them, by their shapes and arguments.

False alarms: calls whose effect on samples is not known end the search. Groups of samples that are made on purpose
(contrastive pairs, shots of a class, windows, heads) keep each row within one sample, or give no dimension the size of
the batch.

Mend: `transpose` or `permute` before `reshape`; `torch.stack(outs, dim=1)`; `batch_first=True`.

Wrong:
    out, _ = self.lstm(x.transpose(0, 1))           # (time, batch, hidden)
    return self.fc(out.reshape(batch, -1))

Right:
    out, _ = self.lstm(x.transpose(0, 1))
    return self.fc(out.transpose(0, 1).reshape(batch, -1))
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.rules import found
from truestep.check.rules._carried_state import carried
from truestep.check.rules._chains import SOUND, origin, root
from truestep.check.rules._samples import ATTENTION, RECURRENT, alone, batch_axis, follow, rows_of
from truestep.check.rules._sizes_swapped import collated, swapped
from truestep.check.rules._streams import across
from truestep.check.rules._sure_samples import sure
from truestep.check.trace import LOSSES, Trace

RULE = Rule("TS348", "samples_mixed", "samples of a batch mixed up", "error", "losses")
CUTS = {"view", "reshape", "flatten", "unflatten", "view_as", "reshape_as"}
PAIRED = ("cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
WEIGHS = {"softmax", "div", "mul", "dropout", "float", "to"}
PASSES, CALLS = 4, 4000
WHY = "what the model says of one sample is made of pieces of others"


def look(trace: Trace) -> Iterator[Finding]:
    """Follow the samples of the first few training passes through the calls."""
    for site, message, evidence in across(trace):
        mend = "cut it into as many rows as there are streams, and turn these: data.view(batch, -1).t().contiguous()"
        yield found(RULE, site, message, evidence, "no step follows from the one before it", mend, level="warning")
    for site, message, evidence in (*swapped(trace), *collated(trace)):
        yield found(RULE, site, message, evidence, WHY, "swap the dimensions: permute or transpose", level="warning")
    for site, message, evidence in carried(trace):
        mend = "begin each batch without a state; keep one only where a batch goes on where the last one ended"
        yield found(RULE, site, message, evidence, WHY, mend, level="warning")
    state, held = _State(trace), {number for facts in trace.modules.values() for number in facts.buffers.values()}
    passes, size, upto = 0, 0, 0
    losses = [op for op in trace.ops(*LOSSES, "sub") if _loss(op)]
    told: set[tuple[str, int]] = set()
    ops = trace.of(Op)
    ahead = next((place for place, op in enumerate(ops) if losses and op.n >= losses[0].n), 0)
    for calls, op in enumerate(ops[max(ahead - CALLS // 2, 0) :]):  # data are often made by many calls
        if passes >= PASSES or calls >= CALLS:
            return
        if op.n > upto:
            after = next((each for each in losses if each.n >= op.n), None)
            if after is None:
                return
            upto, size, passes = after.n, _size(trace, after), passes + 1
            state.known.clear()
            state.scores.clear()
        finding = state.see(op, size, held) if size > 1 and op.grad else None
        if finding is not None and op.site.place not in told:
            told.add(op.site.place)
            yield finding


def _loss(op: Op) -> bool:
    """A call that compares a prediction with a target of the same number of rows."""
    if len(op.inputs) < 2 or not op.grad:
        return False
    one, other = op.inputs[:2]
    plain = op.name != "sub" or (one.shape == other.shape and one.needs_grad != other.needs_grad)
    return plain and (one.needs_grad or other.needs_grad) and bool(one.shape) and bool(other.shape)


def _target(op: Op) -> Seen:
    one, other = op.inputs[:2]
    return other if one.needs_grad else one


def _size(trace: Trace, op: Op) -> int:
    """The number of samples: the length of the targets, as they were before they were flattened, or masked."""
    seen, before = _target(op), op.n
    for _ in range(4):
        seen = root(trace, seen, before, SOUND)
        made = trace.maker(seen, before)
        chosen = made is not None and made.name in ("__getitem__", "masked_select") and len(made.inputs) == 2
        if made is None or not chosen or made.inputs[1].dtype != "bool" or len(made.inputs[1].shape) < 2:
            break
        seen, before = made.inputs[0], made.n
    return seen.shape[0] if seen.shape else 0


class _State:
    """The labels of the pass under way."""

    def __init__(self, trace: Trace) -> None:
        self.trace, self.known = trace, dict[int, Tensor]()
        self.scores = set[int]()  # tables of every row of every sample against every other

    def see(self, op: Op, size: int, held: set[int]) -> Finding | None:
        """Follow one call; a finding where it mixes samples."""
        for each in op.inputs:
            fresh = each.number not in self.known and not each.needs_grad and each.storage not in held
            if fresh and each.shape.count(size) == 1 and size in each.shape[: 1 + (len(each.shape) > 2)]:
                axis = each.shape.index(size)  # steps may come first: (steps, samples, features)
                labels = rows_of((each.shape[axis], *each.shape[:axis], *each.shape[axis + 1 :]))
                if labels is not None and len(each.shape) > 1:
                    self.known[each.number] = labels.movedim(0, axis)
        first = self.known.get(op.inputs[0].number) if op.inputs else None
        finding = self._paired(op) or self._attends(op, size)
        if finding is None and first is not None:
            finding = self._sequence(op, first, size) or self._columns(op, first, size)
        for out, labels in zip(op.out, follow(op, self.known), strict=True):
            self.known.pop(out.number, None)
            if labels is not None:
                if finding is None and op.name in CUTS and first is not None and alone(first):
                    finding = self._cut(op, labels, size)
                if alone(labels):
                    self.known[out.number] = labels
        return finding

    def _cut(self, op: Op, labels: Tensor, size: int) -> Finding | None:
        """A view in which no dimension tells the samples apart, though one has their number."""
        given, out = op.inputs[0].shape, op.out[0].shape
        if len(out) > 2 and given[-1] == out[-1]:  # features, though there may be as many as samples
            given, out = given[:-1], out[:-1]
        if (
            alone(labels)
            or (given.count(size) > 1 and not self._state_of(op))
            or size not in out[:2]
            or (out.count(size) > 1 and out.index(size) > 0)
        ):
            return None
        place = out.index(size)
        row = labels.select(place, 0).unique()
        return found(
            RULE,
            op.site,
            f"{op.name} from {op.inputs[0].shape} to {op.out[0].shape} mixes the {size} samples of the batch",
            f"the samples lie along dimension {alone(self.known[op.inputs[0].number])[0]} of the input; entry 0 along "
            f"dimension {place} of the result, which has their number, holds pieces of {len(row)} samples "
            f"({', '.join(str(int(each)) for each in row[:6])}{', ...' if len(row) > 6 else ''})",
            WHY,
            "bring the samples to the front with transpose or permute first, and then reshape",
        )

    def _state_of(self, op: Op) -> bool:
        """Whether this cuts the states that a recurrent layer ended with, whose dimensions are known."""
        made = origin(self.trace, op.inputs[0], op.n, {"contiguous", "clone"})
        return made is not None and made.name in RECURRENT and op.inputs[0].shape != made.out[0].shape

    def _columns(self, op: Op, labels: Tensor, size: int) -> Finding | None:
        """A layer that takes columns for the features of a sample which are samples themselves."""
        shape = tuple(labels.shape)
        if op.name != "linear" or len(shape) != 2 or shape[0] != size or alone(labels) != [1] or shape[1] == size:
            return None
        return found(
            RULE,
            op.site,
            f"a layer takes the columns of {shape} for the features of {size} samples",
            f"each column belongs to one sample, and each of the {size} rows holds pieces of {len(labels[0].unique())}",
            WHY,
            "bring the samples to the front with transpose or permute before the reshape",
        )

    def _attends(self, op: Op, size: int) -> Finding | None:
        """Attention over the rows of all samples, flattened into one line, without a mask between them."""
        labels = [self.known.get(each.number) for each in op.inputs]
        if op.name in ("matmul", "mm") and len(op.inputs) == 2 and op.out and len(op.out[0].shape) == 2:
            if op.inputs[0].number in self.scores and labels[1] is not None and self._flattened(labels[1], size):
                rows, width = labels[1].shape
                return found(
                    RULE,
                    op.site,
                    f"attention over {rows} rows mixes the {size} samples of the batch",
                    f"the rows of all samples, {rows // size} of each, lie in one dimension; each row is summed from "
                    f"all {rows} of them, {width} numbers wide, with weights that no mask keeps within a sample",
                    WHY,
                    "keep the samples in a dimension of their own: x of (batch, steps, features)",
                    level="warning",
                )
            if labels[0] is not None and self._flattened(labels[0], size) and self._turned(labels, size):
                self.scores |= {out.number for out in op.out}
        elif op.name in WEIGHS and len(op.inputs) == 1 and op.inputs[0].number in self.scores:
            self.scores |= {out.number for out in op.out}
        return None

    def _flattened(self, labels: Tensor, size: int) -> bool:
        """Rows of which each sample has several, one after the other."""
        rows = labels.shape[0]
        return labels.dim() == 2 and rows > size > 1 and rows % size == 0 and alone(labels) == [0]

    def _turned(self, labels: list[Tensor | None], size: int) -> bool:
        """Whether the second factor is such rows, turned."""
        other = labels[1]
        return other is not None and other.dim() == 2 and self._flattened(other.t(), size)

    def _sequence(self, op: Op, labels: Tensor, size: int) -> Finding | None:
        """A layer that reads along the samples as if they were steps of one sequence."""
        if op.name not in RECURRENT and op.name != ATTENTION:
            return None
        shape = op.inputs[0].shape
        axis = batch_axis(op) if op.name in RECURRENT else 1
        if len(shape) != 3 or shape[axis] < 2 or shape[1 - axis] != size or alone(labels) != [1 - axis]:
            return None
        if shape[axis] == size or not self._sure(op, size):  # as many steps as samples: either may lie in front
            return None
        return found(
            RULE,
            op.site,
            f"{op.name} takes the {size} samples of the batch for the steps of a sequence",
            f"its input has the shape {shape}; the samples lie along dimension {1 - axis}, which it reads as time, and "
            f"dimension {axis} as samples",
            WHY,
            "build the layer with batch_first=True, or hand over x.transpose(0, 1)",
        )

    def _sure(self, op: Op, size: int) -> bool:
        after = next(each for each in self.trace.ops(*LOSSES, "sub") if each.n > op.n and _loss(each))
        return sure(self.trace, op, size, root(self.trace, _target(after), after.n, SOUND), self.known)

    def _paired(self, op: Op) -> Finding | None:
        """Predictions beside the targets of other samples."""
        if op.name not in PAIRED or len(op.inputs) < 2:
            return None
        one, other = (self.known.get(each.number) for each in op.inputs[:2])
        if one is None or other is None or one.shape[0] != other.shape[0]:
            return None
        if 0 not in alone(one) or 0 not in alone(other):
            return None
        rows = [each.flatten(1)[:, 0] if each.dim() > 1 else each for each in (one, other)]
        wrong = rows[0] != rows[1]
        if not bool(wrong.any()):
            return None
        place = int(wrong.nonzero()[0])
        return found(
            RULE,
            op.site,
            "predictions are compared with the targets of other samples",
            f"in {int(wrong.sum())} of {len(wrong)} rows; row {place} of the prediction belongs to sample "
            f"{int(rows[0][place])} and its target to sample {int(rows[1][place])}",
            "the model is asked for what it was not shown",
            "bring both into the same order of dimensions before they are flattened",
        )
