"""A bundle on disk: read and checked, written whole or not at all, packed into a zip and out of it."""

import dataclasses
import hashlib
import math
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobisdk.bundle.listing import check_folder, check_names, check_zip
from mobisdk.bundle.manifest import LARGEST_MANIFEST_BYTES, MANIFEST_NAME, parse_manifest, seal_manifest
from mobisdk.errors import BundleError
from mobisdk.files import folder_atomically
from mobisdk.specs import InputSpec, TargetSpec, spec_from_dict

LABELS_NAME = "labels.txt"
_CHUNK_BYTES = 1024 * 1024
# What zipfile raises at damaged headers: features of a later version, names that are not UTF-8, an early end.
_ZIP_ERRORS = (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, EOFError)


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A folder whose manifest, names and sizes were checked; `verify_files` checks every byte."""

    path: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """`<arch>-a<alpha>-r<resolution>-<recipe>-<first 8 of bundle_id>`."""
        return bundle_name(self.manifest)

    @property
    def target(self) -> TargetSpec:
        """Where it runs."""
        fields = {field.name for field in dataclasses.fields(TargetSpec)}
        return spec_from_dict(TargetSpec, {k: v for k, v in self.manifest["target"].items() if k in fields})

    @property
    def input(self) -> InputSpec:
        """How a photograph becomes its input."""
        preprocess = self.manifest["input"]["preprocess"]
        return InputSpec(preprocess["resize"], preprocess["crop"], tuple(preprocess["mean"]), tuple(preprocess["std"]))

    @property
    def model_path(self) -> Path:
        """The `.pte` file or the `.mlpackage` folder.

        Raises:
            BundleError: the bundle lists neither, or both.
        """
        tops: set[str] = {name.split("/")[0] for name in self.manifest["files"]} & {"model.pte", "model.mlpackage"}
        if len(tops) != 1:
            raise BundleError("a bundle must hold model.pte or model.mlpackage", got=sorted(tops))
        return self.path / tops.pop()

    @property
    def size_bytes(self) -> int:
        """Bytes of the model alone: what the network adds to an app."""
        return sum(entry["size_bytes"] for name, entry in self.manifest["files"].items() if name.startswith("model."))

    @property
    def delegated_share(self) -> float:
        """Share of the multiply-adds that the backend takes, 0 to 1."""
        macs: int = self.manifest["model"]["macs"]
        return float(self.manifest["delegation"]["macs_delegated"] / macs) if macs else 1.0

    def labels(self) -> tuple[str, ...]:
        """The label of each logit."""
        return tuple((self.path / LABELS_NAME).read_text(encoding="utf-8").split("\n")[:-1])

    def golden_input(self) -> NDArray[np.uint8]:
        """The preprocessed golden image, (H,W,3) uint8.

        Raises:
            BundleError: the file has not the size that the manifest's input shape asks for.
        """
        height, width = self.manifest["input"]["shape"][2:]
        return self._array(self.manifest["golden"]["input"], "<u1", (height, width, 3)).astype(np.uint8)

    def golden_output(self) -> NDArray[np.float32]:
        """The network's logits for the golden image, (num_classes,) float32.

        Raises:
            BundleError: the file has not the size that the manifest's classes ask for.
        """
        return self._array(self.manifest["golden"]["output"], "<f4", (self.manifest["model"]["num_classes"],)).astype(
            np.float32
        )

    def _array(self, name: str, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
        if name not in self.manifest["files"]:
            raise BundleError("the manifest does not list a golden file", got=name, hint="Export it again")
        values = np.fromfile(self.path / name, dtype=dtype)
        sides = tuple(int(side) for side in shape)  # 2.0 is an integer in JSON Schema
        if values.size != math.prod(sides):
            raise BundleError(f"{name} must hold {math.prod(sides)} values of {dtype}", got=values.size)
        return values.reshape(sides)


def bundle_name(manifest: Mapping[str, Any]) -> str:
    """The folder's name, from what the manifest says."""
    model = manifest["model"]
    parts = [model["arch"] or "module"]
    if model["alpha"] is not None:
        parts.append(f"a{model['alpha']:g}")
    parts.append(f"r{manifest['input']['shape'][2]}")
    return "-".join([*parts, manifest["target"]["recipe"], manifest["bundle_id"][:8]])


