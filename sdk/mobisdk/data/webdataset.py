"""WebDataset shards: `.tar` files in which a sample is the members of one name, as `0001.jpg` beside `0001.cls`.

Read with the standard library: an image is found by its place in the shard, so that any order and any part of an epoch
can be read, which the `webdataset` package's one-way streams do not give.
"""

import os
import tarfile
from functools import partial
from pathlib import Path

from mobisdk.data.dataset import Dataset, ImageRef, drop_shared, group_files, hold_out
from mobisdk.data.folder import SUFFIXES
from mobisdk.errors import DataError

_LABEL_SUFFIX = ".cls"
_LONGEST_LABEL = 4096


def open_shards(path: Path) -> Dataset:
    """Read the shards' tables of contents; images stay where they are.

    A `.cls` member holds its sample's class, a number or a name. In a folder, shards whose names start with `train` and
    `test` (or `val`) are the splits; else a fifth of each class is held out.

    Raises:
        DataError: a shard is damaged, an image has no label, one class only, or a class with no image in a split.
    """
    groups = group_files(path, ".tar")
    ignored: list[str] = []
    samples = [[sample for shard in group for sample in _read_contents(shard, ignored)] for group in groups]
    names = sorted({label for group in samples for _, label in group}, key=_in_order)
    index = {name: position for position, name in enumerate(names)}
    splits = [[ImageRef(each.name, index[label], each.read, each.group) for each, label in group] for group in samples]
    train, test, duplicates = drop_shared(*splits) if len(splits) == 2 else hold_out(splits[0])
    return Dataset(str(path), tuple(names), train, test, duplicates, len(ignored))


def _read_contents(shard: Path, ignored: list[str]) -> list[tuple[ImageRef, str]]:
    """Every image with its label's text, in the shard's order."""
    images: dict[str, tarfile.TarInfo] = {}
    labels: dict[str, str] = {}
    try:
        with tarfile.open(shard, "r:") as archive:
            for member in archive:
                folder, _, file = member.name.rpartition("/")
                stem, dot, suffix = file.partition(".")
                key, suffix = f"{folder}/{stem}", f"{dot}{suffix}".lower()
                if not member.isfile() or file.startswith("."):
                    continue
                if suffix == _LABEL_SUFFIX and member.size <= _LONGEST_LABEL:
                    content = archive.extractfile(member)
                    labels[key] = content.read().decode().strip() if content else ""
                elif suffix in SUFFIXES:
                    images[key] = member
                else:
                    ignored.append(member.name)
    except (OSError, tarfile.TarError, UnicodeDecodeError) as error:
        raise DataError(f"the shard cannot be read ({error})", got=str(shard)) from error
    for key, member in images.items():
        if not labels.get(key):
            raise DataError(
                "an image has no label", got=f"{shard} {member.name}", allowed="a member of its name with .cls"
            )
    return [
        (ImageRef(f"{shard} {member.name}", 0, partial(_read_member, shard, member), str(shard)), labels[key])
        for key, member in images.items()
    ]


def _read_member(shard: Path, member: tarfile.TarInfo) -> bytes:
    """The bytes at the member's place; what a shard that was cut short lacks is found out by decoding."""
    try:
        descriptor = os.open(shard, os.O_RDONLY)
        try:
            os.lseek(descriptor, member.offset_data, os.SEEK_SET)
            return os.read(descriptor, member.size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise DataError(f"the shard cannot be read ({error.strerror})", got=f"{shard} {member.name}") from error


def _in_order(label: str) -> tuple[int, int, str]:
    """Numbers by their value, then names."""
    return (0, int(label), "") if label.isdecimal() else (1, 0, label)
