"""The command `truestep`: finds the command, runs it, and turns whatever happens into words and an exit status."""

from __future__ import annotations

import errno
import os
import platform
import sys
import traceback
from collections.abc import Sequence

import torch

import truestep as ts
from truestep.cli import (
    CLEAN,
    FAILED,
    INTERRUPTED,
    USAGE,
    Interrupted,
    board,
    check,
    explain,
    export,
    lesson,
    prove,
    runs,
    sweep,
    train,
)
from truestep.cli.options import Parser
from truestep.cli.show import say, show_json

COMMANDS = {
    "train": train,
    "lesson": lesson,
    "explain": explain,
    "check": check,
    "prove": prove,
    "sweep": sweep,
    "runs": runs,
    "board": board,
    "export": export,
}
EXAMPLES = """examples:
  truestep train lenet5                      LeNet-5 on real handwritten digits, which are shipped
  truestep train lenet5 --form classic       the same with sigmoids and average pooling
  truestep train softmax --micro-batch 64    batches in parts, and the same weights
  truestep train mlp --data mnist --fetch    MNIST, fetched once
  truestep train mlp --checkpoint saved      its whole state is saved; with --resume it goes on
  truestep train --list                      all recipes
  truestep lesson momentum                   a question about training, answered by measuring
  truestep explain train.py --step 10        what moved the weights in the 10th update of any script
  truestep check train.py                    silent training errors in any script
  truestep prove lenet5                      whether the step of a recipe is exact
  truestep sweep weight-decay                2,020 variants at once: a curve over seeds
  truestep runs                              what was trained
  truestep board                             live pages of the runs, in the browser
  truestep export                            the newest run as CSV, JSON and TensorBoard files

stdout carries results, stderr progress; --json prints one JSON object instead.
exit status: 0 clean, 1 findings, 2 usage, 3 what was started failed, 130 interrupted."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`, by default that of the process, and return its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    words, program = (check if words[:1] == ["check"] else explain).cut_off(words)
    try:
        status = _run(words, program)
        sys.stdout.flush()  # here a reader that has gone is noticed in good order
        return status
    except ts.TruestepError as error:
        return _end(words, str(error), USAGE)
    except Interrupted as error:
        return _end(words, str(error), INTERRUPTED)
    except KeyboardInterrupt:
        return _end(words, "interrupted.", INTERRUPTED)
    except BrokenPipeError:  # whoever reads us has read enough
        return CLEAN
    except Exception as error:  # noqa: BLE001 - a bug of ours, but for a full disk: its status must not read as findings
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None
        if full:
            say("stdout cannot be written: no space left on device; free some space on that disk.")
        else:
            traceback.print_exc()
        return FAILED


def _run(words: list[str], program: list[str]) -> int:
    parser = Parser(prog="truestep", description="Training steps that are exact, from the command line.")
    parser.epilog = EXAMPLES
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in COMMANDS.values():
        command.add_to(commands)
    if words and not words[0].startswith("-"):
        ts.recipes.choose("command", words[0], tuple(COMMANDS))
    elif words and words[0] not in ("-h", "--help", "--version"):
        raise ts.ConfigError(f"the command comes first, and then its options: truestep train {words[0]} ...")
    found = parser.parse(train.canonical(words))
    if found.version:
        print(f"truestep {ts.__version__} (torch {torch.__version__}, Python {platform.python_version()})")
        return CLEAN
    if found.command is None:
        parser.print_help(sys.stderr)
        return USAGE
    found.program = program
    return COMMANDS[found.command].run(found)


def _end(words: Sequence[str], sentence: str, status: int) -> int:
    rank = os.environ.get("RANK", "0")
    say(sentence if rank == "0" else f"rank {rank}: {sentence}")
    if "--json" in words and rank == "0":
        show_json({"error": sentence})
    return status
