"""Models, losses and updates that the book writes out by hand."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

import truestep as ts


def synthetic_data(w: Tensor, b: float | Tensor, num_examples: int) -> tuple[Tensor, Tensor]:
    """Samples of `y = X w + b + noise`: X (num_examples, len(w)) standard normal, y (num_examples, 1), noise 0.01.

    The precision and the device are those of `w`, and the numbers are drawn from torch's global generator.
    """
    X = torch.normal(0.0, 1.0, (num_examples, len(w))).to(w)
    y = X @ w + b
    y = y + torch.normal(0.0, 0.01, y.shape).to(w)
    return X, y.reshape(-1, 1)


def linreg(X: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Linear regression: `X w + b`."""
    return X @ w + b


def squared_loss(y_hat: Tensor, y: Tensor) -> Tensor:
    """`(y_hat - y)^2 / 2`, one element each; `y` takes the shape of `y_hat`."""
    return (y_hat - y.reshape(y_hat.shape)) ** 2 / 2


def sgd(params: Iterable[Tensor], lr: float, batch_size: float) -> None:
    """Minibatch gradient descent: `param -= lr * grad / batch_size` of summed gradients, which are then cleared.

    A parameter that the loss did not reach has no gradient, and stays.
    """
    with torch.no_grad():
        for param in params:
            grad = param.grad
            if grad is not None:
                param -= lr * grad / batch_size
                grad.zero_()


def corr2d(X: Tensor, K: Tensor) -> Tensor:
    """Cross-correlation in two dimensions: `Y[i, j] = sum of X[i : i + h, j : j + w] * K`.

    X (H, W) and K (h, w) give Y (H - h + 1, W - w + 1), in their common precision. Raises `ShapeError` where the kernel
    is larger than the image.
    """
    if X.dim() != 2 or K.dim() != 2 or any(k > x for k, x in zip(K.shape, X.shape, strict=True)):
        raise ts.ShapeError(
            f"corr2d got an image of shape {tuple(X.shape)} and a kernel of shape {tuple(K.shape)}: both must be "
            "matrices, and the kernel no larger than the image."
        )
    windows = X.unfold(0, K.shape[0], 1).unfold(1, K.shape[1], 1)
    return (windows * K).sum((-2, -1))


class Residual(nn.Module):
    """A residual block: `relu(X + bn(conv(relu(bn(conv(X))))))`, with 3x3 kernels.

    Args:
        input_channels: channels of X (N, input_channels, H, W).
        num_channels: channels of the output.
        use_1x1conv: whether X passes a 1x1 convolution first, as it must where channels or size change.
        strides: of the first convolution, and of that on X.

    Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2016.
    """

    def __init__(self, input_channels: int, num_channels: int, use_1x1conv: bool = False, strides: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(input_channels, num_channels, kernel_size=3, padding=1, stride=strides)
        self.conv2 = nn.Conv2d(num_channels, num_channels, kernel_size=3, padding=1)
        straight = use_1x1conv
        self.conv3 = nn.Conv2d(input_channels, num_channels, kernel_size=1, stride=strides) if straight else None
        self.bn1, self.bn2 = nn.BatchNorm2d(num_channels), nn.BatchNorm2d(num_channels)

    def forward(self, X: Tensor) -> Tensor:
        """The output, of shape (N, num_channels, H / strides, W / strides)."""
        Y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(X)))))
        return functional.relu(Y + (X if self.conv3 is None else self.conv3(X)))
