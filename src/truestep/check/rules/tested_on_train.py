"""What is reported as held out was trained on.

What: the evaluation goes through the training data while the held-out data are never used; or another data set object
holds the training items too; or the two parts overlap, as the training part was never shortened, rows were copied
before the split, or a sampler, a mask or an index takes training rows; or of outputs for all samples, as of the nodes
of a graph, the loss takes those that are scored too, or the score all; or one model goes through all folds.

Why: the score measures memory. A model that has learned nothing of use scores well.

Evidence: the indices that the evaluation and the training handed out of one data set, or of two that store the same
bits; the rows of outputs for all samples that loss and score take by number; the bits of the rows that the model was
given, to the last digit; folds that take turns, though each may scale its rows in its own way, and weights
that go on from fold to fold as they were left; and a loader for other data, a data set, or rows kept apart that no one
ever asked for.

False alarms: the accuracy on the training set beside one on other data is no finding, nor are predictions for all rows,
rows that random batches never met, inputs that came with several targets, queries taken out of the outputs by
themselves, a second training with a new optimizer on other parts, unless these are folds and the model goes on through
them, a batch that is only looked at, or inputs of whole numbers, which meet by chance. Where all that is scored was
trained on, and nothing the program says calls it a test, there is advice.

Mend: split first, then copy, sample and train on the training part alone; evaluate with the held-out loader.

Wrong:
    train_idx, val_idx = order, order[:100]

Right:
    train_idx, val_idx = order[100:], order[:100]
"""

from __future__ import annotations

from collections.abc import Iterator

from truestep.check.events import LoaderMade
from truestep.check.finding import Finding, Rule
from truestep.check.rules import found
from truestep.check.rules._all_rows import all_learned, all_scored
from truestep.check.rules._batches import Drawn, began, drawn, split
from truestep.check.rules._facts import complete
from truestep.check.rules._folds import carried
from truestep.check.rules._folds_kept import kept_in
from truestep.check.rules._held import claims, contents, left, never_asked, picked
from truestep.check.rules._indexed import indexed
from truestep.check.rules._never_scored import never_scored
from truestep.check.rules._rows import FEW, SHARE, learned_and_scored, others_scored
from truestep.check.trace import Trace

CHOOSE = ("SubsetRandomSampler", "WeightedRandomSampler")
RULE = Rule("TS473", "tested_on_train", "tested on what was trained on", "error", "data")
WHY = "the score measures what was memorised"


def look(trace: Trace) -> Iterator[Finding]:
    """Compare indices, then rows, then ask which loaders were never used."""
    passes = list(drawn(trace))
    same = contents(trace)
    proofs = (_overlap(trace, passes), _rows(trace), _unused(trace, passes), _twin(trace, passes, same), _left(trace))
    for proof in (
        *proofs,
        _one_part(trace, passes),
        _picks(trace),
        _indexed(trace),
        _folds(trace, passes),
        _all_rows(trace),
    ):
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
        if (
            one.what.loader is not None
            and (one.what.loader.base, one.what.loader.chosen) in own
            and not _spared(one, passes)
        ):
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


def _spared(one: Drawn, passes: list[Drawn]) -> bool:
    """Whether items of the data set are in no pass at all, though a sampler chose those of this one."""
    if not one.what.whole or one.what.loader is None or one.what.loader.sampler not in CHOOSE:
        return False
    size, base = one.what.loader.size, one.what.loader.base
    drawn = [each.items for each in passes if each.what.loader is not None and each.what.loader.base == base]
    return size is not None and size - len(frozenset().union(*drawn)) >= FEW


def _one_part(trace: Trace, passes: list[Drawn]) -> Iterator[Finding]:
    """What is called a test draws just the items that training drew, and others of the data set are in no pass."""
    quiet = [one for one in passes if not one.trains and one.items and one.what.loader is not None]
    met = frozenset().union(*(one.items for one in passes))
    trained = frozenset().union(*(one.items for one in passes if one.trains))
    bases = {one.what.loader.base for one in passes if one.what.loader is not None}
    whole = max((_items(made) for made in trace.of(LoaderMade) if made.base in bases), default=0)
    left = whole - len(met)
    if len(bases) != 1 or not quiet or left < max(FEW, SHARE * whole) or any(one.items - trained for one in quiet):
        return
    if others_scored(trace, quiet):
        return
    for one in quiet:
        made = one.what.loader
        if made is not None and claims(trace, made.site.text, one.what.start.site.text):
            yield found(
                RULE, made.site, f"all {len(one.items)} evaluated samples were trained on",
                f"training and every evaluation drew the same {len(trained)} of {whole} items of the data set; {left} "
                "are in no pass at all",
                WHY, "evaluate on the items that training leaves out", level="warning",
            )  # fmt: skip
            return


def _items(made: LoaderMade) -> int:
    """How many items the data set below a loader has, as far as its own indices tell."""
    return (made.size or 0) if made.chosen is None else 1 + max(made.chosen, default=-1)


def _twin(trace: Trace, passes: list[Drawn], same: dict[int, int]) -> Iterator[Finding]:
    """Evaluations that all go through another data set object with the items that training draws."""
    trains: dict[int, set[int]] = {}
    for one in passes:
        if one.trains and one.what.loader is not None:
            trains.setdefault(same.get(one.what.loader.base, 0), set()).update(one.items)
    own = {one.what.loader.base for one in passes if one.trains and one.what.loader is not None}
    quiet = [one for one in passes if not one.trains and one.what.loader is not None and one.items]
    known = [(one, trains.get(same.get(one.what.loader.base, 0), set())) for one in quiet if one.what.loader]
    if not known or any(len(one.items & items) < 0.9 * len(one.items) for one, items in known):
        return
    for one, items in known:
        made = one.what.loader
        if made is not None and made.base not in own and len(one.items) >= FEW:
            sure = claims(trace, made.site.text, one.what.start.site.text)
            yield found(
                RULE, made.site, "the data set of the evaluation holds the items of the training set",
                f"what both data sets store is equal to the bit; {len(one.items & items)} of {len(one.items)} items "
                "that the evaluation drew were trained on, and nothing else is evaluated",
                WHY, "evaluate on the held-out part (train=False, say)", level="warning" if sure else "advice",
            )  # fmt: skip
            return


