"""What is asked of a file before any of it is read: that it is one, and that this machine could hold it."""

import os
import stat
import sys
from pathlib import Path


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether it is a pipe, a device or a socket: opening a pipe waits, a device may act, and some never end."""
    kind = Path(path).stat().st_mode
    return not stat.S_ISREG(kind) and not stat.S_ISDIR(kind)


def memory() -> int:
    """All memory of this machine in bytes, where the system says so: a file of holes may claim any size."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return sys.maxsize
