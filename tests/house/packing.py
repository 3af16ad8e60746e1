"""What is packed and pinned: the requirements, the constraints, and the public names with their docstrings."""

import importlib.metadata
import re
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

RUNTIME = {"torch", "numpy", "safetensors", "rich"}
GPU_ONLY = ("cuda-", "nvidia-", "triton")  # come along with other builds of torch than the pinned set-up has


def wrong_runtime(requirements: Iterable[str]) -> set[str]:
    """Requirements that the library has and should not have, or should have and has not."""
    return {canonicalize_name(Requirement(line).name) for line in requirements} ^ RUNTIME


def pins(constraints: str) -> dict[str, str]:
    """Name and version of every pin, in order."""
    lines = [line for line in constraints.splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def loose_pins(constraints: str) -> list[str]:
    """Lines that pin no release that a registry has: 2.13.0+cpu is a build, not a release."""
    lines = [line for line in constraints.splitlines() if line and not line.startswith("#")]
    return [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line)]


def needed(requirements: Iterable[str], seen: set[str] | None = None) -> set[str]:
    """The names of everything that `requirements` bring along here, in the versions that are installed."""
    seen = set() if seen is None else seen
    for requirement in map(Requirement, requirements):
        name = canonicalize_name(requirement.name)
        extras = ["", *requirement.extras]
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        key = f"{name}[{','.join(sorted(requirement.extras))}]"
        if key in seen or name.startswith(GPU_ONLY):
            continue
        seen.add(key)
        needed(_wanted(name, extras), seen)
    return {key.partition("[")[0] for key in seen}


def _wanted(name: str, extras: list[str]) -> list[str]:
    lines = importlib.metadata.requires(name) or []
    markers = [(line, Requirement(line).marker) for line in lines]
    wanted = [line for line, marker in markers if not marker or any(marker.evaluate({"extra": e}) for e in extras)]
    return [line.partition(";")[0] for line in wanted]


def undocumented(names: Mapping[str, Any]) -> list[str]:
    """Public names without a docstring of their own; the signature that a dataclass writes for itself is none."""
    found = []
    for name, value in names.items():
        if not (callable(value) or isinstance(value, ModuleType)):
            continue  # a version or a constant
        text = (value.__dict__.get("__doc__") if isinstance(value, type) else value.__doc__) or ""
        if not text.strip() or text.startswith(f"{name}("):
            found.append(name)
    return found
