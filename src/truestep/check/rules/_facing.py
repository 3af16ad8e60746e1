"""Pairs of a contrastive loss: rows and columns of a table of scores, whose diagonal is the target."""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Batch
from truestep.check.looks import Seen
from truestep.check.rules._chains import origin
from truestep.check.site import Site
from truestep.check.trace import Trace

PRODUCTS = ("matmul", "mm", "einsum", "__matmul__", "__rmatmul__")
MOST = 80
Index = tuple[object, ...]


def facing(trace: Trace, batches: dict[int, Batch]) -> Iterator[tuple[Site, Index, Index]]:
    """The losses whose rows come of one loader and whose columns of another, with other items in them."""
    for loss in trace.losses():
        target, shape = origin(trace, loss.target, loss.op.n), loss.prediction.shape
        if loss.name != "cross_entropy" or target is None or target.name != "arange" or len(set(shape)) != 1:
            continue
        product = next((op for op in trace.chain(loss.prediction, loss.op.n) if op.name in PRODUCTS), None)
        sides = product.inputs if product is not None and len(shape) == 2 else ()
        handed = [_handed(trace, each, product.n, batches) for each in sides[:2] if product is not None]
        if len(handed) == 2 and all(len(each) == 1 for each in handed):
            one, other = (next(iter(each.values())) for each in handed)
            sizes = {shape[0], len(one.index or ()), len(other.index or ())}
            if (
                one.loader != other.loader
                and one.index
                and other.index
                and one.index != other.index
                and len(sizes) == 1
            ):
                yield loss.op.site, one.index, other.index
                return


def _handed(trace: Trace, seen: Seen, before: int, batches: dict[int, Batch]) -> dict[int, Batch]:
    """The batches that one side was made of, by their loaders."""
    handed = (batches[one.number] for one, _ in trace.back([seen], before, MOST) if one.number in batches)
    return {batch.loader: batch for batch in handed}
