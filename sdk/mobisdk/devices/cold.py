"""A cold start: the first load and the first inference of a process that was started for them."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mobisdk.bundle import Bundle
from mobisdk.errors import DeviceError
from mobisdk.latency.log import parse_run
from mobisdk.latency.record import LatencyRun

TIMEOUT_S = 300.0
"""Importing the runtime from a slow disk takes most of it."""


def start_cold(
    bundle: Bundle,
    threads: int,
    program: Sequence[str] = (sys.executable, "-m", "mobisdk"),
    timeout_s: float = TIMEOUT_S,
) -> LatencyRun:
    """Run `mobisdk bench --mode cold` as a process of its own and return its run.

    The child writes to a log of its own, so that one that is stopped halfway leaves nothing in the user's.

    Raises:
        DeviceError: the child failed, or did not end in time; its last words are told.
    """
    with tempfile.TemporaryDirectory(prefix="mobisdk-") as folder:
        log = Path(folder) / "cold.jsonl"
        options = ["--mode", "cold", "--threads", str(threads), "--log", str(log), "--json"]
        try:
            child = subprocess.run(
                [*program, "bench", *options, "--", str(bundle.path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise DeviceError(
                f"a cold start of {bundle.name} did not end", allowed=f"{timeout_s:g} s", hint=_last_words(exc.stderr)
            ) from exc
        if child.returncode != 0:
            raise DeviceError(
                f"a cold start of {bundle.name} failed",
                got=f"exit status {child.returncode}",
                hint=_last_words(child.stderr),
            )
        return parse_run(log.read_bytes())


def _last_words(stderr: bytes | None) -> str:
    lines = (stderr or b"").decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("Error: ") if lines else "It said nothing"
