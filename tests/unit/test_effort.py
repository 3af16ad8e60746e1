"""What arithmetic takes at least, from shapes alone: it decides which steps are taken several a call."""

import pytest
import torch
from torch.nn import functional as F

from truestep.core.effort import BYTES, FLOPS, effort
from truestep.core.program import trace
from truestep.fit.compiled import SMALL


def test_a_product_counts_its_multiplications_and_what_it_writes():
    program = trace(torch.mm, (torch.ones(30, 50), torch.ones(50, 20)))
    assert effort(program) == pytest.approx(2 * 30 * 50 * 20 / FLOPS + 30 * 20 * 4 / BYTES)
    twice = trace(torch.mm, (torch.ones(30, 50).double(), torch.ones(50, 20).double()))
    assert effort(twice) == pytest.approx(2 * 30 * 50 * 20 / FLOPS + 30 * 20 * 8 / BYTES)


def test_a_convolution_counts_its_kernel_and_its_gradient_twice():
    x, kernel = torch.ones(2, 3, 8, 8), torch.ones(5, 3, 3, 3)
    forward = 2 * (2 * 5 * 6 * 6) * (3 * 3 * 3) / FLOPS
    assert effort(trace(F.conv2d, (x, kernel))) == pytest.approx(forward + 2 * 5 * 6 * 6 * 4 / BYTES)

    def slope(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        leaf = kernel.detach().requires_grad_()
        return torch.autograd.grad(F.conv2d(x, leaf).sum(), leaf)[0]

    assert effort(trace(slope, (x, kernel))) > 3 * forward


@pytest.mark.parametrize("inputs, outputs, batch, small", [(2, 1, 10, True), (784, 10, 256, False)])
def test_a_line_is_small_and_a_softmax_of_images_is_not(inputs: int, outputs: int, batch: int, small: bool):
    """Gathering ten batches of images at once costs more than the calls that it saves."""
    given = torch.ones(batch, inputs), torch.ones(outputs, inputs), torch.ones(batch, outputs)
    program = trace(lambda x, w, g: (x @ w.t(), g.t() @ x), given)
    assert (effort(program) < SMALL) == small
