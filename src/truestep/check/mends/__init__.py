"""What a rule would have changed in the script, done to a run of it: the mends that `--confirm` tries.

A rule file offers one as `MENDING`. A rerun of the script enters its `force` after the watch, so that the watch sees
the run as the mend makes it. A mend that takes numbers down takes the same ones in a rerun that it does not change.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from truestep.check.finding import Finding
    from truestep.check.mends.trial import Trial
    from truestep.check.trace import Trace


class Claim(NamedTuple):
    """A number of a run that the mend should change: the first claim of a mend decides.

    `series` names what was recorded by the trial, or of any run ("loss", "gradient", "step", "used", "rate"); `how` is
    "less", "more" or "other"; `over` is "end" (the last tenth), "mean", "most", "first", "last" or "sum".
    """

    series: str
    words: str
    how: str
    over: str


LOSS = Claim("loss", "the loss ends at", "less", "end")
STEEPER = Claim("gradient", "the gradient of the first pass has a norm of", "more", "first")
"""The first pass is at the same weights in both runs."""


class Mend:
    """A change of a run: `words` follow "with ...".

    `silences`: with the mend the rule must no longer find what it found; off where the rule cannot see the mend.
    `measures`: its `force` takes numbers down, and is entered in the run without the mend too, with `trial.live` off.
    """

    words = ""
    claims: tuple[Claim, ...] = (LOSS,)
    silences = True
    measures = False

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """What a rerun must know, as plain values; None where this finding cannot be mended in a run."""
        return {}

    def said(self, facts: dict[str, Any]) -> str:
        """The words, where they depend on the finding."""
        return self.words

    def claimed(self, facts: dict[str, Any]) -> tuple[Claim, ...]:
        """The numbers that decide, where they depend on the finding."""
        return self.claims

    def force(self, trial: Trial) -> Iterator[AbstractContextManager[Any]]:
        """What is in force during the rerun."""
        raise NotImplementedError

    def measure(self, trial: Trial, trace: Trace) -> None:
        """Record what the finished record of the rerun tells."""
