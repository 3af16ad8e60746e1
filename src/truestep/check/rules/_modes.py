"""Layers whose work depends on the mode of the model: what rules of modes ask alike."""

from __future__ import annotations

from truestep.check.trace import ModuleFacts

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
