"""Chunks of a study spread over a Ray cluster; one whose worker dies is trained again, and those that are done stay."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from truestep.core.errors import ConfigError, TruestepError
from truestep.sweep.chunks import Layout
from truestep.sweep.found import Chunk
from truestep.sweep.work import Stacker, Work

RETRIES = 3
"""How often a chunk is begun anew whose worker died."""
EACH = 2
"""Chunks for every processor of the cluster, at the least: then none waits long for the last."""
_HELD: dict[str, Stacker] = {}
"""In a worker: the stacker of the study that it works on, whose programs serve all its chunks."""


def workers() -> int:
    """The processors of the cluster, each of which trains one chunk at a time.

    Raises:
        ConfigError: where Ray is not installed.
    """
    return max(1, int(_ray().cluster_resources().get("CPU", 1)))


def spread(stacker: Stacker, chunks: Sequence[Layout]) -> Iterator[tuple[Layout, Chunk]]:
    """The chunks in the order in which they end, each with what it found.

    Raises:
        ConfigError: for a chunk whose workers died again and again, and for what cannot be sent to a worker.
    """
    ray = _ray()
    try:
        shared = ray.put((stacker.work, stacker.steps, stacker.compile))
    except TypeError as error:
        raise ConfigError(f"the study cannot be sent to the workers of Ray: {str(error).splitlines()[0]}.") from error
    train = ray.remote(num_cpus=1, max_retries=RETRIES)(_train)
    under_way = {train.remote(shared, shared.hex(), layout): layout for layout in chunks}
    try:
        while under_way:
            (done, *_), _ = ray.wait(list(under_way))
            layout = under_way.pop(done)
            chunk, said = _found(ray, done, layout)
            for sentence in said:
                stacker.say(sentence)
            yield layout, chunk
    finally:
        for task in under_way:
            ray.cancel(task)


def _found(ray: Any, task: Any, layout: Layout) -> tuple[Chunk, list[str]]:
    try:
        return ray.get(task)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError) as error:
        raise ConfigError(
            f"the workers of Ray that trained the {len(layout.variants)} variants from number "
            f"{layout.variants[0].index} on died {RETRIES + 1} times: give sweep a smaller chunk, since memory is the "
            "usual reason; with run_dir the chunks that have ended are not trained again."
        ) from error
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, TruestepError):
            raise error.cause from None
        raise


def _train(shared: tuple[Work, int, Any], study: str, layout: Layout) -> tuple[Chunk, list[str]]:
    """In a worker: one chunk, and what it had to say."""
    said: list[str] = []
    if study not in _HELD:
        _HELD.clear()
        _HELD[study] = Stacker(shared[0], said.append, *shared[1:])
    stacker = _HELD[study]
    stacker.say = said.append
    return stacker.run(layout, lambda epoch: None), said


def _ray() -> Any:
    """Ray, connected: to the cluster that the environment names (RAY_ADDRESS), else to one of its own on this machine.

    Raises:
        ConfigError: where it is not installed.
    """
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ConfigError(
            "executor='ray' needs Ray: pip install 'truestep[cluster]', or leave executor out."
        ) from error
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    return ray
