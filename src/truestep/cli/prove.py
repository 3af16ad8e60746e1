"""`truestep prove`: whether the step of a recipe is exact, tried on its own model and data."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

import truestep as ts
from truestep.cli import CLEAN, FINDINGS
from truestep.cli.explain import of_recipe
from truestep.cli.options import whole
from truestep.cli.show import show_json

EPILOG = """examples:
  truestep prove lenet5                         the first step of LeNet-5 on its own data
  truestep prove mlp --step 5 --micro-batch 64  options of the recipe as in truestep train

exit status: 0 where nothing is off, 1 where a claim that could hold does not."""


def add_to(commands: Any) -> None:
    """Add this command to the parser."""
    words = {"help": "whether the step of a recipe is exact, claim by claim", "epilog": EPILOG}
    parser = commands.add_parser("prove", description="Try on a recipe whether its step is exact.", **words)
    parser.usage = "truestep prove RECIPE [--step N] [--json] [options of the recipe]"
    parser.add_argument("--step", metavar="N", type=whole(1), default=1, help="which update, from 1 (default: 1)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(parser=parser)


def run(found: argparse.Namespace) -> int:
    """Prove the step that was asked for."""
    if not found.program:
        raise ts.ConfigError("name a recipe, as in truestep prove lenet5; truestep train --list shows them.")
    proof: ts.Proof = of_recipe(found.program, found.step, _prove)
    if found.json:
        claims = [asdict(claim) for claim in proof.claims]
        asked = {"program": " ".join(found.program), "step": found.step}
        show_json({**asked, "exact": proof.exact, "words": proof.words, "claims": claims})
    else:
        print(proof.table())
    return FINDINGS if proof.off else CLEAN


def _prove(step: ts.TrainStep, inputs: Any, targets: Any, trail: ts.Trail) -> ts.Proof:
    return ts.prove(step, inputs, targets)
