"""Zipped bundles, good and hostile, for `make_bundle_cases`."""

import io
import struct
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping

_LINK = 0o120777 << 16


def zip_cases(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes, str | None]]:
    """Yield name, bytes, and what the message must contain (None: a good one)."""
    whole = list(files.items())
    good = pack(whole)
    others = [entry for entry in whole if entry[0] != "manifest.json"]
    yield "good", good, None
    yield "good_with_folder_entries", pack([("folder/", b""), *whole]), None
    yield "compressed_entry", pack(whole, deflated="labels.txt"), "labels.txt"
    yield "compressed_manifest", pack(whole, deflated="manifest.json"), "manifest.json"
    yield "link", pack(whole, link="labels.txt"), "labels.txt"
    yield "encrypted_flag", patch(good, "labels.txt", flags=1), "labels.txt"
    yield "encrypted_flag_on_manifest", patch(good, "manifest.json", flags=1), "manifest.json"
    yield "unknown_method", patch(good, "labels.txt", method=99), "labels.txt"
    yield "name_twice", pack([*whole, ("labels.txt", b"cat\ndog\n")]), "labels.txt"
    yield "manifest_twice", pack([*whole, whole[0]]), "manifest.json"
    yield "no_manifest", pack(others), "manifest.json"
    yield "extra_entry", pack([*whole, ("extra.txt", b"x")]), "extra.txt"
    yield "missing_entry", pack([entry for entry in whole if entry[0] != "model.pte"]), "model.pte"
    yield "entry_that_leaves", pack([*whole, ("../evil.txt", b"x")]), "evil.txt"
    yield "absolute_entry", pack([*whole, ("/evil.txt", b"x")]), "evil.txt"
    yield "size_lies_large", patch(good, "model.pte", size=0xFFFFFFF0), "model.pte"
    yield "size_lies_small", patch(good, "model.pte", size=1), "model.pte"
    yield (
        "content_changed",
        pack([*others, ("manifest.json", files["manifest.json"])]).replace(b"cat\ndog\n", b"cat\ndo8\n"),
        "",
    )
    yield "content_changed_with_fitting_crc", pack([(n, c.replace(b"dog", b"do8")) for n, c in whole]), "labels.txt"
    yield "cut", good[: len(good) // 2], ""
    yield "not_a_zip", b"<!doctype html><title>Sign in</title>\n", ""
    yield "empty", b"", ""
    yield "needs_version_90", patch(good, "labels.txt", version=90), ""


def pack(entries: Iterable[tuple[str, bytes]], deflated: str = "", link: str = "") -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w") as archive:
        warnings.simplefilter("ignore", UserWarning)  # a name twice is what some cases are about
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = _LINK if name == link else 0
            archive.writestr(info, content, zipfile.ZIP_DEFLATED if name == deflated else zipfile.ZIP_STORED)
    return target.getvalue()


def patch(
    content: bytes, name: str, flags: int = 0, method: int = 0, size: int | None = None, version: int = 20
) -> bytes:
    """Change one entry's two headers (APPNOTE.TXT 4.3.7 and 4.3.12), the local and the central one."""
    patched = bytearray(content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        local = archive.getinfo(name).header_offset
    central = content.rindex(name.encode()) - 46
    struct.pack_into("<HHH", patched, local + 4, version, flags, method)
    struct.pack_into("<HHH", patched, central + 6, version, flags, method)
    if size is not None:
        struct.pack_into("<II", patched, local + 18, size, size)
        struct.pack_into("<II", patched, central + 20, size, size)
    return bytes(patched)
