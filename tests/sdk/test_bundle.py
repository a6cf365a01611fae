"""The bundle as a hostile file: every way to tamper with one is refused."""

import copy
import hashlib
import json
import os
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobisdk.bundle import (
    Bundle,
    compute_variant_id,
    pack_bundle,
    read_bundle,
    unpack_bundle,
    verify_files,
    write_bundle,
)
from mobisdk.bundle.manifest import parse_manifest, seal_manifest
from mobisdk.errors import BundleError
from mobisdk.specs import ModelSpec

DIGEST = hashlib.sha256(b"").hexdigest()
MANIFEST: dict[str, Any] = {
    "created_at": "2026-01-02T03:04:05Z",
    "sdk_version": "0.1.0",
    "tool_versions": {"torch": "2.13.0", "executorch": "1.4.1", "coremltools": None},
    "variant_id": DIGEST,
    "model": {
        "spec": {"arch": "mobilenet_v1"},
        "arch": "mobilenet_v1",
        "alpha": 0.25,
        "resolution": 32,
        "num_classes": 2,
        "params": 10,
        "macs": 20,
        "weights": {"source": "random", "detail": "seed 0", "sha256": DIGEST},
        "compression": [],
    },
    "target": {
        "platform": "android",
        "runtime": "executorch",
        "recipe": "xnnpack_fp32",
        "backend": "xnnpack",
        "min_os": "23",
        "compute_units": None,
    },
    "input": {
        "name": "image",
        "kind": "tensor",
        "shape": [1, 3, 32, 32],
        "dtype": "float32",
        "color": "RGB",
        "preprocess": {
            "resize": 36,
            "crop": 32,
            "interpolation": "bilinear",
            "scale": 1 / 255,
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "baked_in": True,
        },
    },
    "output": {"name": "logits", "shape": [1, 2], "dtype": "float32", "activation": "logits"},
    "delegation": {"ops_total": 3, "ops_delegated": 3, "macs_delegated": 20, "fallback": []},
    "parity": {
        "images": 20,
        "image_set_sha256": DIGEST,
        "top1_agreement": 1.0,
        "max_abs_error": 1e-7,
        "sqnr_db": 120.0,
        "tolerance": 1e-4,
    },
    "golden": {
        "image": "golden_image.png",
        "input": "golden_input.u8",
        "output": "golden_output.f32",
        "tolerance": 0.01,
    },
}
CONTENT = {
    "model.pte": b"not really a program",
    "labels.txt": "cat\ndög\n".encode(),
    "golden_image.png": b"png",
    "golden_input.u8": bytes(range(256)) * 12,
    "golden_output.f32": b"\0\0\x80\x3f\0\0\0\x40",
}


