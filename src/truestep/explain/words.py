"""What a ledger says in plain sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from truestep.explain.figures import about, percent, short, shorten, whole
from truestep.explain.trail import OLDER, echoes

if TYPE_CHECKING:
    from truestep.explain.ledger import Account, Ledger
    from truestep.explain.modules import ModuleRecord

FIGHT = -0.3  # terms whose gradients have a cosine below this pull against each other
WORTH = 0.005  # a share below half a per cent is left out of a sentence
MOST = 0.9  # of the momentum, which the sentence says how many steps made
NAMED = 3  # causes that a sentence names on either side


def in_a_sentence(ledger: Ledger) -> str:
    """The plain sentence that says what mattered most in a step."""
    still = _why_still(ledger)
    if still:
        return still
    shares = ledger.shares
    if not all(map(math.isfinite, shares.values())) or not any(shares.values()):
        return "The update holds values that are not finite, or too large or too small to square: no share can be told."
    before, after = ledger.clipped
    start = ""
    if "clipping" in shares and after < before:
        start = f"Clipping cut the gradient from {short(before)} to {short(after)}; with that counted, "
        shares = _clipped(shares, ledger.out.totals, after / before)
    return _sentence(f"{start}{_makers(shares)}{_fight(ledger)}")


def sentences(ledger: Ledger) -> dict[str, str]:
    """The sentence under each table: causes, accounts, terms, cosines, samples and modules."""
    return {
        "causes": in_a_sentence(ledger),
        "accounts": _of_accounts(ledger),
        "momentum": _of_momentum(ledger),
        "terms": _of_terms(ledger),
        "cosines": _of_cosines(ledger),
        "samples": _of_samples(ledger),
        "modules": _of_modules(ledger),
    }


def _why_still(ledger: Ledger) -> str:
    """Why nothing moved, or nothing where something did."""
    if ledger.out.skipped:
        return _sentence(f"No weight moved; {ledger.out.reason or 'the step was skipped'}")
    if any(bool(account.change.any()) for account in ledger.accounts.values()):
        return ""
    if ledger.out.lr == 0:
        return "Nothing moved: the learning rate of this step is 0."
    if any(bool(entry.any()) for account in ledger.accounts.values() for entry in account.entries.values()):
        return "Nothing moved: the causes cancelled out or were too small for the precision of the weights."
    return "Nothing moved: " + (
        "the gradient of every parameter is zero." if ledger.out.grad_norm == 0 else "the optimizer left every weight."
    )


def _clipped(shares: Mapping[str, float], terms: Mapping[str, float], factor: float) -> dict[str, float]:
    """Shares in which each term has what clipping left of it: every link after clipping is linear in the gradient."""
    return {c: s * factor if c in terms else s for c, s in shares.items() if c != "clipping"}


def _makers(shares: Mapping[str, float]) -> str:
    ordered = sorted(shares.items(), key=lambda item: -abs(item[1]))
    least = min(WORTH, abs(ordered[0][1]))  # of very many causes none may be worth a sentence alone
    makers = [(_name(cause), share) for cause, share in ordered if share >= least]
    against = [(_name(cause), share) for cause, share in ordered if share <= -least]
    if len(makers) == 1 and not against:
        cause, share = makers[0]
        return f"{cause} made {'all' if share > 0.9995 else f'nearly all ({percent(share)})'} of the update"
    named = [
        f"{cause} {'' if place else 'made '}{about(share)}{'' if place else ' of the update'}"
        for place, (cause, share) in enumerate(makers[:NAMED])
    ]
    if len(makers) > NAMED:
        rest = makers[NAMED:]
        named.append(f"{_many(len(rest), 'other cause')} {about(sum(share for _, share in rest))}")
    if against:
        named.append(f"{_list([cause for cause, _ in against[:NAMED]])} worked against it by "
                     + _list([about(-share) for _, share in against[:NAMED]]))  # fmt: skip
    return f"{', '.join(named[:-1])}{', and ' if len(named) > 2 or against else ' and '}{named[-1]}"


def _fight(ledger: Ledger) -> str:
    fights = [(cosine, pair) for pair, cosine in ledger.cosines.items() if cosine < FIGHT]
    if not fights:
        return ""
    cosine, (a, b) = min(fights)
    return f"; {_name(a)} and {_name(b)} pull against each other (cosine {cosine:.2f})"


def _of_accounts(ledger: Ledger) -> str:
    accounts = list(ledger.accounts.values())
    still = [account.name for account in accounts if not bool(account.change.any())]
    known = [account for account in accounts if math.isfinite(account.ratio) and account.name not in still]
    said = []
    if known:
        most, least = max(known, key=_ratio), min(known, key=_ratio)
        said.append(f"{_name(most.name)} moved furthest for its size, by {about(most.ratio)} of its norm")
        if len(known) > 1:
            said.append(f"{_name(least.name)} least, by {about(least.ratio)}")
    if still:
        of = f" of {len(accounts)}" if len(accounts) > 1 else ""
        said.append(f"{len(still)}{of} did not move: {_list(still[:NAMED], len(still))}")
    return _sentence("; ".join(said)) if said else "Every weight that moved was zero before, so no ratio can be told."


def _of_momentum(ledger: Ledger) -> str:
    told = echoes(ledger.accounts)
    steps = [echo for echo in told if echo.back != OLDER]
    if not steps:
        return "No momentum of earlier steps is told apart."
    sums = list(accumulate(echo.share for echo in steps))
    enough = next((place for place, share in enumerate(sums, 1) if share >= MOST), 0)
    last = f"the last {enough} steps" if enough > 1 else "the last step"
    said = f"{last} made {about(sums[enough - 1])} of what momentum did" if enough else "no few steps made most of it"
    older = next((echo.share for echo in told if echo.back == OLDER), 0.0)
    before = f"; {about(older)} is older than the {_many(len(steps), 'step')} told apart" if older > WORTH else ""
    against = [str(echo.back) for echo in steps if echo.share < -WORTH]
    worked = f"; what comes from {_list(against[:NAMED], len(against))} steps back works against it" if against else ""
    return _sentence(said + worked + before)


def _of_terms(ledger: Ledger) -> str:
    out, means = ledger.out, ledger.out.terms
    live = {name: out.weights[name] * mean for name, mean in means.items() if out.counts[name]}
    empty = [name for name in means if not out.counts[name]]
    tail = f"; {_list(empty)} counted nothing" if empty else ""
    if not live:
        return _sentence(f"there is no loss{tail}")
    loss = sum(live.values())
    most = max(live, key=lambda name: abs(live[name]))
    if len(live) == 1:
        return _sentence(f"the loss is {short(loss)}, {_name(most)} over a count of {whole(out.counts[most])}{tail}")
    share = f", {about(live[most] / loss)} of the loss of {short(loss)}" if loss > 0 else f" to the loss, {short(loss)}"
    return _sentence(f"{_name(most)} adds the most: {short(live[most])}{share}{tail}")


def _of_cosines(ledger: Ledger) -> str:
    known = {pair: cosine for pair, cosine in ledger.cosines.items() if not math.isnan(cosine)}
    if not known:
        return "No two terms have gradients to compare."
    cosine, pair = min((cosine, pair) for pair, cosine in known.items())
    a, b = map(_name, pair)
    if cosine < FIGHT:
        return f"{a} and {b} pull against each other: the cosine of their gradients is {cosine:.2f}."
    kind = "pull the same way" if cosine > -FIGHT else "hardly touch each other"
    who = f"{a} and {b}" if len(known) == 1 else f"No two terms fight: even {a} and {b}"
    return f"{who} {kind}: the cosine of their gradients is {cosine:.2f}."


def _of_samples(ledger: Ledger) -> str:
    losses, norms = ledger.samples.losses, ledger.samples.norms
    if not len(losses):
        return "The batch has no samples."
    ((hardest, loss, norm),) = ledger.samples.hardest(1)
    pull = "" if math.isnan(norm) else f", and its gradient has norm {short(norm)}"
    if len(losses) == 1:
        return _sentence(f"the only sample adds {short(loss)} to the loss{pull}")
    bad = [i for i, value in enumerate(losses.tolist()) if not math.isfinite(value)]
    if bad:
        which = _list([str(place) for place in bad[:NAMED]], len(bad))
        return f"The loss is not finite for {len(bad)} of {len(losses)} samples: {which}."
    total = float(losses.sum())
    if not total > 0 or bool((losses < 0).any()):
        return _sentence(f"sample {hardest} adds the most to the loss, {short(loss)}{pull}")
    times = loss * len(losses) / total
    if times < 1.005:
        return _sentence(f"no sample is harder than another: each adds {short(loss)} to the loss{pull}")
    strongest = int(norms.argmax()) if not bool(norms.isnan().any()) else hardest
    said = f"sample {hardest} is the hardest: {about(loss / total)} of the loss, {short(times)} times an even share"
    other = "" if strongest == hardest else f"; sample {strongest} pulls hardest, with norm {short(float(norms.max()))}"
    return _sentence(said + (pull + other))


def _of_modules(ledger: Ledger) -> str:
    records = ledger.modules
    broken = next((record for record in records if record.nans or record.infinities), None)
    if broken is not None:
        found = f"{whole(broken.nans)} NaN and {whole(broken.infinities)} infinite"
        return (
            f"{_called(broken)} is the first module whose output is not finite: {found} of {_entries(broken)} values."
        )
    said = []
    dead = max((r for r in records if r.dead), key=lambda r: r.dead or 0.0, default=None)
    if dead is not None:
        said.append(f"{_called(dead)} has the most dead units: {about(dead.dead or 0.0)} are zero for every sample")
    full = max((r for r in records if r.saturated), key=lambda r: r.saturated or 0.0, default=None)
    if full is not None:
        said.append(
            f"{_called(full)} is the most saturated: {about(full.saturated or 0.0)} of its output is at a limit"
        )
    if not said and any(r.dead is not None or r.saturated is not None for r in records):
        said.append("no unit is dead or saturated")
    reached = [r for r in records if r.gradient is not None and r.call == 1]  # later calls may be of other samples
    if len(reached) > 1:
        last, first = reached[-1], reached[0]
        end = f"{short(last.gradient or 0.0)} at the output of {_called(last)}"
        said.append(f"the gradient has norm {end} and {short(first.gradient or 0.0)} at that of {_called(first)}")
    elif reached:
        said.append(f"the gradient at the output of {_called(reached[0])} has norm {short(reached[0].gradient or 0.0)}")
    return _sentence("; ".join(said) or "nothing stands out")


def _called(record: ModuleRecord) -> str:
    """A module by type and name; from its second call on with the number of the call."""
    return " ".join([record.type, _name(record.name)]).rstrip() + (f" (call {record.call})" if record.call > 1 else "")


def _name(name: str) -> str:
    """A name that lets the sentence around it be read."""
    return shorten(name, 48)


def _entries(record: ModuleRecord) -> str:
    return whole(math.prod(record.shape))


def _ratio(account: Account) -> float:
    return account.ratio


def _list(names: Sequence[str], of: int | None = None) -> str:
    """a, b and c; where there are more than are named, "a, b and 5 more"."""
    parts = [*map(_name, names), *([f"{of - len(names)} more"] if of and of > len(names) else [])]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _sentence(words: str) -> str:
    """With a full stop and, where a word of ours begins it, a capital; a name keeps its own letters."""
    first = words.split(" ", 1)[0]
    text = words[:1].upper() + words[1:] if first in {"no", "nothing", "sample", "the", "there"} else words
    return text if text.endswith((".", "!", "?")) else f"{text}."