def _picks(trace: Trace) -> Iterator[Finding]:
    """Rows of the outputs for all samples that both the training loss and a score take by number."""
    learned, scored = picked(trace)
    if learned is None:
        return
    apart = set().union(*(each.rows for each in scored if not each.rows & learned.rows))
    for one in scored:
        both, fresh = one.rows & learned.rows, one.rows - learned.rows
        total = len(one.rows) == one.whole or (fresh and fresh <= apart)
        if len(both) < max(FEW, SHARE * len(one.rows)) or total or learned.rows == set(range(one.whole)):
            continue
        spared = "" if fresh else left(trace, learned, one, scored, bool(apart))
        if fresh or spared:
            yield found(
                RULE, one.op.site, f"{len(both)} of {len(one.rows)} scored rows were trained on",
                f"the training loss takes {len(learned.rows)} rows of the outputs by number, this score "
                f"{len(one.rows)}, and {len(both)} are the same{spared}",
                WHY, "score the rows that the training loss does not take", level="error" if fresh else "warning",
            )  # fmt: skip
            return


def _indexed(trace: Trace) -> Iterator[Finding]:
    one = indexed(trace)
    if one is not None:
        sure = claims(trace, one.call.site.text)
        yield found(
            RULE, one.call.site, f"all {one.scored} rows that are scored were trained on",
            f"training and the scores take rows of one tensor by number: {one.trained} and, of the same, {one.scored}; "
            f"{one.left} others are taken by neither",
            WHY, "score the rows that training does not take", level="warning" if sure else "advice",
        )  # fmt: skip


def _folds(trace: Trace, passes: list[Drawn]) -> Iterator[Finding]:
    one = carried(trace, passes)
    if one is not None:
        yield found(
            RULE, one.part.site, f"fold {one.fold} of {one.folds} is scored by a model that was trained on it",
            f"{one.how}, and {one.known} of the {len(one.part.samples)} samples scored here were trained on in earlier "
            "folds",
            WHY, "build the model anew in each fold, or load its first weights again",
        )  # fmt: skip
    kept = kept_in(trace)
    if kept is not None:
        yield found(
            RULE, kept.site, f"{kept.known} of the {kept.rows} rows of a fold were trained on",
            f"{kept.folds} models were each scored on a fold of the data, no row stands in two of them, and every "
            "model learned from its own fold as from the others",
            WHY, "leave the fold out of the training data",
        )  # fmt: skip


def _rows(trace: Trace) -> Iterator[Finding]:
    """Rows of numbers, equal to the last bit, that the model trained on and was scored on."""
    for one in learned_and_scored(trace):
        yield found(
            RULE, one.site, f"{one.both} of {one.scored} evaluated rows were trained on",
            f"the bits of {one.both} rows (shape {one.shape}) given in evaluation are those of rows among the "
            f"{one.trained} given in training",
            WHY, "split before rows are copied or drawn again, so that no row stands in both parts",
            level="warning" if one.whole else None,
        )  # fmt: skip


def _unused(trace: Trace, passes: list[Drawn]) -> Iterator[Finding]:
    """A whole program whose evaluations all went through the training loader, with another loader never used."""
    own = {(one.what.loader.base, one.what.loader.chosen) for one in passes if one.trains and one.what.loader}
    trains = {one.what.start.loader for one in passes if one.trains}
    trains |= {made.loader for made in trace.of(LoaderMade) if made.base and (made.base, made.chosen) in own}
    quiet = [one for one in passes if not one.trains]
    if not complete(trace) or not quiet or any(one.what.start.loader not in trains for one in quiet):
        return
    if not any(call.n > quiet[0].what.start.n for call in split(trace)[1]):  # a batch was only looked at
        return
    if others_scored(trace, quiet):
        return
    one = quiet[-1]
    second = one.what.start.loader not in {each.what.start.loader for each in passes if each.trains}
    for what, certain in never_asked(trace, trains):
        made = one.what.loader
        certain = certain and not second
        sure = certain or claims(trace, one.what.start.site.text, made.site.text if made else "")
        yield found(
            RULE, one.what.start.site, "the evaluation goes through the training data",
            f"all {len(quiet)} passes without updates drew from data that were trained on; {what}",
            WHY, "evaluate with the held-out loader", level=None if certain else "warning" if sure else "advice",
        )  # fmt: skip
        return


def _left(trace: Trace) -> Iterator[Finding]:
    told = never_scored(trace)
    if told is not None:
        site, evidence = told
        yield found(
            RULE, site, "only trained rows are scored, and the held-out part is never used", evidence, WHY,
            "evaluate with the held-out part", level="warning" if claims(trace, site.text) else "advice",
        )  # fmt: skip


def _all_rows(trace: Trace) -> Iterator[Finding]:
    for one in all_learned(trace):
        yield found(
            RULE, one.site, f"the loss takes all {one.rows} rows, those too that are scored as held out",
            one.told, WHY, "take the training rows of outputs and labels alone for the loss", level="warning",
        )  # fmt: skip
    for one in all_scored(trace):
        yield found(
            RULE, one.site, f"a score takes all {one.rows} rows, those that were trained on too", one.told, WHY,
            "score the rows that the training loss does not take", level="warning",
        )  # fmt: skip
