"""The studies in JAX: one jitted function, `scan` over the steps, `vmap` over orders and over the variants of each."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from studies.loops import Weights
from studies.study import Study


def forward_linear(p: Any, x: Any) -> Any:
    return x @ p["weight"].T + p["bias"]


def forward_mlp(p: Any, x: Any) -> Any:
    hidden = jax.nn.relu(x.reshape(len(x), -1) @ p["1.weight"].T + p["1.bias"])
    return hidden @ p["3.weight"].T + p["3.bias"]


def forward_lenet(p: Any, x: Any) -> Any:
    for layer in ("0", "3"):
        kernel = p[f"{layer}.weight"]
        side = kernel.shape[-1] // 2 if kernel.shape[-1] == 3 or layer == "0" else 0
        x = jax.lax.conv_general_dilated(x, kernel, (1, 1), [(side, side)] * 2) + p[f"{layer}.bias"][:, None, None]
        n, c, h, w = x.shape
        x = jax.nn.relu(x).reshape(n, c, h // 2, 2, w // 2, 2).mean((3, 5))
    x = x.reshape(len(x), -1)
    for layer in ("7", "9"):
        x = jax.nn.relu(x @ p[f"{layer}.weight"].T + p[f"{layer}.bias"])
    return x @ p["11.weight"].T + p["11.bias"]


FORWARD = {"linear": forward_linear, "mlp": forward_mlp, "lenet": forward_lenet}


class Jax:
    """All variants of a study, side by side."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.data = tuple(jnp.asarray(side.numpy()) for side in study.data)
        kind = study.data[0].numpy().dtype
        settings = [{**study.fixed, **point} for point in study.points]
        self.hyper = {
            name: jnp.asarray(np.array([each.get(name, 0.0) for each in settings], kind).reshape(study.shape))
            for name in ("lr", "weight_decay")
        }
        forward, entropy = FORWARD[study.kind], isinstance(study.loss, torch.nn.CrossEntropyLoss)

        def loss(p: Any, x: Any, y: Any) -> Any:
            output = forward(p, x)
            if not entropy:
                return jnp.mean((output - y) ** 2)
            return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(output), y[:, None], 1))

        def one(p: Any, hyper: Any, x: Any, y: Any) -> Any:
            value, found = jax.value_and_grad(loss)(p, x, y)
            lr, decay = hyper["lr"], hyper["weight_decay"]
            return jax.tree.map(lambda w, g: w - lr * (g + decay * w), p, found), value

        def step(p: Any, row: Any) -> Any:
            x, y = (side[row] for side in self.data)
            return jax.vmap(jax.vmap(one, in_axes=(0, 0, None, None)))(p, self.hyper, x, y)

        self._step = jax.jit(step)
        self._all = jax.jit(lambda p, rows: jax.lax.scan(step, p, rows))

    wide = staticmethod(jax.enable_x64)

    def begin(self) -> Weights:
        made = [self.study.made(point["seed"]) for point in self.study.points]
        named = [dict(model.named_parameters()) for model in made]
        stacked = {n: torch.stack([one[n].detach() for one in named]).unflatten(0, self.study.shape) for n in named[0]}
        self.params = {name: jnp.asarray(each.numpy()) for name, each in stacked.items()}
        return stacked

    def step(self, row: torch.Tensor) -> Weights:
        self.params, _ = self._step(self.params, jnp.asarray(row.numpy()))
        return {name: torch.from_numpy(np.array(each)) for name, each in self.params.items()}

    def run(self) -> list[float]:
        self.begin()
        return self.train()

    def train(self) -> list[float]:
        study, rows = self.study, []
        for epoch in range(1, study.epochs + 1):
            order = torch.stack([study.order(seed, epoch) for seed in study.seeds])
            rows += order.split(study.batch_size, 1)  # every batch of these studies has the same size
        _, losses = self._all(self.params, jnp.asarray(torch.stack(rows).numpy()))
        return np.asarray(losses)[-len(rows) // study.epochs :].mean(0).ravel().tolist()