def write_content(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_bundle(write_content(tmp_path / "content", CONTENT), MANIFEST, tmp_path)


def test_write_bundle_then_read_gives_everything_back(bundle: Bundle) -> None:
    assert read_bundle(bundle.path) == bundle
    verify_files(bundle)
    assert bundle.path.name == f"mobilenet_v1-a0.25-r32-xnnpack_fp32-{bundle.manifest['bundle_id'][:8]}"
    assert bundle.labels() == ("cat", "dög")
    assert bundle.golden_input().tolist()[0][1] == [3, 4, 5]
    assert bundle.golden_output().tolist() == [1.0, 2.0]
    assert bundle.model_path == bundle.path / "model.pte"
    assert bundle.size_bytes == len(CONTENT["model.pte"])
    assert bundle.target.recipe == "xnnpack_fp32"
    assert bundle.input.crop == 32


def test_manifest_on_disk_is_sorted_utf8_and_ends_with_a_newline(bundle: Bundle) -> None:
    text = (bundle.path / "manifest.json").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_bundle_id_depends_on_content_and_not_on_when_or_how_well() -> None:
    def identify(**changes: Any) -> str:
        manifest = {**copy.deepcopy(MANIFEST), "files": {"model.pte": {"sha256": DIGEST, "size_bytes": 0}}, **changes}
        return str(parse_manifest(seal_manifest(manifest))["bundle_id"])

    same = {"created_at": "2027-01-01T00:00:00Z", "parity": {**MANIFEST["parity"], "sqnr_db": 1.0}}
    assert identify() == identify(**same)
    assert identify() != identify(files={"model.pte": {"sha256": DIGEST, "size_bytes": 1}})
    assert identify() != identify(sdk_version="0.2.0")


def test_variant_id_depends_on_shape_recipe_and_toolchain() -> None:
    def identify(spec: ModelSpec = ModelSpec(), recipe: str = "a", version: str = "1") -> str:  # noqa: B008
        return compute_variant_id(spec, [], recipe, {"torch": version})

    ids = {identify(), identify(ModelSpec(alpha=0.5)), identify(recipe="b"), identify(version="2")}
    assert len(ids) == 4
    assert identify() == identify()


def test_write_bundle_when_the_twin_is_there_then_keeps_it(bundle: Bundle, tmp_path: Path) -> None:
    before = (bundle.path / "manifest.json").stat().st_mtime_ns
    later = {**MANIFEST, "created_at": "2027-01-01T00:00:00Z"}
    again = write_bundle(write_content(tmp_path / "again", CONTENT), later, tmp_path)
    assert again == bundle
    assert (bundle.path / "manifest.json").stat().st_mtime_ns == before


def test_write_bundle_when_something_else_has_its_name_then_refuses(bundle: Bundle, tmp_path: Path) -> None:
    (bundle.path / "model.pte").write_bytes(b"damaged")
    with pytest.raises(BundleError, match="exists and is no whole bundle"):
        write_bundle(write_content(tmp_path / "again", CONTENT), MANIFEST, tmp_path)


@pytest.mark.parametrize("name", sorted(CONTENT))
def test_verify_when_any_byte_of_any_file_is_flipped_then_names_the_file(bundle: Bundle, name: str) -> None:
    path = bundle.path / name
    content = path.read_bytes()
    for position in range(0, len(content), max(1, len(content) // 100)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with pytest.raises(BundleError, match=name):
            verify_files(read_bundle(bundle.path))


def test_read_when_any_byte_of_the_manifest_is_flipped_then_refuses(bundle: Bundle) -> None:
    content = (bundle.path / "manifest.json").read_bytes()
    for position in range(len(content)):
        for flip in (1, 0x20):
            tampered = content[:position] + bytes([content[position] ^ flip]) + content[position + 1 :]
            with pytest.raises(BundleError):
                parse_manifest(tampered)


def reseal(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Tamper as someone who knows the format does: with hashes that fit."""
    manifest = json.loads((path / "manifest.json").read_bytes())
    change(manifest)
    zeroed = json.dumps({**manifest, "manifest_sha256": "0" * 64}, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    unsealed = {key: value for key, value in manifest.items() if key != "manifest_sha256"}
    assert unsealed
    digest = hashlib.sha256(zeroed.encode()).hexdigest()
    (path / "manifest.json").write_text(zeroed.replace("0" * 64, digest), encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [
        "../escape",
        "a/../../escape",
        "/etc/passwd",
        "C:/windows",
        "a//b",
        "./a",
        "a/.",
        "a\\b",
        "nul\0byte",
        "line\nbreak",
        "x" * 201,
        "MODEL.pte",
        "labels.txt/below",
        "manifest.json",
        "Manifest.JSON",
    ],
)
def test_seal_then_read_when_a_listed_path_is_bad_then_refuses(bundle: Bundle, name: str) -> None:
    manifest = dict(bundle.manifest)
    manifest["files"] = {**manifest["files"], name: {"sha256": DIGEST, "size_bytes": 0}}
    (bundle.path / "manifest.json").write_bytes(seal_manifest(manifest))
    with pytest.raises(BundleError, match="path"):
        read_bundle(bundle.path)


def test_read_when_two_names_differ_in_unicode_form_only_then_refuses(bundle: Bundle) -> None:
    entry = {"sha256": DIGEST, "size_bytes": 0}
    manifest = dict(bundle.manifest)
    manifest["files"] = {**manifest["files"], "caf\u00e9": entry, "cafe\u0301": entry}
    (bundle.path / "manifest.json").write_bytes(seal_manifest(manifest))
    with pytest.raises(BundleError, match="case or Unicode form"):
        read_bundle(bundle.path)


def test_read_when_a_file_is_unlisted_missing_or_of_another_size_then_refuses(bundle: Bundle) -> None:
    extra = bundle.path / "extra.txt"
    extra.write_text("x")
    with pytest.raises(BundleError, match=r"does not list, got 'extra\.txt'"):
        read_bundle(bundle.path)
    extra.unlink()
    with (bundle.path / "labels.txt").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=r"labels\.txt must have 9 bytes, got 10"):
        read_bundle(bundle.path)
    (bundle.path / "labels.txt").unlink()
    with pytest.raises(BundleError, match=r"lacks a file that its manifest lists, got 'labels\.txt'"):
        read_bundle(bundle.path)


@pytest.mark.parametrize("make", [os.symlink, os.link])
def test_read_when_a_file_is_a_link_then_a_symbolic_one_is_refused(
    bundle: Bundle, tmp_path: Path, make: Callable[[Path, Path], None]
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(CONTENT["model.pte"])
    (bundle.path / "model.pte").unlink()
    make(outside, bundle.path / "model.pte")
    if make is os.symlink:
        with pytest.raises(BundleError, match="no links"):
            read_bundle(bundle.path)
    else:
        verify_files(read_bundle(bundle.path))


def test_read_when_a_folder_or_the_manifest_or_the_bundle_is_a_link_then_refuses(
    bundle: Bundle, tmp_path: Path
) -> None:
    (bundle.path / "folder").symlink_to(tmp_path)
    with pytest.raises(BundleError, match="no links"):
        read_bundle(bundle.path)
    (bundle.path / "folder").unlink()
    (tmp_path / "link").symlink_to(bundle.path)
    with pytest.raises(BundleError, match="must be a folder"):
        read_bundle(tmp_path / "link")
    (bundle.path / "manifest.json").rename(tmp_path / "manifest.json")
    (bundle.path / "manifest.json").symlink_to(tmp_path / "manifest.json")
    with pytest.raises(BundleError, match=r"no manifest\.json"):
        read_bundle(bundle.path)


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("$.model.params", lambda m: m["model"].update(params=-1)),
        ("$.model.arch", lambda m: m["model"].update(arch="../../etc")),
        ("$.input.shape[2]", lambda m: m["input"].update(shape=[1, 3, 0, 32])),
        ("$.target.platform", lambda m: m["target"].update(platform="symbian")),
        ("$.golden.input", lambda m: m["golden"].update(input="../secret")),
        ("$.schema", lambda m: m.update(schema="mobisdk.bundle/9")),
        ("$.files", lambda m: m.update(files={})),
        ("$: ", lambda m: m.pop("variant_id")),
    ],
)
def test_read_when_a_field_is_wrong_then_names_its_path(
    bundle: Bundle, where: str, change: Callable[[dict[str, Any]], None]
) -> None:
    reseal(bundle.path, change)
    with pytest.raises(BundleError) as caught:
        read_bundle(bundle.path)
    assert where in str(caught.value)


def test_read_when_resealed_without_its_bundle_id_then_refuses(bundle: Bundle) -> None:
    reseal(bundle.path, lambda m: m["model"].update(params=11))
    with pytest.raises(BundleError, match="bundle_id of another bundle"):
        read_bundle(bundle.path)


def test_read_when_a_key_is_unknown_then_keeps_it(bundle: Bundle) -> None:
    manifest = {**bundle.manifest, "future": {"field": 1}}
    (bundle.path / "manifest.json").write_bytes(seal_manifest(manifest))
    assert read_bundle(bundle.path).manifest["future"] == {"field": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b"null",
        b"\xff\xfe",
        b'{"schema": NaN}',
        b'{"a": 1, "a": 2}',
        b"[" * 100_000,
        b" " * (1024 * 1024 + 1),
    ],
)
def test_parse_manifest_when_it_is_garbage_then_is_a_bundle_error(content: bytes) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json"):
        parse_manifest(content)


def test_read_when_there_is_no_bundle_then_says_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="must be a folder"):
        read_bundle(tmp_path / "nothing")
    with pytest.raises(BundleError, match=r"no manifest\.json"):
        read_bundle(tmp_path)


def test_pack_then_unpack_gives_the_same_bundle_and_the_same_bytes(bundle: Bundle, tmp_path: Path) -> None:
    pack_bundle(bundle, tmp_path / "one.zip")
    pack_bundle(bundle, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    (tmp_path / "elsewhere").mkdir()
    unpacked = unpack_bundle(tmp_path / "one.zip", tmp_path / "elsewhere")
    assert unpacked.manifest == bundle.manifest
    verify_files(unpacked)


def link_entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o120777 << 16
    return entry


@pytest.mark.parametrize(
    ("reason", "entry", "content"),
    [
        ("must not leave", zipfile.ZipInfo("../escape"), b"x"),
        ("must be relative", zipfile.ZipInfo("/absolute"), b"x"),
        ("does not list", zipfile.ZipInfo("unlisted"), b"x"),
        ("case or Unicode", zipfile.ZipInfo("Labels.txt"), b"x"),
        ("no links", link_entry("link"), b"/etc/passwd"),
    ],
)
def test_unpack_when_an_entry_is_bad_then_refuses_and_writes_nothing(
    bundle: Bundle, tmp_path: Path, reason: str, entry: zipfile.ZipInfo, content: bytes
) -> None:
    path = tmp_path / "bad.zip"
    pack_bundle(bundle, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(entry, content)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(BundleError, match=reason):
        unpack_bundle(path, tmp_path / "elsewhere")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_unpack_when_compressed_truncated_or_tampered_then_refuses(bundle: Bundle, tmp_path: Path) -> None:
    packed = tmp_path / "bundle.zip"
    pack_bundle(bundle, packed)
    content = packed.read_bytes()
    (tmp_path / "elsewhere").mkdir()

    compressed = tmp_path / "compressed.zip"
    with zipfile.ZipFile(compressed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in bundle.path.iterdir():
            archive.write(file, file.name, zipfile.ZIP_STORED if file.name == "manifest.json" else zipfile.ZIP_DEFLATED)
    truncated = tmp_path / "truncated.zip"
    truncated.write_bytes(content[: len(content) // 2])
    tampered = tmp_path / "tampered.zip"
    tampered.write_bytes(content.replace(CONTENT["model.pte"], CONTENT["model.pte"].upper()))
    for path, reason in ((compressed, "stored"), (truncated, "zip"), (tampered, "zip")):
        with pytest.raises(BundleError, match=reason):
            unpack_bundle(path, tmp_path / "elsewhere")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_write_bundle_when_the_disk_refuses_then_leaves_nothing(tmp_path: Path) -> None:
    """A limit on file size is a full disk that any user can make."""
    content = write_content(tmp_path / "content", CONTENT)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_bundle(content, MANIFEST, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == [content]


def test_write_bundle_when_the_parent_is_no_folder_then_leaves_nothing(tmp_path: Path) -> None:
    content = write_content(tmp_path / "content", CONTENT)
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="Not a directory"):
        write_bundle(content, MANIFEST, tmp_path / "file")
    assert sorted(path.name for path in content.iterdir()) == sorted(CONTENT)


@pytest.mark.parametrize("value", ['"\\ud800"', "1e999", "[" * 5000 + "]" * 5000], ids=["half a pair", "1e999", "deep"])
def test_parse_manifest_when_an_unknown_key_cannot_be_written_again_then_refuses(bundle: Bundle, value: str) -> None:
    content = (bundle.path / "manifest.json").read_text(encoding="utf-8")
    with pytest.raises(BundleError, match="not JSON"):
        parse_manifest(content.replace("{", f'{{"aa": {value},', 1).encode())


def test_unpack_bundle_when_a_name_is_not_utf8_then_refuses(bundle: Bundle, tmp_path: Path) -> None:
    packed = tmp_path / "b.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("dög.txt", b"")
    packed.write_bytes(packed.read_bytes().replace("dög".encode(), b"d\xff\xffg"))
    with pytest.raises(BundleError, match="no whole zip"):
        unpack_bundle(packed, tmp_path)


def test_golden_input_when_the_manifest_does_not_list_it_then_bundle_error(tmp_path: Path) -> None:
    without = {name: content for name, content in CONTENT.items() if name != "golden_input.u8"}
    bundle = write_bundle(write_content(tmp_path / "content", without), MANIFEST, tmp_path)
    with pytest.raises(BundleError, match="golden_input"):
        bundle.golden_input()


def test_golden_output_when_classes_are_written_with_a_point_then_reads_it(tmp_path: Path) -> None:
    model = {**MANIFEST["model"], "num_classes": 2.0}
    bundle = write_bundle(write_content(tmp_path / "content", CONTENT), {**MANIFEST, "model": model}, tmp_path)
    assert bundle.golden_output().tolist() == [1.0, 2.0]


def test_golden_input_when_the_shape_overflows_64_bits_then_bundle_error(tmp_path: Path) -> None:
    shape = {**MANIFEST["input"], "shape": [1, 3, 2**62, 2**62]}
    bundle = write_bundle(write_content(tmp_path / "content", CONTENT), {**MANIFEST, "input": shape}, tmp_path)
    with pytest.raises(BundleError, match="must hold"):
        bundle.golden_input()
