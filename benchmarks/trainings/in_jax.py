"""The same trainings in JAX: a jitted `scan` over the steps of an epoch, gathering as it goes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from trainings.workload import Training, Weights


def linear(p: Any, x: Any) -> Any:
    return x @ p["weight"].T + p["bias"]


def dense(p: Any, name: str, x: Any) -> Any:
    return x @ p[f"{name}weight"].T + p[f"{name}bias"]


def mlp(p: Any, x: Any) -> Any:
    x = dense(p, "1.", x.reshape(len(x), -1))
    return dense(p, "3.", jax.nn.relu(x)) if "3.weight" in p else x


def lenet(p: Any, x: Any) -> Any:
    for layer, side in (("0", 2), ("3", 0)):
        x = jax.lax.conv_general_dilated(x, p[f"{layer}.weight"], (1, 1), [(side, side)] * 2)
        x = jax.nn.sigmoid(x + p[f"{layer}.bias"][:, None, None])
        n, c, h, w = x.shape
        x = x.reshape(n, c, h // 2, 2, w // 2, 2).mean((3, 5))
    x = x.reshape(len(x), -1)
    for layer in ("7.", "9."):
        x = jax.nn.sigmoid(dense(p, layer, x))
    return dense(p, "11.", x)


def norm(p: Any, name: str, x: Any) -> Any:
    centred = x - x.mean(-1, keepdims=True)
    return centred / jnp.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * p[f"{name}weight"] + p[f"{name}bias"]


def transformer(p: Any, tokens: Any) -> Any:
    x = p["token.weight"][tokens] + p["place"]
    n, t, d = x.shape
    for at in ("layers.layers.0.", "layers.layers.1."):
        three = norm(p, at + "norm1.", x) @ p[at + "self_attn.in_proj_weight"].T + p[at + "self_attn.in_proj_bias"]
        q, k, v = jnp.moveaxis(three.reshape(n, t, 3, 4, d // 4), 2, 0)
        weight = jax.nn.softmax(jnp.einsum("nqhd,nkhd->nhqk", q, k) / (d // 4) ** 0.5)
        mixed = jnp.einsum("nhqk,nkhd->nqhd", weight, v).reshape(n, t, d)
        x = x + dense(p, at + "self_attn.out_proj.", mixed)
        hidden = jax.nn.gelu(dense(p, at + "linear1.", norm(p, at + "norm2.", x)), approximate=False)
        x = x + dense(p, at + "linear2.", hidden)
    return jnp.moveaxis(dense(p, "head.", x), 1, 2)


FORWARD = {"linear": linear, "mlp": mlp, "lenet": lenet, "transformer": transformer}


def train(kind: str, training: Training) -> None:
    entropy, lr, batch = isinstance(training.loss, torch.nn.CrossEntropyLoss), training.lr, training.batch

    def loss(p: Any, x: Any, y: Any) -> Any:
        output = FORWARD[kind](p, x)
        if not entropy:
            return jnp.mean((output - y) ** 2)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(output, 1), y[:, None], 1))

    def step(p: Any, rows: Any) -> Any:
        x, y = rows
        value, found = jax.value_and_grad(loss)(p, x, y)
        return jax.tree.map(lambda w, g: w - lr * g, p, found), value

    def epoch(p: Any, data: Any, order: Any) -> Any:
        return jax.lax.scan(lambda p, row: step(p, [side[row] for side in data]), p, order)

    whole, one = jax.jit(epoch), jax.jit(step)
    with jax.enable_x64(next(training.model.parameters()).dtype == torch.float64):
        data = tuple(jnp.asarray(side.numpy()) for side in training.data)
        params = {name: jnp.asarray(each.numpy()) for name, each in training.weights().items()}
        for _ in range(training.epochs):
            order = torch.randperm(len(data[0])).view(-1, batch).numpy()
            if kind == "lenet":  # XLA's convolutions are ten times as slow inside a loop
                for row in order:
                    params, losses = one(params, [side[row] for side in data])
            else:
                params, losses = whole(params, data, order)
            float(losses.mean())
            training.ended(lambda params=params: _torch(params))


def _torch(params: Any) -> Weights:
    return {name: torch.from_numpy(np.array(each)) for name, each in params.items()}
