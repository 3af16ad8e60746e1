"""Pooling by two as arithmetic on whole images: the bits of torch's kernels, where it pays, and nowhere else."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import truestep as ts
from laws.test_repaid import World
from truestep.core.pooling import LEAST, SAME_BITS, Pooled
from truestep.core.program import same_bits, trace
from truestep.core.recording import aten
from truestep.fit import compiled, shapes, worth

SHAPES = [(64, 6, 28, 28), (128, 16, 10, 10), (2, 1, 200, 300), (6, 256, 256)]
POOLINGS = (F.avg_pool2d, F.max_pool2d)


def differentiated(pool):
    def function(image, gradient):
        image = image.detach().requires_grad_()
        pooled = pool(image)
        return pooled.detach(), torch.autograd.grad(pooled, image, gradient)[0]

    return function


def operations(program):
    return {node.target for node in program.graph.nodes if node.op == "call_function"}


def given(shape, dtype=torch.float32, memory=torch.contiguous_format):
    torch.manual_seed(0)
    image = torch.randn(shape, dtype=dtype).contiguous(memory_format=memory)
    return image, torch.randn(F.avg_pool2d(image, 2).shape, dtype=dtype)


@pytest.mark.parametrize("pool", POOLINGS, ids=["average", "greatest"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_pooling_by_two_and_its_gradient_have_the_bits_of_torch(pool, dtype, shape):
    function = differentiated(lambda image: pool(image, 2))
    image, gradient = given(shape, dtype)
    program = trace(function, (image, gradient))
    assert not operations(program) & SAME_BITS.keys()
    other = torch.randn(shape, dtype=dtype)
    other[other < -1] = 0.0  # what ties, and zeros of either sign, as ReLU and a product make them
    other[other > 2] = -0.0
    for found, expected in zip(program(other, gradient), function(other, gradient), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), float("nan")])
@pytest.mark.parametrize("pool", POOLINGS, ids=["average", "greatest"])
def test_infinity_and_nan_come_out_as_they_do_from_torch(pool, value):
    function = differentiated(lambda image: pool(image, 2))
    image, gradient = given(SHAPES[0])
    program = trace(function, (image, gradient))
    image[0, 0] = value  # whole windows
    image[1, 1, 3, 3] = value  # the last of one
    for found, expected in zip(program(image, gradient), function(image, gradient), strict=True):
        assert torch.equal(found.nan_to_num(5.0), expected.nan_to_num(5.0))


def test_the_places_of_the_greatest_are_told_as_torch_tells_them():
    image = given((4, 2, 128, 256))[0].round()  # of many that tie, the first
    program = trace(lambda image: F.max_pool2d(image, 2, return_indices=True), (image,))
    found, places = program(image)
    assert aten.max_pool2d_with_indices.default not in operations(program)
    assert torch.equal(places, F.max_pool2d(image, 2, return_indices=True)[1])
    assert places.dtype == torch.int64
    assert places.max() > 2**14
    assert torch.equal(found, F.max_pool2d(image, 2))


@pytest.mark.parametrize(
    "pool, image",
    [
        (lambda image: F.avg_pool2d(image, 3), given(SHAPES[0])[0]),
        (lambda image: F.avg_pool2d(image, 2, stride=1), given(SHAPES[0])[0]),
        (lambda image: F.avg_pool2d(image, (2, 4)), given(SHAPES[0])[0]),
        (lambda image: F.avg_pool2d(image, 2, padding=1), given(SHAPES[0])[0]),
        (lambda image: F.avg_pool2d(image, 2, divisor_override=3), given(SHAPES[0])[0]),
        (lambda image: F.max_pool2d(image, 2, dilation=2), given(SHAPES[0])[0]),
        (lambda image: F.max_pool2d(image, 2, padding=1), given(SHAPES[0])[0]),
        (lambda image: F.avg_pool2d(image, 2), given((64, 6, 28, 27))[0]),
        (lambda image: F.avg_pool2d(image, 2), given((4, 6, 28, 28))[0]),
        (lambda image: F.avg_pool2d(image, 2), given(SHAPES[0], memory=torch.channels_last)[0]),
        (lambda image: F.max_pool2d(image, 2), given(SHAPES[0], torch.bfloat16)[0]),
    ],
)
def test_any_other_pooling_is_torch_s_own(pool, image):
    program = trace(pool, (image,))
    assert operations(program) & SAME_BITS.keys()
    assert torch.equal(program(image), pool(image))


def test_what_could_be_pooled_quicker_is_counted_however_it_is_called():
    image = given(SHAPES[0])[0]
    assert image.numel() >= LEAST
    with Pooled() as seen:
        for pool in (nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AvgPool2d((2, 2), stride=2)):
            pool(image)
        F.max_pool2d(image, kernel_size=2, stride=[2, 2])
        torch.max_pool2d(input=image, kernel_size=2)
        nn.MaxPool2d(3)(image)
        nn.AvgPool2d(2)(image[:4])
        nn.Flatten()(image).sum()
    assert seen.entries == 5 * image.numel()


@dataclass
class Pools(World):
    """Where a step pools two images of so many entries."""

    entries: int = 0

    def takes(self, micros: Any) -> None:
        for _ in range(2):
            F.max_pool2d(torch.empty(1, self.entries // 64, 8, 8), 2)
        super().takes(micros)


@pytest.mark.parametrize(
    "entries, steps, program, done",
    [
        (2**20, 1000, 0.018, ["programs"]),
        (2**10, 1000, 0.018, []),
        (2**20, 40, 0.018, []),  # the 0.2 s that it takes to find out are not repaid
        (2**20, 1000, 0.025, ["programs", "programs given up"]),
    ],
)
def test_a_step_that_takes_long_is_written_down_where_it_pools_large_images(entries, steps, program, done, monkeypatch):
    """Of 25 ms little is saved by leaving torch's own calls out, and six by pooling two images of a million entries."""
    world = Pools(eager=0.025, program=program, compiled=0.017, small=False, entries=entries)
    world.train("exact", steps, monkeypatch)
    assert world.done == done


@pytest.mark.parametrize("pool, activation", [(nn.AvgPool2d, nn.Sigmoid), (nn.MaxPool2d, nn.ReLU)])
def test_a_convolutional_net_trains_to_the_same_bits_as_ever_and_as_a_program_that_pools_so(
    pool, activation, monkeypatch
):
    monkeypatch.setattr(shapes, "SEEN", 2)
    monkeypatch.setattr(shapes, "TAKEN", 0)
    monkeypatch.setattr(worth, "LEARNING", 0.0)
    monkeypatch.setattr(compiled, "PAYS", 1e9)  # however busy the machine is
    torch.manual_seed(0)
    data, ends, pooled = (torch.randn(320, 1, 28, 28), torch.randint(0, 10, (320,))), [], Pooled()
    for way in (False, "exact"):
        torch.manual_seed(1)
        model = nn.Sequential(nn.Conv2d(1, 6, 5), activation(), pool(2), nn.Flatten(), nn.Linear(864, 10))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        with pooled:
            ts.fit(model, data, nn.CrossEntropyLoss(), optimizer, epochs=3, batch_size=64, compile=way, progress=False)
        ends.append([each.detach() for each in model.parameters()])
        seen, pooled.entries = pooled.entries, 0
    assert seen < 320 * 6 * 24 * 24 * 3 / 2  # a program calls no pooling of torch
    assert all(same_bits(one, other) for one, other in zip(*ends, strict=True))
