"""The 1,797 real handwritten digits that are shipped with the library, so that a first run fetches nothing."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from truestep.core.errors import ConfigError, DataError

Pair = tuple[Tensor, Tensor]

DIGITS = tuple("0123456789")
FILE = Path(__file__).with_name("digits.npz")
SHA256 = "b2dab7b501728c22e9119ad76740b2e17c77a231e42d1e592380d90886f1a05e"
TRAIN = 1437  # of 1,797: four fifths; the last 360 are the test set


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """A data set in two parts, each `(inputs, targets)`; `train, test = split` takes it apart.

    `classes` names the classes where the targets are labels; `note` says in words what a reader of a result should
    know of how the split was made, and is empty where there is nothing to say.
    """

    train: Pair
    test: Pair
    name: str = ""
    classes: tuple[str, ...] = ()
    note: str = ""

    def __iter__(self) -> Iterator[Pair]:
        return iter((self.train, self.test))

    def __repr__(self) -> str:
        inputs = " x ".join(str(extent) for extent in self.train[0].shape[1:])
        note = f"; {self.note}" if self.note else ""
        return f"Split({self.name}: {len(self.train[0]):,} to train, {len(self.test[0]):,} to test, of {inputs}{note})"


def digits(size: int = 28) -> Split:
    """The UCI handwritten digits: 1,437 to train, the last 360 to test, in the order of the published file.

    Images are float32 (N, 1, size, size) in [0, 1], which is ink / 16 (`size` in pixels; 8 leaves them as they are, any
    other is a bilinear resize); labels are int64 (N,), 0 to 9. The split is fixed and not shuffled. Neighbours in the
    file tend to be by one hand, so most test digits are by hands that the training never saw: the nearest training
    image names 95.6 % of them right, and 98.8 % under a shuffled split.

    Raises ConfigError for a size that is no positive integer, DataError where the shipped file is missing or damaged.
    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI (1998), CC BY 4.0; see DIGITS.md.
    """
    ink, labels = _shipped()
    images = resize(ink.to(torch.float32).div_(16).unsqueeze_(1), size)
    train, test = (images[:TRAIN], labels[:TRAIN]), (images[TRAIN:], labels[TRAIN:])
    return Split(train, test, name="digits", classes=DIGITS)


def resize(images: Tensor, size: int) -> Tensor:
    """Resize images (N, C, H, W) to (N, C, size, size) bilinearly, with averaging where they shrink.

    Images of that size already are returned as they are. Raises ConfigError for a size that is no positive integer.
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ConfigError(f"size is {size!r}, and an image's side is a whole number of pixels, 1 or more, such as 28")
    if images.shape[-2:] == (size, size):
        return images
    # align_corners=False treats pixels as areas: the outline keeps its place and weight at every size.
    resized = functional.interpolate(images, (size, size), mode="bilinear", align_corners=False, antialias=True)
    return resized.clamp_(0, 1)


def _shipped() -> tuple[Tensor, Tensor]:
    """Ink uint8 (1797, 8, 8), 0 to 16, and labels int64 (1797,), after a look at the file's checksum."""
    try:
        content = FILE.read_bytes()
    except OSError as error:
        raise DataError(
            f"{FILE}: the shipped digits cannot be read ({error.strerror}); install truestep again"
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise DataError(
            f"{FILE}: the shipped digits are damaged (sha256 {found[:12]}..., and {SHA256[:12]}... was shipped); "
            "install truestep again"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["labels"]).to(torch.int64)
