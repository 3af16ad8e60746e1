"""One training step that is exact however its batch is split: clear, forward, loss, backward, update."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, Protocol

import torch
from torch import Tensor

from truestep.core import model as models
from truestep.core import ranks
from truestep.core.batch import Batch, rows, split
from truestep.core.errors import ConfigError, NonFiniteError
from truestep.core.finite import clip_, diagnose, exact_norm, gradient_norms, read
from truestep.core.gradients import Metric, Pass, Tally, Whole
from truestep.core.loss import value
from truestep.core.objective import as_objective
from truestep.core.outcome import StepOut
from truestep.core.precision import Precision
from truestep.core.schedule import as_schedule
from truestep.core.short import formed
from truestep.core.updates import TorchUpdates, updates

NOTHING_COUNTED = "nothing in the batch is counted: every target is ignored"


class _Skipped(Exception):
    """Inside a step: the weights stay; carries what was found and why."""

    def __init__(self, out: StepOut | None, reason: str) -> None:
        super().__init__(reason)
        self.out, self.reason = out, reason


class Quick(Protocol):
    """Another way to take a step: with the same results, in less time."""

    def take(self, micros: Sequence[Batch], before: Sequence[Tensor]) -> StepOut:
        """Take one step; `before` are the running statistics as they were before it."""
        ...


class TrainStep:
    """A training step whose gradient is that of the objective on the whole batch, however the batch is split.

    `gradient = sum_k weight_k * d(total_k) / count_k` with the totals and counts of each term summed over
    micro-batches, loader batches and ranks before the one division.

    Args:
        model: a module, or any callable `model(inputs)`; tuples of inputs become positional, dicts keyword arguments.
        objective: an `Objective`, or a single loss.
        optimizer: a `torch.optim` optimizer, several of them for several parts of the model (list or dict), or a
            hand-written `updater(batch_size)`, which finds summed gradients and divides by the number it is given.
        micro_batch: samples a forward pass; None takes the batch whole.
        clip_norm: the largest 2-norm of the final gradient.
        schedule: schedulers of torch; stepped once an update, or as `per_epoch` says.
        amp: None, "bfloat16" or "float16": autocast of the forward pass.
        compile: True takes the steps as programs, on the same bits and without what autograd and the optimizer spend
            around the operations; why it cannot is said in `notes`.
        nonfinite: what a non-finite loss or gradient does, before the weights move: "stop" and "raise" raise
            `NonFiniteError` (`fit` ends in good order on "stop"), "skip" leaves the step out.
        params: the tensors to train where the model is a plain function.
        metrics: name -> metric(output, target), added up over the pass that trains.

    Raises:
        ConfigError: for settings that cannot mean anything, naming the mend.
        CountError: where a batch would be split and a loss does not say how it may be.
        NonFiniteError: naming the step, the loss and the first bad parameter.

    >>> from torch import nn
    >>> model = nn.Linear(3, 1)
    >>> step = TrainStep(model, nn.MSELoss(), torch.optim.SGD(model.parameters(), lr=0.1), micro_batch=4)
    >>> out = step(torch.ones(10, 3), torch.zeros(10, 1))
    >>> out.count, out.skipped
    (10.0, False)
    """

    def __init__(
        self,
        model: models.Model,
        objective: Any,
        optimizer: Any,
        micro_batch: int | None = None,
        clip_norm: float | None = None,
        schedule: Any = None,
        amp: Any = None,
        compile: Any = False,
        *,
        nonfinite: str = "stop",
        params: Iterable[Tensor] | None = None,
        metrics: Mapping[str, Metric] | None = None,
    ) -> None:
        _check_settings(micro_batch, clip_norm, compile, nonfinite)
        self.model = models.unwrap(model)
        self.objective = as_objective(objective)
        self.metrics: dict[str, Metric] = dict(metrics or {})
        self.micro_batch, self.clip_norm, self.nonfinite = micro_batch, clip_norm, nonfinite
        modules = models.modules_of(self.model)
        parameters = models.trained(self.model, modules, optimizer, params)
        self.device = parameters[0].device
        self.updates = updates(optimizer, parameters)
        self.notes = models.check_held(self.model, self.updates, parameters, self.objective)
        self._trained = parameters
        self.schedule = as_schedule(schedule, getattr(self.updates, "optimizers", ()))
        self.precision = Precision(amp, self.device)
        self.ranks = ranks.current()
        self.taken = 0
        self.quick: Quick | None = None
        # A batch that a row of steps came to, and could not take because of these figures; see `Short`.
        self.unsound: tuple[Any, Any, StepOut] | None = None
        self.running = models.running_statistics(modules)
        self._pass = Pass(self.model, self.objective, self.updates, self.precision, self.ranks, self.metrics)
        if compile:
            from truestep.core.traced import AtOnce

            self.quick = AtOnce(self)
        if self.updates.closure and self.precision.scaler is not None:
            raise ConfigError("LBFGS evaluates the step many times, which the scaling of float16 cannot follow.")

    def __call__(self, inputs: Any, targets: Any) -> StepOut:
        """Take one step on one batch: tensors, or tuples or dicts of tensors whose first dimension is the batch."""
        return self.window([(inputs, targets)])

    def __copy__(self) -> TrainStep:
        """A step on the same tensors, to be given other settings: its steps are taken operation by operation."""
        other = object.__new__(type(self))
        other.__dict__ |= self.__dict__ | {"quick": None}
        return other

    @property
    def names(self) -> dict[int, str]:
        """The name of each parameter by its id."""
        return models.names_of(self.model, self._trained)

    @property
    def short(self) -> bool:
        """Whether a whole batch is taken in the short way, see `Short`."""
        return self._pass.short and not self.updates.closure

    def window(self, batches: Sequence[Batch]) -> StepOut:
        """Take one step on several batches as if they were one, at their true count."""
        self.taken += 1
        micros = self._micros(batches)
        before = [buffer.clone() for buffer in self.running]
        try:
            out = self.eagerly(micros) if self.quick is None else self.quick.take(micros, before)
        except _Skipped as skip:
            self.restore(before)
            return self._skipped(skip)
        except BaseException:
            self.restore(before)
            raise
        self.schedule.after_step()
        return out

    def gradient(self, inputs: Any, targets: Any) -> StepOut:
        """Form the final gradient of a batch in `param.grad`, before clipping, and move nothing but running statistics.

        A hand-written updater finds it summed: the gradient of the objective times the number it divides by.
        """
        micros = self._micros([(inputs, targets)])
        try:
            return self._formed(micros, self._known(micros))[0]
        except _Skipped as skip:
            self.updates.clear()
            return self._skipped(skip)

    def _formed(self, micros: Sequence[Batch], whole: Whole | None) -> tuple[StepOut, float]:
        """The final gradient in `.grad`, as it is; the figures of the step, and what an updater divides by."""
        if whole is None and self._pass.short:
            (inputs, targets), (unsound, self.unsound) = micros[0], (self.unsound, None)
            if unsound is not None and unsound[0] is inputs and unsound[1] is targets:
                return unsound[2], 1.0
            return formed(self._pass, inputs, targets, self.device), 1.0
        self.updates.clear()
        tally, moved = self._pass.run(micros, whole, self.device), self.updates.parameters
        self.precision.unscale(moved)
        return self._figures(tally, moved), tally.divisor

    def _micros(self, batches: Sequence[Batch]) -> list[Batch]:
        micros = [micro for batch in batches for micro in split(batch, self.micro_batch)]
        for micro in micros:
            models.check_device(micro, self.device)
        return micros

    def _known(self, micros: Sequence[Batch]) -> Whole | None:
        return self._whole(micros) if len(micros) != 1 or self.ranks.size > 1 else None

    def eagerly(self, micros: Sequence[Batch]) -> StepOut:
        """Form the gradient of a window, find it finite, and move the weights, operation by operation."""
        whole = self._known(micros)
        if isinstance(self.updates, TorchUpdates) and self.updates.closure:
            return self._take_closure(self.updates, micros, whole)
        out, number = self._evaluate(micros, whole)
        self.updates.apply(number)
        return out

    def _take_closure(self, optimizer: TorchUpdates, micros: Sequence[Batch], whole: Whole | None) -> StepOut:
        found: list[StepOut] = []

        def closure() -> Tensor:
            found.append(self._evaluate(micros, whole)[0])
            return torch.tensor(found[-1].loss, dtype=torch.float64)

        optimizer.apply_closure(closure)
        return found[0]

    def _whole(self, micros: Sequence[Batch]) -> Whole:
        """The counts of the whole batch over micro-batches and ranks, as far as targets decide them."""
        self.objective.refuse_split(f"its split over {len(micros)} parts on {self.ranks.size} rank(s)")
        counts = self.objective.known_counts([targets for _, targets in micros])
        samples = sum(rows(inputs) or rows(targets) for inputs, targets in micros)
        known = [name for name, count in counts.items() if count is not None]
        met = read(self.ranks.add([samples, *(counts[name] or 0.0 for name in known)], self.device), self.device)
        for name, count in zip(known, met[1:], strict=True):
            counts[name] = 1.0 if name in self.objective.sums else count
        if not met[0]:
            raise _Skipped(None, "the batch has no samples")
        if len(known) == len(counts) and not any(counts.values()):
            raise _Skipped(None, NOTHING_COUNTED)
        return Whole(counts, met[0])

    def _evaluate(self, micros: Sequence[Batch], whole: Whole | None) -> tuple[StepOut, float]:
        """The final gradient in `.grad`, found finite, and clipped."""
        out, number = self._formed(micros, whole)
        if not any(out.counts.values()):
            raise _Skipped(out, NOTHING_COUNTED)
        if not math.isfinite(out.loss) or not math.isfinite(out.grad_norm):
            self._refuse_nonfinite(out)
        if self.clip_norm is not None:
            clip_(self.updates.parameters, self.clip_norm, out.grad_norm)
        return out, number

    def _figures(self, tally: Tally, moved: Sequence[Tensor]) -> StepOut:
        """All figures of the step, read from the device at once."""
        names, size = tally.totals, len(tally.totals)
        figures = [*tally.totals.values(), *tally.counts.values(), *tally.sizes.values()]
        row = read([*figures, *gradient_norms(moved)], self.device)
        reach = math.hypot(*row[3 * size :])
        if not math.isfinite(reach):
            reach = exact_norm(moved)
        return StepOut(
            totals=dict(zip(names, row, strict=False)),
            counts=dict(zip(names, row[size:], strict=False)),
            sizes=dict(zip(names, row[2 * size :], strict=False)),
            weights=self.objective.weights,
            metrics=tally.metrics,
            samples=int(tally.samples),
            grad_norm=value(reach, tally.divisor),
            lr=self.updates.lr,
            alone=tally.alone,
        )

    def _refuse_nonfinite(self, out: StepOut) -> None:
        counted = {name: mean for name, mean in out.terms.items() if out.counts[name]}
        found = diagnose(self.names, self.updates.parameters, counted)
        if self.precision.scaler is not None and math.isfinite(out.loss):
            raise _Skipped(out, f"{found}: float16 overflowed, so its loss scale is halved")
        if self.nonfinite == "skip":
            raise _Skipped(out, found)
        raise NonFiniteError(
            f"step {self.taken}: {found}; the weights are as they were before this step. Look at this batch, lower the "
            "learning rate, or give nonfinite='skip' to leave such steps out."
        )

    def restore(self, running: Sequence[Tensor]) -> None:
        """Forget the gradients, and put the running statistics back."""
        self.updates.clear()
        for buffer, before in zip(self.running, running, strict=True):
            buffer.copy_(before)

    def _skipped(self, skip: _Skipped) -> StepOut:
        reason = f"step {self.taken} skipped: {skip.reason}"
        if skip.out is not None:
            return replace(skip.out, skipped=True, reason=reason)
        return StepOut({}, {}, {}, {}, {}, 0, 0.0, self.updates.lr, {}, True, reason)


def _check_settings(micro_batch: int | None, clip_norm: float | None, compile: Any, nonfinite: str) -> None:
    if micro_batch is not None and (not isinstance(micro_batch, int) or micro_batch < 1):
        raise ConfigError(f"micro_batch is a number of samples, at least 1, and not {micro_batch!r}.")
    if clip_norm is not None and not (isinstance(clip_norm, Real | Tensor) and clip_norm > 0):
        raise ConfigError(f"clip_norm is the largest norm of the gradient, above 0, and not {clip_norm!r}.")
    if not isinstance(compile, bool):
        raise ConfigError(f"compile is True or False, and not {compile!r}.")
    if nonfinite not in ("stop", "skip", "raise"):
        raise ConfigError(f"nonfinite knows 'stop', 'skip' and 'raise', and {nonfinite!r} is none of them.")
