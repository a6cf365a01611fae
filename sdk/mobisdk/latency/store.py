"""Read any number of logs: what is whole becomes runs, what is not is set aside and counted, and nothing stops it."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from mobisdk.errors import DataError
from mobisdk.latency.log import LONGEST_LINE_BYTES, parse_run, to_json_line
from mobisdk.latency.record import LatencyRun


@dataclasses.dataclass(frozen=True)
class SetAside:
    """A line that is no run: where it is, and why."""

    file: Path
    line: int
    """From 1."""
    reason: str


@dataclasses.dataclass(frozen=True)
class LogSet:
    """What the logs hold. Each run is there once, however often its line was copied; `duplicates` counts the copies."""

    files: tuple[Path, ...]
    runs: tuple[LatencyRun, ...]
    set_aside: tuple[SetAside, ...]
    duplicates: int


def read_logs(paths: Iterable[Path], others: Iterable[tuple[Path, Iterable[bytes]]] = ()) -> LogSet:
    """Read files, and every `*.jsonl` below folders; `others` are lines from elsewhere, and what to call their place.

    Raises:
        DataError: a path does not exist, or a folder holds no log.
        OSError: a file cannot be read.
    """
    files = _log_files(paths)
    sources = [*((path, _read_lines(path)) for path in files), *others]
    runs: dict[str, LatencyRun] = {}
    set_aside: list[SetAside] = []
    duplicates = 0
    for path, lines in sources:
        for number, line in enumerate(lines, start=1):
            if line.isspace():
                continue
            try:
                run = parse_run(line.rstrip(b"\r\n"))
            except DataError as error:
                set_aside.append(SetAside(path, number, str(error)))
                continue
            earlier = runs.setdefault(run.run_id.lower(), run)
            if earlier is run:
                continue
            if to_json_line(earlier) == to_json_line(run):
                duplicates += 1
            else:
                set_aside.append(SetAside(path, number, f"run_id {run.run_id} is another run's already"))
    return LogSet(tuple(path for path, _ in sources), tuple(runs.values()), tuple(set_aside), duplicates)


def _log_files(paths: Iterable[Path]) -> list[Path]:
    """Every log once, though it be named twice or lie in a folder that is named too."""
    found: dict[Path, Path] = {}
    for path in paths:
        if not path.exists():
            raise DataError("no such log", got=str(path), hint="`mobisdk bench` writes one")
        inside = sorted(file for file in path.rglob("*.jsonl") if file.is_file()) if path.is_dir() else [path]
        if not inside:
            raise DataError("the folder holds no log", got=str(path), allowed="files that end in .jsonl")
        for file in inside:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _read_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _lines(file)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """One line at a time, and of an endless one only as much as shows that it is too long."""
    while line := file.readline(LONGEST_LINE_BYTES + 1):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE_BYTES)
        yield line
