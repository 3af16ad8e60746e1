"""Recurrent layers that read along the rows of batches of tokens whose rows end in padding: along the samples."""

from __future__ import annotations

from truestep.check.rules._chains import SOUND, root
from truestep.check.rules._samples import RECURRENT, batch_axis
from truestep.check.trace import Trace

THROUGH = SOUND - {"transpose", "permute", "t", "T", "mT", "movedim", "swapaxes", "view", "reshape"} | {
    "embedding", "dropout", "layer_norm",
}  # fmt: skip
LEAST = 3


def beside_padding(trace: Trace) -> set[tuple[str, int]]:
    """The lines of layers that take the rows of padded tokens for steps, in all batches.

    Time is dimension 1 where the rows of most batches end in padding of unlike lengths, as many rows as a batch has
    samples are given again and again, and the length of the rows follows the longest of them. Steps that come first
    show the opposite: as many columns each time, of unlike length.
    """
    filled = {op.args[0] for op in trace.ops("padded")}
    given: dict[tuple[str, int], list[tuple[int, int, bool]]] = {}
    for op in trace.ops(*RECURRENT):
        if op.grad and op.inputs and len(op.inputs[0].shape) == 3 and batch_axis(op) == 1:
            tokens = root(trace, op.inputs[0], op.n, THROUGH)
            shape = tokens.shape
            plain = len(shape) == 2 and tokens.dtype == "int64" and shape == op.inputs[0].shape[:2]
            told = plain and tokens.number in filled
            given.setdefault(op.site.place, []).append((*op.inputs[0].shape[:2], told))
    return {place for place, calls in given.items() if _rows_are_samples(calls)}


def _rows_are_samples(calls: list[tuple[int, int, bool]]) -> bool:
    rows = [first for first, _, _ in calls]
    usual = max(set(rows), key=rows.count)
    full = [call for call in calls if call[0] == usual]  # the last batch of a pass may be smaller
    lengths = {second for _, second, _ in full}
    return (
        max(rows) == usual and len(full) > 0.6 * len(calls) and len(lengths) >= LEAST
        and sum(told for _, _, told in full) >= max(LEAST, 0.6 * len(full))
    )  # fmt: skip
