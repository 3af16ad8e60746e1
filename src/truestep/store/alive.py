"""Whether the process that writes a run still lives: it holds a lock on the run folder, which dies with it.

A process number would lie after a restart or across containers; a lock is dropped by the kernel even when the process
is killed. The folder itself is locked, so nothing is written, and SQLite's own locks on the file are not touched.
"""

import os
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such lock: there the status in the database is all that is known
    fcntl = None


def hold(folder: Path) -> int | None:
    """Marks `folder` as being written by this process until `release`, or the end of the process; None if it cannot."""
    if fcntl is None:
        return None
    handle = os.open(folder, os.O_RDONLY)
    for _ in range(10):  # somebody who looks whether we live holds the lock for some microseconds
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            time.sleep(0.005)
        except OSError:
            break
    os.close(handle)
    return None


def release(handle: int | None) -> None:
    """Ends what `hold` began."""
    if handle is not None and fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_UN)  # also for children that were forked meanwhile and share the handle
        os.close(handle)


def is_held(folder: Path) -> bool:
    """Whether some living process, this one included, holds `folder`."""
    if fcntl is None:
        return False
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: those who only look do not see one another
        return False
    except OSError:
        return True
    finally:
        os.close(handle)
