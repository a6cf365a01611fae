"""Write `bundles/`: good bundles, and everything that a reader of contract 1 must refuse.

Run it after a change of the contract, and commit what it writes:
`.venv/bin/python tests/contract/make_bundle_cases.py`

Nothing here runs a model: `model.pte` and the `.mlpackage` hold arbitrary bytes.
"""

import difflib
import hashlib
import json
import runpy
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mobisdk.bundle.manifest import LARGEST_MANIFEST_BYTES, compute_bundle_id

Manifest = dict[str, Any]
Edit = Callable[[Manifest], object]
_SEAL = b'"manifest_sha256": "'
PACKAGE = "model.mlpackage/Data/com.apple.CoreML"
_DIGEST = hashlib.sha256(b"").hexdigest()


class Case(NamedTuple):
    name: str
    manifest: bytes
    refused_with: str | None = None
    """What the message must contain; None where the bundle is good."""
    files: dict[str, Any] = {}  # noqa: RUF012
    base: str = "android"
    bundle_id_only: bool = False


def make(folder: Path) -> None:
    """Write everything below `folder`, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    good = runpy.run_path(str(Path(__file__).with_name("bundle_good.py")))
    bases = {"android": good["android"](), "ios": good["ios"]()}
    for base, files in bases.items():
        for name, content in files.items():
            (folder / base / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / base / name).write_bytes(content)
    listed = [describe(case, bases[case.base]["manifest.json"]) for case in cases(bases)]
    (folder / "cases.json").write_text(json.dumps(listed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    zips = folder / "zips"
    zips.mkdir()
    zip_cases = runpy.run_path(str(Path(__file__).with_name("bundle_zip_cases.py")))["zip_cases"]
    described = []
    for name, content, refused_with in zip_cases(bases["android"]):
        (zips / f"{name}.zip").write_bytes(content)
        described.append({"name": name, "zip": f"zips/{name}.zip", **verdict(refused_with)})
    (folder / "zips.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def verdict(refused_with: str | None) -> dict[str, str]:
    if refused_with is None:
        return {"expect": "use"}
    return {"expect": "refuse", "error": "BundleError", "names": refused_with}


def describe(case: Case, good: bytes) -> dict[str, Any]:
    row: dict[str, Any] = {"name": case.name, "base": case.base, **verdict(case.refused_with)}
    edits = byte_edits(good, case.manifest)
    if edits:
        row["manifest_edits"] = edits
    if case.files:
        row["files"] = case.files
    if case.bundle_id_only:
        row["checks"] = "bundle_id"
    return row


def byte_edits(before: bytes, after: bytes) -> list[dict[str, Any]]:
    """Turn `before` into `after`: offsets count bytes of `before` and rise."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    edits = []
    for kind, start, end, new_start, new_end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        inserted = b"".join(new[new_start:new_end])
        edit: dict[str, Any] = {"at": len(b"".join(old[:start])), "remove": len(b"".join(old[start:end]))}
        if len(inserted) > 1 and len(set(inserted)) == 1:
            edit |= {"insert": inserted[:1].decode(), "times": len(inserted)}
        else:
            try:
                edit["insert"] = inserted.decode()
            except UnicodeDecodeError:
                edit["insert_hex"] = inserted.hex()
        edits.append(edit)
    return edits


def reseal(content: bytes) -> bytes:
    """Put the right hash into a manifest whose text was changed."""
    start = content.rfind(_SEAL) + len(_SEAL)
    zeroed = content[:start] + b"0" * 64 + content[start + 64 :]
    return zeroed[:start] + hashlib.sha256(zeroed).hexdigest().encode() + zeroed[start + 64 :]


