"""What is taken down of a module: its parameters, children and buffers by number, and its plain settings."""

from __future__ import annotations

from itertools import islice

from torch import nn

from truestep.check.numbers import Numbers
from truestep.check.trace import ModuleFacts

PLAIN = 100  # what is looked at of a module's plain list


def facts(module: nn.Module, numbers: Numbers) -> ModuleFacts:
    """What a module is made of now."""
    parameters = dict(module.named_parameters(remove_duplicate=False))
    plain = {k: v for k, v in vars(module).items() if isinstance(v, bool | int | float | str | None)}
    plain |= {f"{k}.{own}": v for k, p in parameters.items() for own, v in vars(p).items() if type(v) is bool}
    return ModuleFacts(
        type(module).__name__,
        {name: numbers.of(p) for name, p in parameters.items()},
        {name: numbers.of(child) for name, child in module.named_children()},
        {name: numbers.storage(p) for name, p in parameters.items()},
        {name: numbers.storage(b) for name, b in module.named_buffers(remove_duplicate=False)},
        frozenset(numbers.of(p) for p in parameters.values() if not p.requires_grad),
        type(module).__module__.startswith("torch."),
        {name: value for name, value in plain.items() if not name.startswith("_")},
        tuple(numbers.of(p) for p in _unregistered(module, set(map(id, parameters.values())))),
    )


def _unregistered(module: nn.Module, own: set[int]) -> list[nn.Parameter]:
    """The parameters that a module keeps in plain lists and dicts, alone or in modules, and has nowhere else."""
    plain = [value for name, value in vars(module).items() if name[:1] != "_" and type(value) in (list, tuple, dict)]
    held = [each for value in plain for each in islice(value.values() if type(value) is dict else value, PLAIN)]
    found = [each for each in held if isinstance(each, nn.Parameter)]
    found += [p for each in held if isinstance(each, nn.Module) for p in each.parameters()]
    return [each for each in found if id(each) not in own]
