"""An `.mlpackage` on disk: what it lists, checked before a byte of a model is read."""

import dataclasses
import json
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mobiconvert.mil_evaluator.coreml_proto import import_messages
from mobisdk.errors import BundleError, UnsupportedError

_LARGEST_MANIFEST_BYTES = 1 << 20
_ITEMS_FOLDER = "Data"


@dataclasses.dataclass(frozen=True)
class CoreMLPackage:
    """A package whose listed items exist, with its specification parsed."""

    path: Path
    specification: Any
    """coremltools' `Model` message."""
    model_folder: Path
    """What `@model_path` stands for in the names of weight files."""


def open_package(path: Path) -> CoreMLPackage:
    """Check the package's manifest and parse its model.

    Raises:
        BundleError: something is missing, damaged, a link, or points outside the package.
        UnsupportedError: the model is not an ML program.
    """
    manifest = _read_manifest(path)
    entries = manifest.get("itemInfoEntries")
    if not isinstance(entries, dict) or not entries:
        raise BundleError("Manifest.json of the package lists no items", got=entries)
    files = {identifier: _item_path(path, entry) for identifier, entry in entries.items()}
    root = manifest.get("rootModelIdentifier")
    if not isinstance(root, str) or root not in files:
        raise BundleError("Manifest.json names no root model", got=root, allowed="one of its itemInfoEntries")
    for file in files.values():
        _refuse_links(path, file)
    return CoreMLPackage(path, _parse_model(files[root]), files[root].parent)


def resolve_weight_file(package: CoreMLPackage, name: str) -> Path:
    """The file that a constant of the program names as `@model_path/weights/weight.bin`.

    Raises:
        BundleError: the name leads outside the package, or nothing is there.
    """
    match = re.fullmatch(r"@model_path/(.+)", name)
    if match is None:
        raise BundleError("a constant's weight file has an unusable name", got=name, allowed="@model_path/…")
    file = package.model_folder / _safe_relative(match[1], "a constant's weight file")
    _refuse_links(package.path, file)
    if not file.is_file():
        raise BundleError("the package's weight file is missing", got=name, hint="Copy the whole .mlpackage folder")
    return file


def _read_manifest(path: Path) -> dict[str, Any]:
    if not path.is_dir():
        raise BundleError("a Core ML package is a folder", got=str(path), allowed="a folder named *.mlpackage")
    file = path / "Manifest.json"
    _refuse_links(path, file)
    if not file.is_file():
        raise BundleError("the package has no Manifest.json", got=str(path), hint="Copy the whole .mlpackage folder")
    if file.stat().st_size > _LARGEST_MANIFEST_BYTES:
        raise BundleError("Manifest.json of the package is too large", got=file.stat().st_size, allowed="1 MiB")
    try:
        manifest = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as exc:
        raise BundleError("Manifest.json of the package is not JSON", got=str(exc)) from exc
    if not isinstance(manifest, dict):
        raise BundleError("Manifest.json of the package is not an object", got=type(manifest).__name__)
    return manifest


def _item_path(package: Path, entry: object) -> Path:
    path = entry.get("path") if isinstance(entry, dict) else None
    if not isinstance(path, str):
        raise BundleError("an item of Manifest.json has no path", got=entry)
    file = package / _ITEMS_FOLDER / _safe_relative(path, "an item of Manifest.json")
    if not file.exists():
        raise BundleError("an item of Manifest.json is missing", got=path, hint="Copy the whole .mlpackage folder")
    return file


def _safe_relative(name: str, what: str) -> PurePosixPath:
    parts = name.split("/")
    if "\\" in name or ":" in name or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise BundleError(f"{what} points outside the package", got=name, allowed="a relative path without '..'")
    return PurePosixPath(name)


def _refuse_links(package: Path, file: Path) -> None:
    """No link on the way from the package to the file: it could lead anywhere."""
    for step in (file, *file.parents):
        if step == package:
            return
        if step.is_symlink():
            raise BundleError("the package contains a link", got=str(step.relative_to(package)))


def _parse_model(file: Path) -> Any:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    if not file.is_file():
        raise BundleError("the package's root model is not a file", got=file.name)
    model = import_messages("Model_pb2").Model()
    try:
        model.ParseFromString(file.read_bytes())
    except DecodeError as exc:
        raise BundleError("the package's model is damaged or truncated", got=file.name) from exc
    kind = model.WhichOneof("Type")
    if kind is None:
        raise BundleError("the package's model is empty", got=file.name)
    if kind != "mlProgram":
        raise UnsupportedError(
            "only ML programs can be evaluated",
            got=kind,
            allowed="mlProgram",
            hint='Convert with convert_to="mlprogram"',
        )
    return model
