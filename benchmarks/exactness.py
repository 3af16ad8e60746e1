"""How exact is a training step? What each library does, against a float64 loop over whole batches.

    python benchmarks/exactness.py [--json | --markdown] [--only ts.fit,Keras] [--cases ragged,tokens]

Each library runs in processes of its own, one thread, used as its documentation says. A cell is "exact" (below 2e-5), a
relative error, "not offered", "not installed" or "failed"; "by hand" is the same cell after the user stated the count
through a hook that the library documents. Under ranks two processes meet through gloo on this machine.
"""

import argparse
import json
import logging
import os
import re
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rivals import LIBRARIES, Library, chosen

EXACT = 2e-5
SECONDS = 180  # for all cells of one library, import included
ABOUT_SUMS = re.compile(r"\bsum\b|\breduction\b", re.IGNORECASE)


def main() -> None:
    arguments = _arguments()
    libraries = chosen(arguments.only)
    if arguments.worker:
        _work(libraries[0], arguments.cases, arguments.worker == "ranks")
        return
    cells: list[dict[str, Any]] = []
    for library in libraries:
        for cell in _cells(library, arguments.cases):
            cells.append(cell)
            if arguments.json:
                print(json.dumps(cell, ensure_ascii=False), flush=True)
        print(f"{library.title} {library.version or 'is not installed'}", file=sys.stderr)
    if not arguments.json:
        print(_table(cells, libraries))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="one JSON object a cell")
    parser.add_argument("--markdown", action="store_true", help="the table, for a page (the default)")
    parser.add_argument("--only", default="", help=f"libraries: {', '.join(x.title for x in LIBRARIES)}")
    parser.add_argument("--cases", default="", help="names of cases, separated by commas")
    parser.add_argument("--worker", choices=["single", "ranks"], help=argparse.SUPPRESS)
    return parser.parse_args()


def _cells(library: Library, cases: str) -> Iterator[dict[str, Any]]:
    """Every cell of a library; what its processes did not answer is a failure of theirs."""
    from rivals.cases import CASES

    answered: dict[str, dict[str, Any]] = {}
    if library.version:
        command = [sys.executable, __file__, "--only", library.title, "--cases", cases, "--worker"]
        answered = _answers([[*command, "single"]]) | _answers([[*command, "ranks"]] * 2)
    for case in CASES:
        if cases and case.name not in cases.split(","):
            continue
        missing = {"result": f"failed: no answer in {SECONDS} s"} if library.version else {"result": "not installed"}
        head = {"case": case.name, "library": library.title, "version": library.version}
        yield head | answered.get(case.name, missing)


