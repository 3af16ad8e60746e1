"""Which steps can be written down as programs, and a mark that says when one has changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.modules import module as torch_modules
from torch.optim import RAdam

from truestep.core.adaptive import is_long
from truestep.core.rules_of import OPTIONS
from truestep.core.updates import TorchUpdates

if TYPE_CHECKING:
    from truestep.core.step import TrainStep

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")

PLAIN = (bool, int, float, str, type(None))


def refusal(step: TrainStep) -> str:
    """Why this step cannot be a program, as the end of a sentence; "" where nothing is known against it."""
    if not isinstance(step.model, nn.Module):
        return "the model is a plain function."
    if step.ranks.size > 1:
        return "it is taken by several ranks."
    if step.precision.dtype is not None:
        return "its forward pass is in mixed precision."
    if list(step.objective.parameters()):
        return "its loss holds parameters of its own."
    return _of_hooks(step.model) or _of_updates(step)


def _of_hooks(model: nn.Module) -> str:
    if any(getattr(torch_modules, f"_global{name}", None) for name in HOOKS):
        return "hooks are set on all modules."
    if any(getattr(module, each, None) for module in model.modules() for each in HOOKS):
        hooked = (name for name, module in model.named_modules() if any(getattr(module, each, None) for each in HOOKS))
        return f"there are hooks on {next(hooked) or 'the model'}."
    for parameter in model.parameters():
        if parameter._backward_hooks or getattr(parameter, "_post_accumulate_grad_hooks", None):
            name = next(name for name, each in model.named_parameters() if each is parameter)
            return f"there are hooks on {name}."
    return ""


def _of_updates(step: TrainStep) -> str:
    updates = step.updates
    if not isinstance(updates, TorchUpdates):
        return "its updater is written by hand."
    for optimizer in updates.optimizers:
        kind = type(optimizer)
        if kind not in OPTIONS:
            return f"{kind.__name__} has no rule that can be written down."
        if optimizer._optimizer_step_pre_hooks or optimizer._optimizer_step_post_hooks:
            return f"there are hooks on {kind.__name__}."
        for group in optimizer.param_groups:
            if any(isinstance(each, Tensor) for name in OPTIONS[kind] for each in _numbers(group.get(name))):
                return f"{kind.__name__} has a number that is a tensor."
    own = {id(parameter) for parameter in step.model.parameters()}  # pyright: ignore[reportAttributeAccessIssue, reportFunctionMemberAccess]
    if any(id(parameter) not in own for parameter in updates.parameters):
        return "the optimizer holds a parameter that is not the model's."
    return ""


def _numbers(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def mark(step: TrainStep) -> tuple[Any, ...]:
    """What a program takes for granted of a step: while the mark is equal, the program still stands for it."""
    model: Any = step.model
    modules = [(id(module), *_plain(module)) for module in model.modules()]
    held = (*model.parameters(), *model.buffers())
    tensors = [(id(each), each.requires_grad, each.dtype, each.shape, each.stride()) for each in held]
    updates: Any = step.updates
    groups = [
        (id(optimizer), *(id(parameter) for parameter in group["params"]), *_options(optimizer, group))
        for optimizer in updates.optimizers
        for group in optimizer.param_groups
    ]
    states = [
        (name, id(value))
        for optimizer in updates.optimizers
        for state in optimizer.state.values()
        for name, value in state.items()
        if isinstance(value, Tensor)
    ]
    return refusal(step), modules, tensors, groups, states, step.clip_norm


def _plain(module: nn.Module) -> list[Any]:
    return [(name, value) for name, value in vars(module).items() if isinstance(value, PLAIN)]


def _options(optimizer: Any, group: Any) -> list[Any]:
    """Its switches, and which of its numbers are 0: those leave their link out of the rule."""
    found = []
    for name in OPTIONS.get(type(optimizer), ()):
        value = group.get(name)
        found += [each if isinstance(each, bool) else each == 0 for each in _numbers(value)]
    if type(optimizer) is RAdam:  # which of its two formulas it is at
        steps = (float(state["step"]) for state in optimizer.state.values() if "step" in state)
        found.append(is_long(min(steps, default=0.0) + 1, float(group["betas"][1])))
    return found
