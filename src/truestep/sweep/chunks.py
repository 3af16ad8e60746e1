"""Which variants stand side by side: groups of one make, laid out by batch order, in chunks that fit the memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from truestep.core.errors import ConfigError
from truestep.sweep.grid import Variant
from truestep.sweep.settings import Maker

SHARE = 0.25
"""Of the free memory."""


@dataclass(frozen=True)
class Group:
    """Variants that can be stacked: one shape of model, one batch size, one chain of links."""

    variants: tuple[Variant, ...]
    batch_size: int


@dataclass(frozen=True)
class Layout:
    """Variants in rows that share a batch order: `shape` is (orders, grid)."""

    variants: tuple[Variant, ...]
    orders: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """(orders, variants of each)."""
        return len(self.orders), len(self.variants) // len(self.orders)


def groups(maker: Maker, variants: Sequence[Variant], batch_size: int) -> list[Group]:
    """The variants by what they must share to be stacked, in the order of their first."""
    found: dict[Any, list[Variant]] = {}
    sizes = {}
    for variant in variants:
        size = variant.settings.get("batch_size", batch_size)
        key = maker.structure(variant.settings, size)
        sizes[key] = size
        found.setdefault(key, []).append(variant)
    return [Group(tuple(members), sizes[key]) for key, members in found.items()]


def layouts(variants: Sequence[Variant], most: int) -> list[Layout]:
    """The variants in chunks of at most `most`, each with rows of equal length, one batch order a row."""
    by_order: dict[int, list[Variant]] = {}
    for variant in variants:
        by_order.setdefault(variant.order, []).append(variant)
    lengths = {len(members) for members in by_order.values()}
    if len(lengths) > 1:  # no rectangle: each variant gets a row of its own
        flat = [variant for members in by_order.values() for variant in members]
        return [_layout([(one.order, [one]) for one in flat[at : at + most]]) for at in range(0, len(flat), most)]
    rows_of, length = list(by_order.items()), lengths.pop()
    if length > most:
        return [_layout([(seed, own[at : at + most])]) for seed, own in rows_of for at in range(0, length, most)]
    several = most // length
    return [_layout(rows_of[at : at + several]) for at in range(0, len(rows_of), several)]


def _layout(rows_of: Sequence[tuple[int, Sequence[Variant]]]) -> Layout:
    variants = tuple(variant for _, own in rows_of for variant in own)
    return Layout(variants, tuple(seed for seed, _ in rows_of))


def most_at_once(size: int, chunk: int | None, device: torch.device) -> int:
    """How many variants of `size` bytes fit, or what the user said.

    Raises:
        ConfigError: for a chunk that is no number of variants.
    """
    if chunk is not None:
        if not isinstance(chunk, int) or chunk < 1:
            raise ConfigError(f"chunk is a number of variants, at least 1, and not {chunk!r}.")
        return chunk
    return max(1, int(SHARE * free_bytes(device)) // max(size, 1))


def free_bytes(device: torch.device) -> int:
    """The memory that is free on a device, in bytes."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # no such figure on this system
        return 2**31
