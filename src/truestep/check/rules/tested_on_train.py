"""What is reported as held out was trained on.

What: the evaluation goes through the training loader while the test loader is never used; or the two parts overlap,
because the training part was never shortened, or because rows were copied before the split.

Why: the score measures memory. A model that has learned nothing of use scores well.

Evidence: the indices that the evaluation and the training handed out of one data set, or the bits of the rows that the
model was given, to the last digit; and a loader for other data that no one ever asked for a batch.

False alarms: the accuracy on the training set beside one on other data is no finding, nor are predictions for all rows,
a second training with a new optimizer on other folds, or inputs of whole numbers, which meet by chance.

Mend: split first, then copy, sample and train on the training part alone; evaluate with the held-out loader.

Wrong:
    train_idx, val_idx = order, order[:100]

Right:
    train_idx, val_idx = order[100:], order[:100]
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Forward, LoaderMade, LoaderStart, Names
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._batches import Drawn, began, drawn, ends, size, split
from truestep.check.trace import Trace

RULE = Rule("TS473", "tested_on_train", "tested on what was trained on", "error", "data")
WHY = "the score measures what was memorised"
SHARE, FEW = 0.1, 5


def look(trace: Trace) -> Iterator[Finding]:
    """Compare indices, then rows, then ask which loaders were never used."""
    passes = list(drawn(trace))
    for proof in (_overlap(trace, passes), _rows(trace), _unused(trace, passes), _left(trace)):
        told = next(proof, None)
        if told is not None:
            yield told
            return


def _trained(trace: Trace, one: Drawn, passes: list[Drawn]) -> frozenset[int]:
    """The items of the same data that were trained on before an evaluation, in the same training."""
    since, base = began(trace, one.what.start.n), one.what.loader and one.what.loader.base
    parts = [each.items for each in passes if each.trains and since < each.what.start.n < one.what.start.n
             and each.what.loader is not None and each.what.loader.base == base]  # fmt: skip
    return frozenset().union(*parts)


def _overlap(trace: Trace, passes: list[Drawn]) -> Iterator[Finding]:
    quiet = [one for one in passes if not one.trains and one.what.loader is not None and one.what.loader.base]
    apart = any(one.items and not one.items & _trained(trace, one, passes) for one in quiet)
    own = {(each.what.loader.base, each.what.loader.chosen) for each in passes if each.trains and each.what.loader}
    for one in quiet:
        if one.what.loader is not None and (one.what.loader.base, one.what.loader.chosen) in own:
            continue  # the score on the training set
        trained = _trained(trace, one, passes)
        both = one.items & trained
        if not both or trained <= one.items or not (both < one.items or not apart):
            continue
        loader = one.what.loader
        yield found(
            RULE, loader.site if loader else one.what.start.site,
            f"{len(both)} of {len(one.items)} evaluated samples were trained on",
            f"of {len(one.items)} items that the evaluation drew from the data set, {len(both)} are among the "
            f"{len(trained)} that training had drawn",
            WHY, "take the held-out part out of the training part",
        )  # fmt: skip
        return


def _rows(trace: Trace) -> Iterator[Finding]:
    """Rows of numbers, equal to the last bit, that the model trained on and was scored on."""
    trained, others = split(trace)
    seen: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
    for call in trained:
        if _telling(call):
            seen.setdefault(call.module, []).append((call.n, call.inputs[0].rows))
    scored: dict[tuple[int, tuple[str, int]], list[Forward]] = {}
    for call in others:
        if call.module in seen and _telling(call) and call.outputs and _scored(trace, call):
            scored.setdefault((call.module, call.site.place), []).append(call)
    for (module, _), calls in scored.items():
        last = calls[-1]
        since = began(trace, last.n)
        train = {row for n, rows in seen[module] for row in rows if since < n < last.n}
        test = [row for call in calls if call.n > since for row in call.inputs[0].rows]
        both = [row for row in test if row in train]
        distinct = set(test)
        left = len(train - distinct)
        if FEW <= len(both) < len(test) and len(both) >= SHARE * len(test) and left > 0.2 * len(train):
            yield found(
                RULE, last.site, f"{len(both)} of {len(test)} evaluated rows were trained on",
                f"the bits of {len(both)} rows (shape {tuple(last.inputs[0].shape[1:])}) given in evaluation are those "
                f"of rows among the {len(train)} given in training",
                WHY, "split before rows are copied or drawn again, so that no row stands in both parts",
            )  # fmt: skip
            return


def _telling(call: Forward) -> bool:
    """Inputs whose rows meet by chance only where they are copies: some numbers, and not whole ones."""
    if not call.inputs or not call.inputs[0].rows or not call.inputs[0].dtype.startswith(("float", "bfloat")):
        return False
    values = call.inputs[0].values
    return size(call.inputs[0]) >= 3 and values is not None and not values.whole


def _unused(trace: Trace, passes: list[Drawn]) -> Iterator[Finding]:
    """A whole program whose evaluations all went through the training loader, with another loader never used."""
    trains = {one.what.start.loader for one in passes if one.trains}
    quiet = [one for one in passes if not one.trains]
    ended = any(names.when == "end" for names in trace.of(Names))
    if not ended or not quiet or any(one.what.start.loader not in trains for one in quiet):
        return
    trained, others = split(trace)
    given = {row for call in trained if call.inputs for row in call.inputs[0].rows}
    for call in others:
        rows = call.inputs[0].rows if call.inputs else ()
        if rows and sum(row in given for row in rows) < 0.5 * len(rows):
            return
    used = {start.loader for start in trace.of(LoaderStart)}
    bases = {made.base for made in trace.of(LoaderMade) if made.loader in trains}
    for made in trace.of(LoaderMade):
        if made.loader not in used and (made.base not in bases or not made.base):
            one = quiet[-1]
            yield found(
                RULE, one.what.start.site, "the evaluation goes through the training loader",
                f"all {len(quiet)} passes without updates drew from a loader that was trained on; the loader made in "
                f"line {made.site.line} ({made.size} items) was never asked for a batch",
                WHY, "evaluate with the held-out loader",
            )  # fmt: skip
            return


def _left(trace: Trace) -> Iterator[Finding]:
    """A whole program whose scores are all of trained rows, with a part cut from the same data and never touched."""
    last = next((names for names in reversed(trace.of(Names)) if names.when == "end"), None)
    trained, others = split(trace)
    given = {row for call in trained if call.inputs for row in call.inputs[0].rows}
    scored = [call for call in others if call.inputs and call.outputs and _scored(trace, call)]
    if last is None or not scored or not given:
        return
    if any(not _telling(call) or any(row not in given for row in call.inputs[0].rows) for call in scored):
        return
    held = {value[1] for value in last.held.values() if isinstance(value, tuple) and value and value[0] == "tensor"}
    behind = {each.number for call in trained[:3] for op in trace.chain(call.inputs[0], call.n) for each in op.inputs}
    cuts = [op for op in trace.ops("__getitem__") if op.update == 0 and op.out and isinstance(op.args[-1], slice)]
    for cut in cuts:
        whole, out = cut.inputs[0], cut.out[0]
        if trace.users(out) or out.dtype != scored[-1].inputs[0].dtype:
            continue
        mates = [op for op in cuts if op.inputs[0].number == whole.number and op is not cut
                 and (op.out[0].number in behind or (op.out[0].rows and given <= set(op.out[0].rows)))]  # fmt: skip
        if out.number not in held and not any(_rest(cut.args[-1], op.args[-1]) for op in mates):
            continue  # nobody knows whether it was kept, but that two slices share the rows out says so
        if mates and out.shape[1:] == scored[-1].inputs[0].shape[1:] and mates[0].args[-1] != cut.args[-1]:
            yield found(
                RULE, scored[-1].site, "only trained rows are scored, and the held-out part is never used",
                f"all {len(scored)} scored calls were given rows that training was given; the {out.shape[0]} rows cut "
                f"off in line {cut.site.line} go into nothing",
                WHY, "evaluate with the held-out part", level="warning",
            )  # fmt: skip
            return


def _rest(one: slice, other: slice) -> bool:
    """Whether two slices share out the rows between them."""
    return (one.start or 0, one.stop) in ((other.stop, None), (0, other.start))


def _scored(trace: Trace, call: Forward) -> bool:
    read, joined = ends(trace, call.outputs[0], call.n)
    return read and not joined
