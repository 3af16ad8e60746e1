"""What `import truestep` costs a process in which torch is loaded: milliseconds, and modules."""

import json
import os
import subprocess
import sys
from pathlib import Path

MILLISECONDS = 50
# Surfaces, and what only they (or a run folder) need. Whatever torch loads by itself is not ours to count.
HEAVY = {
    "matplotlib", "starlette", "uvicorn", "anywidget", "IPython", "rich", "ray", "sqlite3", "http.server", "pandas",
    "truestep.plot", "truestep.board", "truestep.notebook", "truestep.cli", "truestep.recipes", "truestep.lessons",
    "truestep.d2l",
}  # fmt: skip

# Byte code goes to a folder of the test's own: with PYTHONDONTWRITEBYTECODE set, and in a fresh clone, one would
# otherwise measure Python's compiler.
PROGRAM = """
import json, sys, time
import torch
sys.dont_write_bytecode, sys.pycache_prefix = False, sys.argv[2]
before = set(sys.modules)
start = time.process_time()
exec(sys.argv[1])
print(json.dumps({"seconds": time.process_time() - start, "modules": sorted(set(sys.modules) - before)}))
"""


def measure(statement: str, cache: Path) -> tuple[float, set[str]]:
    """CPU seconds of `statement` in a new process after `import torch`, and the modules that it loads.

    Processor time and not the clock's: a busy machine lends its cores to others, which is none of our cost.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TRUESTEP_")}
    command = [sys.executable, "-c", PROGRAM, statement, str(cache)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    told = json.loads(result.stdout.splitlines()[-1])
    return told["seconds"], set(told["modules"])


def least_milliseconds(statement: str, cache: Path, runs: int = 6) -> float:
    """The least of several runs, which is what the work itself takes: a busy machine only ever adds to it.

    The first run that keeps the budget settles it.
    """
    least = float("inf")
    for _ in range(runs):
        least = min(least, 1000 * measure(statement, cache)[0])
        if least < MILLISECONDS:
            break
    return least


def heavy(modules: set[str]) -> set[str]:
    """Those modules that a person who only imports the library must not pay for."""
    return {module for module in modules if any(module == name or module.startswith(f"{name}.") for name in HEAVY)}
