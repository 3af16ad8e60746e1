"""Data in batches: arrays in memory, and the pictures of clothes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

import truestep as ts

_CLOTHES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


def load_array(data_arrays: Sequence[Tensor], batch_size: int, is_train: bool = True) -> DataLoader:
    """Batches of tensors of one length, such as `(features, labels)`; shuffled where `is_train`.

    Raises `ShapeError` where they are of different lengths.
    """
    lengths = [len(array) for array in data_arrays]
    if len(set(lengths)) > 1:
        raise ts.ShapeError(f"load_array got tensors of {' and '.join(map(str, lengths))} samples: give equally many.")
    return DataLoader(TensorDataset(*data_arrays), batch_size, shuffle=is_train)


def get_fashion_mnist_labels(labels: Iterable[Any]) -> list[str]:
    """The name of each label of Fashion-MNIST. Raises `DataError` for a label that is not one of 0 to 9."""
    return _named(labels, _CLOTHES)


def get_dataloader_workers() -> int:
    """Processes that read data: four, as in the book, or as many as there are processors."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(4, usable or 1)


class Pictures(Dataset):
    """Images (N, 1, H, W) in memory with their labels (N,); each is resized when it is read, which spares the memory.

    `classes` names the classes.
    """

    def __init__(self, pair: tuple[Tensor, Tensor], classes: tuple[str, ...], size: int | None) -> None:
        self.images, self.labels = pair
        self.classes, self.size = classes, size

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """A whole batch at once, which is how a `DataLoader` asks."""
        index = torch.as_tensor(indices)
        images = self.images[index]
        return images if self.size is None else ts.data.resize(images, self.size), self.labels[index]

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        images, labels = self.__getitems__([index])
        return images[0], int(labels)


def load_data_fashion_mnist(
    batch_size: int, resize: int | None = None, *, root: str | os.PathLike[str] | None = None, fetch: bool = False
) -> tuple[DataLoader, DataLoader]:
    """Fashion-MNIST in batches to train (shuffled) and to test: images (N, 1, 28, 28) in [0, 1], labels (N,).

    The files are looked for as by `ts.data.load`: in the folder that TRUESTEP_DATA names, and where earlier ones were
    kept. Nothing is fetched unasked. `TRUESTEP_DATA=digits` lets the shipped digits stand in, which is said.

    Args:
        batch_size: images a batch.
        resize: side of the images in pixels; None leaves 28.
        root: the folder to look in, in place of those above.
        fetch: fetch the 30 MB from the public mirrors where they are missing.

    Raises:
        DataError: where the files are missing, with the ways to get them.
        ConfigError: for a size that is none.
    """
    split = ts.data.load("fashion-mnist", root=root, fetch=fetch)
    if resize is not None:
        ts.data.resize(split.test[0][:1], resize)  # a wrong size is said now, and not in the first batch
    if split.note:
        print(split.note, file=sys.stderr)
    classes = _CLOTHES if split.name == "fashion-mnist" else split.classes
    train, test = (Pictures(pair, classes, resize) for pair in split)
    return _batches(train, batch_size, shuffle=True), _batches(test, batch_size, shuffle=False)


def class_names(data_iter: Any, labels: Iterable[Any]) -> list[str]:
    """The name of each label in the data set of a loader, or in Fashion-MNIST where that names none."""
    return _named(labels, getattr(getattr(data_iter, "dataset", None), "classes", _CLOTHES))


def _named(labels: Iterable[Any], classes: Sequence[str]) -> list[str]:
    numbers = [int(label) for label in labels]
    for number in numbers:
        if not 0 <= number < len(classes):
            raise ts.DataError(f"the label {number} is no class: there are {len(classes)}, 0 to {len(classes) - 1}.")
    return [str(classes[number]) for number in numbers]


def _batches(pictures: Pictures, batch_size: int, shuffle: bool) -> DataLoader:
    # No processes: the pictures are in memory, and a batch of them is one look-up.
    return DataLoader(pictures, batch_size, shuffle=shuffle, collate_fn=_as_it_is)


def _as_it_is(batch: Any) -> Any:
    return batch
