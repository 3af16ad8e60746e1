"""What no committed text may hold: a path of one machine, the host of a package registry, a word about its maker."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

# A letter in brackets keeps this file from holding what it forbids.
FORBIDDEN = {
    "a path of one machine": r"(?<![\w.])/(?:(?:work|root|home/\w+|Users/\w+)/|[t]mp/bash)",
    "the host of a package registry": r"(?:pypi|debian|download\.pytorch)\.org|python[h]osted|npm[j]s\.",
    "a word about who wrote it": r"(?i)[c]o-authored-by|\b(?:[a]nthropic|[c]laude|[c]hatgpt|[c]opilot)\b"
    r"|\b(?:written|generated|authored|made) (?:by|with) (?:an? )?(?:ai|llm|assistant|language model)\b",
}


def forbidden_words(name: str, text: str) -> list[str]:
    return [
        f"{name}:{text.count(chr(10), 0, found.start()) + 1} holds {what}: {found.group()}"
        for what, pattern in FORBIDDEN.items()
        for found in re.finditer(pattern, text)
    ]


def committed_texts(root: Path) -> Iterator[tuple[str, str]]:
    """Name and text of every file that is, or would be, committed; files of bytes are passed over."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
    else:  # an unpacked archive has no git: everything in it was committed
        names = [str(path.relative_to(root)) for path in root.rglob("*")]
        names = [name for name in names if not re.match(r"\.(git|venv|hypothesis|\w+_cache)/|.*__pycache__", name)]
    for name in sorted(set(filter(None, names))):
        path = root / name
        if path.is_file() and b"\0" not in (content := path.read_bytes()):
            yield name, content.decode("utf-8")