def read_bundle(path: Path) -> Bundle:
    """Read a bundle's folder: the manifest with its hashes, then names, kinds and sizes, before any byte of a model.

    Raises:
        BundleError: it is no bundle, or differs from its manifest in any of these.
    """
    manifest_path = path / MANIFEST_NAME
    if path.is_symlink() or not path.is_dir():
        hint = "A zipped bundle is unpacked with `unzip`" if path.suffix == ".zip" else "See `mobisdk export`"
        raise BundleError("a bundle must be a folder", got=str(path), hint=hint)
    if manifest_path.is_symlink() or not manifest_path.is_file():
        raise BundleError(f"there is no {MANIFEST_NAME} in this folder", got=str(path), hint="See `mobisdk export`")
    with manifest_path.open("rb") as file:
        manifest = parse_manifest(file.read(LARGEST_MANIFEST_BYTES + 1))
    check_names(manifest["files"])
    check_folder(path, manifest["files"])
    return Bundle(path, manifest)


def verify_files(bundle: Bundle) -> None:
    """Compare the SHA-256 of every file with the manifest.

    Raises:
        BundleError: names the first file that differs.
    """
    for name, expected in sorted(bundle.manifest["files"].items()):
        if _sha256(bundle.path / name) != expected["sha256"]:
            raise BundleError(f"{name} is damaged: its SHA-256 is not the manifest's", hint="Copy the bundle again")


def write_bundle(content: Path, manifest: Mapping[str, Any], parent: Path) -> Bundle:
    """Seal the folder `content` with a manifest and move it to `parent`/<name>; a whole twin there is kept.

    `manifest` is complete but for `files`, `bundle_id` and `manifest_sha256`. `content` must lie on `parent`'s file
    system, since the last step is a rename.

    Raises:
        BundleError: the manifest is wrong, or another or damaged bundle has that name already.
        OSError: the disk is full, or `parent` cannot be written; nothing is left there then.
    """
    files = {
        file.relative_to(content).as_posix(): {"sha256": _sha256(file), "size_bytes": file.stat().st_size}
        for file in sorted(content.rglob("*"))
        if file.is_file()
    }
    check_names(files)
    sealed = seal_manifest({**manifest, "files": files})
    final = parent / bundle_name(parse_manifest(sealed))
    if final.exists():
        return _whole_twin(final, parse_manifest(sealed)["bundle_id"])
    with folder_atomically(final) as partial:
        for child in sorted(content.iterdir()):
            child.rename(partial / child.name)
        (partial / MANIFEST_NAME).write_bytes(sealed)
    return read_bundle(final)


def pack_bundle(bundle: Bundle, path: Path) -> None:
    """Write the bundle as one zip file of stored entries, the same bytes every time.

    Raises:
        OSError: the disk is full, or `path` cannot be written.
    """
    partial = path.with_name(f"{path.name}.mobisdk-partial")
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            for name in (MANIFEST_NAME, *sorted(bundle.manifest["files"])):
                archive.writestr(zipfile.ZipInfo(name), (bundle.path / name).read_bytes())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def unpack_bundle(path: Path, parent: Path) -> Bundle:
    """Check a zipped bundle entry by entry, then unpack it to `parent`/<name>.

    Raises:
        BundleError: it is no zip, holds entries that are not listed, compressed or links, or sizes that differ.
        OSError: the disk is full, or `parent` cannot be written; nothing is left there then.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entry = archive.NameToInfo.get(MANIFEST_NAME)
            if entry is None or entry.file_size > LARGEST_MANIFEST_BYTES or entry.compress_type != zipfile.ZIP_STORED:
                raise BundleError(f"a zipped bundle must hold {MANIFEST_NAME}, stored, at most 1 MiB", got=str(path))
            if entry.flag_bits & 1:
                raise BundleError(f"{MANIFEST_NAME} is encrypted; a zipped bundle must be stored as it is")
            sealed = archive.read(entry)
            manifest = parse_manifest(sealed)
            check_names(manifest["files"])
            check_zip(archive, manifest["files"])
            final = parent / bundle_name(manifest)
            if final.exists():
                return _whole_twin(final, manifest["bundle_id"])
            with folder_atomically(final) as partial:
                for name in (MANIFEST_NAME, *manifest["files"]):
                    target = partial / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(name) as source, target.open("xb") as copy:
                        shutil.copyfileobj(source, copy, _CHUNK_BYTES)
                verify_files(read_bundle(partial))
    except _ZIP_ERRORS as exc:
        raise BundleError(f"this is no whole zip file: {exc}", got=str(path)) from exc
    return read_bundle(final)


def _whole_twin(final: Path, bundle_id: str) -> Bundle:
    """Return the bundle that is at `final` already, where it is this one and whole."""
    hint = "Move it away, or choose another --output"
    try:
        twin = read_bundle(final)
        verify_files(twin)
    except BundleError as exc:
        raise BundleError(f"the output folder exists and is no whole bundle: {exc}", got=str(final), hint=hint) from exc
    if twin.manifest["bundle_id"] != bundle_id:
        raise BundleError("the output folder holds another bundle", got=str(final), hint=hint)
    return twin


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
