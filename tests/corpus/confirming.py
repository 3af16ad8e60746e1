"""What `--confirm` says of the programs of the corpus, inside this process: `python -m corpus.confirming [SLUG ...]`.

The command starts a new process for each run; here the same runs are made one after the other, as `running.run` does.
"""

import contextlib
import sys

from corpus import gate, index, running
from truestep.check.again import Again, numbers, read, seed
from truestep.check.confirm import Ground, offers, same, settled
from truestep.check.rules import rules
from truestep.check.watch import Stopped


def again(path, orders, most=None):
    """A rerun of a program with these trials."""
    rerun = Again(orders, most)
    with rerun.watching() as seen, contextlib.suppress(Stopped):
        seen.ended(running.run(path, first=seed).names)
    return read(rerun.told())


def confirmed(path, slugs=None):
    """The findings of some rules in a program, settled by reruns."""
    trace = gate.record(path)
    tried, rest = offers(gate.findings(path, slugs), trace)
    if not tried:
        return rest
    mended = [again(path, [each.order(live=True)], Again.most(trace)) for each in tried]
    orders = [each.order(live=False) for each in tried]
    first = again(path, orders)
    alike = same(first, numbers(trace, None))
    ground = Ground(first, None if alike else again(path, orders), alike)
    return [
        settled(each, place, run, ground) for place, (each, run) in enumerate(zip(tried, mended, strict=True))
    ] + rest


def main(words):
    slugs = words or [slug for slug, known in rules().items() if known.mend is not None]
    for entry in index.WRONG:
        if entry.slug in slugs and entry.ranks == 1:
            for finding in confirmed(entry.path, {entry.slug}):
                sys.stdout.write(f"{entry.name}:{finding.line}: {finding.level}: {finding.confirmation.words}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
