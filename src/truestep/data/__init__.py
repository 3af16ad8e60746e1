"""Real digits, MNIST's own files, and problems whose answers are known: tensors, ready for `fit`."""

from truestep.data.digits import Split, digits, resize
from truestep.data.fetch import fetch
from truestep.data.idx import load_idx, read_idx
from truestep.data.sources import load
from truestep.data.synthetic import blobs, curve, linear, sequences, two_moons, weight_decay

__all__ = [
    "Split",
    "blobs",
    "curve",
    "digits",
    "fetch",
    "linear",
    "load",
    "load_idx",
    "read_idx",
    "resize",
    "sequences",
    "two_moons",
    "weight_decay",
]
