"""Words that evaluation looks up in a spelling that the mapping, and with it all training texts, does not have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from truestep.check.events import Batch, Forward, LoaderStart, Op
from truestep.check.rules._batches import split
from truestep.check.rules._coded import DEEP
from truestep.check.site import Site
from truestep.check.trace import Trace

LEAST, SHARE, TIMES = 12, 0.1, 5


def spelt_apart(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """The line that made evaluated texts, of which words are lost that the mapping holds in lower case."""
    if not any(op.words.get("spelt") for op in trace.ops("coded")):
        return
    mine, theirs = (_made(trace, calls) for calls in split(trace))
    trained = _counted(mine)
    lines: dict[object, list[Op]] = defaultdict(list)
    for op in theirs:
        lines[op.site].append(op)
    known = {op.args[0] for op in mine}
    told = [(_counted(ops), ops) for ops in lines.values()]
    told = [(counts, ops) for counts, ops in told if counts[0] >= LEAST]
    if trained[0] < LEAST or len(known) != 1 or not told or any(op.args[0] not in known for op in theirs):
        return
    alone = [counts for counts in (_counted([op]) for op in theirs) if counts[0] >= LEAST]
    shares = [lost / words for words, lost in (*alone, *(counts for counts, _ in told))]
    if min(shares) < SHARE or trained[1] / trained[0] * TIMES > min(shares):
        return  # some texts are spelt as the mapping is, as where another spelling is tried out on purpose
    (words, lost), ops = told[0]
    example = next(op.words["spelt"].example for op in ops if op.words["spelt"].lost)
    yield (
        ops[0].site,
        "words of the evaluation are looked up in a spelling that the vocabulary does not have",
        f"of {words} words {lost} have the number of unknown ones, as {example!r}, which the vocabulary holds in lower "
        f"case or without its marks; of {trained[0]} words of training {trained[1]} have",
    )


def _counted(ops: list[Op]) -> tuple[int, int]:
    told = [op.words["spelt"] for op in ops]
    return sum(each.words for each in told), sum(each.lost for each in told)


def _made(trace: Trace, calls: list[Forward]) -> list[Op]:
    """The calls that numbered what models were given, where their words were seen."""
    coded = [op for op in trace.ops("coded") if op.words.get("spelt")]
    by_number = {op.out[0].number: op for op in coded}
    batches = {held.number: batch for batch in trace.of(Batch) for held in batch.tensors}
    starts = {start.run: start.n for start in trace.of(LoaderStart)}
    found: dict[int, Op] = {}
    for call in calls:
        for each, _ in trace.back(call.inputs[:1], call.n, DEEP):
            if each.number in by_number:
                found[by_number[each.number].n] = by_number[each.number]
            elif each.number in batches:
                batch = batches[each.number]
                fetched = [op for op in coded if starts.get(batch.run, batch.n) < op.n < batch.n]
                rows = set(each.rows) if len(each.shape) > 1 else set()
                held = [op for op in coded if rows and rows <= set(op.out[0].rows)][:1]
                found |= {op.n: op for op in fetched or held}
    return [found[n] for n in sorted(found)]
