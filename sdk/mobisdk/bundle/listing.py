"""What may lie in a bundle: names that mean one file on every file system, and no file that is not listed."""

import os
import stat
import unicodedata
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mobisdk.bundle.manifest import MANIFEST_NAME
from mobisdk.errors import BundleError

_LONGEST_PART = 200


def check_names(names: Iterable[str]) -> None:
    """Refuse names that leave the bundle, or that collide when case or Unicode form is ignored.

    Raises:
        BundleError: names the path and the reason.
    """
    seen: dict[str, str] = {_fold(MANIFEST_NAME): MANIFEST_NAME}
    files: set[str] = {MANIFEST_NAME}
    folders: set[str] = set()
    for name in names:
        parts = name.split("/")
        if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
            raise BundleError("a path in a bundle must be relative", got=name)
        if any(part in ("", ".", "..") for part in parts):
            raise BundleError("a path in a bundle must not leave it", got=name)
        if any(ord(letter) < 32 or letter in '\\:*?"<>|\x7f' for letter in name):
            raise BundleError("a path in a bundle has a character that some file system forbids", got=name)
        if any(len(part) > _LONGEST_PART for part in parts):
            raise BundleError("a path in a bundle is too long", got=name, allowed=f"{_LONGEST_PART} characters a part")
        if name in files:
            raise BundleError("a path stands twice in a bundle", got=name)
        files.add(name)
        for depth in range(1, len(parts) + 1):
            prefix = "/".join(parts[:depth])
            if depth < len(parts):
                folders.add(prefix)
            if seen.setdefault(_fold(prefix), prefix) != prefix:
                raise BundleError("two paths in a bundle differ only in case or Unicode form", got=name)
    both = sorted(files & folders)
    if both:
        raise BundleError("a path in a bundle is both a file and a folder", got=both[0])


def check_folder(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Compare a folder with the manifest's `files`: the same regular files, of the same sizes, and no links.

    Raises:
        BundleError: names the first path that differs.
    """
    found: dict[str, int] = {}
    for directory, directories, names in os.walk(folder):
        for name in (*directories, *names):
            path = Path(directory) / name
            status = path.lstat()
            relative = path.relative_to(folder).as_posix()
            if stat.S_ISREG(status.st_mode):
                found[relative] = status.st_size
            elif not stat.S_ISDIR(status.st_mode):
                raise BundleError("a bundle may hold only files and folders, no links or devices", got=relative)
    found.pop(MANIFEST_NAME, None)
    _compare(found, files)


def check_zip(archive: zipfile.ZipFile, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Compare a zipped bundle with the manifest's `files`: stored, unencrypted, the same names and sizes, no links.

    Raises:
        BundleError: names the first entry that differs.
    """
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    check_names(entry.filename for entry in entries if entry.filename != MANIFEST_NAME)
    found = {}
    for entry in entries:
        mode = entry.external_attr >> 16
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size or entry.flag_bits & 1:
            raise BundleError("an entry of a zipped bundle must be stored as it is", got=entry.filename)
        if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
            raise BundleError("a bundle may hold only files and folders, no links or devices", got=entry.filename)
        found[entry.filename] = entry.file_size
    if sum(entry.filename == MANIFEST_NAME for entry in entries) != 1:
        raise BundleError(f"a zipped bundle must hold {MANIFEST_NAME} once")
    del found[MANIFEST_NAME]
    _compare(found, files)


def _compare(found: Mapping[str, int], files: Mapping[str, Mapping[str, Any]]) -> None:
    for name in sorted(found.keys() - files.keys()):
        raise BundleError("a bundle holds a file that its manifest does not list", got=name)
    for name in sorted(files.keys() - found.keys()):
        raise BundleError("a bundle lacks a file that its manifest lists", got=name, hint="Copy it again, whole")
    for name, size in sorted(found.items()):
        expected = files[name]["size_bytes"]
        if size != expected:
            raise BundleError(f"{name} must have {expected} bytes", got=size, hint="Copy the bundle again, whole")


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
