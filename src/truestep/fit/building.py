"""The process that builds a library: a plan comes in by stdin, the path of the library goes out by stdout.

It lives as long as stdin is open. Whoever started it holds the other end, so that it ends with them in whatever way
they end, and takes along its compiler and the folder in which it works.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from truestep.core.errors import TraceError, TruestepError
from truestep.store.atomic import write_bytes

NICE = 10
"""How far the process steps back where the system cannot have it wait."""


def main() -> None:
    """Build one library and end."""
    # What ends the compiler in the end must not end this, which tidies up after it. A signal with a handler, unlike one
    # that is ignored, still ends those that are started from here.
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    answers = os.dup(1)
    os.dup2(2, 1)  # compilers talk, to stdout too, and stderr leads nowhere
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_them, args=(order["folder"],), daemon=True).start()
    if order["aside"]:
        _step_back()
    os.write(answers, json.dumps(_answer(order)).encode())


def _step_back() -> None:
    """Take a core only while nobody else wants it, or where the system knows no such wish, less of it."""
    with suppress(OSError):
        if hasattr(os, "SCHED_IDLE"):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        elif hasattr(os, "nice"):
            os.nice(NICE)


def _answer(order: dict[str, Any]) -> dict[str, str]:
    """Where the library lies: where it is to be kept, or, if that folder takes no more, where it was made."""
    try:
        # Loaded here, so that whoever ends meanwhile is noticed.
        import torch

        from truestep.core.inductor import build
        from truestep.core.plans import parsed

        plan = parsed(order["plan"])
        torch.set_num_threads(plan.threads)
        made = build(plan)
        try:
            write_bytes(order["path"], Path(made).read_bytes())
        except (TruestepError, OSError):
            return {"made": made}
    except TraceError as error:
        return {"error": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever it dies of costs the run a sentence
        return {"error": f"building it failed ({type(error).__name__}: {str(error).partition(chr(10))[0]})."}
    return {"made": order["path"]}


def _end_with_them(folder: str) -> None:
    while os.read(0, 1024):
        pass
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGTERM)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
