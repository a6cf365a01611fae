"""Python held to every bundle of `bundles/`, good and bad, folders and zips."""

import json
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

from mobisdk.bundle import read_bundle, unpack_bundle, verify_files
from mobisdk.errors import BundleError

FOLDER = Path(__file__).with_name("bundles")
CASES: list[dict[str, Any]] = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
ZIPS: list[dict[str, Any]] = json.loads((FOLDER / "zips.json").read_text(encoding="utf-8"))


def build(case: dict[str, Any], parent: Path) -> Path:
    folder = parent / "bundle"
    shutil.copytree(FOLDER / case["base"], folder)
    content, position = b"", 0
    before = (folder / "manifest.json").read_bytes()
    for edit in case.get("manifest_edits", []):
        inserted = bytes.fromhex(edit["insert_hex"]) if "insert_hex" in edit else edit["insert"].encode()
        content += before[position : edit["at"]] + inserted * edit.get("times", 1)
        position = edit["at"] + edit["remove"]
    (folder / "manifest.json").write_bytes(content + before[position:])
    files = case.get("files", {})
    for name in files.get("remove", []):
        (folder / name).unlink()
    for name in files.get("folder", []):
        (folder / name).mkdir()
    for name, text in files.get("write", {}).items():
        (folder / name).write_bytes(text.encode())
    for name, text in files.get("write_outside", {}).items():
        (parent / name).write_bytes(text.encode())
    for name, target in files.get("link", {}).items():
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
    return folder


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_folder_is_used_or_refused(case: dict[str, Any], tmp_path: Path) -> None:
    folder = build(case, tmp_path)
    if case["expect"] == "use":
        bundle = read_bundle(folder)
        verify_files(bundle)
        assert bundle.manifest == json.loads((folder / "manifest.json").read_bytes())
        return
    with pytest.raises(BundleError) as refusal:
        verify_files(read_bundle(folder))
    assert case["names"] in str(refusal.value)


@pytest.mark.parametrize("case", ZIPS, ids=[case["name"] for case in ZIPS])
def test_zip_is_used_or_refused_and_leaves_nothing(case: dict[str, Any], tmp_path: Path) -> None:
    if case["expect"] == "use":
        verify_files(unpack_bundle(FOLDER / case["zip"], tmp_path))
        return
    with pytest.raises(BundleError) as refusal:
        unpack_bundle(FOLDER / case["zip"], tmp_path)
    assert case["names"] in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_files_are_what_the_generator_makes_and_stay_small(tmp_path: Path) -> None:
    generator = runpy.run_path(str(Path(__file__).with_name("make_bundle_cases.py")))
    generator["make"](tmp_path / "bundles")
    made = {
        f.relative_to(tmp_path / "bundles"): f.read_bytes() for f in (tmp_path / "bundles").rglob("*") if f.is_file()
    }
    assert made == {f.relative_to(FOLDER): f.read_bytes() for f in FOLDER.rglob("*") if f.is_file()}
    assert sum(len(content) for content in made.values()) < 300_000


def test_names_are_unique() -> None:
    for cases in (CASES, ZIPS):
        assert len({case["name"] for case in cases}) == len(cases)
