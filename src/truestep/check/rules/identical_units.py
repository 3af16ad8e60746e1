"""All units of a hidden layer, or whole copies of a layer, start alike and can never part.

What: every weight of a hidden layer starts from one number, and so does every weight that reads it; or the members of
an ensemble are copies of one another, and each update leaves them so.

Why: units with equal weights going in and out give equal outputs and get equal gradients, so they stay copies of each
other at every step: the layer is one unit wide, whatever its width. From zeros, nothing moves at all. So with members
that start as copies and are shown the same.

Evidence: both matrices held one value in all elements before the first update (their norm is that of n equal numbers),
one reads what the other makes, and the hidden bias, where there is one, has equal elements at every look; or the first
one's units and the second one's inputs were the same numbers at every look, by whatever product. Of copies:
two weights with memory of their own had the same bits, and got gradients of the same bits from the same pass, at every
look, while each update moved them.

False alarms: one layer alone may start from zeros (softmax regression, a last layer, the second matrix of LoRA): its
inputs differ, or what it reads does. Dropout between the two parts the units. Copies that are trained by passes of
their own (replicas, a comparison of two ways to train) are equal on purpose.

Mend: start from random weights: leave the layer's own initialisation, or use one of `torch.nn.init`.

Wrong:
    nn.init.constant_(layer.weight, 0.1)

Right:
    nn.init.kaiming_uniform_(layer.weight)
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.changes import Backward, Leaf
from truestep.check.events import Op
from truestep.check.finding import Finding, Rule
from truestep.check.looks import Seen
from truestep.check.rules import found
from truestep.check.rules._facts import constant
from truestep.check.rules._units import paired
from truestep.check.trace import Trace

RULE = Rule("TS211", "identical_units", "units that start alike and never part", "error", "parameters")
ROWS = {"linear", "conv1d", "conv2d", "conv3d"}  # a unit is a row of the weight
COLUMNS = {"matmul", "mm", "mv", "__matmul__", "addmm", "embedding"}  # a unit is a column of the second factor
CELLS = {"rnn_tanh", "rnn_relu", "lstm", "gru"}  # their weights come in a list; a unit is a row of each
THROUGH = {
    "relu", "relu_", "sigmoid", "tanh", "gelu", "elu", "silu", "leaky_relu", "softplus", "selu", "hardtanh", "sin",
    "add", "__add__", "__radd__", "add_", "flatten", "view", "reshape", "squeeze", "unsqueeze", "mean", "log_sigmoid",
    "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "clamp", "clamp_min", "batch_norm", "layer_norm", "pow",
    "__getitem__", "select", "transpose", "permute", "contiguous",
}  # fmt: skip
LOOKS = 3
MOVES = 5


def look(trace: Trace) -> Iterator[Finding]:
    """Look for two matrices of equal elements, one behind the other."""
    first: dict[int, Leaf] = {}
    seen: dict[int, list[Leaf]] = {}
    for event in trace.of(Backward):
        for leaf in event.leaves if not event.nested else ():
            if leaf.weight is not None:
                first.setdefault(leaf.number, leaf)
                seen.setdefault(leaf.number, []).append(leaf)
    yield from _copies(trace)
    flat = {number: value for number, leaf in first.items() if leaf.shape and min(leaf.shape[:2]) > 0
            for value in [constant(leaf.weight, leaf.shape)] if value is not None}  # fmt: skip
    told: set[int] = set()
    for op in trace.ops(*ROWS, *COLUMNS, *CELLS) if len(flat) > 1 else ():
        weight = _weight(op)
        if weight is None or weight.number not in flat or weight.number in told:
            continue
        if op.name in CELLS and any(each.number not in flat for each in _matrices(op)):
            continue
        units = weight.shape[1] if op.name in COLUMNS | CELLS else weight.shape[0]
        reader, biases = _reader(trace, op, first)
        looks = seen[weight.number]
        gated = op.name in ("lstm", "gru")  # the bias of each gate is equal in itself, the gates part
        equal = all(constant(leaf.weight, leaf.shape) is not None for bias in biases
                    for leaf in seen.get(bias, ())[: 1 if gated else None])  # fmt: skip
        if units > 1 and reader in flat and reader != weight.number and equal and len(looks) >= LOOKS:
            told.add(weight.number)
            gone = f"; its bias held {units} equal numbers at all {len(looks)} looks" if biases and not gated else ""
            yield found(
                RULE,
                op.site,
                f"the {units} units of {trace.name(weight.number)} start alike and can never part",
                f"before the first update all its elements were {flat[weight.number]:.4g} and all of "
                f"{trace.name(reader)}, which reads it, {flat[reader]:.4g}{gone}",
                "equal units get equal gradients for ever, so the layer is one unit wide",
                "start from random weights",
            )
    yield from _alike(trace, seen, told)


def _alike(trace: Trace, seen: dict[int, list[Leaf]], told: set[int]) -> Iterator[Finding]:
    """Weights whose slices are alike as long as they are looked at, by whatever product."""
    for layer, reader, looks, biases in paired(trace, seen, THROUGH | {"T", "t"}):
        number, read = layer.weight.number, reader.weight.number
        flat_bias = all(constant(leaf.weight, leaf.shape) is not None for each in biases for leaf in seen[each][:looks])
        if number not in told and flat_bias:
            told |= {number, read}
            yield found(
                RULE,
                layer.op.site,
                f"the {layer.weight.shape[layer.units]} units of {trace.name(number)} start alike and never part",
                f"at {looks} looks from the first one on all its {_lines(layer.units)} held the same numbers, "
                f"and so did all {_lines(reader.reads)} of {trace.name(read)}, which reads it",
                "equal units get equal gradients for ever, so the layer is one unit wide",
                "start from random weights",
            )


def _lines(dim: int) -> str:
    return "columns" if dim else "rows"


def _copies(trace: Trace) -> Iterator[Finding]:
    """Weights that are the same numbers at every pass, while updates move them."""
    course: dict[int, list[tuple[int, int, int]]] = {}
    weights: dict[int, Leaf] = {}
    for event in trace.backwards():
        for leaf in event.leaves:
            if len(leaf.shape) > 1 and leaf.weight is not None and leaf.after is not None:
                course.setdefault(leaf.number, []).append((event.n, leaf.weight.mark, leaf.after.mark))
                weights.setdefault(leaf.number, leaf)
    groups: dict[tuple[object, ...], list[Leaf]] = {}
    for number, looks in course.items():
        leaf = weights[number]
        if len({mark for _, mark, _ in looks}) >= MOVES and constant(leaf.weight, leaf.shape) is None:
            groups.setdefault((leaf.shape, *looks), []).append(leaf)
    for (_, *looks), leaves in groups.items():
        if not len({leaf.storage for leaf in leaves}) == len(leaves) > 1:
            continue
        use = next((op for op in trace.of(Op) if any(each.number == leaves[1].number for each in op.inputs)), None)
        if use is not None:
            norm = leaves[0].weight.norm if leaves[0].weight is not None else 0.0
            yield found(
                RULE,
                use.site,
                f"{len(leaves)} weights of shape {leaves[0].shape} are copies of one another and can never part",
                f"{trace.name(leaves[0].number)} and {trace.name(leaves[1].number)} had the same bits (norm {norm:.6g} "
                f"at first) and gradients of the same bits at all {len(looks)} looks, while updates moved them",
                "copies that are shown the same stay copies for ever: they are as good as one",
                "start each from random weights of its own",
            )
            return


def _matrices(op: Op) -> list[Seen]:
    """The weights of a recurrent call, from what is read to what is said; those of the state are square."""
    return [each for each in op.inputs if each.leaf and each.needs_grad and len(each.shape) == 2]


def _weight(op: Op, dims: int = 2) -> Seen | None:
    if op.name in CELLS:
        return next(iter(_matrices(op)[1:2]), None)
    told = op.arg(2 if op.name == "addmm" else 1, "weight")
    return told if isinstance(told, Seen) and told.leaf and len(told.shape) >= dims else None


def _reader(trace: Trace, op: Op, first: dict[int, Leaf]) -> tuple[int, list[int]]:
    """The matrix that reads what this call makes (0: none was found), and the biases that were added on the way."""
    biases = [each.number for each in op.inputs if each.leaf and len(each.shape) == 1 and each.number in first]
    waiting = list(op.out)
    for _ in range(20):
        if not waiting:
            break
        tensor = waiting.pop(0)
        for user in trace.users(tensor, op.n):
            if user.update != op.update:
                break
            weight = _weight(user, dims=1) if user.name in ROWS | COLUMNS else None  # one output may be read by a row
            if weight is not None and user.inputs[0].number == tensor.number:
                return weight.number, biases
            if user.name in THROUGH:
                leaves = [each for each in user.inputs if each.leaf and each.number in first]
                biases += [each.number for each in leaves if len(each.shape) == 1 and each.shape[0] > 1]
                waiting += user.out
    return 0, biases
