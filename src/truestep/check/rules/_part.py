"""A part of a run: samples that went through a model together."""

from __future__ import annotations

from typing import NamedTuple

from truestep.check.site import Site


class Part(NamedTuple):
    """Samples that went through a model together, `of` one data set or into one model, and whether it learned."""

    n: int
    site: Site
    of: int
    samples: frozenset[int]
    learned: bool
