"""Data sets by name: where they are looked for, and what is said where they are not."""

import difflib
import hashlib
import os
from pathlib import Path

from truestep.core.errors import ConfigError, DataError
from truestep.data.digits import DIGITS, Split, digits, resize
from truestep.data.fetch import PUBLISHED
from truestep.data.fetch import fetch as fetch_files
from truestep.data.idx import holds_idx, load_idx

CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
CLASSES = {"digits": DIGITS, "mnist": DIGITS, "fashion-mnist": CLOTHES}
# Below a folder that is named: its own subfolder, torchvision's, and last the folder itself.
PLACES = {"mnist": ("mnist", "MNIST/raw", "."), "fashion-mnist": ("fashion-mnist", "FashionMNIST/raw", ".")}
VARIABLE = "TRUESTEP_DATA"


def load(
    name: str | os.PathLike[str] = "digits",
    size: int = 28,
    root: str | os.PathLike[str] | None = None,
    fetch: bool = False,
) -> Split:
    """Load a data set by name, "digits", "mnist" or "fashion-mnist", or from the path of a folder of IDX files.

    Images are float32 (N, 1, size, size) in [0, 1], resized where they are of another size; labels are int64 (N,).
    "digits" is shipped. The other two are looked for in `root`; without it in the folder that TRUESTEP_DATA names, then
    where `fetch` keeps them (~/.cache/truestep). TRUESTEP_DATA=digits makes the shipped digits stand in for them, and
    the split's `note` says so. `fetch=True` fetches what is missing, into the first of those folders.

    Raises ConfigError for an unknown name or a wrong size, DataError for files that are missing or broken.
    """
    if name == "digits":
        return digits(size)
    if name in PLACES:
        split = _named(str(name), size, root, fetch)
    elif isinstance(name, os.PathLike) or os.sep in name or Path(name).is_dir():
        split = load_idx(Path(name).expanduser())
    else:
        near = difflib.get_close_matches(name.lower(), CLASSES, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"there is no data set {name!r}; {hint}the names are {', '.join(CLASSES)}, or give a folder")
    (train, train_labels), (test, test_labels) = split
    train, test = resize(train, size), resize(test, size)
    return Split((train, train_labels), (test, test_labels), split.name, split.classes, split.note)


def _named(name: str, size: int, root: str | os.PathLike[str] | None, fetch: bool) -> Split:
    folders = _folders(name, root)
    if folders is None:
        return _stand_in(name, size)
    for folder in folders:
        for place in PLACES[name]:
            if holds_idx(folder / place) and not _is_another(folder / place, name):
                return load_idx(folder / place, name, CLASSES[name])
    if fetch:
        return load_idx(fetch_files(name, folders[0] / name), name, CLASSES[name])
    looked = " and ".join(str(folder) for folder in folders)
    raise DataError(
        f"{name} is not in {looked} (looked in {', '.join(PLACES[name])} there); set {VARIABLE} to the folder of its "
        f"files, fetch it with truestep.data.load({name!r}, fetch=True), or set {VARIABLE}=digits to take the shipped "
        "digits in its place"
    )


def _folders(name: str, root: str | os.PathLike[str] | None) -> list[Path] | None:
    """The folders to look in, the first one first; None where the environment says that the digits stand in."""
    if root is not None:
        return [Path(root).expanduser()]
    setting = os.environ.get(VARIABLE, "")
    if setting == "digits":
        return None
    kept = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "truestep").expanduser()
    return [Path(setting).expanduser(), kept] if setting else [kept]


def _is_another(folder: Path, name: str) -> bool:
    """Whether these are the published files of another set: both sets use the same file names."""
    for other, published in PUBLISHED.items():
        labels = published.files[-1]
        path = folder / labels.name
        if other != name and path.is_file() and path.stat().st_size == labels.bytes:
            return hashlib.sha256(path.read_bytes()).hexdigest() == labels.sha256
    return False


def _stand_in(name: str, size: int) -> Split:
    train, test = digits(size)
    note = f"the shipped digits stand in for {name} ({VARIABLE}=digits)"
    return Split(train, test, "digits", DIGITS, note)
