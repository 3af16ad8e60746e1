"""What a run leaves behind: one record an epoch, and the weights of the best one."""

from __future__ import annotations

import math
from collections.abc import ItemsView, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from truestep.core.errors import ConfigError
from truestep.core.model import Model


class Record(Mapping[str, Any]):
    """The figures of one epoch, read as `record["train_loss"]` or `record.train_loss`; they cannot be changed.

    `epoch` counts from 1; `train_loss` is the objective over all samples of the epoch, each taken before the update of
    its own step; `valid_loss` and `valid_*` are taken after the epoch; `lr` is that of the last step; `seconds` the
    time of the epoch with its validation.
    """

    __slots__ = ("_figures",)

    def __init__(self, figures: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_figures", dict(figures))

    def __getitem__(self, name: str) -> Any:
        return self._figures[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._figures)

    def __len__(self) -> int:
        return len(self._figures)

    def get(self, key: str, default: Any = None) -> Any:
        """The figure of this name, or `default`."""
        return self._figures.get(key, default)

    def items(self) -> ItemsView[str, Any]:
        """Names and figures."""
        return self._figures.items()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self._figures[name]
        except KeyError:
            raise AttributeError(f"this record has no {name}: it has {', '.join(self._figures)}.") from None

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a record of an epoch cannot be changed.")

    def __reduce__(self) -> tuple[Any, ...]:
        return (Record, (dict(self._figures),))

    def __repr__(self) -> str:
        return f"Record({', '.join(f'{name}={_short(value)}' for name, value in self.items())})"


class History(Sequence[Record]):
    """The records of a run in order; `history["valid_loss"]` is that figure of each epoch, None where it is missing."""

    def __init__(self, records: Sequence[Record] = ()) -> None:
        self._records = list(records)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            known = {"valid_loss"}.union(*self._records)
            if self._records and key not in known:
                raise ConfigError(f"no record has {key!r}: they have {', '.join(self._records[-1])}.")
            return [record.get(key) for record in self._records]
        if isinstance(key, slice):
            return History(self._records[key])
        return self._records[key]

    def __len__(self) -> int:
        return len(self._records)

    def append(self, record: Record) -> None:
        """Add the record of an epoch that has ended."""
        self._records.append(record)

    def __repr__(self) -> str:
        return "History(\n" + "".join(f"  {record!r},\n" for record in self._records) + ")"

    def _repr_html_(self) -> str:
        from truestep.notebook.sheets import history_page

        return history_page(self)


class Best:
    """The epoch with the least validation loss, with a real copy of its weights: a reference would go on changing."""

    def __init__(self) -> None:
        self.record: Record | None = None
        self.weights: dict[str, Tensor] = {}
        self.of_losses: dict[str, Tensor] = {}

    def consider(
        self, record: Record, model: Model, parameters: Sequence[Tensor], of_losses: Sequence[Tensor] = ()
    ) -> bool:
        """Keep this epoch if its validation loss is finite and below all before; say whether it was kept."""
        figure = record.get("valid_loss")
        if figure is None or not math.isfinite(figure):
            return False
        if self.record is not None and not figure < self.record["valid_loss"]:
            return False
        self.record, self.weights = record, snapshot(model, parameters)
        self.of_losses = snapshot(None, of_losses)
        return True


def snapshot(model: Model | None, parameters: Sequence[Tensor]) -> dict[str, Tensor]:
    """A copy of all weights and buffers by name; those of a plain function are named by their position."""
    if isinstance(model, nn.Module):
        return {name: value.detach().clone() for name, value in model.state_dict().items() if isinstance(value, Tensor)}
    return {str(number): tensor.detach().clone() for number, tensor in enumerate(parameters)}


def restore(weights: Mapping[str, Tensor], into: Any) -> None:
    """Copy a snapshot into a module of the same make, or into a list of tensors.

    Raises:
        ConfigError: naming the first weight that does not fit.
    """
    if not isinstance(into, nn.Module | list | tuple):
        raise ConfigError(f"weights are copied into a module or a list of tensors, and not into {type(into).__name__}.")
    held = into.state_dict() if isinstance(into, nn.Module) else {str(k): tensor for k, tensor in enumerate(into)}
    own = {name: value for name, value in held.items() if isinstance(value, Tensor)}
    for name in [*weights, *own]:
        if name not in own or name not in weights:
            raise ConfigError(
                f"{name} is in only one of the kept weights and the model: give the model that was trained."
            )
        if own[name].shape != weights[name].shape:
            raise ConfigError(
                f"{name} has the shape {tuple(weights[name].shape)} in the kept weights and {tuple(own[name].shape)} "
                "in the model: give a model of the same sizes."
            )
    for name, tensor in own.items():
        tensor.detach().copy_(weights[name])


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)
