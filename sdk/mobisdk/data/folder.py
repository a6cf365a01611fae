"""A folder of class folders: `cats/1.jpg`, `dogs/1.jpg`, or the same below `train/` and `test/`."""

from collections.abc import Iterator
from pathlib import Path

from mobisdk.data.dataset import Dataset, ImageRef, drop_shared, hold_out
from mobisdk.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
_HELD_OUT_NAMES = ("test", "val")
"""The first that is there is the held-out split."""


def open_folder(folder: Path) -> Dataset:
    """Read the tree: the class folders' names, sorted, are the classes.

    Where the only folders are `train/` and `test/` (or `val/`), they are the splits; else a fifth of each class is
    held out.

    Raises:
        DataError: there is no class folder or no image, one class only, or a class with no image in a split.
    """
    directories = _directories(folder)
    names = {directory.name for directory in directories}
    if names == {"train"}:
        raise DataError(
            f"{folder} has train/ and nothing to test on", got=sorted(names), hint="Add test/, or name train/"
        )
    is_split = "train" in names and names <= {"train", *_HELD_OUT_NAMES}
    held_out = next((name for name in _HELD_OUT_NAMES if name in names), "") if is_split else ""
    roots = [folder / "train", folder / held_out] if is_split else [folder]
    classes = tuple(sorted({directory.name for root in roots for directory in _directories(root)}))
    files = [[(path, label) for label, name in enumerate(classes) for path in _files(root / name)] for root in roots]
    splits = [
        [ImageRef(str(path), label, path.read_bytes) for path, label in split if path.suffix.lower() in SUFFIXES]
        for split in files
    ]
    train, test, duplicates = drop_shared(*splits) if is_split else hold_out(splits[0])
    ignored = sum(map(len, files)) - sum(map(len, splits))
    return Dataset(str(folder), classes, train, test, duplicates, ignored)


def _directories(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _files(folder: Path) -> Iterator[Path]:
    """Every file below the class folder, in the names' order; hidden ones are the system's."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))
