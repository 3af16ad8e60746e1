"""Layers whose work depends on the mode of the model: what rules of modes ask alike."""

from __future__ import annotations

import ast

from truestep.check.events import Forward
from truestep.check.rules._source import tree_of
from truestep.check.trace import ModuleFacts, Trace

RECURRENT = {"RNN", "LSTM", "GRU"}


def by_mode(facts: ModuleFacts) -> bool:
    """Whether a layer drops units in training, or normalises with other statistics than in evaluation."""
    told = facts.settings
    if "Dropout" in facts.kind:
        return told.get("p", 1) > 0
    if "BatchNorm" in facts.kind:
        return bool(told.get("track_running_stats", True))
    if facts.kind in RECURRENT and facts.torch:  # they drop between their layers
        return told.get("dropout", 0) > 0 and told.get("num_layers", 1) > 1
    return facts.kind == "MultiheadAttention" and facts.torch and told.get("dropout", 0) > 0


def asking(trace: Trace) -> set[str]:
    """The classes of the user's whose forward asks `if self.training`: what it does depends on the mode."""
    trees = [tree_of(file) for file in {event.site.file for event in trace.of(Forward)}]
    found = [node for tree in trees if tree for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return {node.name for node in found if any(map(_asks, node.body))}


def _asks(method: ast.stmt) -> bool:
    tests = [node.test for node in ast.walk(method) if isinstance(node, ast.If | ast.IfExp)]
    named = isinstance(method, ast.FunctionDef) and method.name == "forward"
    return named and any("self.training" in ast.unparse(test) for test in tests)
