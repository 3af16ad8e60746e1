"""The manual of `truestep check`, made of the docstrings of its rules: `rule_pages.py > docs/check-rules.md`."""

import re
import sys
from collections.abc import Iterator

from truestep.check.finding import FAMILIES
from truestep.check.rules import Known, rules

HEAD = """# The rules of `truestep check`

One section a rule, made of the docstrings in `src/truestep/check/rules/`. `truestep check --rule TS101` prints one of
them; `# truestep: ignore TS101` at the end of a line leaves that line alone.
"""


def pages() -> str:
    """The whole page: a table, and a section for each rule."""
    known = sorted(rules().values(), key=lambda each: (FAMILIES.index(each.rule.family), each.rule.number))
    rows = [
        f"| [{each.rule.number}](#{each.rule.number.lower()}-{each.rule.slug}) | {each.rule.slug} | {each.rule.level} "
        f"| {each.rule.title} |"
        for each in known
    ]
    table = ["| rule | name | level | what |", "|---|---|---|---|", *rows]
    return "\n".join([HEAD, *table, "", *(line for each in known for line in _section(each))]).rstrip() + "\n"


def _section(known: Known) -> Iterator[str]:
    number, slug, _, level, family = known.rule
    yield f"## {number} {slug}"
    yield f"*{level}, {family}*"
    yield ""
    for line in known.page.strip().splitlines():
        head = re.match(r"(What|Why|Evidence|False alarms|Mend|Wrong|Right):\s*(.*)", line)
        yield f"**{head[1]}:** {head[2]}".rstrip() if head else line.rstrip()
        if head and not head[2]:
            yield ""  # before the lines of a program
    yield ""


if __name__ == "__main__":
    sys.stdout.write(pages())
