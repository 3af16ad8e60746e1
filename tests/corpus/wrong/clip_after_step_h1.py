"""A recurrent net from scratch, in the style of a textbook: the clipping stands behind the update by hand."""

import math

import torch

torch.manual_seed(3)


def get_params(vocab, hidden):
    def normal(*shape):
        return torch.randn(shape) * 0.25

    params = [
        normal(vocab, hidden),
        normal(hidden, hidden),
        torch.zeros(hidden),
        normal(hidden, vocab),
        torch.zeros(vocab),
    ]
    for param in params:
        param.requires_grad_(True)
    return params


def rnn(inputs, params):
    w_xh, w_hh, b_h, w_hq, b_q = params
    state, outputs = torch.zeros(inputs.shape[1], w_hh.shape[0]), []
    for x in inputs:
        state = torch.relu(x @ w_xh + state @ w_hh + b_h)
        outputs.append(state @ w_hq + b_q)
    return torch.cat(outputs)


def sgd(params, lr):
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad


def grad_clipping(params, theta):
    norm = torch.sqrt(sum(torch.sum(p.grad**2) for p in params))
    if norm > theta:
        for param in params:
            param.grad[:] *= theta / norm


tokens = (torch.arange(500) * 5 + (torch.rand(500) < 0.1)) % 6
params, losses = get_params(6, 24), []
for step in range(60):
    start = torch.randint(0, 460, (8,))
    x = torch.stack([tokens[s : s + 24] for s in start], 1)
    y = torch.stack([tokens[s + 1 : s + 25] for s in start], 1)
    for param in params:
        if param.grad is not None:
            param.grad.zero_()
    output = rnn(torch.nn.functional.one_hot(x, 6).float(), params)
    loss = torch.nn.functional.cross_entropy(output, y.reshape(-1))
    loss.backward()
    sgd(params, 2.0)
    grad_clipping(params, 0.1)
    losses.append(loss.item())
result = {"worst": max(losses) if all(map(math.isfinite, losses)) else math.inf}
print(f"loss {losses[-1]:.3f}")
