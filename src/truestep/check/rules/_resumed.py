"""Training that goes on from a checkpoint: what was read, who makes the updates after it, and who made them before."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from truestep.check.changes import OptimizerMade, Saved, StateLoaded, Step
from truestep.check.events import Batch, Forward, LoaderMade
from truestep.check.rules._source import tree_of
from truestep.check.rules._states import steps_on
from truestep.check.site import Site
from truestep.check.trace import Trace

PROGRESS = ("epoch", "step", "iter", "sched", "round")


@dataclass(frozen=True, slots=True)
class Resumption:
    """A checkpoint that was `read` and loaded, after which a new optimizer with a memory made so many `steps`.

    `progress`: the checkpoint tells how far the run had come; `before` counts the steps of an optimizer of the same
    kind and settings that trained at the same line, on the same data as far as these were seen, before it was read.
    """

    read: Saved
    load: StateLoaded
    made: OptimizerMade
    steps: int
    before: int
    progress: bool
    site: Site


def resumptions(trace: Trace) -> Iterator[Resumption]:
    """Every one in which the optimizer was given no state."""
    loads, steps = trace.of(StateLoaded), trace.of(Step)
    for read in trace.of(Saved):
        load = next((each for each in loads if each.of == "module" and each.n > read.n), None)
        if read.how != "load" or load is None or load.matched != load.entries:
            continue
        if any(each.of == "optimizer" and each.n > read.n for each in loads):
            continue
        made = _mover(trace, load, steps)
        if made is None:
            continue
        bare = _own(trace, load, read)
        scheduler = any(each.of == "scheduler" and each.n > read.n for each in loads)
        words = [key for key in read.keys if any(word in key.lower() for word in PROGRESS)]
        before = _before(trace, made, load, steps)
        saved = _saved(trace, read, load)
        if saved is not None and saved.modules and not any(steps_on(trace, one, 0, saved.n) for one in saved.modules):
            continue  # what was written no optimizer had trained: an average, or the weights of the start
        trained = saved is not None and before > 0
        strict = before > 0 and trained and _again(made, steps, load.n) and _same_data(trace, load.n, sure=True)
        progress = not bare and (scheduler or bool(words) or (bool(read.counts) and strict))
        if progress and not before and (_others(made, steps, load.n) or read.optimizers):
            continue  # another kind of training went before: this is fine-tuning
        if (progress and _same_data(trace, load.n)) or (strict and not progress):
            after = sum(step.optimizer == made.optimizer for step in steps)
            site = read.site if read.optimizers or saved is None else saved.site
            yield Resumption(read, load, made, after, before, progress, site)


def _saved(trace: Trace, read: Saved, load: StateLoaded) -> Saved | None:
    """When what was read had been written: by its keys and, where they are known, its weights."""
    saves = [each for each in trace.of(Saved) if each.how == "save" and each.keys == read.keys and each.n < read.n]
    same = [each for each in saves if not each.weights or load.weights in each.weights]
    return same[-1] if same else None


def _own(trace: Trace, load: StateLoaded, read: Saved) -> bool:
    """Whether the file is the bare state of a module: weights, and no progress of a run."""
    facts = trace.modules.get(load.owner)
    named = {*facts.parameters, *facts.buffers} if facts is not None else set()
    return not read.keys or set(read.keys) <= named or (not read.counts and read.tensors > 0 and len(read.keys) == 1)


def _mover(trace: Trace, load: StateLoaded, steps: list[Step]) -> OptimizerMade | None:
    """The new optimizer with a memory that moves the restored model."""
    facts = trace.modules.get(load.owner)
    own = set() if facts is None else set(facts.parameters.values())
    stepped = {step.optimizer for step in steps if step.n < load.n}
    moved = {step.optimizer for step in steps if step.n > load.n} - stepped
    for number, made in trace.optimizers().items():
        remembers = made[0].kind != "SGD" or bool(made[0].groups[0].get("momentum"))
        if number in moved and trace.held(number) & own and remembers:
            return made[0]
    return None


def _others(made: OptimizerMade, steps: list[Step], before: int) -> bool:
    """Whether any other optimizer made updates before."""
    return any(step.n < before and step.optimizer != made.optimizer for step in steps)


def _before(trace: Trace, made: OptimizerMade, load: StateLoaded, steps: list[Step]) -> int:
    """How many updates an optimizer of the same kind and settings made before."""
    alike = {
        number for number, each in trace.optimizers().items()
        if number != made.optimizer and each[0].kind == made.kind and _plain(each[0]) == _plain(made)
    }  # fmt: skip
    return sum(step.optimizer in alike for step in steps if step.n < load.n)


def _again(made: OptimizerMade, steps: list[Step], load: int) -> bool:
    """Whether the updates after a load are made on a line that made them before."""
    before = {step.site.place for step in steps if step.n < load}
    return any(step.site.place in before for step in steps if step.n > load and step.optimizer == made.optimizer)


def _plain(made: OptimizerMade) -> dict[str, object]:
    return {key: made.groups[0].get(key) for key in ("lr", "momentum", "betas", "weight_decay", "eps", "alpha")}


def _same_data(trace: Trace, load: int, sure: bool = False) -> bool:
    """Whether training goes on with the data that it had before; where that was not seen, whether it need not be sure.

    Data of which each part comes by once, as random crops do, say nothing.
    """
    bases = {event.loader: event.base for event in trace.of(LoaderMade)}
    rows: tuple[list[int], list[int]] = ([], [])
    held: tuple[set[int], set[int]] = (set(), set())
    for event in trace.of(Forward, Batch):
        late = event.n > load
        if isinstance(event, Batch):
            held[late].add(bases.get(event.loader, 0))
        elif event.grad and event.training and event.inputs and event.depth == 0:
            rows[late].extend(event.inputs[0].rows)
    early, later = set(rows[0]), set(rows[1])
    if early & later or held[0] & held[1]:
        return True
    if held[0] and held[1] and not held[0] & held[1] and len(early) < len(rows[0]):
        return False
    return not sure and not (early and later and len(early) < len(rows[0]))


def to_come(trace: Trace) -> Iterator[tuple[Site, str]]:
    """Checkpoints of a running training, without its optimizer, from which the script itself would go on."""
    steps = trace.of(Step)
    told: set[tuple[str, int]] = set()
    for save in trace.of(Saved):
        words = [key for key in save.keys if any(word in key.lower() for word in PROGRESS)]
        if save.how != "save" or save.optimizers or not save.modules or not words or save.site.place in told:
            continue
        movers = [made[0] for number, made in trace.optimizers().items()
                  if any(step.optimizer == number and step.n < save.n for step in steps)
                  and any(step.optimizer == number and step.n > save.n for step in steps)]  # fmt: skip
        made = next((one for one in movers if one.kind != "SGD" or one.groups[0].get("momentum")), None)
        line = _resumes(save.site.file, save.keys, words) if made is not None else 0
        if made is not None and line:
            told.add(save.site.place)
            yield (
                save.site,
                f"it holds {', '.join(save.keys[:6])} after {save.update} updates of {made.kind}; line {line} goes on "
                f"from the {words[0]} that it finds there",
            )


def _resumes(file: str, keys: tuple[str, ...], words: list[str]) -> int:
    """The line that takes the progress out of a checkpoint that was read, to go on with it; 0 for none."""
    tree = tree_of(file)
    if tree is None:
        return 0
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call)]
    names = {each.func.attr for each in calls if isinstance(each.func, ast.Attribute)}
    if not {"load", "load_state_dict"} <= names:
        return 0
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.Return):
            continue
        value = node.value
        for each in ast.walk(value) if value is not None else ():
            if isinstance(each, ast.Subscript) and isinstance(each.slice, ast.Constant) and each.slice.value in words:
                others = _read(tree, ast.unparse(each.value))
                if others & {*keys} - {*words}:  # the model is read from it as well
                    return node.lineno
    return 0


def _read(tree: ast.Module, owner: str) -> set[str]:
    """The keys under which something is read from this name."""
    return {
        each.slice.value for each in ast.walk(tree)
        if isinstance(each, ast.Subscript) and isinstance(each.ctx, ast.Load) and isinstance(each.slice, ast.Constant)
        and isinstance(each.slice.value, str) and ast.unparse(each.value) == owner
    }  # fmt: skip
