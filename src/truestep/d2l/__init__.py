"""The helper names of "Dive into Deep Learning", on top of truestep: `from truestep import d2l`, and its chapters run.

They have the book's signatures and call order, for its chapters on linear networks, multilayer perceptrons, weight
decay, dropout and LeNet in PyTorch. Where the original was not correct these are; docs/d2l.md lists it.

Source: Zhang, Lipton, Li, Smola, "Dive into Deep Learning", d2l.ai; the code here is our own.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import truestep as _ts
from truestep.d2l.counting import Accumulator, Timer
from truestep.d2l.devices import cpu, gpu, num_gpus, try_all_gpus, try_gpu
from truestep.d2l.evaluation import accuracy, evaluate_accuracy, evaluate_accuracy_gpu, evaluate_loss
from truestep.d2l.figures import Animator, plot, set_axes, set_figsize, show_images, use_svg_display
from truestep.d2l.images import get_dataloader_workers, get_fashion_mnist_labels, load_array, load_data_fashion_mnist
from truestep.d2l.networks import Residual, corr2d, linreg, sgd, squared_loss, synthetic_data
from truestep.d2l.tensors import (
    abs,
    arange,
    argmax,
    astype,
    batch_matmul,
    concat,
    cos,
    cosh,
    exp,
    expand_dims,
    eye,
    float32,
    int32,
    int64,
    linspace,
    log,
    matmul,
    meshgrid,
    nn_Module,
    normal,
    numpy,
    ones,
    ones_like,
    rand,
    randn,
    reduce_mean,
    reduce_sum,
    repeat,
    reshape,
    sigmoid,
    sin,
    sinh,
    size,
    stack,
    swapaxes,
    tanh,
    tensor,
    to,
    transpose,
    zeros,
    zeros_like,
)
from truestep.d2l.training import predict_ch3, train_ch3, train_ch6, train_epoch_ch3

if TYPE_CHECKING:
    plt: Any

__all__ = [
    "Accumulator", "Animator", "Residual", "Timer", "abs", "accuracy", "arange", "argmax", "astype", "batch_matmul",
    "concat", "corr2d", "cos", "cosh", "cpu", "evaluate_accuracy", "evaluate_accuracy_gpu", "evaluate_loss", "exp",
    "expand_dims", "eye", "float32", "get_dataloader_workers", "get_fashion_mnist_labels", "gpu", "int32", "int64",
    "linreg", "linspace", "load_array", "load_data_fashion_mnist", "log", "matmul", "meshgrid", "nn_Module", "normal",
    "num_gpus", "numpy", "ones", "ones_like", "plot", "plt", "predict_ch3", "rand", "randn", "reduce_mean",
    "reduce_sum", "repeat", "reshape", "set_axes", "set_figsize", "sgd", "show_images", "sigmoid", "sin", "sinh",
    "size", "squared_loss", "stack", "swapaxes", "synthetic_data", "tanh", "tensor", "to", "train_ch3", "train_ch6",
    "train_epoch_ch3", "transpose", "try_all_gpus", "try_gpu", "use_svg_display", "zeros", "zeros_like",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "plt":  # loaded when used
        return _ts.plot.pyplot()
    near = difflib.get_close_matches(name, __all__, n=1, cutoff=0.8)
    hint = f"did you mean {near[0]}? " if near else ""
    raise AttributeError(
        f"truestep.d2l has no {name!r}; {hint}it has the names of the book's chapters on linear networks, multilayer "
        "perceptrons, weight decay, dropout and LeNet."
    )
