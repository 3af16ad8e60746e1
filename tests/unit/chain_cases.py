"""Small models with their objectives and batches, over which every law of the written chain is tested."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import truestep as ts
from truestep.explain.chain.write import Chain, write_out

W, B, X, TARGET = -0.2505, 0.9166, [1.0, 2.0, 3.0], [1.5, 2.5, 3.5]


@dataclass(frozen=True)
class Case:
    """`functions` of the inputs and the parameters, or a module; `targets` of as many samples as the inputs."""

    model: Callable[..., Any]
    objective: ts.Objective
    inputs: Tensor
    targets: Any
    parameters: Mapping[str, Tensor]

    def write(self, digits: int = 4, lr: float | None = 0.1) -> Chain:
        return write_out(self.model, self.objective, self.inputs, self.targets, self.parameters, lr=lr, digits=digits)


def of_module(module: nn.Module, loss: Any, inputs: Tensor, targets: Any, dtype: torch.dtype) -> Case:
    module, inputs = module.to(dtype), inputs.to(dtype)
    targets = targets.to(dtype) if targets.is_floating_point() else targets
    objective = loss(module) if callable(loss) and not isinstance(loss, nn.Module) else ts.Objective(loss)
    return Case(module, objective, inputs, targets, dict(module.named_parameters()))


def of_function(function: Callable[..., Tensor], dtype: torch.dtype, loss: Any = None) -> Case:
    """`function(x, w, b)` of x (3, 2), w (2,) and b ()."""
    torch.manual_seed(3)
    w, b = torch.randn(2).to(dtype).requires_grad_(), torch.randn(()).to(dtype).requires_grad_()
    inputs, targets = torch.randn(3, 2).to(dtype), torch.randn(3).to(dtype)
    objective = loss if isinstance(loss, ts.Objective) else ts.Objective(loss or nn.MSELoss())
    return Case(lambda x: function(x, w, b), objective, inputs, targets, {"w": w, "b": b})


def mlp(activation: nn.Module, outputs: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Linear(1, 2), activation, nn.Linear(2, outputs))


def terms(module: nn.Module) -> ts.Objective:
    """Several terms with weights and counts of their own."""
    return ts.Objective(
        mse=nn.MSELoss(),
        mae=(0.5, nn.L1Loss(reduction="sum")),
        masked=ts.Term(nn.MSELoss(), 2.0, of=lambda output, y: (output[1:], y[1:]), count=lambda output, y: 5),
        penalty=ts.Term(lambda output, y: sum((p**2).sum() for p in module.parameters()), 0.1, reduction="sum"),
    )


def case(name: str, dtype: torch.dtype) -> Case:
    torch.manual_seed(1)
    x, y, yes = torch.randn(3, 1), torch.randn(3, 1), torch.tensor([[1.0], [0.0], [1.0]])
    wide, labels = torch.randn(3, 2), torch.tensor([0, 1, 1])
    if name in FUNCTIONS:
        return of_function(FUNCTIONS[name], dtype)
    modules: dict[str, Callable[[], tuple[nn.Module, Any, Tensor, Tensor]]] = {
        "linear": lambda: (nn.Linear(1, 1), nn.MSELoss(), x, y),
        "sum": lambda: (nn.Linear(2, 2), nn.MSELoss(reduction="sum"), wide, torch.randn(3, 2)),
        "no bias": lambda: (nn.Linear(2, 1, bias=False), nn.L1Loss(), wide, y),
        "relu": lambda: (mlp(nn.ReLU()), nn.MSELoss(), x, y),
        "relu in place": lambda: (mlp(nn.ReLU(inplace=True)), nn.MSELoss(), x, y),
        "sigmoid": lambda: (mlp(nn.Sigmoid()), nn.L1Loss(), x, y),
        "tanh": lambda: (mlp(nn.Tanh()), nn.MSELoss(), x, y),
        "softplus": lambda: (mlp(nn.Softplus()), nn.MSELoss(), x, y),
        "two layers, two classes": lambda: (mlp(nn.Tanh(), 2), nn.CrossEntropyLoss(), x, labels),
        "softmax regression": lambda: (nn.Linear(2, 2), nn.CrossEntropyLoss(), wide, labels),
        "ignored label": lambda: (nn.Linear(2, 2), nn.CrossEntropyLoss(), wide, torch.tensor([0, -100, 1])),
        "class weights": lambda: (nn.Linear(2, 2), nn.CrossEntropyLoss(torch.tensor([1.0, 3.0])), wide, labels),
        "smoothed labels": lambda: (nn.Linear(2, 2), nn.CrossEntropyLoss(label_smoothing=0.1), wide, labels),
        "log softmax": lambda: (nn.Sequential(nn.Linear(2, 2), nn.LogSoftmax(1)), nn.NLLLoss(), wide, labels),
        "softmax": lambda: (nn.Sequential(nn.Linear(2, 2), nn.Softmax(1)), nn.MSELoss(), wide, torch.eye(2)[labels]),
        "bce with logits": lambda: (nn.Linear(2, 1), nn.BCEWithLogitsLoss(), wide, yes),
        "weighted bce": lambda: (
            nn.Linear(2, 1), nn.BCEWithLogitsLoss(torch.tensor([2.0]), pos_weight=torch.tensor([3.0])), wide, yes
        ),
        "bce": lambda: (nn.Sequential(nn.Linear(2, 1), nn.Sigmoid()), nn.BCELoss(), wide, yes),
        "several terms": lambda: (nn.Linear(1, 1), terms, x, y),
    }  # fmt: skip
    module, loss, inputs, targets = modules[name]()
    loss = loss.to(dtype) if isinstance(loss, nn.Module) else loss
    return of_module(module, loss, inputs, targets, dtype)


def in_place(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
    held = (x @ w) * 1
    held[0] = 5
    held += b
    held[1:] *= 2
    return held


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "products": lambda x, w, b: x[:, 0] * w[0] * w[1] + b,
    "polynomial": lambda x, w, b: w[0] * x[:, 0] ** 2 + w[1] * x[:, 1] ** 3 + b,
    "exp": lambda x, w, b: torch.exp(x @ w) * b,
    "log": lambda x, w, b: torch.log((x @ w).abs() + 1) - b,
    "sqrt": lambda x, w, b: torch.sqrt((x @ w) ** 2 + 1) / (1 + b**2),
    "power": lambda x, w, b: ((x @ w) ** 2 + 1).pow(-0.5) + b,
    "means": lambda x, w, b: (x * w).mean(1) + (b * x).mean(),
    "waves": lambda x, w, b: torch.sin(x @ w) + torch.cos(b),
    "own softmax": lambda x, w, b: (torch.exp(x * w) / torch.exp(x * w).sum(1, keepdim=True))[:, 0] + b,
    "moved": lambda x, w, b: torch.cat([x, torch.ones_like(x[:, :1])], 1) @ torch.stack([*w, b]),
    "chosen": lambda x, w, b: torch.where(x @ w > 0, x @ w, b),
    "detached": lambda x, w, b: (x @ w).detach() * b + x @ w,
    "in place": in_place,
    "squared": lambda x, w, b: (x @ w + b) * (x @ w + b),
}
NAMES = [
    *("linear", "sum", "no bias", "relu", "relu in place", "sigmoid", "tanh", "softplus", "two layers, two classes"),
    *("softmax regression", "ignored label", "class weights", "smoothed labels", "log softmax", "softmax"),
    *("bce with logits", "weighted bce", "bce", "several terms", *FUNCTIONS),
]
OPAQUE: dict[str, Callable[..., Tensor]] = {
    "gelu": lambda x, w, b: nn.functional.gelu(x @ w) + b,
    "std": lambda x, w, b: (x @ w) / (x @ w).std() + b,
    "logsumexp": lambda x, w, b: torch.logsumexp(x * w, 1) + b,
    "max": lambda x, w, b: (x * w).max(1).values + b,
    "clamp": lambda x, w, b: (x @ w).clamp(-0.5, 0.5) + b,
    "cumsum": lambda x, w, b: (x @ w).cumsum(0) + b,
    "pow": lambda x, w, b: 2 ** (x @ w) + b,
    "elu_": lambda x, w, b: nn.functional.elu_((x @ w) * 1) + b,
    "layer_norm": lambda x, w, b: nn.functional.layer_norm(x, (2,), w) @ torch.ones(2).to(x) + b,
}
