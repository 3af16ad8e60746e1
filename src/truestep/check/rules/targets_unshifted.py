"""The targets are the inputs themselves: the model is asked for what it was just given.

What: a sequence model that keeps every position is scored, at every position, against its own input there; or what
should come after a window is the last step of that window; or the targets are one step on, and the model reads that
step already: attention without a mask, or with one that is turned, or both directions of a recurrent layer.

Why: copying solves the task. The loss falls to nothing, and nothing is learned of what comes next.

Evidence: the digests of the rows of inputs and targets, equal in every call; and a way from each input to the output
of the same position that passes through no bottleneck. Or the digests of the last steps of all windows and of their
targets, equal in every call. Or the numbers of inputs and targets, equal one step on, and the weight that a step gives
to the next one, on a way from the input to the output that keeps steps apart otherwise.

False alarms: an autoencoder that squeezes its input through a vector, and a model that shifts or masks its input
itself, are no findings; nor are inputs to which noise was added, or that are changed after the targets were copied; nor
kernels and masks that give the next step no weight.

Mend: targets that are one step ahead: `x = data[i : i + n]`, `y = data[i + 1 : i + n + 1]`.

Wrong:
    x, y = data[i : i + n], data[i : i + n]

Right:
    x, y = data[i : i + n], data[i + 1 : i + n + 1]
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from truestep.check.events import Batch, Forward, Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.rules import found
from truestep.check.rules._ahead import reading_ahead
from truestep.check.rules._chains import SOUND, by_line, call_behind, compared, root
from truestep.check.trace import LossCall, Trace

RULE = Rule("TS347", "targets_unshifted", "targets that are the inputs", "error", "losses")
LOSSES = ("cross_entropy", "nll_loss", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
MOST, SURE = 0.9, 60
RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")
PLACED = SOUND | {
    "relu", "relu_", "tanh", "gelu", "sigmoid", "silu", "elu", "leaky_relu", "dropout", "layer_norm", "rms_norm", "add",
    "mul", "div", "log_softmax", "embedding", "linear", "conv1d", "pad", "scaled_dot_product_attention",
    "multi_head_attention_forward", "batch_norm", "group_norm", *RECURRENT,
}  # fmt: skip
"""Calls whose output at a position is made, among others, of their input at that position."""
CODED = SOUND | {"one_hot"}
"""Those that show the same data otherwise: an input of ones and zeros holds its classes."""
CELLS = {"lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"}
JOINS = {"cat", "stack"}


def look(trace: Trace) -> Iterator[Finding]:
    """Look at the rows of inputs and targets of sequence models."""
    rows = _rows(trace)
    for calls in by_line([call for call in trace.losses() if call.name in LOSSES and call.op.grad] + _by_hand(trace)):
        copied = [one for one in (_copied(trace, call, rows) for call in calls) if one is not None]
        if len(copied) >= max(3, MOST * len(calls)):
            op, shape = copied[0]
            yield found(
                RULE,
                calls[0].op.site,
                "the targets are the inputs, position by position",
                f"in {len(copied)} of {len(calls)} calls the targets of shape {shape} have the same rows, bit for bit, "
                f"as the input of {op.name} on line {op.site.line}, which reaches every output at its own position",
                "copying solves the task, and nothing is learned of what comes next",
                "shift the targets by one step against the inputs",
            )

    yield from _given(trace)
    for site, evidence in reading_ahead(trace):
        yield found(
            RULE, site, "the model is given the next step before it is asked for it", evidence,
            "copying solves the task, and when the model is to go on by itself there is nothing to copy",
            "hide the later steps: is_causal=True, an attn_mask of torch.triu(..., 1), or one direction",
        )  # fmt: skip


def _given(trace: Trace) -> Iterator[Finding]:
    """Targets that are the last step of the very window of their input, in every call of a loss on this line."""
    lasts = {op.args[:2]: op.words.get("lasts", ()) for op in trace.ops("points")}
    calls = {out.number: event for event in trace.of(Forward) if event.depth == 0 for out in event.outputs}
    lines: dict[tuple[str, int], list[tuple[Op, Seen, int]]] = {}
    for op in trace.ops(*LOSSES, "sub"):
        pairs = (op.inputs[:2], op.inputs[1::-1]) if len(op.inputs) > 1 and op.grad else ()
        for guess, target in pairs:
            call = call_behind(trace, guess, op.n, calls) if guess.needs_grad and not target.needs_grad else None
            own = lasts.get(_key(target), ())
            if call is not None and call.inputs and own and prod(target.shape) < prod(call.inputs[0].shape):
                steps = lasts.get(_key(call.inputs[0]), ())
                place = steps.index(own[0]) if own[0] in steps else -1
                lines.setdefault(op.site.place, []).append((op, call.inputs[0], place))
    for told in lines.values():
        op, window, place = told[0]
        rows = sum(each.shape[0] for _, each, _ in told)
        if len(told) >= 3 and rows >= SURE and place >= 0 and {where for _, _, where in told} == {place}:
            yield found(
                RULE, op.site, "the target of each sequence is the last step of its own input",
                f"in {len(told)} calls, over {rows} sequences of {window.shape[1]} steps, each target is equal to what "
                "the input ends with",
                "copying solves the task, and nothing is learned of what comes next",
                "take the step after the window: x = data[i : i + n], y = data[i + n]",
            )  # fmt: skip
            return


def _by_hand(trace: Trace) -> list[LossCall]:
    """The differences of predictions and targets of one shape that are squared, or made absolute, and averaged."""
    found = []
    for op in trace.ops("sub"):
        if len(op.inputs) == 2 and op.grad and op.inputs[0].shape == op.inputs[1].shape:
            one, other = op.inputs
            if one.needs_grad != other.needs_grad and len(one.shape) > 1 and compared(trace, op):
                prediction, target = (one, other) if one.needs_grad else (other, one)
                found.append(LossCall(op, op.name, prediction, target, "mean"))
    return found


def _rows(trace: Trace) -> dict[tuple[int, int], tuple[int, ...]]:
    """The digests of rows of every tensor of which they were taken, as it was at one version."""
    found: dict[tuple[int, int], tuple[int, ...]] = {}
    for event in trace.of(Batch, Forward, Op):
        if isinstance(event, Batch):
            seen = event.tensors
        else:
            seen = event.out if isinstance(event, Op) else (*event.inputs, *event.outputs)
        found |= {_key(each): each.rows for each in seen if each.rows and not each.needs_grad}
    return found


def _key(seen: Seen) -> tuple[int, int]:
    return seen.number, seen.version


def _copied(
    trace: Trace, call: LossCall, rows: dict[tuple[int, int], tuple[int, ...]]
) -> tuple[Op, tuple[int, ...]] | None:
    """The call that takes in an input equal to the targets, if it reaches the prediction position by position."""
    target = root(trace, call.target, call.op.n, SOUND)
    wanted = rows.get(_key(target))
    line = len(target.shape) == 1  # one sequence, step by step, where a recurrent layer reads it
    if not target.shape or target.shape[0 if line else 1] < 3 or not wanted or len(set(wanted)) < 2:
        return None
    through = False
    waiting: list[tuple[Seen, int]] = [(call.prediction, call.op.n)]
    known: set[int] = set()
    held = {number for facts in trace.modules.values() for number in facts.buffers.values()}
    while waiting and len(known) < 120:
        seen, limit = waiting.pop(0)
        op = trace.maker(seen, limit)
        if op is None or op.n in known or not _keeps(op, seen, target) or _corrupts(op, target, held):
            continue
        known.add(op.n)
        through = through or (op.name in RECURRENT and op.inputs[0].shape[:1] == target.shape[:1])
        if op.name in JOINS and not line:
            cell = _stepwise(trace, op, target, wanted, rows)
            if cell is not None:
                return cell, target.shape
            continue
        for each in op.inputs[:1] if op.name in RECURRENT else op.inputs:
            data = root(trace, each, op.n, CODED)
            same = _bare(data.shape) == _bare(target.shape) and rows.get(_key(data)) == wanted
            if not each.needs_grad and same and (through or not line):
                return op, target.shape
            waiting.append((each, op.n))
    return None


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The dimensions of a table of numbers, one by one or in vectors of one."""
    return shape[:1] + tuple(each for each in shape[1:] if each != 1)


