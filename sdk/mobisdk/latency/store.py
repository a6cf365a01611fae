"""Read any number of logs: what is whole becomes runs, what is not is set aside and counted, and nothing stops it."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from mobisdk.errors import DataError
from mobisdk.latency.log import parse_run, to_json_line
from mobisdk.latency.log_files import find_log_files, read_lines
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
    """Read files, patterns such as `runs/*.jsonl`, and every log below folders: JSON Lines and Parquet.

    A file that is damaged, or was cut, is set aside from there on. `others` are lines from elsewhere, and what to
    call their place.

    Raises:
        DataError: a path does not exist, or a folder holds no log.
        OSError: a file cannot be read.
    """
    files = find_log_files(paths)
    sources = [*((path, read_lines(path)) for path in files), *others]
    runs: dict[str, LatencyRun] = {}
    set_aside: list[SetAside] = []
    duplicates = 0
    for path, lines in sources:
        number = 0
        try:
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
        except DataError as error:
            set_aside.append(SetAside(path, number + 1, str(error)))
    return LogSet(tuple(path for path, _ in sources), tuple(runs.values()), tuple(set_aside), duplicates)
