"""Files and folders that appear whole or not at all."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

PARTIAL_MARK = ".mobisdk-partial"


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside `path`, fsync, rename: a reader sees the old file or the new one, never half of one.

    Raises:
        OSError: the disk is full, or the folder cannot be written; `path` is then as it was.
    """
    partial = _partial_beside(path)
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(path.parent)


@contextlib.contextmanager
def folder_atomically(path: Path) -> Iterator[Path]:
    """Give an empty folder beside `path` to fill; on leaving, it is synced and renamed to `path`.

    An exception, Ctrl-C included, removes the partial folder and leaves no `path`.

    Raises:
        OSError: the disk is full, `path` exists and is not empty, or its parent cannot be written.
    """
    partial = _partial_beside(path)
    partial.mkdir()
    try:
        yield partial
        for directory, _, names in os.walk(partial):
            for name in names:
                with (Path(directory) / name).open("rb") as file:
                    os.fsync(file.fileno())
            _sync_folder(Path(directory))
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    _sync_folder(path.parent)


def remove_partials(folder: Path) -> None:
    """Remove what a process that was killed, and is gone, had begun to write into `folder`.

    Raises:
        OSError: it cannot be removed.
    """
    for partial in folder.glob(f"{PARTIAL_MARK}-*"):
        partial.unlink()


def _partial_beside(path: Path) -> Path:
    return path.parent / f"{PARTIAL_MARK}-{uuid.uuid4().hex[:12]}"


def _sync_folder(path: Path) -> None:
    """Make a rename durable; Windows cannot open a folder and has no need to."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
