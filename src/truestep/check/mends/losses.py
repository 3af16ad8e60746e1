"""Mends of losses: what a loss is handed is changed at its line, and the right loss is measured in both runs."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import torch
from torch import Tensor

from truestep.check.finding import Finding
from truestep.check.mends import LOSS, STEEPER, Claim, Mend
from truestep.check.mends.trial import Handing, Trial
from truestep.check.trace import LOSSES, Trace

RIGHT = Claim("right", "the loss as it should be ends at", "less", "end")
Call = tuple[tuple[Any, ...], dict[str, Any]]


class Handed(Mend):
    """A call at the line of the finding is done with other arguments."""

    names: Any = LOSSES
    claims: tuple[Claim, ...] = (RIGHT,)
    measures = True

    def mended(self, trial: Trial, name: str, args: tuple[Any, ...], words: dict[str, Any]) -> Call | None:
        """The arguments as they should be; None where this call is right."""
        raise NotImplementedError

    def right(self, trial: Trial, out: Any) -> Any:
        """What is measured of the result of the right call."""
        return out.mean()

    def force(self, trial: Trial) -> Iterator[Any]:
        """Hand over the right arguments, or measure what they would have given."""

        def change(func: Any, name: str, args: Any, words: Any) -> Any:
            new = self.mended(trial, name, args, words)
            if new is None:
                return func(*args, **words)
            trial.acted += 1
            out = func(*new[0], **new[1]) if trial.live else func(*args, **words)
            if torch.is_grad_enabled() and isinstance(out, Tensor) and out.is_floating_point():
                with trial.quiet():
                    trial.record("right", self.right(trial, out.detach() if trial.live else func(*new[0], **new[1])))
            elif isinstance(out, Tensor):
                with trial.quiet():
                    trial.record("share", out.double().mean())
            return out

        yield Handing(trial, self.names, change)


def _first(args: tuple[Any, ...], words: dict[str, Any], value: Tensor) -> Call:
    return ((value, *args[1:]), words) if args else ((), words | {"input": value})


def _input(args: tuple[Any, ...], words: dict[str, Any]) -> Tensor:
    return args[0] if args else words["input"]


def _log(p: Tensor) -> Tensor:
    return p.clamp_min(torch.finfo(p.dtype).tiny).log()


def _logit(p: Tensor) -> Tensor:
    near = torch.finfo(p.dtype).eps
    return torch.logit(p.clamp(near, 1 - near))


class Logits(Handed):
    """Cross entropy is given the logarithms of the probabilities: their softmax is the probabilities again."""

    names = ("cross_entropy",)
    words = "the logits (the logarithms of these probabilities) handed to the loss"
    claims = (STEEPER, RIGHT)

    def mended(self, trial: Trial, name: str, args: tuple[Any, ...], words: dict[str, Any]) -> Call | None:
        """Log p in place of p."""
        return _first(args, words, _log(_input(args, words)))


class Unsquashed(Handed):
    """What applies a sigmoid is given the logits of the probabilities; a second sigmoid is left out so."""

    names = (
        "binary_cross_entropy_with_logits", "multilabel_soft_margin_loss", "soft_margin_loss", "cross_entropy",
        "sigmoid", "sigmoid_",
    )  # fmt: skip
    words = "the logits handed over in place of the sigmoids"
    claims = (STEEPER, LOSS)

    def mended(self, trial: Trial, name: str, args: tuple[Any, ...], words: dict[str, Any]) -> Call | None:
        """log(p / (1 - p)) in place of p."""
        given = _input(args, words)
        with trial.quiet():
            low, high = (float(each) for each in torch.aminmax(given.detach()))
        return _first(args, words, _logit(given)) if low >= 0 and high <= 1 else None

    def measure(self, trial: Trial, trace: Trace) -> None:
        """Where the call is a loss, the right loss stands for that of the run."""
        if trial.facts["loss"] and "right" in trial.series:
            trial.series["loss"] = trial.series["right"]

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """Whether the call is a loss."""
        return {"loss": any(op.site.place == finding.site.place for op in trace.ops(*LOSSES))}


class Logarithms(Handed):
    """A loss of log-probabilities is given them."""

    names = ("nll_loss", "kl_div")
    words = "the logarithms handed to the loss"

    def mended(self, trial: Trial, name: str, args: tuple[Any, ...], words: dict[str, Any]) -> Call | None:
        """The logarithm of probabilities, the log-softmax of plain scores."""
        given = _input(args, words)
        with trial.quiet():
            low, high = (float(each) for each in torch.aminmax(given.detach()))
        if low >= 0 and high <= 1 + 1e-4:
            return _first(args, words, _log(given))
        return _first(args, words, torch.log_softmax(given, 1 if name == "nll_loss" and given.dim() > 1 else -1))


class Squeezed(Handed):
    """A column is squeezed to a row before it meets one."""

    names = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "gaussian_nll_loss", "poisson_nll_loss",
             "sub", "eq", "ne", "mul")  # fmt: skip
    words = "the column squeezed to a row"

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """Whether it is an equality, whose share of hits is told as such."""
        ops = [op for op in trace.ops(*self.names) if op.site.place == finding.site.place]
        score = any(op.name in ("eq", "ne") for op in ops)
        return {"score": score, "loss": finding.facts["loss"]}

    def claimed(self, facts: dict[str, Any]) -> tuple[Claim, ...]:
        """Of equals their share as the script has it, of anything else the loss as it should be."""
        return (Claim("share", "the share of equals is on average", "other", "mean"),) if facts["score"] else (RIGHT,)

    def mended(self, trial: Trial, name: str, args: tuple[Any, ...], words: dict[str, Any]) -> Call | None:
        """(N, 1) against (N,) as (N,) against (N,), and (N, T, 1) against (N, T) as series of one length."""
        if len(args) < 2 or not all(isinstance(each, Tensor) for each in args[:2]):
            return None
        one, other = args[:2]
        if one.shape == (*other.shape, 1) and other.numel() > 1:
            return (one.squeeze(-1), *args[1:]), words
        if other.shape == (*one.shape, 1) and one.numel() > 1:
            return (one, other.squeeze(-1), *args[2:]), words
        return None

    def right(self, trial: Trial, out: Any) -> Any:
        """A loss as it is; of differences their mean square."""
        return out.mean() if trial.facts["loss"] else out.double().square().mean()


class Averaged(Handed):
    """A sum over samples is divided by their number."""

    names = (*LOSSES, "sum")
    words = "the mean in place of the sum"
    claims = (
        Claim("right", "the largest mean loss on the way is", "less", "most"),
        Claim("right", "the mean loss ends at", "less", "end"),
    )  # fmt: skip

    def force(self, trial: Trial) -> Iterator[Any]:
        """Divide what comes out."""

        def change(func: Any, name: str, args: Any, words: Any) -> Any:
            out = func(*args, **words)
            terms = self._terms(name, args, words, out)
            if terms < 2:
                return out
            trial.acted += 1
            with trial.quiet():
                trial.record("right", out.detach() / terms)
            return out / terms if trial.live else out

        yield Handing(trial, self.names, change)

    def _terms(self, name: str, args: Any, words: Any, out: Any) -> int:
        if not isinstance(out, Tensor) or out.dim() or not out.requires_grad:
            return 0
        if name != "sum" and words.get("reduction") != "sum":
            return 0
        shape = _input(args, words).shape
        return shape[0] if name in ("cross_entropy", "nll_loss") and len(shape) == 2 else prod(shape)


class Ignored(Handed):
    """The padding is told to the loss."""

    names = ("cross_entropy", "nll_loss")
    words = "the padding ignored by the loss"
    claims = (Claim("right", "the loss over what is no padding ends at", "less", "end"),)

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """The padding that the rule would ignore."""
        padding = finding.facts["ignored"]
        return {"ignored": int(padding)} if padding is not None else None

    def mended(self, trial: Trial, name: str, args: tuple[Any, ...], words: dict[str, Any]) -> Call | None:
        """The same call with ignore_index."""
        return args, words | {"ignore_index": trial.facts["ignored"]}


class AlongClasses(Handed):
    """Softmax is taken over the last dimension, or over the classes."""

    names = ("softmax", "log_softmax", "gumbel_softmax")
    words = "softmax over the dimension along which it is read"
    claims = (LOSS,)

    def offer(self, trace: Trace, finding: Finding) -> dict[str, Any] | None:
        """The dimension along which the result is read, if any is."""
        along = finding.facts["along"]
        return {"dim": along} if along is not None else None

    def mended(self, trial: Trial, name: str, args: tuple[Any, ...], words: dict[str, Any]) -> Call | None:
        """The same call over the right dimension."""
        place = 4 if name == "gumbel_softmax" else 1
        if len(args) > place:
            return (*args[:place], trial.facts["dim"], *args[place + 1 :]), words
        return args, words | {"dim": trial.facts["dim"]}
