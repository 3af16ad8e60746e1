"""What the rules find in the corpus: `python -m corpus.gate [SLUG ...]`, from tests/, prints recall and false alarms.

With slugs, only these rules are asked and only their programs and twins are run; with `--all`, every program that must
stay silent is run as well. TRACES=FOLDER keeps the records there, so that a rule is judged anew without running again.
"""

import argparse
import hashlib
import os
import pickle
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

from corpus import index, running
from truestep import check
from truestep.check.rules import judge, rules
from truestep.check.watch import Watching

RANKS = {path: entry.ranks for entry in index.WRONG for path in (entry.path, entry.twin)}


@cache
def record(path):
    """The record of a program; a failure of the watch itself is a failure here."""
    folder = os.environ.get("TRACES")
    if folder is None:
        return _on_ranks(path)
    kept = Path(folder) / f"{path.parent.name}-{path.stem}-{_state(path)}.pickle"
    if kept.exists():
        return pickle.loads(kept.read_bytes())
    found = _on_ranks(path)
    kept.parent.mkdir(parents=True, exist_ok=True)
    fresh = kept.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(pickle.dumps(found))
    fresh.rename(kept)
    return found


def _on_ranks(path):
    """The record of a program; of one for several ranks, that of rank 0."""
    ranks = RANKS.get(path, 1)
    return _record(path) if ranks == 1 else running.run_on_ranks(path, ranks, _record)[0]


def _record(path):
    seen = Watching(strict=True)
    with seen:
        names = running.run(path).names  # they live until the record is closed, as those of a script do
        seen.ended(names)
    return seen.trace


def _state(path):
    """Changes with the program and with what writes records, not with what reads them."""
    readers = {"trace.py", "finding.py", "report.py", "run.py", "confirm.py", "again.py"}
    engine = sorted(each for each in Path(check.__file__).parent.glob("*.py") if each.name not in readers)
    return hashlib.sha256(b"".join(each.read_bytes() for each in [path, *engine])).hexdigest()[:16]


def findings(path, slugs=None):
    """What the rules find in a program; a rule that fails fails the gate."""
    return judge(record(path), slugs, strict=True)


def named(entry, slugs=None):
    """The findings that name a mistake: advice counts only where advice is all there is to give."""
    enough = {"error", "warning"} | ({"advice"} if entry.slug in index.ADVICE else set())
    return [f for f in findings(entry.path, slugs) if f.name in entry.accepted and f.level in enough]


def alarms(path, slugs=None):
    """The errors and warnings in a program where there must be none."""
    return [finding for finding in findings(path, slugs) if finding.level != "advice"]


def main(words):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slugs", nargs="*")
    parser.add_argument("--all", action="store_true", help="also every twin and correct program")
    parser.add_argument("-v", action="store_true", help="print the findings in the wrong programs")
    asked = parser.parse_args(words)
    slugs = asked.slugs or None
    entries = [entry for entry in index.WRONG if not slugs or set(entry.accepted) & set(slugs)]
    recall = defaultdict(list)
    for entry in entries:
        found = named(entry, slugs)
        recall[entry.slug].append(bool(found))
        places = [finding.site.line for finding in found]
        _say(f"{'named' if found else 'MISSED':<7} {entry.name}: line {entry.lines[0]}, found at {places}")
        if asked.v:
            for finding in findings(entry.path, slugs):
                _say(str(finding))
    silent = [entry.twin for entry in (index.WRONG if asked.all or not slugs else entries)]
    silent += index.CORRECT if asked.all or not slugs else []
    cries = [(path, finding) for path in silent for finding in alarms(path, slugs)]
    for path, finding in cries:
        _say(f"ALARM in {path.parent.name}/{path.stem}\n{finding}")
    for slug, hits in recall.items():
        known = "" if slug in rules() else "  (no rule of that name)"
        _say(f"{slug:<26} {sum(hits)} of {len(hits)}{known}")
    total = sum(map(sum, recall.values()))
    _say(f"recall {total} of {len(entries)}; {len(cries)} false alarms in {len(silent)} programs")
    return int(bool(cries) or total < len(entries))


def _say(words):
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
