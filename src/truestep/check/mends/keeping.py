"""Mends of what is kept and handed out: a state that is copied, the tail of a loader."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from truestep.check.changes import StateLoaded, StateTaken
from truestep.check.events import LoaderMade
from truestep.check.finding import Finding
from truestep.check.mends import Claim, Mend
from truestep.check.mends.trial import Trial
from truestep.check.patches import replaced
from truestep.check.trace import Trace


class Copied(Mend):
    """The state that is taken at the line of the finding is a copy."""

    words = "a copy of the state taken here"
    measures = True
    claims = (Claim("distance", "what is loaded lies from the last weights at a distance of", "more", "last"),)

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """Only a state that is taken here and loaded again can be compared."""
        taken = any(e.site.place == finding.site.place and e.of == "module" for e in trace.of(StateTaken))
        return {} if taken and any(e.of == "module" for e in trace.of(StateLoaded)) else None

    def force(self, trial: Trial) -> Iterator[Any]:
        """Copy it; and measure, before a state is loaded, how far it is from the weights at hand."""
        inside = [False]

        def taken(run: Any, one: nn.Module, *args: Any, **words: Any) -> Any:
            mine = not inside[0] and trial.recorder.awake and trial.at()
            inside[0], was = True, inside[0]
            try:
                found = run(one, *args, **words)
            finally:
                inside[0] = was
            if mine:
                trial.acted += 1
                if trial.live:
                    with trial.quiet():
                        found = copy.deepcopy(found)
            return found

        def loaded(run: Any, one: nn.Module, state: Any, *args: Any, **words: Any) -> Any:
            if trial.recorder.awake:
                with trial.quiet():
                    own = dict(one.named_parameters())
                    pairs = [(own[name], held) for name, held in state.items() if name in own]
                    gone = [torch.linalg.vector_norm(a.detach().double() - b.double()) for a, b in pairs if _like(a, b)]
                    trial.record("distance", torch.stack(gone).norm())
            return run(one, state, *args, **words)

        yield replaced(nn.Module, "state_dict", taken)
        yield replaced(nn.Module, "load_state_dict", loaded)


def _like(one: Tensor, other: Any) -> bool:
    return isinstance(other, Tensor) and one.shape == other.shape


class WithTail(Mend):
    """The loader hands out its last, smaller batch."""

    words = "drop_last=False"
    claims = (Claim("samples", "the samples in a whole pass are", "more", "first"),)

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """Only a loader has a tail to hand out."""
        return {} if any(each.site.place == finding.site.place for each in trace.of(LoaderMade)) else None

    def force(self, trial: Trial) -> Iterator[Any]:
        """Build it so."""

        def made(run: Any, one: Any, *args: Any, **words: Any) -> None:
            if trial.recorder.awake and trial.at() and words.get("drop_last"):
                trial.acted += 1
                words = words | {"drop_last": False}
            run(one, *args, **words)

        yield replaced(DataLoader, "__init__", made)

    def measure(self, trial: Trial, trace: Trace) -> None:
        """Count what whole passes hand out."""
        for one in trace.passes():
            if one.whole and one.loader is not None and one.loader.site.place == trial.place:
                rows = [batch.tensors[0].shape[0] for batch in one.batches if batch.tensors and batch.tensors[0].shape]
                trial.series.setdefault("samples", []).append((one.start.update, float(sum(rows))))
