"""A mark of weights: the same for the same weights wherever they are, at the cost of a few numbers."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from torch import Tensor

from truestep.check.looks import plain

TENSORS, ELEMENTS = 8, 16  # an update leaves no such sample of a network as it was


def mark(parameters: Iterable[Tensor]) -> int:
    """The mark of parameters, in their order; 0 where there are none, or none that can be read."""
    held = [one.detach() for one in parameters if plain(one) and one.numel() and not one.is_quantized]
    if not held:
        return 0
    step = max((len(held) - 1) / (TENSORS - 1), 1.0)
    chosen = [held[round(place * step)] for place in range(TENSORS) if round(place * step) < len(held)]
    parts = [one.reshape(-1)[-ELEMENTS:] if one.is_contiguous() else one[-1:].reshape(-1)[-ELEMENTS:] for one in chosen]
    return zlib.crc32(repr([part.cpu().tolist() for part in parts]).encode()) or 1
