"""Runs a program of the corpus as `python program.py` would, inside this process or on two ranks."""

import contextlib
import faulthandler
import io
import multiprocessing
import os
import queue
import runpy
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch._C._distributed_c10d import TCPStore

SECONDS = 60


class Ran(SimpleNamespace):
    """What a program left behind: `printed`, and `names`, its global names."""

    @property
    def measured(self) -> SimpleNamespace:
        """The program's own `result`, and the number of autograd nodes that its global names keep alive."""
        return SimpleNamespace(graph=len(_nodes(self.names)), **self.names["result"])


def run(
    path: Path, ended: Callable[[dict[str, Any]], None] = lambda names: None, first: Callable[[], None] = lambda: None
) -> Ran:
    """Run the program with its warnings off; threads, precision, random state and exception hook stay as they were.

    `ended` is given its global names before that; `first` is called before the program.
    """
    printed = io.StringIO()
    with _settings_kept(), mock.patch.object(sys, "argv", [str(path)]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first()
        with contextlib.redirect_stdout(printed):
            names = runpy.run_path(str(path), run_name="__main__")
        ended(names)
    return Ran(printed=printed.getvalue(), names=names)


def run_on_ranks(path: Path, ranks: int, each: Callable[[Path], Any] = lambda path: run(path).measured) -> list[Any]:
    """What `each` gives on each rank, when the program runs under the variables that torchrun sets.

    The ranks meet at a store of ours, as at torchrun's: a port that is only looked up for them may be somebody else's a
    moment later. One that hangs says where it does, on stderr.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    fork = multiprocessing.get_context("fork")  # torch is imported already: a rank starts in milliseconds
    found = fork.Queue()
    rank = partial(_rank, path, found, each, {"WORLD_SIZE": str(ranks), "MASTER_PORT": str(store.port)})
    processes = [fork.Process(target=rank, args=(number,)) for number in range(ranks)]
    try:
        for process in processes:
            process.start()
        results = dict(found.get(timeout=SECONDS) for _ in processes)
    except queue.Empty:
        raise TimeoutError(f"{path.name}: a rank did not finish within {SECONDS} s") from None
    finally:
        for process in processes:
            process.join(1)
            process.kill()
    return [results[number] for number in range(ranks)]


def _rank(path: Path, found: Any, each: Callable[[Path], Any], words: dict[str, str], number: int) -> None:
    faulthandler.dump_traceback_later(SECONDS - 5, file=sys.__stderr__ or sys.stderr)
    os.environ |= words | {"RANK": str(number), "MASTER_ADDR": "127.0.0.1", "TORCHELASTIC_USE_AGENT_STORE": "True"}
    found.put((number, each(path)))


@contextlib.contextmanager
def _settings_kept() -> Iterator[None]:
    threads, dtype, environment = torch.get_num_threads(), torch.get_default_dtype(), dict(os.environ)
    hook = sys.excepthook  # which torch.distributed replaces by one that names the rank
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        sys.excepthook = hook
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
        os.environ.clear()
        os.environ |= environment


def _nodes(names: dict[str, Any]) -> set[Any]:
    """Every autograd node that a tensor among the global names, or in their lists and dicts, can still reach."""
    waiting, seen = list(_held(names, depth=3)), set()
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += [before for before, _ in node.next_functions if before is not None]
    return seen


def _held(value: Any, depth: int) -> Iterator[Any]:
    if isinstance(value, torch.Tensor) and value.grad_fn is not None:
        yield value.grad_fn
    elif isinstance(value, dict | list | tuple) and depth:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _held(inner, depth - 1)
