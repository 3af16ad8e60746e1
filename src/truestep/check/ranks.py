"""Watches several ranks: whether their weights and gradients are the same, told through the store they met at."""

from __future__ import annotations

import json
import os
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import timedelta
from typing import Any

from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from truestep.check.changes import RankLook, Step
from truestep.check.looks import Digest
from truestep.check.patches import hooked, replaced
from truestep.check.recorder import Recorder

WAITING = 16  # steps for which the others' words are still awaited
GONE = "truestep/gone"
PATIENCE = timedelta(seconds=60)  # for the first rank to tell
MOST = 64  # steps of an optimizer that are compared


def watches(recorder: Recorder) -> Iterator[AbstractContextManager[None]]:
    """Everything that is hooked or replaced for ranks; call it after what writes the steps."""
    ranks = _Ranks(recorder)
    yield hooked(register_optimizer_step_post_hook(ranks.after))
    yield replaced(dist, "destroy_process_group", ranks.left)
    yield ranks.met()

    def made(run: Any, one: Any, *args: Any, **words: Any) -> None:
        run(one, *args, **words)
        if recorder.awake:
            with recorder.looking:
                recorder.describe(one)

    yield replaced(DistributedDataParallel, "__init__", made)


class _Ranks:
    """Each rank leaves digests of its parameters at the store and reads those of the others.

    It never waits for them and adds no collective, so the program's own talk is as it was.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._steps: dict[int, int] = defaultdict(int)
        self._over = False
        self._asked: deque[tuple[str, int, Step, list[Any]]] = deque(maxlen=WAITING)

    def after(self, one: Optimizer, args: Any, words: Any) -> None:
        """A step has returned, and has been written down."""
        recorder = self._recorder
        if self._over or not recorder.awake or not _met():
            return
        with recorder.looking:
            number, step = recorder.numbers.of(one), recorder.step
            ranks, rank = dist.get_world_size(), dist.get_rank()
            self._steps[number] += 1
            if ranks < 2 or step is None or step.optimizer != number or not step.moved or self._steps[number] > MOST:
                return
            which = list(self._steps).index(step.optimizer)  # numbers differ between ranks, the order does not
            key = f"truestep/{which}/{self._steps[step.optimizer]}"
            mine = [[_told(one.before), _told(one.after), _told(one.grad)] for one in step.moved]
            self._asked += [(key, other, step, mine) for other in range(min(ranks, 4)) if other != rank]
            try:
                self._talk(f"{key}/{rank}", mine)
            except RuntimeError:  # the rank that keeps the store has ended before us
                self._over = True
                recorder.trace.note("from some step on the other ranks could not be asked for their weights")

    def left(self, run: Any, *args: Any, **words: Any) -> Any:
        """The program leaves its group."""
        self._leave()
        return run(*args, **words)

    @contextmanager
    def met(self) -> Iterator[None]:
        """Inside, ranks may meet."""
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        """Where this rank keeps the store, say that it will be gone: who asks one that is gone is warned about."""
        if self._recorder.awake and self._steps and _met() and dist.get_rank() == 0:
            with self._recorder.looking, suppress(RuntimeError):
                _store().set(GONE, "1")

    def _talk(self, key: str, mine: list[Any]) -> None:
        store = _store()
        if store.check([GONE]):
            raise RuntimeError
        store.set(key, json.dumps(mine))
        for _ in range(len(self._asked)):
            self._ask(store, self._asked.popleft())

    def _ask(self, store: Any, asked: tuple[str, int, Step, list[Any]]) -> None:
        key, other, step, mine = asked
        if not store.check([f"{key}/{other}"]):
            self._asked.append(asked)
            return
        theirs = json.loads(store.get(f"{key}/{other}"))
        if len(theirs) != len(mine):
            return
        pairs = list(zip(mine, theirs, strict=True))
        before, after, grads = ([_same(a[at], b[at]) for a, b in pairs] for at in range(3))
        norms = [(a[1][1], b[1][1]) for a, b in pairs if a[1] and b[1] and a[1][0] != b[1][0]]
        self._recorder.emit(
            RankLook, step.site, step=step.n, optimizer=step.optimizer, other=other, ranks=dist.get_world_size(),
            numbers=tuple(one.number for one in step.moved), before=tuple(before), after=tuple(after),
            grads=tuple(grads), norms=norms[0] if norms else None,
        )  # fmt: skip


def hand_over(first: bool) -> None:
    """Let the first rank tell what was found, and leave after it: torchrun ends all once one has left with a status."""
    from torch._C._distributed_c10d import TCPStore

    words = os.environ
    if words.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return
    key = f"truestep/told/{words.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    with suppress(RuntimeError, ValueError, KeyError):  # the launcher has ended, or the time is over
        store = TCPStore(words["MASTER_ADDR"], int(words["MASTER_PORT"]), is_master=False, timeout=PATIENCE)
        if first:
            store.set(key, "1")
        else:
            store.wait([key], PATIENCE)


def _store() -> Any:
    return dist.distributed_c10d._get_default_store()


def _met() -> bool:
    return dist.is_available() and dist.is_initialized()


def _told(look: Digest | None) -> list[float] | None:
    return None if look is None else [look.mark, look.norm]


def _same(one: Any, other: Any) -> bool | None:
    """Whether two digests are of the same bits; None where there is none, or nothing but zeros."""
    if one is None or other is None or not (one[1] or other[1]):
        return None
    return one[0] == other[0]
