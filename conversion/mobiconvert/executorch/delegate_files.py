"""The files inside a Core ML delegate, which keeps a whole folder in one blob.

Their contents come first; a JSON document that lists them comes last, written backwards, the folder itself as its last
entry. ExecuTorch's own reader follows names that lead out of the folder, so a blob that may be hostile is not given
to it.
"""

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

_FILE = 0


def unpack_files(blob: bytes, folder: Path) -> None:
    """Write the files of `blob` into `folder`.

    Raises:
        ValueError: it is damaged, or a name would lead out of the folder.
    """
    for name, content in _read_files(blob):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _read_files(blob: bytes) -> Iterator[tuple[PurePosixPath, bytes]]:
    try:
        document, _ = json.JSONDecoder().raw_decode(blob[::-1].decode("latin-1"))
        nodes = document["nodes"]
        yield from _walk(blob, nodes, _node(nodes, len(nodes) - 1), PurePosixPath())
    except (KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise ValueError(f"the list of its files is damaged ({exc!r})") from exc


def _walk(blob: bytes, nodes: Any, node: Any, path: PurePosixPath) -> Iterator[tuple[PurePosixPath, bytes]]:
    if node["kind"] == _FILE:
        region = node["dataRegion"]
        start, size = int(region["offset"]), int(region["size"])
        if not 0 <= start <= start + size <= len(blob):
            raise ValueError(f"{path} lies outside of it")
        yield path, blob[start : start + size]
        return
    for name, index in node["children"].items():
        if name in ("", ".", "..") or any(sign in name for sign in "/\\\0"):
            raise ValueError(f"a file has no plain name: {name!r}")
        yield from _walk(blob, nodes, _node(nodes, index), path / name)


def _node(nodes: Any, index: Any) -> Any:
    if not isinstance(index, int) or not 0 <= index < len(nodes) or nodes[index] is None:
        raise ValueError(f"there is no entry {index!r}, or it is in two folders")
    node, nodes[index] = nodes[index], None
    return node
