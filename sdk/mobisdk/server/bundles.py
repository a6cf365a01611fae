"""The bundles of a folder: whole ones are offered, others named with the reason; a file is watched while it is sent."""

import dataclasses
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from mobisdk.bundle import Bundle, read_bundle, verify_files
from mobisdk.bundle.manifest import MANIFEST_NAME
from mobisdk.errors import BundleError

_CHUNK_BYTES: Final = 256 * 1024
_Stamp = tuple[int, int, int, int]
"""What the file system changes with a file: its number, size and two times, in nanoseconds."""


@dataclasses.dataclass(frozen=True)
class BundleSummary:
    """What a list of bundles tells of one."""

    bundle_id: str
    variant_id: str
    name: str
    platform: str
    recipe: str
    arch: str | None
    alpha: float | None
    resolution: int | None
    weights_source: str
    size_bytes: int
    """Of every file together: what a phone downloads."""
    created_at: str


@dataclasses.dataclass(frozen=True)
class OpenFile:
    """A file of a bundle, open for reading, whose bytes had this hash when they were last read whole."""

    descriptor: int
    size_bytes: int
    sha256: str
    stamp: _Stamp

    def read(self, first: int, last: int) -> Iterator[bytes]:
        """Give the bytes from `first` to `last`, and close the file.

        Raises:
            BundleError: the file was changed meanwhile; the last piece is not given then.
        """
        try:
            position = first
            while position <= last:
                piece = os.pread(self.descriptor, min(_CHUNK_BYTES, last + 1 - position), position)
                if not piece or _stamp(os.fstat(self.descriptor)) != self.stamp:
                    raise BundleError("a file of a bundle was changed while it was sent")
                position += len(piece)
                yield piece
        finally:
            self.close()

    def close(self) -> None:
        """Close the file."""
        os.close(self.descriptor)


@dataclasses.dataclass(frozen=True)
class _Entry:
    bundle: Bundle
    summary: BundleSummary
    stamps: dict[str, _Stamp]
    hashes: dict[str, str]


class BundleCatalog:
    """The bundles in `folder`, read anew where something there changed. Every method may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[_Stamp, _Entry | str]] = {}

    def list_bundles(self) -> list[BundleSummary]:
        """Every whole bundle, the newest first; of equal ones in two folders, one."""
        found = {entry.summary.bundle_id: entry.summary for entry in self._entries().values()}
        return sorted(found.values(), key=lambda summary: (summary.created_at, summary.bundle_id), reverse=True)

    def macs_by_variant(self) -> dict[str, int]:
        """Multiply-adds of every variant that a whole bundle is of."""
        found = self._entries().values()
        return {entry.summary.variant_id: entry.bundle.manifest["model"]["macs"] for entry in found}

    def list_refused(self) -> dict[str, str]:
        """Why folders that hold a manifest are not offered, by their names."""
        self._scan()
        return {path.name: entry for path, (_, entry) in sorted(self._read.items()) if isinstance(entry, str)}

    def open_file(self, bundle_id: str, name: str) -> OpenFile | None:
        """Open the manifest or a file that it lists; null where there is none of this name.

        Raises:
            BundleError: it is not what the manifest says any more.
        """
        entry = self._entries().get(bundle_id)
        if entry is None or name not in entry.hashes:
            return None
        return _open_unchanged(entry, name)

    def _entries(self) -> dict[str, _Entry]:
        self._scan()
        entries = [entry for _, entry in self._read.values() if isinstance(entry, _Entry)]
        return {entry.summary.bundle_id: entry for entry in entries}

    def _scan(self) -> None:
        with self._lock:
            found: dict[Path, tuple[_Stamp, _Entry | str]] = {}
            for path in _folders(self.folder):
                try:
                    stamp = _stamp((path / MANIFEST_NAME).lstat())
                except OSError:
                    continue
                known = self._read.get(path)
                found[path] = known if known and known[0] == stamp else (stamp, _read_entry(path))
            self._read = found


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []


def _read_entry(path: Path) -> _Entry | str:
    try:
        bundle = read_bundle(path)
        names = (MANIFEST_NAME, *bundle.manifest["files"])
        stamps = {name: _stamp((path / name).lstat()) for name in names}  # before the hashes: a later change shows
        verify_files(bundle)
        content = (path / MANIFEST_NAME).read_bytes()
    except (BundleError, OSError) as exc:
        return str(exc)
    hashes = {name: entry["sha256"] for name, entry in bundle.manifest["files"].items()}
    hashes[MANIFEST_NAME] = hashlib.sha256(content).hexdigest()
    return _Entry(bundle, _summarize(bundle), stamps, hashes)


def _summarize(bundle: Bundle) -> BundleSummary:
    manifest: dict[str, Any] = dict(bundle.manifest)
    model = manifest["model"]
    return BundleSummary(
        bundle_id=manifest["bundle_id"],
        variant_id=manifest["variant_id"],
        name=bundle.name,
        platform=manifest["target"]["platform"],
        recipe=manifest["target"]["recipe"],
        arch=model["arch"],
        alpha=model["alpha"],
        resolution=model["resolution"],
        weights_source=model["weights"]["source"],
        size_bytes=sum(entry["size_bytes"] for entry in manifest["files"].values()),
        created_at=manifest["created_at"],
    )


def _open_unchanged(entry: _Entry, name: str) -> OpenFile:
    try:
        descriptor = os.open(entry.bundle.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as exc:
        raise _changed(name) from exc
    try:
        _check_unchanged(entry, name, descriptor)
        status = os.fstat(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return OpenFile(descriptor, status.st_size, entry.hashes[name], entry.stamps[name])


def _check_unchanged(entry: _Entry, name: str, descriptor: int) -> None:
    """Make sure that the file is the manifest's: by its stamp, or where that is another by its hash."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise _changed(name)
    if _stamp(status) != entry.stamps[name]:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != entry.hashes[name] or _stamp(os.fstat(descriptor)) != _stamp(status):
            raise _changed(name)
        entry.stamps[name] = _stamp(status)


def _changed(name: str) -> BundleError:
    return BundleError(f"{name} was changed on the server since it was exported", hint="Export the bundle again")


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
