"""What adds up: seconds, and sums over batches."""

from __future__ import annotations

import time
from itertools import accumulate
from typing import Any

from torch import Tensor

import truestep as ts


class Timer:
    """Seconds of several runs, on a clock that never jumps; it starts when it is made."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.start()

    def start(self) -> None:
        """Start the clock anew."""
        self.tik = time.perf_counter()

    def stop(self) -> float:
        """The seconds since the start, which are kept."""
        self.times.append(time.perf_counter() - self.tik)
        return self.times[-1]

    def avg(self) -> float:
        """The mean of the times. Raises `ConfigError` before the first `stop()`."""
        if not self.times:
            raise ts.ConfigError("the timer has kept no time yet: call stop() first.")
        return self.sum() / len(self.times)

    def sum(self) -> float:
        """The sum of the times."""
        return sum(self.times)

    def cumsum(self) -> list[float]:
        """The sum of the times up to each of them."""
        return list(accumulate(self.times))


class Accumulator:
    """`n` sums that grow together: `metric.add(loss, right, samples)`, then `metric[0]`.

    Raises ConfigError where another number of values is added than there are sums.
    """

    def __init__(self, n: int) -> None:
        self.data = [0.0] * n

    def add(self, *args: Any) -> None:
        """Add one value to each sum: numbers, or tensors of one element."""
        if len(args) != len(self.data):
            raise ts.ConfigError(f"Accumulator({len(self.data)}) adds {len(self.data)} values, and got {len(args)}.")
        self.data = [total + number(value) for total, value in zip(self.data, args, strict=True)]

    def reset(self) -> None:
        """Every sum is 0 again."""
        self.data = [0.0] * len(self.data)

    def __getitem__(self, idx: int) -> float:
        return self.data[idx]


def number(value: Any) -> float:
    """A number, or a tensor of one element, also where that requires a gradient."""
    return float(value.detach() if isinstance(value, Tensor) else value)
