"""Snapshots on their way to the disk: one at a time, in a thread, none that is not finite, and no error leaves here."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from truestep.fit.state import Snapshot, buffers, weights

if TYPE_CHECKING:
    from truestep.fit.loop import Loop
    from truestep.store.keep import Kept

PACE = 19  # times as long as the last write took, there is none: writing takes at most a twentieth of the time


class Writer:
    """Hands snapshots to a folder of checkpoints.

    A state with a NaN or an infinity among its weights, buffers and moments is not written, so that the last good one
    stays the newest; `spared` names those that were not finite when the run began, such as a mask of minus infinities.
    What a person must know waits in `sentences`, for the thread that trains to say.
    """

    def __init__(self, kept: Kept) -> None:
        self.kept, self.spared = kept, frozenset[str]()
        self.sentences: list[str] = []
        self.saved: int | None = None
        self.rested = 0.0  # when the pace allows the next one
        self._thread: threading.Thread | None = None
        self._said_bad = False

    def spare(self, loop: Loop) -> None:
        """Note what is not finite already, before the first step."""
        named = {f"weights.{name}": tensor for name, tensor in weights(loop).items()}
        for rank in range(loop.step.ranks.size):
            named |= {f"ranks.{rank}.buffers.{name}": tensor for name, tensor in buffers(loop).items()}
        self.spared = frozenset(not_finite(named))

    @property
    def busy(self) -> bool:
        """Whether a write is in flight."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self, snapshot: Snapshot) -> None:
        """Write it in the background, after the one in flight."""
        self.settle()
        # A daemon: a hung disk must not keep a program from ending. A file that is half written counts for nothing.
        self._thread = threading.Thread(target=self._write, args=(snapshot,), name="truestep-checkpoint", daemon=True)
        self._thread.start()

    def write(self, snapshot: Snapshot) -> bool:
        """Write it now; say whether it is on the disk."""
        self.settle()
        self._write(snapshot)
        return self.saved == snapshot.step

    def settle(self) -> None:
        """Wait for the write in flight."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _write(self, snapshot: Snapshot) -> None:
        start = time.monotonic()
        try:
            tensors = {name: tensor.cpu() for name, tensor in snapshot.tensors.items()}
            bad = [name for name in not_finite(tensors) if name not in self.spared]
            if bad:
                self._refuse(snapshot.step, bad)
            else:
                self.kept.save(snapshot.step, tensors, snapshot.plain)
                self.saved, self._said_bad = snapshot.step, False
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a disk must not end the training
            self.sentences.append(f"no checkpoint of step {snapshot.step}: {error}; the training goes on.")
        end = time.monotonic()
        self.rested = end + PACE * (end - start)

    def _refuse(self, step: int, bad: list[str]) -> None:
        if not self._said_bad:
            more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            last = "there is none before" if self.saved is None else f"that of step {self.saved} stays the newest"
            self.sentences.append(
                f"no checkpoint of step {step}: {bad[0]}{more} is not finite; {last}, and none follows until it is."
            )
        self._said_bad = True


STATE = ("weights.", "updates.", "scaler.")
STATISTICS = ".buffers."


def not_finite(tensors: Mapping[str, Tensor]) -> Iterable[str]:
    """The weights, buffers and moments among `tensors` that hold a NaN or an infinity."""
    for name, tensor in tensors.items():
        if (name.startswith(STATE) or STATISTICS in name) and (tensor.is_floating_point() or tensor.is_complex()):
            # One sum tells it for nearly all; where it overflows, every number is looked at.
            wide = tensor.float() if tensor.dtype.itemsize == 1 else tensor  # the narrow types know no sum
            if not math.isfinite(abs(wide.sum().item())) and not torch.isfinite(wide).all():
                yield name
