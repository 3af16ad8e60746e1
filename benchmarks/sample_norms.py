"""What does the gradient norm of every sample cost, beside one plain forward and backward pass over the batch?

    python benchmarks/sample_norms.py [--json] [--rounds 21] [--batch 256]

Every way is paired with a plain pass beside it, in one process on one thread, and a time counts only if the norms are
those of a loop over the samples. Shown are the median of the paired ratios with its quartiles, in CPU time, so that
other work on the machine does not count. The ways of truestep include the loss and the output of every sample.
BackPACK and Opacus take part where they are installed: pip install backpack-for-pytorch opacus.
"""

import argparse
import copy
import importlib.util
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from truestep.core.objective import Objective
from truestep.explain.alone import Case, looped_norms
from truestep.explain.samples import sample_records

TARGET = 6.0
CLOSE = 1e-4
Way = Callable[[], Tensor]
"""Whatever it takes to know the (N,) norms of the gradients of each sample's own loss."""


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def lenet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10),
    )  # fmt: skip


MODELS = {"MLP 784-256-10": mlp, "LeNet-5": lenet}


def truestep(model: nn.Sequential, x: Tensor, y: Tensor) -> Way:
    objective, parameters = Objective(nn.CrossEntropyLoss(reduction="sum")), list(model.parameters())
    return lambda: sample_records(model, objective, x, y, parameters, {"CrossEntropyLoss": 1.0}).norms


def loop(model: nn.Sequential, x: Tensor, y: Tensor) -> Way:
    case = Case(model, lambda m, x, y: F.cross_entropy(m(x), y), (x, y), list(model.parameters()))
    return lambda: looped_norms(case)[1]


def torch_func(model: nn.Sequential, x: Tensor, y: Tensor) -> Way:
    parameters = {name: parameter.detach() for name, parameter in model.named_parameters()}

    def loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(functional_call(model, parameters, x[None]), y[None])

    gradients = vmap(grad(loss), in_dims=(None, 0, 0))
    return lambda: norms_of(list(gradients(parameters, x, y).values()))


def backpack(model: nn.Sequential, x: Tensor, y: Tensor) -> Way:
    from backpack import backpack, extend, extensions

    model, loss = extend(model), extend(nn.CrossEntropyLoss(reduction="sum"))

    def run() -> Tensor:
        model.zero_grad()
        with backpack(extensions.BatchL2Grad()):
            loss(model(x), y).backward()
        return torch.stack([parameter.batch_l2 for parameter in model.parameters()]).sum(0).sqrt()

    return run


def opacus(model: nn.Sequential, x: Tensor, y: Tensor) -> Way:
    from opacus.grad_sample import GradSampleModule

    wrapped = GradSampleModule(model, loss_reduction="sum")

    def run() -> Tensor:
        wrapped.zero_grad()
        F.cross_entropy(wrapped(x), y, reduction="sum").backward()
        return norms_of([parameter.grad_sample for parameter in wrapped.parameters()])

    return run


def opacus_ghost(model: nn.Sequential, x: Tensor, y: Tensor) -> Way:
    from opacus.grad_sample import GradSampleModuleFastGradientClipping

    wrapped = GradSampleModuleFastGradientClipping(
        model, loss_reduction="sum", max_grad_norm=1.0, use_ghost_clipping=True
    )

    def run() -> Tensor:
        wrapped.zero_grad()
        F.cross_entropy(wrapped(x), y, reduction="sum").backward()
        return wrapped.get_norm_sample()

    return run


WAYS: dict[str, tuple[Callable[..., Way], str]] = {
    "truestep sample_records": (truestep, "torch"),
    "torch.func vmap(grad)": (torch_func, "torch"),
    "BackPACK BatchL2Grad": (backpack, "backpack"),
    "Opacus GradSampleModule": (opacus, "opacus"),
    "Opacus ghost norms": (opacus_ghost, "opacus"),
    "a loop over the samples": (loop, "torch"),
}
PACKAGES = {"backpack": "backpack-for-pytorch", "opacus": "opacus"}


def norms_of(gradients: list[Tensor]) -> Tensor:
    return torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="one JSON object a figure")
    parser.add_argument("--rounds", type=int, default=21, help="paired runs of each way")
    parser.add_argument("--batch", type=int, default=256, help="samples")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    rows = [row for name in MODELS for row in measured(name, arguments.batch, arguments.rounds)]
    for line in map(json.dumps, rows) if arguments.json else table(rows):
        print(line)


def measured(name: str, batch: int, rounds: int) -> Iterator[dict[str, Any]]:
    torch.manual_seed(0)
    model, x, y = MODELS[name](), torch.randn(batch, 1, 28, 28), torch.randint(10, (batch,))
    truth = loop(copy.deepcopy(model).double(), x.double(), y)()

    def plain() -> None:
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()

    ways, results = dict[str, Way](), dict[str, str]()
    for title, (make, module) in WAYS.items():
        if importlib.util.find_spec(module) is None:
            results[title] = "not installed"
            continue
        ways[title] = make(copy.deepcopy(model), x, y)
        away = float((ways[title]().detach().double() - truth).abs().max() / truth.max())
        if not away < CLOSE:
            results[title] = f"failed: {away:.1e} away from the loop"
            del ways[title]
    times = paired(plain, ways, rounds)
    for title, (_, module) in WAYS.items():
        row = {"model": name, "batch": batch, "way": title, "version": metadata.version(PACKAGES.get(module, "torch"))
               if title in ways else ""}  # fmt: skip
        yield row | ({"result": results[title]} if title in results else spread(times[title]))


def paired(plain: Callable[[], None], ways: dict[str, Way], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Times of the plain pass and of each way beside it; in every second round the plain pass comes after."""
    times: dict[str, list[tuple[float, float]]] = {title: [] for title in ways}
    for number in range(-2, rounds):  # two rounds warm up
        for title, way in ways.items():
            pair = [seconds(plain), seconds(way)] if number % 2 else [seconds(way), seconds(plain)][::-1]
            if number >= 0:
                times[title].append((pair[0], pair[1]))
    return times


def seconds(run: Callable[[], Any]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def spread(times: list[tuple[float, float]]) -> dict[str, Any]:
    ratios = [way / plain for plain, way in times]
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return {
        "plain_ms": round(statistics.median(plain for plain, _ in times) * 1e3, 2),
        "ratio": round(statistics.median(ratios), 2),
        "quartiles": [round(low, 2), round(high, 2)],
        "rounds": len(times),
    }


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield "| model | way | ratio to a plain forward and backward (quartiles) |"
    yield "|---|---|---|"
    for row in rows:
        low, high = row.get("quartiles", (0, 0))
        shown = f"{row['ratio']} ({low} to {high})" if "ratio" in row else row["result"]
        yield f"| {row['model']}, batch {row['batch']} | {row['way']} {row['version']} | {shown} |"
    own = next(row for row in rows if row["way"].startswith("truestep"))
    words = "reached" if own["ratio"] <= TARGET else "MISSED"
    yield f"\n{own['way']}, {own['model']}: {own['ratio']} of a plain pass, target {TARGET:g}: {words}"


if __name__ == "__main__":
    main()
