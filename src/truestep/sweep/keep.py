"""What a study leaves in its folder, chunk by chunk, so that one that was interrupted goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from truestep.core.batch import leaves
from truestep.core.errors import ConfigError, DataError
from truestep.fit.settings import of_losses
from truestep.store.atomic import make_folder, write_text
from truestep.store.runs import STUDY
from truestep.store.weights import load_weights, save_weights
from truestep.sweep.found import Chunk
from truestep.sweep.grid import Variant

if TYPE_CHECKING:
    from truestep.sweep.conduct import Request

DECISIONS = "stacked.json"
"""Group, by the number of its first variant -> whether it is stacked."""


class Kept:
    """The chunks of a study as files: `chunk-<first variant>.safetensors`, each written whole or not at all."""

    def __init__(self, folder: Path, request: Request) -> None:
        self.folder, self.request = folder, request
        make_folder(folder)
        asked = fingerprint(request)
        place = folder / STUDY
        if not place.exists():
            write_text(place, json.dumps({"study": asked, "variants": len(request.variants)}))
        elif not (kept := _asked(place)):
            raise ConfigError(
                f"{place} is damaged, so that nobody can tell which study {folder} holds: give run_dir another folder."
            )
        elif kept != asked:
            raise ConfigError(
                f"{folder} holds another study (other variants, data or settings): give run_dir another folder."
            )
        self.decided = _decided(folder / DECISIONS)

    def decide(self, group: str, stacks: bool) -> None:
        """Write down whether a group is stacked, so that it goes on as it began."""
        self.decided[group] = stacks
        write_text(self.folder / DECISIONS, json.dumps(self.decided))

    def add(self, variants: Sequence[Variant], chunk: Chunk) -> None:
        """Write a chunk that has ended."""
        index = torch.tensor([variant.index for variant in variants])
        tensors = {"index": index, "diverged": chunk.diverged, "best": chunk.best}
        for group in ("train", "valid", "weights", "best_weights"):
            tensors |= {f"{group}/{name}": each for name, each in getattr(chunk, group).items()}
        save_weights(self.folder / f"chunk-{variants[0].index}.safetensors", tensors)

    def found(self) -> Iterator[tuple[list[Variant], Chunk]]:
        """The chunks that are there already; one that is damaged is left out, and trained again."""
        for path in sorted(self.folder.glob("chunk-*.safetensors")):
            try:
                tensors = load_weights(path)
            except DataError:
                continue
            known = {variant.index: variant for variant in self.request.variants}
            chunk = Chunk(tensors["diverged"], tensors["best"])
            for name, each in tensors.items():
                group, slash, own = name.partition("/")
                if slash:
                    getattr(chunk, group)[own] = each
            yield [known[index] for index in tensors["index"].tolist()], chunk


def fingerprint(request: Request) -> str:
    """What makes two studies the same: variants, data, schedule, losses, the start and optimizer of the first."""
    digest = hashlib.sha256()
    maker, plan = request.maker, request.plan
    model = maker.make(request.variants[0])
    words: list[Any] = [
        repr(model),
        repr(maker.objective),
        of_losses(maker.objective),
        repr(maker.make_optimizer(model, request.variants[0].settings)),
    ]
    words += [list(request.metrics), plan.epochs, plan.batch_size, plan.evaluate_every]
    words += [repr(variant) for variant in request.variants]
    digest.update(json.dumps(words).encode())
    for _, leaf in [*leaves(request.data), *leaves(request.valid), *leaves(model.state_dict())]:
        digest.update(f"{leaf.dtype}{tuple(leaf.shape)}".encode())
        digest.update(leaf.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _asked(place: Path) -> str:
    try:
        return str(json.loads(place.read_text())["study"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _decided(place: Path) -> dict[str, bool]:
    try:
        found = json.loads(place.read_text())
        return {str(group): stacks is True for group, stacks in found.items()}
    except (OSError, ValueError, AttributeError):  # not there, or damaged: it is decided anew
        return {}