def _answers(commands: Sequence[list[str]]) -> dict[str, dict[str, Any]]:
    """The cells that the first of the processes answered, which are its ranks if there are several."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    environment |= {"PYTHONWARNINGS": "default", "CUDA_VISIBLE_DEVICES": ""}
    processes = []
    for rank, command in enumerate(commands):
        if len(commands) > 1:
            environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
            environment |= {"WORLD_SIZE": str(len(commands)), "LOCAL_WORLD_SIZE": str(len(commands)), "NODE_RANK": "0"}
            environment |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        pipe = subprocess.PIPE if rank == 0 else subprocess.DEVNULL
        processes.append(subprocess.Popen(command, env=environment, stdout=pipe, text=True))
    try:
        answer, _ = processes[0].communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        processes[0].kill()
        answer, _ = processes[0].communicate()
    for process in processes:
        process.kill()
        process.wait()
    cells = [json.loads(line) for line in answer.splitlines() if line.startswith("{")]
    return {cell.pop("case"): cell for cell in cells}


def _work(library: Library, cases: str, under_ranks: bool) -> None:
    """In a process of its own: every cell of a library as a line of JSON, its own words kept off the stream."""
    answers = os.fdopen(os.dup(1), "w")
    with _heard() as heard:
        import torch

        from rivals.cases import CASES

        torch.set_num_threads(1)
        for case in CASES:
            if (case.ranks > 1) != under_ranks or (cases and case.name not in cases.split(",")):
                continue
            cell = {"case": case.name, **_cell(library, case, heard)}
            answers.write(json.dumps(cell, ensure_ascii=False) + "\n")
            answers.flush()
    os._exit(0)  # libraries leave process groups and threads behind that would hang the exit


def _cell(library: Library, case: Any, heard: Any) -> dict[str, Any]:
    cell = _measured(library, case, False, heard)
    if case.wants == "said":
        return cell
    if cell["result"] == "exact" or (cell["result"] == "not offered" and case.wants == "update"):
        return cell
    by_hand = _measured(library, case, True, heard)
    if by_hand["result"] in ("not offered", cell["result"]):
        return cell
    return cell | {"by_hand": by_hand["result"], "by_hand_note": by_hand.get("note", "")}


def _measured(library: Library, case: Any, by_hand: bool, heard: Any) -> dict[str, Any]:
    """One cell: train, and compare with the truth."""
    from rivals.problem import NotOffered, weights_of

    heard.seek(0)
    heard.truncate()
    problem = case.problem(by_hand)
    before = weights_of(problem.model)
    try:
        with warnings.catch_warnings():
            outcome = library.load().train(problem)
    except NotOffered as reason:
        return {"result": "not offered", "note": str(reason)}
    except Exception as error:  # noqa: BLE001 - a rival that breaks is a cell, not the end of the benchmark
        first = (str(error) or repr(error)).strip().splitlines()[0]
        return {"result": f"failed: {type(error).__name__}: {first[:120]}"}
    truth, figures = case.truth()
    change = [after - start for start, after in zip(before, weights_of(problem.model), strict=True)]
    if case.wants == "said":
        return _said(change, truth, outcome.said + _words(heard)) | {"note": outcome.note}
    if case.wants == "update":
        error = _distance(change, truth)
    else:
        found, true = getattr(outcome, case.wants), getattr(figures, case.wants)
        if found is None:
            return {"result": "not offered", "note": f"reports no {case.wants}"}
        error = abs(found - true) / abs(true)
    return {"result": "exact" if error < EXACT else f"{error:.2g}", "error": error, "note": outcome.note}


def _said(change: Sequence[Any], truth: Sequence[Any], words: str) -> dict[str, Any]:
    """Whether anything was said about a sum, on any stream or in the library's own notes."""
    times = sum(float((a * b).sum()) for a, b in zip(change, truth, strict=True)) / sum(
        float(b.square().sum()) for b in truth
    )
    sentences = [line.strip() for line in words.splitlines() if ABOUT_SUMS.search(line)]
    cell = {"result": f"{'said' if sentences else 'silent'}, {times:.3g} times", "times": times}
    return cell | ({"said": sentences[0]} if sentences else {})


def _distance(change: Sequence[Any], truth: Sequence[Any]) -> float:
    away = sum(float((a - b).square().sum()) for a, b in zip(change, truth, strict=True))
    return (away / sum(float(b.square().sum()) for b in truth)) ** 0.5


@contextmanager
def _heard() -> Iterator[Any]:
    """Everything that is written to stdout and stderr, also from below Python, goes to a file."""
    logging.captureWarnings(False)
    with tempfile.TemporaryFile("w+", errors="replace") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        yield file


def _words(heard: Any) -> str:
    sys.stdout.flush()
    sys.stderr.flush()
    heard.seek(0)
    return heard.read()


def _table(cells: Sequence[dict[str, Any]], libraries: Sequence[Library]) -> str:
    """A row a case and a column a library that is installed, then the notes."""
    from rivals.cases import CASES

    shown = [library for library in libraries if library.version]
    found = {(cell["case"], cell["library"]): cell for cell in cells}
    heads = [f"{library.title} {library.version}" for library in shown]
    lines = [f"| relative error of | {' | '.join(heads)} |", f"|---|{'---|' * len(shown)}"]
    for case in CASES:
        row = [found.get((case.name, library.title)) for library in shown]
        if any(row):
            lines.append(f"| {case.title} | {' | '.join(_shown(cell) for cell in row)} |")
    lines += ["", *(f"- {library.title}: {_notes(library, cells)}." for library in shown)]
    missing = [library.title for library in libraries if not library.version]
    return "\n".join(lines + ([f"- Not installed: {', '.join(missing)}."] if missing else []))


def _shown(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return ""
    result = str(cell["result"]).partition(":")[0].replace("not offered", "–")
    return f"{result}; by hand {cell['by_hand'].partition(':')[0]}" if "by_hand" in cell else result


def _notes(library: Library, cells: Sequence[dict[str, Any]]) -> str:
    """How a library was used, and why some of its cells are empty, each thing once."""
    mine = [cell for cell in cells if cell["library"] == library.title]
    used = [cell["note"] for cell in mine if cell.get("note") and cell["result"] != "not offered"]
    by_hand = [f"by hand: {cell['by_hand_note']}" for cell in mine if cell.get("by_hand_note")]
    empty = [f"–: {cell['note']}" for cell in mine if cell["result"] == "not offered" and "by_hand" not in cell]
    failed = [f"{cell['case']} {cell['result']}" for cell in mine if cell["result"].startswith("failed")]
    return "; ".join(dict.fromkeys([*used, *by_hand, *empty, *failed]))


if __name__ == "__main__":
    main()