def _stepwise(
    trace: Trace, join: Op, target: Seen, wanted: tuple[int, ...], rows: dict[tuple[int, int], tuple[int, ...]]
) -> Op | None:
    """The cell that makes the first steps of a joined output of the same steps of an input equal to the targets."""
    cells = []
    for step, part in enumerate(join.inputs[:3]):
        seen, before, cell = part, join.n, None
        for _ in range(20):
            op = trace.maker(seen, before)
            if op is None or not op.inputs:
                return None
            if op.name == "__getitem__" and not op.inputs[0].needs_grad:
                data = op.inputs[0]
                if data.shape != target.shape or rows.get(_key(data)) != wanted or _step(op) != step:
                    return None
                break
            if op.name not in PLACED and op.name not in CELLS:
                return None
            cell = op if op.name in CELLS else cell
            seen, before = op.inputs[0], op.n  # what a cell is given at this step, and not its state
        cells.append(cell)
    return cells[0] if len(cells) == 3 else None


def _step(op: Op) -> int | None:
    """The one step along dimension 1 that an index takes."""
    index = op.args[1]
    where = index[1] if isinstance(index, tuple) and len(index) > 1 and index[0] == slice(None) else None
    if isinstance(where, slice) and isinstance(where.start, int) and where.stop == where.start + 1:
        return where.start
    return where if type(where) is int else None


def _corrupts(op: Op, target: Seen, held: set[int]) -> bool:
    """Whether data are mixed with noise or masked, position by position, before anything learned reads them.

    Codes of the positions, which a module holds, and figures that are the same at every position hide nothing.
    """
    if any(out.needs_grad for out in op.out):
        return False
    places = len(target.shape) - 1
    others = [each for each in op.inputs if each.storage not in held and len(each.shape) >= places]
    return op.name == "dropout" or sum(prod(each.shape[-places:][:1]) > 1 for each in others) > 1


def _keeps(op: Op, seen: Seen, target: Seen) -> bool:
    """Whether a call keeps positions apart: each output position is made of the same input position, too.

    A layer narrower than what stands at a position squeezes it, as an autoencoder of points does.
    """
    shape = target.shape
    if op.name in JOINS and len(shape) > 1:
        return len(op.inputs) == min(shape[1], 64)
    if op.name not in PLACED or not op.inputs:
        return False
    given = op.inputs[0]
    if op.name in RECURRENT:
        return bool(op.out) and op.out[0].number == seen.number and len(given.shape) >= 3 - (len(shape) == 1)
    if op.name == "linear":
        narrow = target.dtype.startswith("float") and len(shape) > 2 and seen.shape[-1] < prod(shape[2:])
        return not narrow and (len(given.shape) >= 3 or given.shape[:1] >= (prod(shape[:2]),))
    if op.name == "conv1d":
        return op.arg(3, "stride", 1) in (1, (1,))
    return True