def changed(good: bytes, edit: Edit) -> bytes:
    """Change the manifest as a forger would: every hash fits again."""
    manifest = json.loads(good)
    edit(manifest)
    if "bundle_id" in manifest:
        manifest["bundle_id"] = compute_bundle_id(manifest)
    text = (json.dumps(manifest, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()
    return reseal(text) if "manifest_sha256" in manifest else text


def put(*path: Any) -> Edit:
    """Return an edit: the last of `path` becomes the value at the place that the others name."""
    *keys, last, value = path

    def edit(manifest: Manifest) -> None:
        place: Any = manifest
        for key in keys:
            place = place[key]
        place[last] = value

    return edit


def drop(*path: str) -> Edit:
    def edit(manifest: Manifest) -> None:
        place: Any = manifest
        for key in path[:-1]:
            place = place[key]
        del place[path[-1]]

    return edit


def cases(bases: Mapping[str, Mapping[str, bytes]]) -> Iterator[Case]:
    good, ios_good = bases["android"]["manifest.json"], bases["ios"]["manifest.json"]
    yield Case("good", good)
    yield Case("good_core_ml_with_nested_folders", ios_good, base="ios")
    yield from good_cases(good)
    for name, edit, names in schema_cases(json.loads(good)):
        yield Case(name, changed(good, edit), names)
    yield from text_cases(good)
    for name, path, names in PATHS:
        entry = {"sha256": _DIGEST, "size_bytes": 0}
        yield Case(f"path_{name}", changed(good, put("files", path, entry)), names)
    for name, edit, names in COLLISIONS:
        yield Case(f"collision_{name}", changed(good, edit), names)
    for name, files, names in FILES:
        yield Case(name, good, names, files)
    yield Case(
        "extra_file_in_nested_folder", ios_good, "extra.bin", {"write": {f"{PACKAGE}/extra.bin": "x"}}, base="ios"
    )
    yield Case("missing_nested_file", ios_good, "weight.bin", {"remove": [f"{PACKAGE}/weights/weight.bin"]}, "ios")


def good_cases(good: bytes) -> Iterator[Case]:
    edits: dict[str, Edit] = {
        "unknown_keys_are_kept": lambda m: (
            m.update(made_by={"team": "vision", "list": [1, None, "é"]}),
            m["model"].update(nickname="tiny"),
            m["parity"].update(p99_error=0.01, note="more than is asked"),
        ),
        "network_without_spec": lambda m: m["model"].update(spec=None, arch=None, alpha=None, resolution=None),
        "zeros_where_allowed": lambda m: (
            m["model"].update(params=0, macs=0),
            m["delegation"].update(ops_total=0, ops_delegated=0, macs_delegated=0),
            m["parity"].update(max_abs_error=0, top1_agreement=0, tolerance=None),
        ),
        "negative_sqnr": put("parity", "sqnr_db", -3.5),
        "large_counts_are_64_bits": put("model", "macs", 2**53 - 1),
        "text_of_200_characters": put("sdk_version", "9" * 200),
        "fallback_listed": put("delegation", "fallback", [{"op": "softmax", "count": 1, "reason": ""}]),
        "another_runtime_name": put("target", "runtime", "tflite"),
        "min_runtime": put("target", "min_runtime", "1.4.0"),
    }
    for name, edit in edits.items():
        yield Case(f"good_{name}", changed(good, edit))
    padding = LARGEST_MANIFEST_BYTES - len(good)
    yield Case("good_manifest_of_exactly_1_mib", reseal(good + b" " * (padding - 1) + b" "))


def schema_cases(manifest: Manifest) -> Iterator[tuple[str, Edit, str]]:
    wrong = runpy.run_path(str(Path(__file__).with_name("bundle_wrong_values.py")))
    for key in manifest:
        yield f"missing_{key}", drop(key), key
    for path in wrong["ONE_OF_EACH_SECTION"]:
        keys = ["files", "labels.txt", "size_bytes"] if path.startswith("files") else path.split(".")
        yield f"missing_{path}", drop(*keys), keys[-1]
    for name, change in wrong["WRONG_VALUES"].items():
        yield f"wrong_{name}", put(*change), str(change[-2])


def text_cases(good: bytes) -> Iterator[Case]:
    alpha = b'"alpha": 0.25,'
    yield Case("flipped_byte_in_a_value", good.replace(b'"seed 0"', b'"seed 1"'), "hash")
    yield Case("flipped_byte_in_white_space", good.replace(b"\n  ", b"\n \t", 1), "hash")
    digit = good.index(_SEAL) + len(_SEAL)
    flipped = b"0" if good[digit : digit + 1] != b"0" else b"1"
    yield Case("flipped_byte_in_the_seal", good[:digit] + flipped + good[digit + 1 :], "hash")
    yield Case("byte_after_the_end", good + b"\n", "hash")
    yield Case("more_than_1_mib", reseal(good + b" " * (LARGEST_MANIFEST_BYTES - len(good) + 1)), "manifest.json")
    yield Case("empty_manifest", b"", "manifest.json")
    yield Case("html_for_a_manifest", b"<!doctype html><title>Sign in</title>\n", "manifest.json")
    yield Case("cut_manifest", good[: len(good) // 2], "manifest.json")
    yield Case("manifest_a_list", b"[]\n", "manifest.json")
    yield Case("byte_order_mark", reseal(b"\xef\xbb\xbf" + good), "manifest.json")
    yield Case("utf_16", good.decode().encode("utf-16-le"), "manifest.json")
    yield Case("key_twice", reseal(good.replace(alpha, alpha + b'\n    "alpha": 0.5,')), "twice")
    yield Case("key_twice_by_escape", reseal(good.replace(alpha, alpha + b'\n    "\\u0061lpha": 0.5,')), "twice")
    for name, number in {"nan": b"NaN", "infinity": b"Infinity", "minus_infinity": b"-Infinity"}.items():
        yield Case(name, reseal(good.replace(alpha, b'"alpha": ' + number + b",")), "manifest.json")
    yield Case("number_beyond_double", reseal(good.replace(alpha, b'"alpha": 1e999,')), "manifest.json")
    yield Case("invalid_utf_8", reseal(good.replace(b'"seed 0"', b'"seed \xff"')), "manifest.json")
    yield Case("overlong_utf_8", reseal(good.replace(b'"seed 0"', b'"seed \xc0\xaf"')), "manifest.json")
    yield Case("half_a_surrogate_pair", reseal(good.replace(b'"seed 0"', b'"seed \\ud800"')), "manifest.json")
    yield Case("control_character_in_text", reseal(good.replace(b'"seed 0"', b'"seed \x01"')), "manifest.json")
    yield Case("nested_100000_deep", b"[" * 100_000, "manifest.json")
    yield Case("trailing_comma", reseal(good.replace(b"\n}\n", b",\n}\n")), "manifest.json")
    yield Case("comment", reseal(b"// made by hand\n" + good), "manifest.json")
    seal_twice = good.replace(b"{\n", b'{\n  "copy": {' + _SEAL + b"0" * 64 + b'"},\n', 1)
    yield Case("seal_twice", reseal(seal_twice), "manifest_sha256")
    forged = reseal(good.replace(b'"created_at": "2026', b'"created_at": "2027').replace(b'"seed 0"', b'"seed 1"'))
    yield Case("bundle_id_of_another_bundle", forged, "bundle_id", bundle_id_only=True)


PATHS = (
    ("absolute", "/etc/evil.txt", "evil.txt"),
    ("drive", "C:/evil.txt", "evil.txt"),
    ("drive_without_slash", "C:evil.txt", "evil.txt"),
    ("parent", "../evil.txt", "evil.txt"),
    ("parent_inside", "a/../../evil.txt", "evil.txt"),
    ("parent_at_the_end", "evil/..", "evil"),
    ("dot", "./evil.txt", "evil.txt"),
    ("empty_part", "a//evil.txt", "evil.txt"),
    ("trailing_slash", "evil/", "evil"),
    ("backslash", "..\\evil.txt", "evil.txt"),
    ("nul", "evil\0.txt", "evil"),
    ("newline", "evil\n.txt", "evil"),
    ("colon", "evil:stream", "evil"),
    ("part_of_201_characters", "evil" + "l" * 197, "evil"),
    ("of_1025_characters", "evil/" * 204 + "evils", "evil"),
    ("empty", "", "manifest.json"),
    ("manifest_itself", "manifest.json", "manifest.json"),
    ("manifest_in_capitals", "MANIFEST.JSON", "MANIFEST.JSON"),
)


def _listed(*paths: str) -> Edit:
    return lambda m: m["files"].update({path: {"sha256": _DIGEST, "size_bytes": 0} for path in paths})


COLLISIONS: tuple[tuple[str, Edit, str], ...] = (
    ("case", _listed("Labels.txt"), "abels.txt"),
    ("folder_case", _listed("Data/a.bin", "data/b.bin"), "ata/"),
    ("unicode_form", _listed("caf\u00e9.txt", "cafe\u0301.txt"), "caf"),
    ("case_and_unicode_form", _listed("caf\u00c9.txt", "cafe\u0301.txt"), "caf"),
    ("sharp_s", _listed("stra\u00dfe.txt", "STRASSE.txt"), ".txt"),
    ("file_and_folder", _listed("labels.txt/inner.txt"), "labels.txt"),
)

FILES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("extra_file", {"write": {"extra.txt": "x"}}, "extra.txt"),
    ("extra_hidden_file", {"write": {".DS_Store": "x"}}, ".DS_Store"),
    ("no_model", {"remove": ["model.pte"]}, "model.pte"),
    ("no_manifest", {"remove": ["manifest.json"]}, "manifest.json"),
    ("size_longer", {"write": {"labels.txt": "cat\ndog\nbird\n"}}, "labels.txt"),
    ("size_shorter", {"write": {"labels.txt": "cat\n"}}, "labels.txt"),
    ("wrong_hash", {"write": {"labels.txt": "cat\ndo8\n"}}, "labels.txt"),
    (
        "link_to_a_twin",
        {"write_outside": {"twin.txt": "cat\ndog\n"}, "link": {"labels.txt": "../twin.txt"}},
        "labels.txt",
    ),
    ("link_that_is_not_listed", {"link": {"extra": "labels.txt"}}, "extra"),
    ("link_to_a_folder", {"link": {"extra": ".."}}, "extra"),
    ("link_to_nothing", {"link": {"labels.txt": "nowhere"}}, "labels.txt"),
    ("folder_for_a_file", {"remove": ["labels.txt"], "folder": ["labels.txt"]}, "labels.txt"),
)


if __name__ == "__main__":
    make(Path(__file__).with_name("bundles"))
