"""A total is divided by something that does not count what was added up.

What: means of batches are added up and divided by the number of samples, sums over samples by the number of batches, or
either by the size of another set, as of the one that a Subset is a part of, or by batches times batch size (that of the
last one, say) although not all are so large; or hits are divided by all places, though some carry the label that the
loss ignores and no prediction can equal, or a mask leaves them out. A total that is never set back holds several passes
and is divided by what one counts, or is told as one; one that a line of the log sets back holds the last batches of a
pass, and is divided by all. And the figure of the last batch alone is divided by, or told for, all of them.

Why: the figure is wrong by a factor that is constant, so its curve looks right; it cannot be compared with any other,
and a perfect model seems to score below one.

Evidence: the reported float times a count is the total of the batches' numbers to the last digits, and that count is
the number of batches, of samples, of another set, where the total calls for another one. A quotient that is only
printed counts where its digits are the wrong one's, and never the right one's, in every pass of three or more. What is
never set back must grow by one pass in each figure; what is set back within a pass is known by the exact total of as
many last batches. Whether a loop makes use of each batch's figure the source says.

False alarms: only totals of one pass are looked at, and a division by the right count is looked for first, among the
numbers of every line: an accuracy is a quotient of small whole numbers, and another line's total may meet it by chance.
Hits over all folds, each with a model of its own, or over all chunks of a stream, each tested before it is learned
from, are told together on purpose: only one model on the same rows each time counts, and where its last evaluation is
not told as well. What is told of the last batch that a model was trained on is no finding.

Mend: divide a sum over samples by the samples that were seen; weigh a batch's mean by its samples before adding.

Wrong:
    total += loss_fn(model(x), y).item()      # a mean already
    print(total / len(loader.dataset))

Right:
    total += loss_fn(model(x), y).item() * len(y)
    print(total / len(loader.dataset))
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice

from truestep.check.events import LoaderEnd, LoaderMade
from truestep.check.finding import Finding, Level, Rule
from truestep.check.rules import found
from truestep.check.rules._after_loop import read_after
from truestep.check.rules._collected import blank, collected
from truestep.check.rules._last_batch import hits_of_one, told_for_all
from truestep.check.rules._masked import masked
from truestep.check.rules._printed import printed
from truestep.check.rules._quotients import dividing
from truestep.check.rules._readings import Figure, Reading, figures, near, shown
from truestep.check.rules._set_back import set_back
from truestep.check.rules._totals import totals
from truestep.check.rules._unreset import of_prints, on_and_on, over_one
from truestep.check.rules._whole_sets import whole_sets
from truestep.check.site import Site
from truestep.check.trace import Trace

RULE = Rule("TS671", "wrong_denominator", "a total divided by the wrong count", "error", "reporting")
OFTEN, SIMPLE, CLOSE, PASSES = 3, 8, 1e-6, 4


def look(trace: Trace) -> Iterator[Finding]:
    """For each figure, ask what the readings of a pass were divided by."""
    others = dict.fromkeys(whole_sets(trace), "the size of the whole data set behind the part that was scored")
    others |= {made.size: "the items of a loader" for made in trace.of(LoaderMade) if made.size}
    others |= {end.batches: "the batches of a loader" for end in trace.of(LoaderEnd) if end.batches}
    together = [list(same) for _, same in groupby(figures(trace), key=lambda each: (each.n, each.name))]
    unsound = [same for same in together if not any(near(one.value, each) for one in same for each in _sound(one))]
    yield from _told(_of_tensors(trace))
    yield from _told(collected(trace, others))
    yield from _told(list(masked(trace)) or blank(together))
    single = {one.start.run for one in trace.passes() if one.whole and len(one.batches) == 1}
    alone, every = list(chain.from_iterable(unsound)), list(chain.from_iterable(together))
    quotients = _of_readings(alone, others, single) or _of_prints(alone, single) or list(printed(trace, others))
    yield from _told(quotients or set_back(trace))
    sure = [*over_one(alone), *of_prints(trace, every), *hits_of_one(alone)]
    yield from _told({case[0].place: case for case in sure}.values())
    likely = [*on_and_on(trace, every), *told_for_all(trace), *read_after(trace)]
    yield from _told({case[0].place: case for case in likely}.values(), "warning")


def _of_tensors(trace: Trace) -> Iterator[tuple[Site, str, str]]:
    """What is added up and divided as a tensor."""
    for total in totals(trace):
        samples, batches = sum(total.sizes), len(total.sizes)
        wrong, right = (samples, batches) if total.kind == "mean" else (batches, samples)
        if total.count == wrong != right:
            yield (
                total.at.site,
                f"{total.kind}s over {batches} batches are divided by {wrong}, the number of "
                f"{'samples' if wrong == samples else 'batches'}",
                f"the total {sum(total.values):.6g} is divided by {wrong}; its terms are {total.kind}s over "
                f"{min(total.sizes)} to {max(total.sizes)} samples, so the right count is {right}",
            )


def _of_prints(unsound: list[Figure], single: set[int]) -> list[tuple[Site, str, str]]:
    """Held totals of means beside which each print shows them over the samples, in few digits, and never the mean."""
    shows: dict[tuple[str, int], list[tuple[bool, Figure, float, int, int]]] = {}
    for figure in unsound:
        window = next(iter(_passes(figure.readings, single)), [])
        rows, added = sum(each.rows for each in window), sum(each.value for each in window)
        if len(window) < 2 or window[0].kind != "mean" or rows == len(window) or not near(figure.value, added):
            continue
        met = shown(added / rows, figure.printed, 2) and not shown(added / len(window), figure.printed, 2)
        place = figure.readings[0].site.place
        shows.setdefault(place, []).append((met, figure, added, rows, len(window)))
    return [
        (
            dividing(told[0][1]),
            f"means over {batches} batches are divided by {rows}, the number of samples",
            f"{figure.name} is {added:.6g}, and {added / rows:.4g} is printed, so in {len(told)} passes; with the "
            f"right count, {batches}, it is {added / batches:.6g}; the batches' numbers are read on line {place[1]}",
        )
        for place, told in shows.items()
        for _, figure, added, rows, batches in told[:1]
        if len(told) >= OFTEN and all(met for met, *_ in told) and len({each[2] for each in told}) >= OFTEN
    ]


def _of_readings(unsound: list[Figure], others: dict[int, str], single: set[int]) -> list[tuple[Site, str, str]]:
    """Figures that no sound division of what was read gives."""
    told: set[tuple[str, int]] = set()
    cases_told: list[tuple[Site, str, str]] = []
    for figure in unsound:
        place = figure.readings[0].site.place
        cases = ((window, _divided(figure, window, others)) for window in _passes(figure.readings, single))
        window, said = next((case for case in cases if case[1]), ([], None)) if place not in told else ([], None)
        if said is not None:
            told.add(place)
            added, given, right, words, kind = said
            site = dividing(figure)
            cases_told += [
                (
                    site,
                    f"{kind} over {len(window)} batches are divided by {given}, {words}",
                    f"{figure.name} is made of {added:.6g} / {given} = {added / given:.6g}; with the right count, "
                    f"{right}, it is {added / right:.6g}; the batches' numbers are read on line {window[0].site.line}",
                )
            ]
    return cases_told


def _told(cases: Iterable[tuple[Site, str, str]], level: Level | None = None) -> Iterator[Finding]:
    for site, message, evidence in cases:
        yield found(
            RULE, site, message, evidence, "the figure is off by a factor and cannot be compared with any other",
            "divide a sum over samples by the samples seen, and weigh a mean by its samples before adding", level,
        )  # fmt: skip


def _sound(figure: Figure) -> Iterator[float]:
    """What a sound division of some trailing readings gives, or of one of the last passes; a total, a count."""
    yield from _quotients(figure.readings)
    runs = (list(run) for number, run in groupby(figure.readings, lambda each: each.run) if number)
    for run in islice(runs, 1, PASSES):
        yield from _quotients(run)


def _quotients(readings: Iterable[Reading]) -> Iterator[float]:
    total = weighted = by_rows = 0.0
    sizes = rows = 0
    for number, reading in enumerate(readings, 1):
        total += reading.value
        weighted += reading.value * reading.size
        by_rows += reading.value * reading.rows
        sizes, rows = sizes + reading.size, rows + reading.rows
        yield from (sizes, rows)
        for part in (1, 100):
            if reading.kind == "mean":
                yield part * total / number
                yield part * by_rows / rows if rows else total
                yield part * weighted / sizes if sizes else total
            elif reading.kind == "sum":
                yield part * total / sizes if sizes else total
                yield part * total / rows if rows else total


def _passes(held: tuple[Reading, ...], single: set[int]) -> Iterator[list[Reading]]:
    """The readings of the last pass: of a loader's run, or of a stretch without updates, or any whose total is held.

    One reading is a pass where it is of a loader's only batch.
    """
    window: list[Reading] = []
    for reading in held:
        if window and (reading.run != window[-1].run or window[-1].update - reading.update > 1):
            break
        if reading.kind not in ("mean", "sum") or reading.kind != held[0].kind:
            return
        window.append(reading)
        if not (reading.run or reading.score) and len(window) >= 2 and reading.update == window[0].update:
            yield window[:]  # without a loader nothing says where an evaluation began
    whole = len(window) >= 2 or (len(window) == 1 and window[0].run in single)
    if whole and (window[0].run or (window[0].score and window[0].update == window[-1].update)):
        yield window


def _divided(figure: Figure, window: list[Reading], others: dict[int, str]) -> tuple[float, int, int, str, str] | None:
    batches, rows = len(window), sum(each.rows for each in window)
    sizes, most = sum(each.size for each in window), max(each.rows for each in window)
    places = sum(each.places for each in window) if all(each.places for each in window) else 0
    if rows == batches:
        return None
    full, last = batches * most, batches * window[0].rows
    counts = {rows: "the number of samples", batches: "the number of batches"}
    counts |= {last: "batches times the size of the last one"} if last != rows else {}
    counts |= {full: "batches times batch size, though not all are full"} if full != rows else {}
    counts = {**others, **counts, sizes: "the number of samples"}
    if places > sizes:
        counts[places] = "all places, those that the loss leaves out too"
    total = sum(each.value for each in window)  # a total that is held is no quotient, whatever it was weighed with
    wholes = total, sum(each.value * each.rows for each in window), sum(each.value * each.size for each in window)
    if window[0].kind == "mean":
        totals = [(total, batches, "means"), (sum(each.value * each.rows for each in window), rows, "weighted means")]
    else:
        totals = [(total, rows, "sums")]
    for added, right, kind in totals:
        for count, words in counts.items():
            if not right or count == right or (kind != "means" and count in (rows, sizes)) or _common(added, count):
                continue
            value = added / count
            held = isinstance(figure.value, float) and not any(near(figure.value, whole) for whole in wholes)
            held = held and any(near(figure.value, part * value) for part in (1, 100))
            held = held and not _of_a_batch(figure, window)
            sound = any(shown(part * added / right, figure.printed, 1) for part in (1, 100))
            if held or (near(figure.value, added) and shown(value, figure.printed) and not sound):
                return added, count, right, words, kind
    return None


def _common(added: float, count: int) -> bool:
    """Whether a quotient is a share that small counts often give, 1 / 2 say: another one may well be the same."""
    return added.is_integer() and 0 < added <= count and count // math.gcd(int(added), count) <= SIMPLE


def _of_a_batch(figure: Figure, window: list[Reading]) -> bool:
    """Whether a figure is a share of one batch or two, where hits were read: that of other rows may be any quotient."""
    hits, most = [each.value * each.rows for each in window], max(each.rows for each in window)
    perfect = all(each.value == 1 for each in window)
    if window[0].kind != "mean" or perfect or figure.value > 1 or any(abs(each - round(each)) > CLOSE for each in hits):
        return False
    return any(abs(share - round(share)) <= CLOSE for share in (figure.value * most, 2 * figure.value * most))
