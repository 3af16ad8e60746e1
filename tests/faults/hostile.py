"""Reads hostile checkpoints in a process that would notice: `hostile.py FOLDER COUNT SEED` prints a line of JSON.

First every file in FOLDER, then COUNT forgeries of a fuzzer. While they are read no module may be imported, no code
compiled, run or unpickled, no other file opened, no process or connection started: the interpreter's own audit tells.
Memory is what the system counts (`VmHWM`), and beyond 512 MiB more than at the start there is none to be had.
"""

import json
import os
import random
import re
import resource
import signal
import sys
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

from faults.forging import Forgery, mutated
from truestep.core.errors import CheckpointError
from truestep.store.checkpoint import read

HARMLESS = {
    "object.__getattr__",
    "object.__setattr__",
    "os.listdir",
    "os.fstat",
    "os.stat",
    "gc.get_objects",
    "array.__new__",
}
reading = ""  # the path that is being read, while one is
noticed: list[str] = []


def audit(event: str, arguments: tuple) -> None:
    own = event == "open" and str(arguments[0]) == reading and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if reading and not own and event not in HARMLESS:
        noticed.append(f"{event} {str(arguments)[:100]} while reading {reading}")


def kilobytes(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1])


def tried(path):
    """What comes of reading: the sentence, or nothing for a sound file."""
    global reading
    signal.alarm(60)  # a read that hangs ends the process
    reading = str(path)
    try:
        read(path)
    except CheckpointError as failure:
        return str(failure)
    finally:
        reading = ""
        signal.alarm(0)
    return ""


def measured(work):
    """What `work` returns, and by how many KiB memory rose above what it was before."""
    Path("/proc/self/clear_refs").write_text("5")
    before = kilobytes("VmRSS")
    found = work()
    return found, max(0, kilobytes("VmHWM") - before)


def fuzz(scratch, count, seed):
    """Reads `count` forgeries of the fuzzer and says what came of them."""
    draw, sentences, accepted, odd = random.Random(seed), set(), 0, []
    for _ in range(count):
        scratch.write_bytes(mutated(draw))
        said = tried(scratch)
        accepted += not said
        sentences.add(re.sub(r"[\d,]+|'.*'|\(.*\)", "#", said))
        if said and (not said.startswith(str(scratch)) or "\n" in said or len(said) > 400):
            odd.append(said)
    return {"accepted": accepted, "sentences": len(sentences), "odd": odd}


def main(folder, count, seed):
    scratch = folder.parent / "scratch"
    scratch.write_bytes(Forgery().make())
    tried(scratch)  # what is imported late is imported now
    limit = kilobytes("VmSize") * 1024 + 2**29
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    sys.addaudithook(audit)
    files = {path.name: measured(lambda path=path: tried(path)) for path in sorted(folder.iterdir())}
    fuzzed, most = measured(lambda: fuzz(scratch, count, seed))
    fuzzed["kilobytes"] = most
    sys.stdout.write(json.dumps({"files": files, "fuzzed": fuzzed, "noticed": noticed}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
