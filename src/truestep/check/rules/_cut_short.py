"""Trainings that go through their data in a fixed order, and leave each epoch after so many batches."""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import Batch
from truestep.check.rules._batches import Drawn, drawn
from truestep.check.site import Site
from truestep.check.trace import Trace

OFTEN, SHARE = 3, 0.1


def cut_short(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """Loaders without shuffling whose passes all end early, at one batch, with items behind it that are in no pass.

    The items must be the same in each pass: where a data set draws them anew, its length is a mere number.
    """
    of_base: dict[int, list[Drawn]] = {}
    for one in drawn(trace):
        if one.what.loader is not None:
            of_base.setdefault(one.what.loader.base, []).append(one)
    for passes in of_base.values():
        made = passes[0].what.loader
        if made is None or made.size is None or made.sampler != "SequentialSampler" or not made.batch_size:
            continue
        lengths = {len(one.what.batches) for one in passes}
        same = {one.what.start.loader for one in passes} == {made.loader} and len(passes) >= OFTEN
        left = made.size - len(frozenset().union(*(one.items for one in passes)))
        if not same or len(lengths) > 1 or max(lengths) < 2 or not all(one.trains for one in passes):
            continue
        if left < max(SHARE * made.size, 2 * made.batch_size) or not _repeated(passes):
            continue
        yield (
            passes[0].what.start.site,
            f"the last {left} of {made.size} samples, or more, are never trained on",
            f"the loader of line {made.site.line} does not shuffle, and all {len(passes)} passes over it were left at "
            f"the batch of number {max(lengths)}, after the same {made.size - left} samples",
        )


def _repeated(passes: list[Drawn]) -> bool:
    """Whether the first items of two passes, or more, are the same to the bit."""
    first: list[Batch] = [one.what.batches[0] for one in passes]
    known = [each.tensors[0].rows for each in first if each.tensors and each.tensors[0].rows]
    return len(known) > 1 and len(set(known)) == 1
